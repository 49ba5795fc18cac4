"""The live page, drawn from views that no run would give."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import msgspec
import pytest

from harness.results.formatting import clock, count
from harness.results.interim_verdict import InterimVerdict
from harness.results.rows import ObjectiveLine, RuleLine
from harness.results.run_folder import Generator
from harness.run.web.verdict_page import LiveFigures, View, render, tab_rows

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&{{ 7 * 7 }}"
UNWATCHED = Generator(
    watched_s=0,
    saturated_s=0,
    cpu_percent_p50=None,
    cpu_percent_max=None,
    lag_p99_ms=None,
    lag_max_ms=None,
)
MOMENT = LiveFigures(
    elapsed_s=83,
    users=1200,
    target_users=2000,
    requests_per_s=None,
    cpu_percent=None,
    lag_ms=None,
)


def running(text="p95", state="good", verdict="pass", **more) -> View:
    """Return a view in which every text is this one."""
    objective = ObjectiveLine(
        what=text, limit=text, value=text, samples=1, state=state, word=text, sentence=text
    )
    rule = RuleLine(name=text, state=state, word=text, sentence=text)
    interim_verdict = InterimVerdict(
        verdict=verdict,
        headline=text,
        reasons=[text],
        notes=[text],
        objectives=[objective],
        rules=[rule],
    )
    fields = {"phase": "running", "moment": MOMENT, "generator": UNWATCHED, **more}
    return View(run_id=text, host=text, interim_verdict=interim_verdict, **fields)


class Tags(HTMLParser):
    """Collects what a browser would make of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))


@pytest.mark.parametrize("phase", ["running", "stopping", "over"])
def test_hostile_text_stays_text(phase) -> None:
    page = render(running(HOSTILE, phase=phase, files=["summary.json"]), "nonce")
    tags = Tags(page).tags
    assert [attrs for tag, attrs in tags if tag == "script"] == [{"nonce": "nonce"}]
    assert "img" not in {tag for tag, _ in tags}
    assert not [name for _, attrs in tags for name in attrs if name.startswith("on")]
    assert "{{ 7 * 7 }}" in page


def test_nothing_is_loaded_from_elsewhere() -> None:
    page = render(running(phase="over", files=["report.html", "summary.json"]), "nonce")
    links = [
        value
        for _, attrs in Tags(page).tags
        for name, value in attrs.items()
        if name in ("href", "src")
    ]
    assert "./" in links and all(link.startswith(("./", "#")) for link in links)
    assert not re.search(r"https?://|@import|url\(", page)


def test_before_the_first_second_is_written_there_are_no_figures_to_show() -> None:
    page = render(running(), "nonce")
    assert "01:23" in page and "1,200" in page and "2,000 wanted" in page
    assert "at the median" not in page and "None" not in page


def test_before_a_run_there_is_no_table() -> None:
    page = render(View(phase="none"), "nonce")
    assert "Nothing has run yet" in page and "<table" not in page
    assert tab_rows(View(phase="none"), "http://127.0.0.1:8089/verdict") == []


def test_each_state_is_told_in_a_word_and_a_sign_and_not_by_colour_alone() -> None:
    for state, sign in {"good": "✓", "bad": "✗", "pending": "…"}.items():
        page = render(running("word", state=state), "nonce")
        assert page.count(f'<td class="{state}">word</td>') == 2
        assert f'.{state}::before {{ content: "{sign} ";' in page


def test_carried_users_are_shown_of_several_steps() -> None:
    page = render(running(steps=4, carried_users=300), "n")
    assert "4 steps. Carried users: 300, the highest step" in page
    assert "Carried users: none, the lowest step missed" in render(running(steps=2), "n")
    assert "Carried users" not in render(running(steps=1, carried_users=300), "n")


def test_the_tab_has_the_verdict_first() -> None:
    rows = tab_rows(running("text", written_s=75), "http://h/verdict")
    assert rows[0] == {
        "what": "verdict",
        "state": "text",
        "words": "up to 01:15; more at http://h/verdict",
    }
    assert [row["what"] for row in rows[1:]] == ["text", "valid: text"]


def test_the_view_is_json_for_programs_too() -> None:
    view = running()
    assert msgspec.json.decode(msgspec.json.encode(view), type=View) == view


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "00:00"), (59.9, "00:59"), (3599, "59:59"), (3600, "1:00:00"), (90061, "25:01:01")],
)
def test_durations_are_told_as_a_clock_does(seconds, text) -> None:
    assert clock(seconds) == text


def test_thousands_stand_apart() -> None:
    assert (count(999), count(1234567)) == ("999", "1,234,567")

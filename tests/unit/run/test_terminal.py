"""What a run shows: a line while it goes on, a table when it is over."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace

import locust  # noqa: F401 - first, for gevent's monkey patching

import msgspec
import pytest

from harness.recording.samples import ConnectionCounts
from harness.results.formatting import NONE
from harness.results.run_folder import (
    DeviceCounts,
    EndpointFigures,
    Figures,
    Generator,
    Step,
    Summary,
    Total,
    Verdict,
)
from harness.run.terminal import print_summary, progress_line
from notice_api.contract import ENDPOINTS

FOLDER = Path("results/20200920-100000-ab12")


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLUMNS", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)


def figures(requests: int = 600, failures: int = 0, time_ms: float | None = 12.0) -> Figures:
    return Figures(
        requests=requests,
        failures=failures,
        fail_ratio=failures / requests if requests else 0.0,
        requests_per_s=requests / 60,
        p50_ms=time_ms,
        p95_ms=time_ms and time_ms * 2,
        p99_ms=time_ms and time_ms * 3,
        max_ms=time_ms and time_ms * 4,
    )


NOTHING = figures(0, time_ms=None)


def summary(each: Figures, reasons: tuple[str, ...] = ()) -> Summary:
    rows = [
        EndpointFigures(method=e.method, name=e.name, steady=each, whole_run=NOTHING)
        for e in ENDPOINTS
    ]
    return Summary(
        run_id=FOLDER.name,
        verdict="fail" if reasons else "pass",
        exit_code=1 if reasons else 0,
        reasons=list(reasons),
        validity=[],
        objectives=[],
        carried_users=None,
        duration_s=70.0,
        steady_s=60.0,
        total=Total(steady=each, whole_run=NOTHING),
        endpoints=rows,
        steps=[],
        generator=Generator(
            watched_s=60,
            saturated_s=0,
            cpu_percent_p50=4.0,
            cpu_percent_max=9.0,
            lag_p99_ms=2.4,
            lag_max_ms=7.0,
        ),
        devices=DeviceCounts(registered=5, deleted=4, left_behind=1),
        connections=ConnectionCounts(opened=4, reconnects=2, connecting_ms=6.0),
    )


def shown(result: Summary, folder: Path = FOLDER) -> list[str]:
    out = io.StringIO()
    print_summary(result, folder, out)
    return out.getvalue().splitlines()


def row(lines: list[str], start: str) -> list[str]:
    (line,) = (line for line in lines if line.startswith(f"{start} "))
    return line.removeprefix(start).split()


@pytest.mark.parametrize(
    "each",
    [
        figures(),
        figures(0, time_ms=None),
        figures(99_999, 99_999, 2_400.0),
        figures(2_160_000, 21_600, 140.0),
        figures(2_160_000, 2_160_000, 10_000.0),
    ],
    ids=["a minute", "nothing", "overload", "soak", "soak, overload"],
)
def test_every_row_is_whole(each: Figures) -> None:
    lines = shown(summary(each))
    times = (each.p50_ms, each.p95_ms, each.p99_ms, each.max_ms)
    cells = [
        f"{each.requests:,}",
        f"{each.failures:,}",
        f"{each.requests_per_s:,.1f}",
        *(NONE if time is None else f"{time:,.0f}" for time in times),
    ]
    assert row(lines, "request") == ["count", "failed", "/s", "p50", "p95", "p99", "max"]
    for endpoint in ENDPOINTS:
        name = f"{endpoint.method} {endpoint.name}"
        found = [line for line in lines if line.startswith(f"{name} ")]
        assert found and found[-1].removeprefix(name).split()[-7:] == cells
    assert row(lines, "total") == cells
    assert "…" not in "".join(lines)


@pytest.mark.parametrize("each", [figures(), figures(99_999, 999, 240.0)])
def test_a_piped_table_fits_eighty_columns_without_colour(each: Figures) -> None:
    lines = shown(summary(each, ("3 of 600 requests failed, see failures.csv",)))
    assert all(len(line) <= 80 for line in lines)
    assert "\x1b" not in "".join(lines)


def test_what_else_is_known_and_the_verdict_follow_the_table() -> None:
    reasons = ("3 of 600 requests failed", "p95 of [the] total was " + "very " * 15 + "long")
    lines = shown(summary(figures(), reasons))
    assert lines[-11:] == [
        "",
        "devices: 5 registered, 4 deleted, 1 left behind",
        f"delete them: python -m harness cleanup {FOLDER}",
        "connections: 4 opened, in 1.5 ms on average; 2 reconnects",
        "generator: CPU 4 % of a core, at most 9 %; event loop late by 2 ms at p99",
        f"results: {FOLDER}/",
        "",
        "FAIL: the run is valid and missed objectives",
        "- 3 of 600 requests failed",
        "- p95 of [the] total was very very very very very very very very very very very",
        "  very very very very long",
    ]


@pytest.mark.parametrize("verdict", ["pass", "fail", "invalid"])
def test_the_verdict_is_said_in_words(verdict: Verdict) -> None:
    lines = shown(msgspec.structs.replace(summary(figures()), verdict=verdict))
    assert lines[-1].startswith(f"{verdict.upper()}: ")


def test_a_generator_of_which_nothing_is_known_has_no_line() -> None:
    unknown = msgspec.structs.replace(
        summary(figures()).generator, watched_s=0, cpu_percent_p50=None, lag_p99_ms=None
    )
    lines = shown(msgspec.structs.replace(summary(figures()), generator=unknown))
    assert not [line for line in lines if line.startswith("generator")]


@pytest.mark.parametrize(
    ("carried", "line"),
    [
        (None, "Carried users: none, the lowest step missed the objectives of all requests"),
        (
            100,
            "Carried users: 100, the highest step on the way up to which every step met the "
            "objectives of all requests",
        ),
    ],
)
def test_steps_end_in_the_users_that_were_carried(carried: int | None, line: str) -> None:
    steps = [
        Step(users=users, first_second=0, last_second=29, total=figures()) for users in (50, 100)
    ]
    result = msgspec.structs.replace(summary(figures()), steps=steps, carried_users=carried)
    assert line in shown(result)
    assert line not in shown(msgspec.structs.replace(result, steps=steps[:1]))


def test_a_client_that_does_not_tell_of_its_connections_has_no_line_for_them() -> None:
    result = msgspec.structs.replace(summary(figures()), connections=ConnectionCounts())
    assert not [line for line in shown(result) if line.startswith("connections")]


def test_the_heading_says_what_the_figures_are_of() -> None:
    result = summary(figures())
    assert "response times in ms; 60 s of the steady state" in shown(result)
    rows = [msgspec.structs.replace(each, steady=None) for each in result.endpoints]
    never = msgspec.structs.replace(
        result, steady_s=0.0, endpoints=rows, total=Total(steady=None, whole_run=figures(77))
    )
    lines = shown(never)
    assert "response times in ms; 70 s of the whole run: no steady state was reached" in lines
    assert row(lines, "total")[0] == "77"


def test_several_steps_have_a_row_each() -> None:
    steps = [
        Step(users=users, first_second=0, last_second=29, total=figures(users * 10))
        for users in (50, 100)
    ]
    lines = shown(msgspec.structs.replace(summary(figures()), steps=steps))
    assert ["50", "30", "500"] in [line.split()[:3] for line in lines]
    assert ["100", "30", "1,000"] in [line.split()[:3] for line in lines]
    assert not [line for line in shown(summary(figures())) if line.split()[:1] == ["users"]]


def test_a_long_folder_stays_in_one_line_to_be_copied() -> None:
    folder = Path("/" + "/".join(["a long [bold]folder name"] * 8))
    assert f"results: {folder}/" in shown(summary(figures()), folder)


def test_only_what_was_hit_is_shown() -> None:
    result = msgspec.structs.replace(summary(figures()), endpoints=[])
    lines = shown(result)
    assert not [line for line in lines if line.startswith(("GET", "POST", "PUT"))]
    assert row(lines, "total")[0] == "600"


def environment(users: int | None = 7, p95_ms: float | None = 48.2) -> SimpleNamespace:
    total = SimpleNamespace(
        current_rps=123.6,
        num_failures=4,
        get_current_response_time_percentile=lambda share: p95_ms if share == 0.95 else -1,
    )
    runner = None if users is None else SimpleNamespace(user_count=users)
    return SimpleNamespace(stats=SimpleNamespace(total=total), runner=runner)


@pytest.mark.parametrize(
    ("elapsed_s", "run_time_s", "clock"),
    [
        (0, 60, "00:00 of 01:00"),
        (59.9, 60, "00:59 of 01:00"),
        (61.2, 600, "01:01 of 10:00"),
        (7, None, "00:07"),
        (3601, 14_400, "1:00:01 of 4:00:00"),
    ],
)
def test_the_progress_is_one_line(elapsed_s: float, run_time_s: float | None, clock: str) -> None:
    line = progress_line(environment(), elapsed_s, run_time_s, is_ending=False)
    assert line == f"{clock}  7 users  124 requests/s  4 failures  p95 48.2 ms"
    assert len(line) < 80


def test_the_progress_before_there_is_any() -> None:
    line = progress_line(environment(users=None, p95_ms=None), 0, None, is_ending=False)
    assert line == f"00:00  0 users  124 requests/s  4 failures  p95 {NONE}"


def test_the_progress_of_a_run_that_is_being_ended() -> None:
    line = progress_line(environment(users=0), 14_401.0, 14_400, is_ending=True)
    assert line == "4:00:01 of 4:00:00  ending: users stop, then devices are read back and deleted"
    assert len(line) < 80

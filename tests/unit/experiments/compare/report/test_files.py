"""What is drawn of a comparison says what comparison.json says, whatever stands in it."""

from __future__ import annotations

import html
import json
import math
import re
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from harness import ConfigurationError
from harness.config.settings import PROJECT_DIR
from harness.experiments.compare import conclusions, files
from harness.experiments.compare.files import CarriedInRound, Interval, VariantResult
from harness.experiments.compare.report import content, png
from harness.experiments.compare.report.data import ComparisonData, gather
from harness.experiments.compare.report.files import DESCRIPTIONS, draw, markdown, page
from harness.report.charts import palette, png_style
from support.compare_folders import LIMIT_MS, STEPS, write_comparison
from support.pages import Reader

DRAWN = ("report.html", "report.md", *(f"charts/{name}" for name in DESCRIPTIONS))
SCRIPT = "</script><script>alert(1)</script>"
HOSTILE = f"{SCRIPT} | `x` $\\frac{{$ @someone\n# d\x07"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a comparison that was drawn; nobody changes it."""
    folder = write_comparison(tmp_path_factory.mktemp("compare") / "three")
    draw(folder)
    return folder


def figures_of(data: ComparisonData) -> dict[str, dict]:
    return json.loads(Reader(page(data)).scripts[0])


def text_of(data: ComparisonData) -> str:
    return " ".join(" ".join(Reader(page(data)).texts).split())


# What is there.


def test_all_files_are_there_and_none_is_left_over(folder: Path) -> None:
    for name in DRAWN:
        assert (folder / name).stat().st_size > 500, name
    assert not list(folder.rglob("*.tmp"))
    assert draw.__annotations__["return"] == "Comparison"


def test_page_and_markdown_begin_with_the_finding_and_the_notes(folder: Path) -> None:
    found = files.read_comparison(folder)
    shown = Reader((folder / "report.html").read_text(encoding="utf-8"))
    said = html.unescape((folder / "report.md").read_text(encoding="utf-8"))
    assert said.startswith(f"## {found.finding}\n")
    for text in (" ".join(shown.texts), said):
        places = [text.index(found.finding), *(text.index(note) for note in found.notes)]
        assert places == sorted(places) and places[-1] < text.rindex("Ratios")


def test_the_tables_say_what_the_comparison_says(folder: Path) -> None:
    found = files.read_comparison(folder)
    tables = Reader((folder / "report.html").read_text(encoding="utf-8")).tables
    rows = tables["variants"][1:]
    assert [row[0] for row in rows] == [each.title for each in found.variants]
    for row, each in zip(rows, found.variants, strict=True):
        assert row[1] == conclusions.interval(each.carried_users)
        assert row[2].replace("\N{NO-BREAK SPACE}", " ").count(" to ") == len(each.by_round)
    assert tables["variants"][0][-2:] == ["CPU ms a request at 100", "memory MB at 100"]
    for row, ratio in zip(tables["ratios"][1:], found.ratios, strict=True):
        assert row[3] == conclusions.ratio(ratio.ratio)
        assert row[5:] == [ratio.sentence, "shown" if ratio.is_shown else "not shown"]
    for place, each in enumerate(found.variants, 1):
        steps = tables[f"steps-{place}"][1:]
        assert [row[:2] for row in steps] == [
            [str(step.users), f"{step.held} of {step.runs}"] for step in each.steps
        ]
    assert len(tables["runs"]) == len(found.runs) + 1
    plan = dict(tables["plan"][1:])
    assert plan["rounds"] == "3 of 3" and plan["seed"] == "7"
    assert plan["steps, users"] == ", ".join(str(step) for step in STEPS)
    order = "gunicorn, gunicorn behind nginx, nothing (runserver)"
    assert plan["order of round 1"] == order
    assert ["all requests", "p95", "≤ 500 ms"] in tables["objectives"]
    assert "{python} -m gunicorn --bind {address}" in tables["commands"][1]


def test_the_markdown_has_the_tables_and_the_pictures(folder: Path) -> None:
    text = html.unescape((folder / "report.md").read_text(encoding="utf-8"))
    for each in files.read_comparison(folder).variants:
        assert (
            f"| <code>{each.title}</code> | {conclusions.interval(each.carried_users)} |" in text
        )
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text)
    assert len(pictures) == len(DESCRIPTIONS)
    assert all((folder / data).exists() for data in pictures)


def test_every_run_is_linked_to_its_folder(folder: Path) -> None:
    shown = Reader((folder / "report.html").read_text(encoding="utf-8"))
    links = [attributes["href"] or "" for tag, attributes in shown.elements if tag == "a"]
    runs = [link for link in links if not link.startswith("#")]
    assert runs == [f"./{run.folder}/" for run in files.read_comparison(folder).runs]


def test_the_panels_are_the_runs_of_the_first_round_one_behind_the_other(folder: Path) -> None:
    (first, *_) = gather(folder).panels
    assert [each.users for each in first.runs] == list(STEPS)
    assert [each.users for each in first.counted] == list(STEPS)
    for run, counted in zip(first.runs, first.counted, strict=True):
        assert (counted.first_s - run.first_s, counted.end_s - counted.first_s) == (6, 6)
        assert counted.end_s == run.end_s, "without the second in which nobody was wanted"
    at, values = content.over_time(first, content.CURVES[-1])
    assert values.count(None) == len(STEPS) - 1, "a gap between two runs"
    assert len(at) == len(values) == len(first.seconds) + values.count(None)


def test_panels_have_equal_axes_and_the_objective(folder: Path) -> None:
    data = gather(folder)
    layout = figures_of(data)["over-time"]["layout"]
    for row in range(3):
        names = [
            f"yaxis{number if number > 1 else ''}" for number in range(row * 3 + 1, row * 3 + 4)
        ]
        assert len({tuple(layout[name]["range"]) for name in names}) == 1
    with png.rc_context(png_style.STYLE):
        grid = png.over_time(data).axes
    for row in range(3):
        assert len({axes.get_ylim() for axes in grid[row * 3 : row * 3 + 3]}) == 1
    assert len({axes.get_xlim() for axes in grid}) == 1
    for axes in grid[3:6]:
        assert [LIMIT_MS] * 2 in [list(line.get_ydata()) for line in axes.get_lines()]


def test_variants_differ_without_their_colours(tmp_path: Path) -> None:
    data = gather(write_comparison(tmp_path / "six", variants=6, rounds=1, steps=(50, 100)))
    found = figures_of(data)["by-users-p95-ms"]["data"][:6]
    assert len({(trace["line"]["dash"], trace["marker"]["symbol"]) for trace in found}) == 6
    assert len({trace["marker"]["symbol"] for trace in found}) == 6
    assert len({trace["line"]["color"] for trace in found}) == 6
    assert {trace["line"]["color"] for trace in found} <= set(palette.dark_of())


# The same again.


@pytest.mark.slow
def test_two_processes_draw_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    again = write_comparison(tmp_path / "three")
    code = "import pathlib, sys; from harness.experiments.compare.report import files; "
    code += "files.draw(pathlib.Path(sys.argv[1]))"
    command = [sys.executable, "-W", "error", "-c", code, str(again)]
    subprocess.run(command, cwd=PROJECT_DIR, check=True)
    for name in DRAWN:
        assert (folder / name).read_bytes() == (again / name).read_bytes(), name


# Few, many, and what went wrong.


@pytest.mark.slow
@pytest.mark.parametrize("variants", [1, 6])
def test_one_variant_and_six_are_drawn(tmp_path: Path, variants: int) -> None:
    folder = write_comparison(tmp_path / "x", variants=variants, rounds=1, steps=(50, 100))
    assert len(draw(folder).variants) == variants
    shown = Reader((folder / "report.html").read_text(encoding="utf-8"))
    assert len(shown.tables["variants"]) == variants + 1
    assert ("ratios" in shown.tables) is (variants > 1)


def test_an_incomplete_comparison_says_so(tmp_path: Path) -> None:
    data = gather(write_comparison(tmp_path / "x", rounds=2, planned_rounds=5))
    assert "not complete: it has results of 2 of 5 rounds" in text_of(data)
    assert "2 of 5 rounds: not complete" in markdown(data)


def test_a_check_of_the_method_says_so(tmp_path: Path) -> None:
    titles = ("gunicorn", "gunicorn, once more")
    folder = write_comparison(
        tmp_path / "x", variants=2, rounds=2, titles=titles, capacities=(90, 90), is_aa=True
    )
    data = gather(folder)
    assert "A/A comparison" in text_of(data) and "A/A comparison" in markdown(data)
    assert "Both variants are the same" in text_of(data)


def test_an_invalid_run_is_named_and_never_drawn(tmp_path: Path) -> None:
    folder = write_comparison(
        tmp_path / "x",
        rounds=2,
        invalid=lambda variant, number, users: (variant, users) == (1, 200),
    )
    data = gather(folder)
    (sentence,) = data.not_drawn
    assert sentence.startswith("Not in the charts: gunicorn with 200 users in rounds 1 and 2")
    assert "saturated" in sentence and sentence in text_of(data)
    assert [run.users for run in data.panels[1].runs] == [50, 100, 400]
    for key in content.CHARTS:
        points = content.lines(data, key)[1].points
        assert [point.users for point in points] == [50, 100, 400]
    rows = Reader(page(data)).tables["runs"]
    assert [row[-1] for row in rows if row[1:4] == ["gunicorn", "1", "200"]] == ["invalid"]


def test_a_second_attempt_stands_for_an_invalid_first(tmp_path: Path) -> None:
    folder = write_comparison(tmp_path / "x", variants=1, rounds=1, steps=(50,))
    found = files.read_comparison(folder)
    (run,) = found.runs
    first = msgspec.structs.replace(run, verdict="invalid", folder="runs/r1-v0-50-first")
    second = msgspec.structs.replace(run, attempt=2)
    files.write(folder, msgspec.structs.replace(found, runs=[first, second]))
    data = gather(folder)
    assert data.not_drawn == [] and len(data.panels[0].runs) == 1


@pytest.mark.slow
def test_a_comparison_without_a_valid_run_is_a_page_too(tmp_path: Path) -> None:
    folder = write_comparison(tmp_path / "x", rounds=1, invalid=lambda *_: True)
    draw(folder)
    shown = Reader((folder / "report.html").read_text(encoding="utf-8"))
    text = " ".join(shown.texts)
    assert "There is no valid run, so there is nothing to draw." in text
    assert "gunicorn has no valid run in round 1." in text
    assert shown.scripts == []


# Foreign text.


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> ComparisonData:
    return gather(
        write_comparison(
            tmp_path_factory.mktemp("hostile") / "x",
            variants=2,
            rounds=1,
            titles=(HOSTILE, "<img src=x onerror=alert(1)>"),
            finding=HOSTILE,
            notes=(HOSTILE,),
            reason=HOSTILE,
            invalid=lambda variant, number, users: users == 400,
        )
    )


def test_foreign_text_brings_no_element_into_the_page(hostile: ComparisonData) -> None:
    shown = Reader(page(hostile))
    assert len(shown.scripts) == 4
    assert not [tag for tag, _ in shown.elements if tag == "img"]
    assert not [name for _, given in shown.elements for name in given if name[:2] == "on"]
    assert "<" not in shown.scripts[0]
    names = json.dumps([each["data"] for each in json.loads(shown.scripts[0]).values()])
    assert "<script" not in names and "<img" not in names, "plotly takes some HTML"


def test_a_folder_of_a_run_leads_nowhere_else(hostile: ComparisonData) -> None:
    runs = [
        msgspec.structs.replace(run, folder="javascript:alert(1)", round=2)
        for run in hostile.comparison.runs
    ]
    changed = msgspec.structs.replace(
        hostile, comparison=msgspec.structs.replace(hostile.comparison, runs=runs)
    )
    elements = Reader(page(changed)).elements
    links = [given["href"] or "" for tag, given in elements if tag == "a"]
    assert all(link.startswith(("#", "./")) for link in links)


def test_foreign_text_breaks_no_table_of_the_markdown(hostile: ComparisonData) -> None:
    text = markdown(hostile)
    assert "<script" not in text and "<img" not in text and "\x07" not in text
    assert "@someone" not in text and "`" not in text
    widths = [line.count("|") for line in text.splitlines() if line.startswith("|")]
    assert len(set(widths)) == 3, "three tables, each of one width"


@pytest.mark.slow
def test_foreign_titles_are_drawn(hostile: ComparisonData) -> None:
    assert set(png.draw_all(hostile)) == set(DESCRIPTIONS)


# Files that are missing or broken: one line.


def without(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def broken(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_bytes(b"\xff{")


@pytest.mark.parametrize("change", [without, broken], ids=["missing", "broken"])
@pytest.mark.parametrize(
    "name",
    [
        "plan.json",
        "comparison.json",
        "slo.toml",
        "runs/r1-v0-50/timeline.csv",
        "runs/r1-v0-50/summary.json",
    ],
)
def test_a_missing_or_broken_file_is_named_in_one_line(
    tmp_path: Path, change: Callable[[str], Callable[[Path], None]], name: str
) -> None:
    folder = write_comparison(tmp_path / "x", variants=1, rounds=1, steps=(50, 100))
    change(name)(folder)
    with pytest.raises(ConfigurationError, match=Path(name).name) as caught:
        draw(folder)
    assert "\n" not in str(caught.value)
    assert not (folder / "report.html").exists() and not (folder / "charts").exists()


def test_what_is_no_comparison_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="there is no folder"):
        draw(tmp_path / "none")
    with pytest.raises(ConfigurationError, match="it has no plan"):
        draw(tmp_path)


@pytest.mark.slow
def test_a_folder_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    folder = write_comparison(tmp_path / "x", variants=1, rounds=1, steps=(50,))
    (folder / "charts").write_text("in the way")
    with pytest.raises(ConfigurationError, match="cannot write to"):
        draw(folder)


# Words.


@pytest.mark.parametrize(
    ("values", "written"),
    [
        ((1.6, 1.4, 1.8), "1.60 (1.40 to 1.80)"),
        ((1.0, 0.98, 1.02), "1.00 (0.98 to 1.02)"),
        ((1.1, 1.04, 1.18), "1.10 (1.04 to 1.18)"),
        ((1.2, 1.0, 1.4), "1.20 (1.00 to 1.40)"),
        ((1.02, 1.004, 1.04), "1.020 (1.004 to 1.040)"),
        ((1.62, None, None), "1.62"),
        ((1.0, 1.0, 1.0), "1.00 (1.00 to 1.00)"),
    ],
)
def test_a_ratio_looks_like_1_only_where_it_is(
    values: tuple[float, float | None, float | None], written: str
) -> None:
    estimate, low, high = values
    assert conclusions.ratio(Interval(estimate=estimate, low=low, high=high)) == written


@pytest.mark.parametrize(
    ("values", "written"),
    [
        ((76.34, 61.2, 95.1), "76.3 (61.2 to 95.1)"),
        ((1234.5, 1190.0, 1280.0), "1,230 (1,190 to 1,280)"),
        ((76.34, None, None), "76.3"),
        ((2.25, 2.21, 2.29), "2.25 (2.21 to 2.29)"),
    ],
)
def test_an_interval_has_the_digits_that_it_allows(
    values: tuple[float, float | None, float | None], written: str
) -> None:
    estimate, low, high = values
    assert conclusions.interval(Interval(estimate=estimate, low=low, high=high)) == written
    assert conclusions.interval(None) == "\N{EN DASH}"


def variant(*rounds: tuple[int | None, int | None], at_least: int | None) -> VariantResult:
    by_round = [
        CarriedInRound(round=number, held=held, missed=missed, users=None)
        for number, (held, missed) in enumerate(rounds, 1)
    ]
    return VariantResult(
        variant="v",
        title="v",
        by_round=by_round,
        carried_users=None,
        at_least=at_least,
        most_requests_per_s=None,
        steps=[],
    )


def test_what_is_known_without_a_number_is_said_in_words() -> None:
    assert conclusions.carried(variant((400, None), (200, 400), at_least=200)) == "at least 200"
    below = variant((None, 50), (50, 100), at_least=None)
    assert conclusions.carried(below) == "fewer than 50, the first step"
    assert conclusions.carried(variant((None, None), at_least=None)) == "not known"


def test_extremes_may_come_in_any_order() -> None:
    assert conclusions.spread((38.0, 36.0, 41.0)) == conclusions.spread((36.0, 38.0, 41.0))
    assert conclusions.spread((38.0, 36.0, 41.0)) == "38 (36 to 41)"
    assert conclusions.spread((5.0, 5.0, 5.0)) == "5"


def test_a_vast_interval_does_not_flatten_the_bars() -> None:
    dots = [content.Dot(1, 500.0, 0.1, "exact")]
    found = content.Bar("v", "#000000", "", 600.0, (30.0, 11_400.0), False, dots)
    assert content.axis_end([found]) == 1200
    near = content.Bar("v", "#000000", "", 600.0, (500.0, 700.0), False, [])
    assert content.axis_end([near]) == 700
    assert content.axis_end([]) == 1


def test_ticks_are_steps_that_leave_each_other_room() -> None:
    steps = [50, 100, 119, 141, 168, 200, 400, 800]
    found = content.ticks(steps)
    assert {50, 100, 200, 400, 800} <= set(found) <= set(steps)
    apart = [math.log2(after / before) for before, after in pairwise(found)]
    assert min(apart) >= 0.4
    assert content.ticks([50]) == [50]

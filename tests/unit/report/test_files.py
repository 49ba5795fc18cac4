"""What is drawn says what the summary says, whatever the files of a run hold."""

from __future__ import annotations

import html
import io
import json
import re
import shutil
import subprocess
import sys
import warnings
from pathlib import Path
from xml.etree import ElementTree

import msgspec
import numpy as np
import pytest
from matplotlib import image

from harness import ConfigurationError, __main__
from harness.config.settings import PROJECT_DIR
from harness.recording import histograms
from harness.report import run_data
from harness.report.charts import content, palette, plotly, png
from harness.report.files import draw, junit, markdown, page
from harness.report.run_data import RunData, gather
from harness.results import formatting, judging, run_folder, timeline
from harness.results.figures import EndpointHistograms
from harness.results.timeline import Second
from support.pages import Reader
from support.run_folders import KEYS, START, failure, write_run
from support.seconds import EMPTY
from support.seconds import second as second_row

RECORDED = sorted((PROJECT_DIR / "tests" / "data").iterdir())
DRAWN = (
    "summary.json",
    "report.html",
    "report.md",
    "junit.xml",
    "charts/overview.png",
    "charts/distribution.png",
    "charts/heatmap.png",
    "charts/endpoints.png",
)
SCRIPT = "<script>alert(1)</script>"
BREAKOUT = ("GET", f"/x</script>{SCRIPT}<!--")
KOREAN = ("GET", "/공지/검색?q=장학")
STEPS = ((4, 6), (8, 6), (16, 6))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_run(tmp_path / "run", failures=[failure("expected status 200, got 502")])


def copied(recorded: Path, tmp_path: Path) -> Path:
    folder = tmp_path / recorded.name
    shutil.copytree(recorded, folder)
    return folder


def read_page(folder: Path) -> Reader:
    return Reader(page(gather(folder)))


def rows_of(markdown_text: str) -> list[list[str]]:
    lines = [line for line in markdown_text.splitlines() if line.startswith("| ")]
    return [
        [html.unescape(re.sub("</?code>", "", cell)).strip() for cell in line[1:-1].split("|")]
        for line in lines
    ]


# The numbers.


@pytest.mark.slow
@pytest.mark.parametrize("recorded", RECORDED, ids=lambda path: path.name)
def test_every_recorded_run_is_drawn_without_a_warning(recorded: Path, tmp_path: Path) -> None:
    folder = copied(recorded, tmp_path)
    summary = draw(folder)
    assert summary == judging.judge(folder)[0] == run_folder.read_summary(folder)
    for name in DRAWN:
        assert (folder / name).stat().st_size > 100, name
    assert not list(folder.rglob("*.tmp"))


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda path: path.name)
def test_page_and_markdown_begin_with_verdict_and_reasons(recorded: Path) -> None:
    found = gather(recorded)
    summary = found.summary
    shown = " ".join(Reader(page(found)).texts)
    text = html.unescape(markdown(found))
    for said in (shown, text):
        places = [said.index(summary.verdict.upper())]
        places += [said.index(reason) for reason in summary.reasons]
        assert places == sorted(places)
        assert places[-1] < said.index("Objectives", places[-1])


def test_the_tables_of_the_page_say_what_the_summary_says(run: Path) -> None:
    summary, shown = judging.judge(run)[0], read_page(run).tables
    for id, total in (("endpoints", summary.total.steady), ("whole-run", summary.total.whole_run)):
        expected = [
            [f"{each.method} {each.name}", each.steady if id == "endpoints" else each.whole_run]
            for each in summary.endpoints
        ]
        rows = shown[id][1:]
        assert [row[0] for row in rows] == [*(name for name, _ in expected), "total"]
        for row, figures in zip(rows, [*(each for _, each in expected), total], strict=True):
            assert figures is not None
            assert row[1:3] == [str(figures.requests), str(figures.failures)]
            assert row[4] == f"{figures.requests_per_s:.1f}"
            for cell, value in zip(row[5:], msgspec.structs.astuple(figures)[4:], strict=True):
                assert float(cell) == pytest.approx(value, rel=0.005)


def test_the_tables_of_the_markdown_are_those_of_the_page(run: Path) -> None:
    found = gather(run)
    shown = Reader(page(found)).tables
    said = rows_of(markdown(found))
    for id in ("endpoints", "failures", "manifest"):
        for row in shown[id]:
            assert row in said
    for row in shown["objectives"][1:]:
        assert [*row[:-1], f"✅ {row[-1]}"] in said


def test_an_objective_is_shown_with_its_unit_and_whether_it_was_met(tmp_path: Path) -> None:
    text = "[total]\nfail_ratio = 0.001\np95_ms = 1\nrequests_per_s = 3\n"
    run = write_run(tmp_path / "run", objectives=text, failures=[failure("x")])
    summary, rows = judging.judge(run)[0], read_page(run).tables["objectives"][1:]
    assert [row[:2] for row in rows] == [
        ["failures of all requests", "≤ 0.1 %"],
        ["p95 of all requests", "≤ 1 ms"],
        ["requests/s of all requests", "≥ 3/s"],
    ]
    assert [row[-1] for row in rows] == ["missed", "missed", "met"]
    assert rows[1][2] == f"{summary.objectives[1].value:.4g} ms"


def test_steps_have_a_table_when_there_are_several(run: Path, tmp_path: Path) -> None:
    assert "steps" not in read_page(run).tables
    stepped = write_run(tmp_path / "steps", steps=STEPS, slower_by=2.5)
    found = gather(stepped)
    shown = Reader(page(found))
    rows = shown.tables["steps"][1:]
    assert [row[:3] for row in rows] == [
        ["4", "1 s", "5 s"],
        ["8", "7 s", "5 s"],
        ["16", "13 s", "5 s"],
    ]
    assert found.summary.carried_users == 8
    assert "Carried users: 8, the highest step" in " ".join(shown.texts)
    assert "Carried users: 8, the highest step" in markdown(found)


def test_junit_has_a_case_for_every_rule_and_objective(tmp_path: Path) -> None:
    text = '[total]\np95_ms = 1\n["GET /notice/all?q"]\np50_ms = 500\n'
    found = gather(write_run(tmp_path / "run", objectives=text, ended=False))
    root = ElementTree.fromstring(junit(found))
    cases = {
        (case.get("classname"), case.get("name")): [
            (child.tag, child.get("message")) for child in case
        ]
        for case in root.iter("testcase")
    }
    summary = found.summary
    assert summary.verdict == "invalid"
    expected = {
        ("validity", rule.name): [] if rule.kept else [("error", rule.sentence)]
        for rule in summary.validity
    }
    expected |= {
        (f"objectives.{each.scope}", each.key): [] if each.met else [("failure", each.sentence)]
        for each in summary.objectives
    }
    assert cases == expected
    assert cases["validity", "end"][0][0] == "error"
    assert cases["objectives.total", "p95_ms"][0][0] == "failure"
    counts = (root.get("tests"), root.get("errors"), root.get("failures"))
    assert counts == (str(len(cases)), "1", "1")


def test_a_point_has_the_percentiles_that_the_recorder_wrote(run: Path) -> None:
    points = gather(run).points
    rows = timeline.read_timeline(run)
    assert [(p.at_s, p.p50_ms, p.p95_ms, p.p99_ms) for p in points] == [
        (row.second - START, row.p50_ms, row.p95_ms, row.p99_ms) for row in rows
    ]
    assert [p.requests_per_s for p in points] == [row.requests for row in rows]


def test_the_heat_map_holds_every_request_at_its_time(run: Path) -> None:
    found = gather(run)
    counts = np.array(found.heat_map.counts)
    assert counts.sum() == found.summary.total.whole_run.requests
    assert list(counts.sum(axis=0)) == [p.requests_per_s for p in found.points]
    assert found.heat_map.edges_ms[-1] >= found.summary.total.whole_run.max_ms
    assert len(found.heat_map.edges_ms) == len(counts) + 1


def test_a_distribution_goes_through_the_percentiles_of_the_summary(run: Path) -> None:
    found = gather(run)
    assert list(found.distributions) == [
        "total",
        *(f"{each.method} {each.name}" for each in found.summary.endpoints),
    ]
    steady = found.summary.total.steady
    shares, times = zip(*found.distributions["total"], strict=True)
    assert list(times) == sorted(times)
    near = min(range(len(shares)), key=lambda place: abs(shares[place] - 0.95))
    assert times[near] == pytest.approx(steady.p95_ms, rel=0.15)
    assert shares[-1] <= 1 - 1 / steady.requests + 1e-9, "there is no sample beyond"


# Long runs.


@pytest.mark.parametrize(
    ("seconds", "width_s", "column_s"),
    [
        (0, 1, 1),
        (60, 1, 1),
        (240, 1, 1),
        (241, 1, 2),
        (2000, 1, 10),
        (2001, 2, 10),
        (21_600, 15, 120),
        (86_400, 60, 600),
        (10**8, 50_000, 450_000),
    ],
)
def test_slices_are_as_wide_as_they_have_to_be(seconds: int, width_s: int, column_s: int) -> None:
    found = run_data.TimeBuckets(seconds)
    assert (found.width_s, found.column_s) == (width_s, column_s)
    assert found.column_s % found.width_s == 0
    assert seconds <= width_s * run_data.MAX_POINTS and seconds <= column_s * run_data.MAX_COLUMNS


def test_a_long_run_is_cut_into_slices_that_lose_nothing(tmp_path: Path) -> None:
    seconds = run_data.MAX_POINTS + 101
    found = gather(write_run(tmp_path / "run", steps=((3, seconds),), keys=KEYS[:1], requests=2))
    assert (found.width_s, len(found.points)) == (2, (seconds + 1) // 2)
    requests = found.summary.total.whole_run.requests
    assert sum(sum(row) for row in found.heat_map.counts) == requests == 2 * seconds
    assert {point.requests_per_s for point in found.points} == {2.0}, "a mean, in the last too"
    assert len(found.heat_map.counts[0]) <= run_data.MAX_COLUMNS
    assert found.points[-1].at_s == seconds - 1
    for plot in plotly.plots(found):
        if plot.id in ("over-time", "health"):
            assert "a point is 2 s: mean rates, percentiles of all its requests" in plot.figure
    assert content.thinned(found).startswith("; a point is 2 s")


def test_a_slice_has_the_percentiles_of_all_its_requests() -> None:
    random = np.random.default_rng(1)
    seconds = [[float(time) for time in random.lognormal(3, 0.8, 50)] for _ in range(10)]
    together = histograms.from_ms(time for second in seconds for time in second)
    found = run_data.TimeBuckets(9 * run_data.MAX_POINTS)
    assert found.width_s == 10
    for number, times in enumerate(seconds):
        sums = EndpointHistograms()
        sums.all_of[KEYS[number % 3]] = histograms.from_ms(times)
        found.add(row(START + number), sums)
    found.end(10.0)
    (point,) = found.points
    expected = histograms.percentiles_ms(together, (0.5, 0.95, 0.99))
    assert (point.p50_ms, point.p95_ms, point.p99_ms) == expected


def row(second: int) -> Second:
    return second_row(0, second=second, requests=50, failures=0, **EMPTY)


def test_seconds_after_the_run_was_over_are_not_drawn(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", steps=((3, 6), (0, 4)))
    lines = (run / "timeline.csv").read_text().splitlines(keepends=True)
    percentile_position = [
        re.sub(r",20,0,[^,]+,[^,]+,[^,]+,", ",0,0,,,,", line) for line in lines[7:]
    ]
    (run / "timeline.csv").write_text("".join([*lines[:7], *percentile_position]))
    assert [point.at_s for point in gather(run).points] == list(range(6))


# The same again.


@pytest.mark.slow
def test_two_processes_draw_the_same_bytes(tmp_path: Path) -> None:
    folders = []
    for name in ("first", "second"):
        parent = tmp_path / name
        parent.mkdir()
        run = write_run(parent / "run", keys=[*KEYS, KOREAN], failures=[failure("x")])
        subprocess.run(
            [sys.executable, "-W", "error", "-m", "harness", "report", str(run)],
            cwd=PROJECT_DIR,
            check=True,
            capture_output=True,
        )
        folders.append(run)
    for name in DRAWN:
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes(), name


@pytest.mark.slow
def test_drawing_again_over_a_report_changes_nothing(run: Path) -> None:
    draw(run)
    before = {name: (run / name).read_bytes() for name in DRAWN}
    draw(run)
    assert {name: (run / name).read_bytes() for name in DRAWN} == before


# Foreign text.


@pytest.fixture
def hostile(tmp_path: Path) -> RunData:
    failures = [
        failure(SCRIPT, BREAKOUT),
        failure("a|b `c`\n# d\x07 @someone https://x.example ~~e~~ <img src=x onerror=alert(1)>"),
    ]
    host = f'http://127.0.0.1/"{SCRIPT}'
    return gather(
        write_run(tmp_path / "run", keys=[*KEYS, BREAKOUT], failures=failures, host=host)
    )


def test_foreign_text_brings_no_element_into_the_page(hostile: RunData) -> None:
    shown = Reader(page(hostile))
    assert len(shown.scripts) == 4
    assert not [tag for tag, _ in shown.elements if tag == "img"]
    assert " ".join(BREAKOUT) in [row[0] for row in shown.tables["endpoints"]]
    assert SCRIPT in [row[1] for row in shown.tables["failures"]]
    assert [
        name for _, attributes in shown.elements for name in attributes if name[:2] == "on"
    ] == []


def test_foreign_text_stays_inside_the_data_of_the_charts(hostile: RunData) -> None:
    figures = Reader(page(hostile)).scripts[0]
    assert "<" not in figures
    names = [trace.get("name") for trace in json.loads(figures)["distribution"]["data"]]
    assert any(name.startswith("GET /x&lt;/script&gt;&lt;script&gt;") for name in names)
    assert not [name for name in names if name and "<" in name], "plotly takes some HTML"


def test_the_page_may_run_only_its_own_scripts_and_load_nothing(hostile: RunData) -> None:
    shown = Reader(page(hostile))
    (policy,) = (
        attributes["content"]
        for tag, attributes in shown.elements
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe-eval" not in policy and "http" not in policy
    assert policy.split(";")[1].count("sha256-") == 2
    sources = [a.get("src") or a.get("href") for tag, a in shown.elements if tag != "a"]
    assert {source for source in sources if source} <= {"data:,"}


def test_foreign_text_breaks_no_table_of_the_markdown(hostile: RunData) -> None:
    text = markdown(hostile)
    assert "<script" not in text and "<img" not in text and "\x07" not in text
    assert "@someone" not in text and "`" not in text and "https://" not in text
    table: list[int] = []
    for line in text.splitlines():
        if line.startswith("|"):
            table.append(line.count("|"))
        else:
            assert len(set(table)) <= 1
            table = []
    assert any(SCRIPT in cell for row in rows_of(text) for cell in row)


def test_junit_can_write_what_xml_cannot(tmp_path: Path) -> None:
    strange = ("GET", "/\x00\x0b<&>]]>\ud7ff")
    run = write_run(tmp_path / "run", keys=KEYS[:2])
    manifest = msgspec.structs.replace(
        run_folder.read_manifest(run), endpoints=[" ".join(strange)]
    )
    run_folder.write(run, manifest)
    root = ElementTree.fromstring(junit(gather(run)))
    (error,) = root.iter("error")
    assert "<&>]]>" in (error.get("message") or "")


def test_failures_past_the_twentieth_kind_are_only_counted_in_the_markdown(tmp_path: Path) -> None:
    failures = [failure(f"kind {number:02}") for number in range(27)]
    found = gather(write_run(tmp_path / "run", failures=failures))
    text = markdown(found)
    assert "kind 19" in text and "kind 20" not in text
    assert "7 more kinds are in failures.csv." in text
    assert len(read_page(tmp_path / "run").tables["failures"]) == 28


# Korean.


def test_hangul_has_glyphs_in_the_charts(tmp_path: Path) -> None:
    found = gather(write_run(tmp_path / "run", keys=[*KEYS, KOREAN]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert set(png.draw_all(found)) == {Path(n).name for n in DRAWN if n.endswith("png")}


def test_a_script_without_a_font_would_be_noticed(tmp_path: Path) -> None:
    found = gather(write_run(tmp_path / "run", keys=[("GET", "/\N{EGYPTIAN HIEROGLYPH A001}")]))
    with pytest.warns(UserWarning, match="Glyph .* missing"):
        png.draw_all(found)


@pytest.mark.slow
def test_signs_that_nobody_sees_need_no_glyph(tmp_path: Path) -> None:
    found = gather(write_run(tmp_path / "run", keys=[("GET", "/\x07\N{RIGHT-TO-LEFT OVERRIDE}")]))
    assert png.draw_all(found)


@pytest.mark.slow
def test_a_name_with_dollar_signs_is_no_formula(tmp_path: Path) -> None:
    found = gather(write_run(tmp_path / "run", keys=[("GET", r"/$\frac{$"), ("GET", "/_x")]))
    assert png.draw_all(found)


# Runs that went wrong.


@pytest.mark.slow
@pytest.mark.parametrize(
    ("steps", "requests"),
    [((), 0), (((3, 8),), 0), (((3, 1),), 5), (((3, 2),), 5)],
    ids=["no seconds", "no requests", "one second", "no steady state"],
)
def test_a_run_with_little_in_it_is_drawn(
    tmp_path: Path, steps: tuple[tuple[int, int], ...], requests: int
) -> None:
    run = write_run(tmp_path / "run", steps=steps, requests=requests)
    summary = draw(run)
    assert summary.verdict == "invalid"
    shown = " ".join(read_page(run).texts)
    assert ("No samples: no request was answered" in shown) is not requests
    assert "INVALID" in shown
    if requests:
        assert "whole run" in shown and "steady state" in shown
        assert gather(run).stretch == "whole run"


def test_a_chart_without_samples_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found, said = gather(write_run(tmp_path / "run", requests=0)), []
    monkeypatch.setattr(png, "no_samples", said.append)
    png.draw_all(found)
    assert len(said) == 6, "three panels of the overview, and each other chart"


@pytest.mark.slow
def test_a_killed_run_with_cut_last_lines_is_drawn(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", ended=False)
    whole = gather(run)
    for name, cut in (("timeline.csv", 2), ("histograms.hlog", 9)):
        path = run / name
        path.write_bytes(path.read_bytes()[:-cut])
    summary = draw(run)
    assert summary.verdict == "invalid"
    assert summary.reasons[0] == "the run did not come to its end: there is no end.json"
    assert len(gather(run).points) == len(whole.points) - 1
    assert ["ended", "it did not come to its end"] in read_page(run).tables["manifest"]


def test_a_line_that_was_cut_inside_is_not_taken_for_a_whole_one(run: Path) -> None:
    path = run / "histograms.hlog"
    whole = len(list(timeline.read_histograms(run)))
    content = path.read_bytes()
    for cut in (1, 2, 10, 60):
        path.write_bytes(content[:-cut])
        assert len(list(timeline.read_histograms(run))) == whole - 1


# Wrong use: one line, exit code 2.


def refused(capsys: pytest.CaptureFixture[str], folder: Path) -> str:
    assert __main__.main(["report", str(folder)]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("error: ") and err.count("\n") == 1
    assert not (folder / "report.html").exists()
    return err.removeprefix("error: ")


def test_what_is_no_run_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert refused(capsys, tmp_path / "none").startswith("there is no folder")
    assert refused(capsys, tmp_path).strip().endswith("it has no run.json")


@pytest.mark.parametrize("name", ["slo.toml", "timeline.csv", "histograms.hlog", "failures.csv"])
def test_a_run_without_a_file_is_refused(
    run: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (run / name).unlink()
    assert name in refused(capsys, run)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("run.json", b"{"),
        ("run.json", b'{"run_id": 5}'),
        ("run.json", b"\xff\xfe"),
        ("end.json", b"[]"),
        ("slo.toml", b"[total]\np95 = 3\n"),
        ("slo.toml", b"\xff"),
        ("timeline.csv", b"\xff\n"),
        ("timeline.csv", b"second,users\nx,y\n"),
        ("failures.csv", b"method,name\nGET,/x\n"),
        ("failures.csv", b"\xff"),
    ],
)
def test_a_broken_file_is_named(
    run: Path, name: str, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    (run / name).write_bytes(content)
    assert name in refused(capsys, run)


@pytest.mark.parametrize("payload", [b"!!!!", b"HISTFAAAAAE14nJNpmSz", b"AAAA", b"HISTFAA"])
def test_a_broken_histogram_is_named(
    run: Path, payload: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    path = run / "histograms.hlog"
    lines = path.read_bytes().splitlines(keepends=True)
    lines[6] = lines[6].rpartition(b",")[0] + b"," + payload + b"\n"
    path.write_bytes(b"".join(lines))
    assert "histograms.hlog is broken" in refused(capsys, run)


@pytest.mark.slow
def test_a_folder_that_cannot_be_written_to_is_named(run: Path) -> None:
    (run / "charts").write_text("in the way")
    with pytest.raises(ConfigurationError, match="cannot write to"):
        draw(run)


@pytest.mark.slow
def test_an_interrupted_drawing_leaves_no_half_file(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw(run)
    before = (run / "report.md").read_bytes()
    write_bytes = Path.write_bytes

    def interrupted(path: Path, content: bytes) -> int:
        if path.name == "report.md.tmp":
            write_bytes(path, content[:10])
            raise KeyboardInterrupt
        return write_bytes(path, content)

    monkeypatch.setattr(Path, "write_bytes", interrupted)
    with pytest.raises(KeyboardInterrupt):
        draw(run)
    assert (run / "report.md").read_bytes() == before
    assert not list(run.rglob("*.tmp"))


def test_the_exit_code_is_0_when_a_failed_run_was_drawn(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_folder.write_objectives(run, "[total]\np95_ms = 0.001\n")
    assert __main__.main(["report", str(run)]) == 0
    assert capsys.readouterr().out == f"fail, report: {run / 'report.html'}\n"


# The pictures.


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return png.draw_all(gather(write_run(tmp_path_factory.mktemp("pictures") / "run")))


@pytest.mark.parametrize("name", [name for name in DRAWN if name.endswith("png")])
def test_a_picture_has_something_in_it(pictures: dict[str, bytes], name: str) -> None:
    picture = image.imread(io.BytesIO(pictures[Path(name).name]))
    assert picture.shape[1] == 1200 and picture.shape[0] > 200
    colours = {
        tuple(int(part * 255) for part in pixel[:3]) for pixel in picture[::3, ::3].reshape(-1, 4)
    }
    green = tuple(int(palette.LIGHT.good[n : n + 2], 16) for n in (1, 3, 5))
    assert len(colours) > 20
    if "heatmap" not in name:
        assert any(max(abs(a - b) for a, b in zip(c, green, strict=True)) < 6 for c in colours)


def test_the_overview_draws_what_was_measured(tmp_path: Path) -> None:
    found = gather(write_run(tmp_path / "run", steps=STEPS, slower_by=2.0))
    rates, times, users = png.overview(found).axes
    assert list(rates.get_lines()[0].get_ydata()) == [p.requests_per_s for p in found.points]
    assert list(rates.get_lines()[1].get_ydata()) == [p.failures_per_s for p in found.points]
    assert list(times.get_lines()[0].get_ydata()) == [p.p50_ms for p in found.points]
    assert list(times.get_lines()[1].get_ydata()) == [p.p95_ms for p in found.points]
    assert list(users.get_lines()[0].get_ydata()) == [4] * 6 + [8] * 6 + [16] * 6
    labels = [
        text.get_text() for axes in (rates, times, users) for text in axes.get_legend().texts
    ]
    assert labels == [
        "requests/s",
        "failures/s",
        "objective ≥ 1/s",
        "median",
        "95th percentile",
        "objective p50 ≤ 30 ms",
        "objective p95 ≤ 80 ms",
        "users",
        "steady state",
    ]
    assert found.bands == [(1, 6), (7, 12), (13, 18)]
    assert (rates.get_ylabel(), times.get_ylabel()) == ("per second", "ms")
    assert users.get_xlabel() == "seconds since the start"


def test_an_objective_far_above_does_not_flatten_the_lines(tmp_path: Path) -> None:
    text = "[total]\np95_ms = 100000\n"
    found = gather(write_run(tmp_path / "run", objectives=text))
    times = png.overview(found).axes[1]
    assert times.get_ylim()[1] < 1000
    assert times.get_legend().texts[-1].get_text() == "above the chart: p95 ≤ 100,000 ms"


def test_every_light_colour_has_a_dark_one() -> None:
    pairs = palette.dark_of()
    light = palette.LIGHT
    assert len(pairs) == len(light.__struct_fields__) - 2 + len(light.heat) + len(light.scopes)
    assert all(re.fullmatch("#[0-9a-f]{6}", each) for pair in pairs.items() for each in pair)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (None, "\N{EN DASH}"),
        (0.123, "0.123"),
        (4.0, "4"),
        (38.07, "38.1"),
        (999.4, "999"),
        (999.7, "1,000"),
        (12345.6, "12,346"),
    ],
)
def test_a_time_is_written_with_three_digits(value: float | None, written: str) -> None:
    assert formatting.time_ms(value) == written


# Its place among the modules.


def test_a_run_does_not_load_what_draws() -> None:
    code = (
        "import sys, harness.run.lifecycle, harness.__main__; "
        "print({'matplotlib', 'plotly', 'numpy', 'scipy', 'PIL'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT_DIR, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "set()"


def test_the_material_is_frozen(run: Path) -> None:
    with pytest.raises(AttributeError):
        run_data.gather(run).width_s = 3

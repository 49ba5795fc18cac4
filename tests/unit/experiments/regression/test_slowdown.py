"""A run before a change and one after it: what is said, and what is refused."""

from __future__ import annotations

import functools
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest

from harness import ConfigurationError
from harness.commands import regression
from harness.experiments.regression import baseline, ratios, reading, slowdown, table
from harness.experiments.regression.ratios import TwoRuns
from harness.experiments.regression.reading import Run
from harness.experiments.regression.slowdown import Judgement
from harness.experiments.regression.steady import Steady
from harness.recording import histograms
from harness.recording.samples import Key
from harness.results import figures, run_folder, timeline
from harness.results.figures import EndpointHistograms
from harness.results.formatting import TIMES
from harness.results.timeline import Second
from support.run_folders import KEYS, failure, write_run
from support.seconds import EMPTY
from support.seconds import second as second_row

SECONDS = 40
STEP = ((4, SECONDS + 1),)
ENDPOINTS: dict[Key, int] = {("GET", "/a"): 30, ("GET", "/b"): 8, ("PUT", "/c"): 3}
"""Requests a second."""


@functools.cache
def bucket_bounds() -> np.ndarray:
    scale = histograms.empty()
    return np.array([scale.get_value_from_index(index) for index in range(scale.counts_len)])


def recorded(times_ms: np.ndarray) -> EndpointHistograms:
    """Return what has the counters of a histogram, without the time it takes to fill one."""

    class Histogram:
        counts = np.bincount(
            np.searchsorted(bucket_bounds(), times_ms * 1000, "right") - 1,
            minlength=bucket_bounds().size,
        )

    return Histogram  # type: ignore[return-value]


def steady(seed: int, slower: float = 1.0, seconds: int = SECONDS) -> Steady:
    """Return a run whose seconds are faster and slower, and resemble the one before."""
    random, found, mood = np.random.default_rng(seed), Steady([(4, range(seconds))]), 0.0
    for second in range(seconds):
        mood = 0.5 * mood + 0.1 * random.standard_normal()
        sums = EndpointHistograms()
        for key, requests in ENDPOINTS.items():
            times_ms = slower * random.lognormal(2 + mood, 0.5, random.poisson(requests))
            sums.all_of[key] = recorded(times_ms)  # type: ignore[assignment]
        found.add(row(second), sums)
    return found


def row(second: int) -> Second:
    return second_row(0, 4, 4, second=second, requests=1, failures=0, **EMPTY)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("runs") / "first"
    return reading.read(write_run(folder, steps=((4, 25), (8, 25)), requests=3, slower_by=2.0))


def compared(run: Run, before: Steady, after: Steady) -> TwoRuns:
    runs = [msgspec.structs.replace(run, steady=each) for each in (before, after)]
    return ratios.compare(runs[0], runs[1], [], anyway=False)


def judged(run: Run, before: Steady, after: Steady, most: float = 1.10) -> Judgement:
    return slowdown.judge(compared(run, before, after), most)


@pytest.mark.slow
def test_the_same_server_is_hardly_ever_called_slower(run: Run) -> None:
    pairs = [compared(run, steady(seed), steady(seed + 1000)) for seed in range(20)]
    called = [sum(slowdown.judge(pair, most).exit_code for pair in pairs) for most in (1.1, 1.0)]
    assert called[0] <= 1
    assert called[1] <= 6  # without tolerance, chance alone makes one in eight of 14 ratios


@pytest.mark.slow
def test_a_server_slower_by_a_third_is_called_so_and_the_interval_holds_it(run: Run) -> None:
    held = shown = 0
    for seed in range(10):
        found = compared(run, steady(seed), steady(seed + 1000, slower=1.33))
        shown += slowdown.judge(found, 1.10).exit_code
        changes = found.scopes[0].changes
        held += sum(
            change.low <= 1.33 <= change.high
            for key, change in changes.items()
            if key != "requests_per_s"
        )
    assert shown >= 9
    assert held >= 0.85 * 10 * 4  # p50, p95, p99 and mean


def test_one_slow_endpoint_is_named(run: Run) -> None:
    after = steady(2)
    slow = steady(3, slower=2.0)
    after._counted["GET /b"] = slow._counted["GET /b"]
    found = judged(run, steady(1), after)
    assert found.verdict == "slower" and len(found.details) <= 3
    assert found.headline == f"SLOWER: a slowdown beyond 1.10 {TIMES} is shown"
    assert any(detail.startswith("p95 of GET /b became ") for detail in found.details)


def test_a_close_call_is_undecided_and_says_how_long_would_tell(run: Run) -> None:
    found = judged(run, steady(1), steady(2, slower=1.06))
    assert (found.verdict, found.exit_code) == ("undecided", 0)
    assert found.headline.startswith(f"UNDECIDED: no slowdown beyond 1.10 {TIMES} is shown")
    assert found.details[-1].endswith("would likely tell") or "too close" in found.details[-1]


def test_what_is_not_shown_says_what_could_hide(run: Run) -> None:
    found = judged(run, steady(1), steady(2), most=1.5)
    assert (found.verdict, found.exit_code) == ("not shown", 0)
    assert found.details[0].startswith("p50 of all requests became ")
    assert found.details[1].startswith("p95 of all requests became ")
    assert found.details[2].startswith("the most that could be hidden: ")


def test_a_seldom_endpoint_leaves_the_rest_decided(run: Run) -> None:
    found = judged(run, steady(1), steady(2), most=1.25)
    assert found.verdict == "not shown"
    assert [line for line in found.details if line.startswith("undecided: p95 of PUT /c became ")]


def test_of_fewer_than_a_hundred_requests_nothing_is_said(run: Run) -> None:
    pair = steady(1, seconds=25), steady(2, seconds=25)
    scopes = {each.name: each for each in compared(run, *pair).scopes}
    assert list(scopes) == ["total", "GET /a", "GET /b", "PUT /c"]
    assert 60 < scopes["PUT /c"].requests[0] < 100 and not scopes["PUT /c"].changes
    assert 100 < scopes["GET /b"].requests[0] < 500 and "p99_ms" not in scopes["GET /b"].changes
    assert "p99_ms" in scopes["GET /a"].changes


def test_the_same_runs_give_the_same_again(run: Run) -> None:
    first, again = (compared(run, steady(1), steady(2)).scopes for _ in range(2))
    assert first == again


def test_the_figures_are_those_of_the_summary(run: Run) -> None:
    found = ratios.compare(run, run, [], anyway=False)
    rows = {"total": run.summary.total.steady}
    rows |= {f"{each.method} {each.name}": each.steady for each in run.summary.endpoints}
    assert [scope.name for scope in found.scopes] == list(dict.fromkeys(["total", *rows]))
    for scope in found.scopes:
        figures = rows[scope.name]
        assert figures is not None and scope.requests == (figures.requests, figures.requests)
        for key in ("p50_ms", "p95_ms", "requests_per_s"):
            change = scope.changes[key]
            assert change.before == pytest.approx(getattr(figures, key), abs=0.0005)
            assert change.before == change.after and change.ratio == 1


def test_steps_are_kept_apart(run: Run) -> None:
    assert sorted(set(run.steady.users)) == [4, 8]
    assert run.summary.steady_s == len(run.steady.seconds) == 48
    # the second step is slower by 2, which was planned: it is no reason for long blocks
    assert run.steady.block_buckets() < 8


def test_a_run_of_hours_has_a_bounded_number_of_slices() -> None:
    found = Steady([(10, range(0, 8000)), (20, range(8002, 16_001))])
    assert found.width_s == 16 and len(found.users) == 1000
    assert sum(found.seconds) == 15_999 and found.seconds[-1] == 15
    sums = EndpointHistograms()
    sums.all_of["GET", "/a"] = histograms.from_ms([1.0, 2.0])
    for second in range(16_010):
        if second % 1000 == 1:
            found.add(row(second), sums)  # 8,001 is between the steps
    assert found.buckets("total").counts.sum() == 2 * 15


def test_a_clock_that_jumps_makes_no_seconds(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", steps=((4, 30),))
    path = folder / timeline.TIMELINE
    head, *rows = path.read_text().splitlines()
    late = [f"{int(row.split(',')[0]) + 10**12},{row.split(',', 1)[1]}" for row in rows[20:]]
    path.write_text("\n".join([head, *rows[:20], *late, ""]))
    found = figures.read_steps(folder)
    assert [(users, len(seconds)) for users, seconds in found] == [(4, 29)]


def write_pair(tmp_path: Path, steps: Sequence[tuple[int, int]] = STEP, **planned: object) -> Path:
    write_run(tmp_path / "before", steps=STEP, keys=KEYS[:2])
    write_run(tmp_path / "after", steps=steps, keys=KEYS[:2], seed=2, **planned)
    return tmp_path


def refusal(tmp_path: Path, *names: str) -> str:
    names = names or ("before", "after")
    with pytest.raises(ConfigurationError) as raised:
        regression.run([tmp_path / name for name in names], None, False, tmp_path)
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize(
    ("planned", "said"),
    [
        ({"users": 8}, "users 4 and 8"),
        ({"profile": "spike"}, "profile none and spike"),
        (
            {"task_mix": {"list_boards": 1}},
            "task mix (list_boards 1, search_notices 3) and (list_",
        ),
        ({"endpoints": ["GET /a"]}, "endpoints (GET /notice/all?page, GET /notice/all?q) and (GE"),
        ({"vary_data": True}, "varied data no and yes"),
        ({"data_sha256": "1" * 64}, "data 00000000 and 11111111"),
        ({"client": "requests"}, "client session and requests"),
        ({"workers": 2}, "workers none and 2"),
        ({"tags": ["read", "list"]}, "tags none and (list, read)"),
        ({"exclude_tags": ["write"]}, "excluded tags none and (write)"),
        ({"host": "https://notices.example"}, "host on this machine and elsewhere"),
        ({"warm_up_s": 5.0}, "warm-up 0 s and 5 s"),
    ],
)
def test_a_load_that_is_another_is_refused(
    tmp_path: Path, run: Run, planned: dict[str, object], said: str
) -> None:
    other = msgspec.structs.replace(run.manifest, **{"users": 4, **planned})
    other = msgspec.structs.replace(other, run_id="other")
    usual = msgspec.structs.replace(
        run.manifest, users=4, endpoints=["GET /notice/all?page", "GET /notice/all?q"]
    )
    if "endpoints" not in planned:
        other = msgspec.structs.replace(other, endpoints=usual.endpoints)
    for name, manifest in (("before", usual), ("after", other)):
        (tmp_path / name).mkdir()
        run_folder.write(tmp_path / name, manifest)
    error = refusal(tmp_path)
    assert error.startswith(f"the runs were not loaded alike: {said}")
    assert error.endswith("; --anyway compares them all the same")
    assert error.count(";") == 1


def test_what_does_not_matter_is_not_refused_and_what_changed_is_noted(run: Run) -> None:
    other = msgspec.structs.replace(
        run.manifest,
        seed=8,
        spawn_rate_per_s=1.0,
        run_time_s=9.0,
        host="http://localhost:1",
        deployment="nginx",
        started_at="2027",
    )
    assert reading.differences(reading.load_of(run.manifest), reading.load_of(other)) == []
    changed = reading.differences(reading.subject_of(run.manifest), reading.subject_of(other))
    assert changed == ["deployment none and nginx"]


def test_all_differences_are_named_at_once(tmp_path: Path) -> None:
    error = refusal(write_pair(tmp_path, users=8, client="fasthttp"))
    assert "users 4 and 8; client session and fasthttp; --anyway" in error


def test_other_steps_are_refused_when_the_plan_does_not_tell(tmp_path: Path) -> None:
    error = refusal(write_pair(tmp_path, steps=((4, 25), (6, 25)), users=4))
    assert "users of the steps 4 and 4, 6; --anyway" in error


def test_anyway_they_are_compared_and_the_differences_noted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_pair(tmp_path, client="requests", failures=[failure("expected status 200, got 502")])
    folders = [tmp_path / "before", tmp_path / "after"]
    assert regression.run(folders, 3.0, True, tmp_path) == 0
    said = capsys.readouterr().out
    assert "the runs differ in: client session and requests" in said
    markdown = (tmp_path / "after" / "against-before.md").read_text()
    assert "client session and requests" in markdown
    assert "1 of 410 requests failed" in markdown


def test_missing_and_broken_runs_are_one_line(tmp_path: Path) -> None:
    write_pair(tmp_path)
    assert refusal(tmp_path, "before", "gone").startswith("there is no folder ")
    assert refusal(tmp_path, "before", "before").endswith("are the same run; give two")
    assert refusal(tmp_path, "before", "after", "after").startswith("give two runs, or one")
    (tmp_path / "empty").mkdir()
    assert refusal(tmp_path, "before", "empty").endswith(
        "not the folder of a run: it has no run.json"
    )
    (tmp_path / "after" / "histograms.hlog").unlink()
    assert refusal(tmp_path).endswith("is not a whole run: it has no histograms.hlog")
    (tmp_path / "after" / "timeline.csv").write_text("second\nx\n")
    assert "timeline.csv is broken: " in refusal(tmp_path)


def test_an_invalid_run_and_a_short_one_are_told_from_a_slow_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_pair(tmp_path, ended=False)
    folders = [tmp_path / "before", tmp_path / "after"]
    assert regression.run(folders, None, False, tmp_path) == 3
    assert "is invalid: the run did not come to its end" in capsys.readouterr().err
    write_run(tmp_path / "after", steps=((4, 15),), keys=KEYS[:2])
    assert regression.run(folders, None, False, tmp_path) == 3
    assert "too short: a comparison needs 20 s of steady state" in capsys.readouterr().err
    assert regression.keep(folders[1], tmp_path) == 3


def test_a_run_is_kept_and_replaced_by_a_later_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="keep a run to compare with by make baseline"):
        baseline.kept(tmp_path)
    write_pair(tmp_path)
    for name in ("before", "after"):
        (tmp_path / name / "charts").mkdir()
        assert regression.keep(tmp_path / name, tmp_path) == 0
        assert run_folder.read_manifest(baseline.kept(tmp_path)).run_id == name
    assert not [*tmp_path.glob(".baseline*")]
    left_out = {"against-before.md"}
    files = {path.name for path in (tmp_path / "after").iterdir()} - left_out
    assert {path.name for path in baseline.kept(tmp_path).iterdir()} == files
    assert "the same run" in refusal(tmp_path, "after")
    with pytest.raises(ConfigurationError, match="is the baseline already"):
        regression.keep(tmp_path / "baseline", tmp_path)


def test_a_run_that_happens_to_be_called_so_is_not_replaced(tmp_path: Path) -> None:
    write_pair(tmp_path)
    write_run(tmp_path / "baseline", steps=STEP)
    with pytest.raises(ConfigurationError, match="is a run of its own"):
        regression.keep(tmp_path / "before", tmp_path)


def test_hostile_names_are_text(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    name = "GET [red]|<b>`@x"
    before, after = steady(1), steady(2)
    for each in (before, after):
        each._counted[name] = each._counted.pop("GET /b")
    found = compared(run, before, after)
    judgement = slowdown.judge(found, 1.10)
    table.print_table(found, judgement, sys.stdout)
    assert name in capsys.readouterr().out
    text = table.markdown(found, judgement)
    assert (
        "<b>" not in text
        and "[red]" not in text
        and "`" not in text
        and "@" not in text
        and "GET &#91;red" in text
    )

"""Which seconds are steady state, and what the files of a run say in numbers."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.recording import histograms
from harness.results import figures
from harness.results.objectives import Saturation
from harness.results.timeline import TimelineWriter
from support.seconds import PUT, SEARCH, START, second


def stretches(users: list[int], target_users: list[int]) -> list[list[int]]:
    rows = [
        second(number, running, wanted)
        for number, (running, wanted) in enumerate(zip(users, target_users, strict=True))
    ]
    running = figures.RunningFigures(Saturation())
    for row in rows:
        running.add(row, figures.EndpointHistograms())
    steps = running.figures().steps
    return [list(range(step.first_second - START, step.last_second + 1 - START)) for step in steps]


@pytest.mark.parametrize(
    ("users", "target_users", "expected"),
    [
        ([0, 2, 4, 4, 4, 4, 4], [4] * 7, [[3, 4, 5, 6]]),  # the last came in second 2
        ([4] * 6, [4, 4, 4, 4, 0, 0], [[1, 2, 3]]),  # being stopped
        ([4] * 4 + [3, 2, 0], [4] * 4 + [0] * 3, [[1, 2, 3]]),
        ([4, 4, 4, 4, 6, 8, 8, 8, 8], [4] * 4 + [8] * 5, [[1, 2, 3], [6, 7, 8]]),  # steps
        ([4] * 4 + [8] * 4, [4] * 4 + [8] * 4, [[1, 2, 3], [5, 6, 7]]),
        ([4, 4, 4, 4, 3, 4, 4, 4, 4], [4] * 9, [[1, 2, 3], [6, 7, 8]]),  # a user was lost
        ([4, 4, 4], [4] * 3, []),  # two seconds only
        ([1, 2, 3, 4, 5, 6], [9] * 6, []),  # never all
        ([0] * 5, [0] * 5, []),
        ([], [], []),
    ],
)
def test_steady_is_a_stretch_with_all_users(
    users: list[int], target_users: list[int], expected: list[list[int]]
) -> None:
    assert stretches(users, target_users) == expected


def test_a_warm_up_does_not_count_and_begins_anew_with_each_step() -> None:
    rows = [second(number, users, users) for number, users in enumerate([4] * 8 + [8] * 7)]
    running = figures.RunningFigures(Saturation(), warm_up_s=3)
    for row in rows:
        sums = figures.EndpointHistograms()
        sums.all_of[SEARCH] = histograms.from_ms([float(row.second - START + 1)])
        running.add(row, sums)
    found = running.figures()
    steps = [(step.first_second - START, step.last_second - START) for step in found.steps]
    assert steps == [(4, 7), (12, 14)]  # seconds 0 and 8 are when the users came
    assert found.total.steady is not None
    assert (found.steady_s, found.total.steady.requests) == (7.0, 7)
    assert found.total.whole_run.requests == len(rows)


def test_a_run_that_ends_in_its_warm_up_has_no_steady_state() -> None:
    running = figures.RunningFigures(Saturation(), warm_up_s=10)
    for number in range(10):
        running.add(second(number, 4, 4), figures.EndpointHistograms())
    assert running.figures().total.steady is None


def written(folder: Path) -> Path:
    """Write a run of six seconds: two of ramp-up, three steady after the first, one at the end."""
    files = TimelineWriter(folder, START)
    users, wanted = [1, 2, 2, 2, 2, 1], [2, 2, 2, 2, 2, 0]
    for number in range(6):
        ramp = number < 2 or number == 5
        times = {SEARCH: [900.0] if ramp else [10.0, 20.0], PUT: [5.0]}
        failed = {SEARCH: histograms.from_ms([20.0])} if number == 3 else {}
        row = second(number, users[number], wanted[number])
        files.append(row, {key: histograms.from_ms(each) for key, each in times.items()}, failed)
    files.close()
    return folder


def test_the_figures_of_a_run(tmp_path: Path) -> None:
    found = figures.read(written(tmp_path), Saturation()).figures()
    assert (found.duration_s, found.steady_s) == (6.0, 3.0)
    whole, steady = found.total.whole_run, found.total.steady
    assert (whole.requests, whole.failures, whole.fail_ratio) == (15, 1, round(1 / 15, 9))
    assert steady is not None
    assert (steady.requests, steady.failures, steady.requests_per_s) == (9, 1, 3.0)
    assert whole.max_ms == pytest.approx(900.0, rel=0.001)
    assert steady.max_ms == pytest.approx(20.0, rel=0.001)
    assert steady.p50_ms == pytest.approx(10.0, rel=0.001)
    rows = {(row.method, row.name): row for row in found.endpoints}
    assert list(rows) == [PUT, SEARCH]
    assert rows[PUT].steady is not None and rows[PUT].steady.requests == 3
    assert rows[SEARCH].whole_run.failures == 1
    (step,) = found.steps
    assert (step.users, step.first_second, step.last_second) == (2, START + 2, START + 4)
    assert step.total == steady


def test_a_run_without_a_steady_state_has_figures_of_the_whole(tmp_path: Path) -> None:
    files = TimelineWriter(tmp_path, START)
    for number in range(4):
        files.append(second(number, number, 9), {SEARCH: histograms.from_ms([3.0])}, {})
    files.close()
    found = figures.read(tmp_path, Saturation()).figures()
    assert (found.steady_s, found.steps, found.total.steady) == (0.0, [], None)
    assert found.total.whole_run.requests == 4
    assert found.endpoints[0].steady is None


def test_an_endpoint_that_was_not_hit_in_the_steady_state_has_none_there(tmp_path: Path) -> None:
    files = TimelineWriter(tmp_path, START)
    for number in range(5):
        files.append(second(number), {PUT: histograms.from_ms([3.0])} if number == 0 else {}, {})
    files.close()
    (row,) = figures.read(tmp_path, Saturation()).figures().endpoints
    assert row.steady is not None
    assert (row.steady.requests, row.steady.p50_ms, row.steady.max_ms) == (0, None, None)


def test_the_seconds_of_cleaning_up_are_not_of_the_run(tmp_path: Path) -> None:
    files = TimelineWriter(tmp_path, START)
    for number, wanted in enumerate([3, 3, 0, 0, 0]):
        requests = 4 if number in (0, 2) else 0
        hit = {PUT: histograms.from_ms([3.0] * requests)} if requests else {}
        files.append(second(number, 3, wanted, requests=requests), hit, {})
    files.close()
    found = figures.read(tmp_path, Saturation()).figures()
    assert (found.duration_s, found.total.whole_run.requests_per_s) == (3.0, round(8 / 3, 3))


def test_an_empty_run_has_figures(tmp_path: Path) -> None:
    TimelineWriter(tmp_path, START).close()
    found = figures.read(tmp_path, Saturation()).figures()
    assert (found.duration_s, found.total.whole_run.requests, found.endpoints) == (0.0, 0, [])

"""Whose reports have come: each counts once, and nobody is waited for without end."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.distributed.report_tracking import LONGEST_WAIT_S, ReportTracker
from harness.recording.samples import Report

RUN, NOW_S = "run", 1_800_000_000.0


def report(number: int, until_s: float = NOW_S, run: str = RUN, **given: float) -> Report:
    return Report(run=run, number=number, until=int(until_s), **given)


@pytest.fixture
def arrivals() -> ReportTracker:
    return ReportTracker(RUN)


deliveries = st.lists(st.tuples(st.sampled_from(["one", "two"]), st.integers(1, 9)), max_size=40)


@given(deliveries, st.integers(0, 9))
def test_each_report_counts_once_and_what_never_came_is_missing(
    deliveries: list[tuple[str, int]], sent: int
) -> None:
    """In whatever order they come, and however often."""
    arrivals = ReportTracker(RUN)
    counted = [each for each in deliveries if arrivals.take(each[0], report(each[1]), NOW_S)]
    assert sorted(counted) == sorted(set(deliveries))
    lost = 0
    for worker in ("one", "two"):
        came = {number for name, number in deliveries if name == worker}
        arrivals.end(worker, RUN, sent)
        lost += len(set(range(1, max(came | {sent}, default=0) + 1)) - came)
    assert arrivals.lost == lost


def test_a_last_report_that_did_not_come_is_missed_by_its_number(arrivals: ReportTracker) -> None:
    arrivals.take("one", report(1), NOW_S)
    assert arrivals.lost == 0
    arrivals.end("one", RUN, 2)
    assert arrivals.lost == 1
    arrivals.end("two", RUN, 1)
    assert arrivals.lost == 2


def test_nothing_is_known_of_workers_that_there_are_not(arrivals: ReportTracker) -> None:
    assert (arrivals.lost, arrivals.clock_off_s) == (None, None)
    assert arrivals.complete_until(NOW_S) == math.inf


def test_what_an_earlier_run_left_on_its_way_is_of_no_concern(arrivals: ReportTracker) -> None:
    """A worker that it had lost is back, and tells of it."""
    assert not arrivals.take("one", report(7, run="earlier"), NOW_S)
    arrivals.end("one", "earlier", 9)
    assert arrivals.lost is None
    assert arrivals.take("one", report(1), NOW_S)


def test_a_second_waits_for_the_slowest_worker(arrivals: ReportTracker) -> None:
    arrivals.take("one", report(1, NOW_S - 3), NOW_S)
    arrivals.take("two", report(1, NOW_S - 5), NOW_S)
    assert arrivals.complete_until(NOW_S + 9) == NOW_S - 5
    arrivals.take("two", report(2, NOW_S), NOW_S)
    assert arrivals.complete_until(NOW_S + 9) == NOW_S - 3
    arrivals.end("one", RUN, 1)
    assert arrivals.complete_until(NOW_S + 9) == NOW_S
    arrivals.end("two", RUN, 2)
    assert arrivals.complete_until(NOW_S + 9) == math.inf


def test_a_worker_that_is_silent_for_long_is_waited_for_no_more(arrivals: ReportTracker) -> None:
    """It was killed, say: what the others do is shown as soon as ever again."""
    arrivals.take("one", report(1), NOW_S)
    assert arrivals.complete_until(NOW_S + LONGEST_WAIT_S - 1) == NOW_S
    assert arrivals.complete_until(NOW_S + LONGEST_WAIT_S) == math.inf
    arrivals.take("one", report(2, NOW_S + 40), NOW_S + 40)
    assert arrivals.complete_until(NOW_S + 41) == NOW_S + 40


def test_a_wrong_clock_holds_up_no_second_for_long(arrivals: ReportTracker) -> None:
    for late_s in range(0, 60, 3):
        now_s = NOW_S + late_s
        arrivals.take("one", report(1 + late_s // 3, now_s - 3600, sent_s=now_s - 3600), now_s)
        assert arrivals.complete_until(now_s) == now_s - LONGEST_WAIT_S
    assert arrivals.clock_off_s == 3600


def test_the_worst_clock_is_told_by_its_fastest_report(arrivals: ReportTracker) -> None:
    for number, way_s in enumerate((0.5, 0.0, 9.0), 1):
        arrivals.take("one", report(number, sent_s=NOW_S - way_s), NOW_S)
        arrivals.take("two", report(number, sent_s=NOW_S - way_s - 2.0), NOW_S)
    assert arrivals.clock_off_s == 2.0
    arrivals.take("three", report(1, sent_s=NOW_S + 1.5), NOW_S)
    assert arrivals.clock_off_s == -1.5


@pytest.mark.parametrize("field", ["sent_s", "written_s"])
def test_a_clock_that_falls_behind_in_mid_run_is_found(
    arrivals: ReportTracker, field: str
) -> None:
    """Suspended, or set back: what was right at first is wrong from then on."""
    for number in range(1, 21):
        behind_s = 0.1 if number <= 10 else 7.1
        arrivals.take("one", report(number, **{field: NOW_S - behind_s}), NOW_S)
    assert arrivals.clock_off_s == pytest.approx(7.1)


def test_reports_that_a_broken_network_held_back_are_no_wrong_clock(
    arrivals: ReportTracker,
) -> None:
    for number, way_s in enumerate((0.1, 0.1, 12.6, 9.6, 6.6, 3.6, 0.6, 0.1, 0.1, 0.1), 1):
        arrivals.take("one", report(number, sent_s=NOW_S - way_s), NOW_S)
    assert arrivals.clock_off_s == pytest.approx(0.6)


def test_a_clock_that_was_ahead_once_is_found(arrivals: ReportTracker) -> None:
    for number in range(1, 21):
        arrivals.take("one", report(number, sent_s=NOW_S + (3.0 if number == 9 else -0.1)), NOW_S)
    assert arrivals.clock_off_s == -3.0


def test_one_that_is_about_to_have_users_is_awaited(arrivals: ReportTracker) -> None:
    arrivals.begin("one", NOW_S)
    assert arrivals.lost == 0
    assert arrivals.complete_until(NOW_S + 12) == int(NOW_S)
    arrivals.take("one", report(1, NOW_S + 3), NOW_S + 12)
    assert arrivals.complete_until(NOW_S + 12) == int(NOW_S + 3)
    arrivals.begin("one", NOW_S)  # given other users
    assert arrivals.complete_until(NOW_S + 12) == int(NOW_S + 3)


def test_the_clock_of_the_writes_has_to_be_right_too(arrivals: ReportTracker) -> None:
    arrivals.take("one", report(1, sent_s=NOW_S, written_s=NOW_S - 10), NOW_S)
    assert arrivals.clock_off_s == 10
    arrivals.take("two", report(1, sent_s=NOW_S, written_s=NOW_S + 10), NOW_S)
    assert arrivals.clock_off_s == -10

"""The verdict of a run that goes on, asked of its recorder: what it costs, and that it is true."""

from __future__ import annotations

import errno
import os
import time
from argparse import Namespace
from dataclasses import replace
from types import SimpleNamespace
from unittest.mock import Mock

import gevent
from locust.env import Environment

import pytest

from harness.config import settings
from harness.recording import histograms
from harness.recording.samples import ConnectionCounts, Failure, Interval, ProcessSample, Report
from harness.results import objectives, timeline
from harness.results.figures import EndpointHistograms
from harness.results.run_folder import DeviceCounts
from harness.results.timeline import Second
from harness.run.record import Recorder
from harness.run.record import recorder as recorder_module
from notice_api.contract import ENDPOINTS

HOUR_S = 3600
STYLES = 10
SECONDS = 10
RUN = "so-far"


@pytest.fixture
def recorder(tmp_path):
    """Yield a recorder whose clock is the test."""
    environment = Environment(user_classes=[], host="http://127.0.0.1:8000")
    runner = environment.create_local_runner()
    options = {"run_id": RUN, "num_users": 9, "spawn_rate": 9, "run_time": None, "seed": 1}
    environment.parsed_options = Namespace(**options, tags=(), exclude_tags=(), headless=False)
    wanted = objectives.parse("[total]\np95_ms = 15\n", "slo.toml")
    kept = replace(settings.load(), results_dir=tmp_path)
    recorder = Recorder(environment, kept, wanted, int(time.time()) - SECONDS)
    gevent.killall([recorder._loop])
    yield recorder
    if recorder.summary is None and recorder._write_error is None:
        recorder.close(DeviceCounts(), ConnectionCounts(), 0)
    runner.quit()


def pass_second(recorder, number, time_ms=10.0):
    """Let the second with this number be over, and written down."""
    second = int(recorder.started_s) + number
    intervals = [
        Interval(second, each.method, each.name, histograms.from_ms([time_ms] * 20), None)
        for each in ENDPOINTS
    ]
    recorder.take(Report(intervals, [], [ProcessSample(second, 10.0, 1.0)]))
    recorder.merger.note_users(second, 9, 9)
    recorder._write_until(second + 1)


def count_computations(recorder, monkeypatch):
    computed = []
    figures = recorder.running.figures
    monkeypatch.setattr(recorder.running, "figures", lambda: computed.append(1) or figures())
    return computed


def test_a_second_is_computed_once_however_many_look(recorder, monkeypatch) -> None:
    computed = count_computations(recorder, monkeypatch)
    pass_second(recorder, 0)
    assert len({recorder.interim_summary(0).total.whole_run.requests for _ in range(STYLES)}) == 1
    assert len(computed) == 1
    pass_second(recorder, 1)
    assert recorder.interim_summary(0).total.whole_run.requests == 2 * 20 * len(ENDPOINTS)
    assert len(computed) == 2


@pytest.mark.parametrize("others", [0, 2])
def test_a_process_that_stood_still_is_saturated_as_long_as_it_did(recorder, others) -> None:
    """It tells of these seconds when it is awake again, and they are written down by then."""
    begin, still_s = int(recorder.started_s), 6
    for number in range(SECONDS):
        recorder.merger.note_users(begin + number, 9, 9)
        for _ in range(others):
            recorder.take(Report([], [], [ProcessSample(begin + number, 10.0, 1.0)]))
    recorder._write_until(begin + SECONDS - 3)
    late = [ProcessSample(begin + 1 + number, 1.0, 6_000.0) for number in range(still_s)]
    recorder.take(Report([], [], late))
    for number in range(SECONDS, 2 * SECONDS):
        recorder.merger.note_users(begin + number, 9, 9)
    recorder._write_until(begin + 2 * SECONDS)
    assert recorder.interim_summary(0).generator.saturated_s == still_s


def test_the_second_of_the_stop_is_not_steady(recorder, monkeypatch) -> None:
    """Its users may be gone before the recorder looks again: it would count as a whole one."""
    for number in range(SECONDS):
        pass_second(recorder, number)
    stopped = int(recorder.started_s) + SECONDS
    recorder.merger.note_users(stopped, 9, 9)
    monkeypatch.setattr(recorder_module, "time", SimpleNamespace(time=lambda: stopped + 0.3))
    recorder.note_stop()
    summary = recorder.close(DeviceCounts(), ConnectionCounts(), 0)
    assert (summary.steady_s, summary.steps[-1].last_second) == (SECONDS - 1, stopped - 1)
    assert summary.total.steady.requests_per_s == 20 * len(ENDPOINTS)


@pytest.mark.parametrize("off_s", [-3.0, 3.0])
def test_the_clock_of_a_worker_is_known_by_its_fastest_report(recorder, off_s) -> None:
    for number, way_s in enumerate((0.4, 0.0, 2.0), 1):
        for worker, behind_s in (("right", way_s), ("wrong", way_s + off_s)):
            sent = Report(run=RUN, number=number, sent_s=time.time() - behind_s)
            assert recorder.take(sent, worker)
    (clocks,) = (rule for rule in recorder.interim_summary(0).validity if rule.name == "clocks")
    assert not clocks.kept and "is off by 3.0 s" in clocks.sentence


def tell(recorder, worker, number, *seconds, until):
    """Let a worker tell of one request in each of these seconds of the run."""
    start = int(recorder.started_s)
    intervals = [
        Interval(start + second, "GET", "/x", histograms.from_ms([10.0]), None)
        for second in seconds
    ]
    recorder.take(Report(intervals, run=RUN, number=number, until=start + until), worker)


def written(recorder, after_s):
    """Return the requests of each second that is written so long after the start."""
    recorder._write_until(recorder.merger.complete_before(int(recorder.started_s) + after_s))
    return [row.requests for row in timeline.read_timeline(recorder.folder)]


@pytest.fixture
def hear(monkeypatch, recorder):
    """Return a function that sets the clock to so many seconds after the start."""

    def set_clock(after_s):
        now = SimpleNamespace(time=lambda: int(recorder.started_s) + after_s)
        monkeypatch.setattr(recorder_module, "time", now)

    return set_clock


def test_a_second_is_written_when_all_workers_have_told_of_it(recorder, hear) -> None:
    """One of them cannot reach the master from second 3 to 16, and all is told then."""
    hear(3)
    tell(recorder, "one", 1, 0, 1, 2, until=3)
    tell(recorder, "two", 1, 0, 1, 2, until=3)
    hear(6)
    tell(recorder, "one", 2, 3, 4, 5, until=6)
    assert written(recorder, 5) == [2, 2, 2], "no earlier than after the usual delay"
    assert written(recorder, 16) == [2, 2, 2]
    hear(16)
    tell(recorder, "two", 2, 3, 5, until=6)
    tell(recorder, "two", 3, 6, 7, until=9)
    tell(recorder, "one", 3, 8, until=9)
    assert written(recorder, 16) == [2, 2, 2, 2, 1, 2, 1, 1, 1]
    ending = recorder.interim_summary(0)
    assert {rule.name for rule in ending.validity if "reports" in rule.name and rule.kept} == {
        "reports",
        "late reports",
    }


def test_what_comes_too_late_is_counted_and_declared(recorder, hear) -> None:
    for worker in ("one", "two"):
        hear(1)
        tell(recorder, worker, 1, 0, until=1)
    for number in range(2, 9):
        hear(5 * number)
        tell(recorder, "one", number, 5 * number - 1, until=5 * number)
    assert len(written(recorder, 31 - 1)) == 1
    assert len(written(recorder, 40)) > 30, "the silent worker is waited for no more"
    hear(40)
    tell(recorder, "two", 2, 3, 35, until=40)
    counts = written(recorder, 50)
    assert sum(counts) == 2 + 7 + 2 and counts[3] == 0
    summary = recorder.interim_summary(0)
    (rule,) = (rule for rule in summary.validity if rule.name == "late reports")
    assert rule.sentence.startswith("reports of workers that came too late: 1,")
    assert summary.verdict == "invalid"


def test_a_report_that_comes_twice_counts_once(recorder, hear) -> None:
    hear(3)
    for number in (1, 1, 3, 1, 3):
        tell(recorder, "one", number, 1, until=3)
    recorder.merger.tracking.end("one", RUN, 4)
    summary = recorder.close(DeviceCounts(), ConnectionCounts(), 0)
    assert summary.total.whole_run.requests == 2
    assert "reports of workers that never arrived: 2, and with them their requests" in (
        summary.reasons
    )


def test_users_are_those_that_the_workers_tell_of(recorder, hear) -> None:
    """Of a worker that it cannot reach the master counts none, or gives them to another."""
    recorder.collector.stop()
    recorder.collector = None
    recorder.merger.has_workers = True
    start = int(recorder.started_s)
    hear(3)
    for second, users in enumerate((20, 30)):
        recorder.merger.note_users(start + second, 20, 40)
        for worker in ("one", "two"):
            health = [ProcessSample(start + second, 1.0, 1.0, users)]
            recorder.take(Report([], [], health, run=RUN, number=second + 1), worker)
    recorder.merger.note_users(start + 2, 33, 40)
    recorder._write_until(start + 3)
    rows = timeline.read_timeline(recorder.folder)
    assert [(row.users, row.target_users) for row in rows] == [(40, 40), (60, 40), (33, 40)]


def test_users_who_are_told_of_too_late_run_in_no_other_second(recorder, hear) -> None:
    """A worker stood still: in the seconds that are written its users did nothing."""
    recorder.collector.stop()
    recorder.collector = None
    recorder.merger.has_workers = True
    start = int(recorder.started_s)
    hear(9)
    recorder._write_until(start + 3)
    health = [ProcessSample(start + second, 1.0, 4_000.0, 20) for second in range(4)]
    recorder.take(Report([], [], health, run=RUN, number=1), "one")
    recorder._write_until(start + 6)
    rows = timeline.read_timeline(recorder.folder)
    assert [row.users for row in rows] == [0, 0, 0, 20, 0, 0]
    (reports,) = (
        rule for rule in recorder.interim_summary(0).validity if rule.name == "late reports"
    )
    assert not reports.kept


def test_at_the_end_nobody_is_waited_for(recorder, hear) -> None:
    hear(3)
    tell(recorder, "one", 1, 0, 1, 2, until=3)
    hear(9)
    tell(recorder, "two", 1, 0, 1, until=2)
    summary = recorder.close(DeviceCounts(), ConnectionCounts(), 1)
    assert summary.total.whole_run.requests == 5


def test_nobody_pays_for_what_nobody_looks_at(recorder, monkeypatch) -> None:
    computed = count_computations(recorder, monkeypatch)
    for number in range(5):
        pass_second(recorder, number)
    assert computed == []


def test_what_happens_between_two_seconds_is_told_at_once(recorder) -> None:
    pass_second(recorder, 0)
    assert all(
        rule.kept for rule in recorder.interim_summary(0).validity if rule.name != "steady state"
    )
    broken = [
        rule.name for rule in recorder.interim_summary(lost_workers=1).validity if not rule.kept
    ]
    assert broken == ["steady state", "workers"]
    recorder.was_reset = True
    broken = [rule.name for rule in recorder.interim_summary(0).validity if not rule.kept]
    assert broken == ["steady state", "results"]


@pytest.mark.parametrize(("time_ms", "verdict"), [(10.0, "pass"), (20.0, "fail")])
def test_the_last_look_and_the_end_agree(recorder, time_ms, verdict) -> None:
    for number in range(SECONDS):
        pass_second(recorder, number, time_ms)
    early = recorder.interim_summary(0)
    recorder.merger.note_users(recorder.merger.next_second, 0, 0)
    ending = recorder.close(DeviceCounts(), ConnectionCounts(), 0)
    assert early.verdict == ending.verdict == verdict
    assert early.objectives == ending.objectives
    assert early.total == ending.total and early.steps == ending.steps


def test_a_look_costs_the_same_after_an_hour(recorder) -> None:
    sums = EndpointHistograms()
    for number, each in enumerate(ENDPOINTS):
        times_ms = [5.0 * (number + 1) * 1.01**rank for rank in range(60)]
        sums.all_of[each.method, each.name] = histograms.from_ms(times_ms)
    took_ms = {}
    for number in range(HOUR_S):
        row = Second(
            second=number,
            users=9,
            target_users=9,
            requests=60 * len(ENDPOINTS),
            failures=0,
            p50_ms=None,
            p95_ms=None,
            p99_ms=None,
            cpu_percent=10.0,
            lag_ms=1.0,
        )
        recorder.running.add(row, sums)
        if number in (60, HOUR_S - 1):
            recorder._interim = None  # as in the next second
            begin_s = time.perf_counter()
            found = recorder.interim_summary(0)
            took_ms[number + 1] = (time.perf_counter() - begin_s) * 1000
    assert found.steady_s == HOUR_S - 1
    assert found.total.whole_run.requests == HOUR_S * 60 * len(ENDPOINTS)
    print({second: f"{each_ms:.1f} ms" for second, each_ms in took_ms.items()})


def test_seconds_that_could_not_be_written_leave_no_result(recorder, monkeypatch, caplog) -> None:
    """The disk was full for a moment: what is written afterwards is not the whole run."""
    append = recorder._files.append
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "histograms.hlog")
    monkeypatch.setattr(recorder._files, "append", Mock(side_effect=full))
    gevent.spawn(recorder._record_loop).join(timeout=10)
    assert "histograms.hlog" in caplog.text and "no result" in caplog.text
    monkeypatch.setattr(recorder._files, "append", append)
    with pytest.raises(OSError, match="No space left"):
        recorder.close(DeviceCounts(), ConnectionCounts(), 0)
    assert recorder.summary is None


def test_failures_that_could_not_be_written_leave_no_result_either(
    recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker's report counts all the same: its users may go on, and its devices are known."""
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "failures.csv")
    monkeypatch.setattr(recorder._files, "write_failures", Mock(side_effect=full))
    failure = Failure("GET", "/x", "connection reset", 1, 1.0, 1.0)
    assert recorder.take(Report([], [failure], [], run=RUN, number=1), "one")
    monkeypatch.undo()
    with pytest.raises(OSError, match="No space left"):
        recorder.close(DeviceCounts(), ConnectionCounts(), 0)
    assert recorder.summary is None

"""The verdict of a run that goes on, asked of its recorder: what it costs, and that it is true."""

from __future__ import annotations

import time
from argparse import Namespace
from dataclasses import replace
from types import SimpleNamespace

import gevent
from locust.env import Environment

import pytest

from harness import histograms, objectives, settings
from harness import recorder as recorder_module
from harness.contract import ENDPOINTS
from harness.figures import Sums
from harness.recorder import Recorder
from harness.runfolder import ConnectionCounts, DeviceCounts
from harness.timeseries import Health, Interval, Report, Second

HOUR_S = 3600
LOOKS = 10
SECONDS = 10


@pytest.fixture
def recorder(tmp_path):
    """Yield a recorder whose clock is the test."""
    environment = Environment(user_classes=[], host="http://127.0.0.1:8000")
    runner = environment.create_local_runner()
    options = {"run_id": "so-far", "num_users": 9, "spawn_rate": 9, "run_time": None, "seed": 1}
    environment.parsed_options = Namespace(**options, tags=(), exclude_tags=(), headless=False)
    wanted = objectives.parse("[total]\np95_ms = 15\n", "slo.toml")
    kept = replace(settings.load(), results_dir=tmp_path)
    recorder = Recorder(environment, kept, wanted, int(time.time()) - SECONDS)
    gevent.killall([recorder._keeper])
    yield recorder
    if recorder.summary is None:
        recorder.close(DeviceCounts(), ConnectionCounts(), 0)
    runner.quit()


def pass_second(recorder, number, time_ms=10.0):
    """Let the second with this number be over, and written down."""
    second = int(recorder.started_s) + number
    encoded = histograms.of([time_ms] * 20).encode()
    intervals = [Interval(second, each.method, each.name, encoded, None) for each in ENDPOINTS]
    recorder.take(Report(intervals, [], [Health(second, 10.0, 1.0)]))
    recorder._users[second] = 9, 9
    recorder._write_until(second + 1)


def count_computations(recorder, monkeypatch):
    computed = []
    figures = recorder.running.figures
    monkeypatch.setattr(recorder.running, "figures", lambda: computed.append(1) or figures())
    return computed


def test_a_second_is_computed_once_however_many_look(recorder, monkeypatch) -> None:
    computed = count_computations(recorder, monkeypatch)
    pass_second(recorder, 0)
    assert len({recorder.so_far(0).total.whole_run.requests for _ in range(LOOKS)}) == 1
    assert len(computed) == 1
    pass_second(recorder, 1)
    assert recorder.so_far(0).total.whole_run.requests == 2 * 20 * len(ENDPOINTS)
    assert len(computed) == 2


@pytest.mark.parametrize("others", [0, 2])
def test_a_process_that_stood_still_is_saturated_as_long_as_it_did(recorder, others) -> None:
    """It tells of these seconds when it is awake again, and they are written down by then."""
    begin, still_s = int(recorder.started_s), 6
    for number in range(SECONDS):
        recorder._users[begin + number] = 9, 9
        for _ in range(others):
            recorder.take(Report([], [], [Health(begin + number, 10.0, 1.0)]))
    recorder._write_until(begin + SECONDS - 3)
    late = [Health(begin + 1 + number, 1.0, 6_000.0) for number in range(still_s)]
    recorder.take(Report([], [], late))
    for number in range(SECONDS, 2 * SECONDS):
        recorder._users[begin + number] = 9, 9
    recorder._write_until(begin + 2 * SECONDS)
    assert recorder.so_far(0).generator.saturated_s == still_s


def test_the_second_of_the_stop_is_not_steady(recorder, monkeypatch) -> None:
    """Its users may be gone before the recorder looks again: it would count as a whole one."""
    for number in range(SECONDS):
        pass_second(recorder, number)
    stopped = int(recorder.started_s) + SECONDS
    recorder._users[stopped] = 9, 9
    monkeypatch.setattr(recorder_module, "time", SimpleNamespace(time=lambda: stopped + 0.3))
    recorder.stopping()
    summary = recorder.close(DeviceCounts(), ConnectionCounts(), 0)
    assert (summary.steady_s, summary.steps[-1].last_second) == (SECONDS - 1, stopped - 1)
    assert summary.total.steady.requests_per_s == 20 * len(ENDPOINTS)


@pytest.mark.parametrize("off_s", [-3.0, 3.0])
def test_the_clock_of_a_worker_is_known_by_its_fastest_report(recorder, off_s) -> None:
    for way_s in (0.4, 0.0, 2.0):
        recorder.take(Report(sent_s=time.time() - way_s), "right")
        recorder.take(Report(sent_s=time.time() - way_s - off_s), "wrong")
    (clocks,) = (rule for rule in recorder.so_far(0).validity if rule.name == "clocks")
    assert not clocks.kept and "is off by 3.0 s" in clocks.sentence


def test_nobody_pays_for_what_nobody_looks_at(recorder, monkeypatch) -> None:
    computed = count_computations(recorder, monkeypatch)
    for number in range(5):
        pass_second(recorder, number)
    assert computed == []


def test_what_happens_between_two_seconds_is_told_at_once(recorder) -> None:
    pass_second(recorder, 0)
    assert all(rule.kept for rule in recorder.so_far(0).validity if rule.name != "steady state")
    broken = [rule.name for rule in recorder.so_far(lost_workers=1).validity if not rule.kept]
    assert broken == ["steady state", "workers"]
    recorder.was_reset = True
    broken = [rule.name for rule in recorder.so_far(0).validity if not rule.kept]
    assert broken == ["steady state", "results"]


@pytest.mark.parametrize(("time_ms", "verdict"), [(10.0, "pass"), (20.0, "fail")])
def test_the_last_look_and_the_end_agree(recorder, time_ms, verdict) -> None:
    for number in range(SECONDS):
        pass_second(recorder, number, time_ms)
    early = recorder.so_far(0)
    recorder._users[recorder._next] = 0, 0
    ending = recorder.close(DeviceCounts(), ConnectionCounts(), 0)
    assert early.verdict == ending.verdict == verdict
    assert early.objectives == ending.objectives
    assert early.total == ending.total and early.steps == ending.steps


def test_a_look_costs_the_same_after_an_hour(recorder) -> None:
    sums = Sums()
    for number, each in enumerate(ENDPOINTS):
        times_ms = [5.0 * (number + 1) * 1.01**rank for rank in range(60)]
        sums.all_of[each.method, each.name] = histograms.of(times_ms)
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
            recorder._found = None  # as in the next second
            begin_s = time.perf_counter()
            found = recorder.so_far(0)
            took_ms[number + 1] = (time.perf_counter() - begin_s) * 1000
    assert found.steady_s == HOUR_S - 1
    assert found.total.whole_run.requests == HOUR_S * 60 * len(ENDPOINTS)
    print({second: f"{each_ms:.1f} ms" for second, each_ms in took_ms.items()})

"""A soak of many hours, in simulated time: memory stays flat, and the files stay small.

Ten minutes here; with SOAK_S=21600 all six hours, in three minutes.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import gevent
from locust.env import Environment

import psutil
import pytest

from harness.config import settings
from harness.config.settings import PROJECT_DIR
from harness.recording import histograms
from harness.recording.samples import ConnectionCounts, Failure, Interval, ProcessSample, Report
from harness.results import run_folder
from harness.results.objectives import Objectives
from harness.results.run_folder import DeviceCounts
from harness.results.timeline import read_timeline
from harness.run.record import Recorder
from notice_api import contract

SOAK_S = int(os.environ.get("SOAK_S", "600"))
SIX_HOURS_S = 21_600
REQUESTS_PER_S = {
    contract.BROWSE: 2190,
    contract.LIST: 365,
    contract.SEARCH: 219,
    contract.ALARM: 73,
    contract.KEYWORDS: 73,
    contract.SUBSCRIPTIONS: 73,
    contract.REGISTER: 7,
}
MB = 1_000_000


def reports(start: int):
    """Yield what a process tells of 3,000 requests/s, second by second."""
    random = Random(1)
    usual_ms = {
        endpoint: [random.lognormvariate(3, 0.6) for _ in range(count)]
        for endpoint, count in REQUESTS_PER_S.items()
    }
    for second in range(start, start + SOAK_S):
        slowness = 0.5 + random.random()
        intervals = [
            Interval(
                second,
                endpoint.method,
                endpoint.name,
                histograms.from_ms(time_ms * slowness for time_ms in times_ms),
                histograms.from_ms(times_ms[:2]),
            )
            for endpoint, times_ms in usual_ms.items()
        ]
        failures = [
            Failure(interval.method, interval.name, "connection reset", 2, second, second)
            for interval in intervals
        ]
        yield Report(intervals, failures, [ProcessSample(second, 20.0, 1.0)])


@pytest.fixture
def record(tmp_path: Path) -> Iterator[Callable[[float], Recorder]]:
    """Yield a function that begins a record at a time; the test is its clock."""
    runners = []

    def begin(started_s: float) -> Recorder:
        environment = Environment(user_classes=[])
        runner = environment.create_local_runner()
        environment.host = "http://127.0.0.1:8000"
        environment.parsed_options = Namespace(
            run_id="soak",
            headless=False,
            num_users=9000,
            spawn_rate=100,
            run_time=SOAK_S,
            seed=1,
            tags=(),
            exclude_tags=(),
        )
        runners.append(runner)
        recorder = Recorder(
            environment,
            replace(settings.load(), results_dir=tmp_path),
            Objectives(limits={"total": {"fail_ratio": 0.0}}),
            started_s,
        )
        gevent.killall([recorder._loop])
        return recorder

    yield begin
    for runner in runners:
        runner.quit()


@pytest.mark.timeout(600 + 2 * SOAK_S)
def test_memory_is_flat_and_files_are_small(record: Callable[[float], Recorder]) -> None:
    start = int(time.time()) - SOAK_S - 10
    recorder = record(start)
    process, initial_values = psutil.Process(), 0
    for number, report in enumerate(reports(start)):
        recorder.take(report)
        recorder.merger.note_users(start + number, 9000, 9000)
        recorder._write_until(start + number - 2)
        if number == SOAK_S // 10:
            initial_values = process.memory_info().rss
    grown = process.memory_info().rss - initial_values
    assert grown < 20 * MB
    begin_s = time.perf_counter()
    summary = recorder.close(DeviceCounts(), ConnectionCounts(), 0)
    took_s = time.perf_counter() - begin_s
    size = sum(path.stat().st_size for path in recorder.folder.iterdir())
    assert size / SOAK_S * SIX_HOURS_S < 200 * MB
    assert summary.total.whole_run.requests == SOAK_S * sum(REQUESTS_PER_S.values())
    assert summary.total.whole_run.failures == SOAK_S * 2 * len(REQUESTS_PER_S)
    assert summary.steady_s >= SOAK_S - 1
    begin_s = time.perf_counter()
    drawn = subprocess.run(
        [sys.executable, "-m", "harness", "report", str(recorder.folder)],
        cwd=PROJECT_DIR,
        capture_output=True,
        text=True,
        check=False,
    )
    drawn_s = time.perf_counter() - begin_s
    assert (drawn.returncode, drawn.stderr) == (0, "")
    assert run_folder.read_summary(recorder.folder) == summary
    page = (recorder.folder / "report.html").stat().st_size
    print(
        f"{grown / MB:.1f} MB more, {size / MB:.1f} MB of files, summed up in {took_s:.1f} s, "
        f"drawn in {drawn_s:.1f} s, {page / MB:.1f} MB of page"
    )


def test_a_worker_whose_clock_is_wrong_loses_no_request_and_makes_no_seconds(
    record: Callable[[float], Recorder],
) -> None:
    now = int(time.time())
    recorder = record(now - 5)
    recorder._write_until(now - 3)
    for second in (now - 3600, now - 4, now - 2, now + 3600):
        interval = Interval(second, "GET", "/notice/list", histograms.from_ms([1.0]), None)
        recorder.take(Report([interval]))
    summary = recorder.close(DeviceCounts(), ConnectionCounts(), 0)
    assert summary.total.whole_run.requests == 4
    assert len(read_timeline(recorder.folder)) < 60

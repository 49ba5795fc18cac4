"""Collect the response times and failures of this process, per second and endpoint.

The process that leads a run writes them to files; a worker sends them with its reports. Locust's
own statistics are fed from here too.

Invariants: each request is in exactly one report, in the second in which its response came. No
report adds to a second before the `until` of an earlier report. Locust's statistics have every
request of a report by the time it is taken, and never more failures than requests.
"""

from __future__ import annotations

import time
from collections import defaultdict, deque
from typing import NamedTuple

import gevent
from locust.env import Environment

import msgspec

from harness.recording import histograms
from harness.recording.locust_stats import Statistics
from harness.recording.samples import Failure, Interval, Key, ProcessSample, Report
from harness.recording.self_monitoring import SelfMonitor

TICK_S = 0.25  # seconds between checks whether a second is over: no request may follow it


class Collector:
    """Listens to one run in this process until stopped.

    The current second keeps raw response times. A finished second becomes one histogram per
    endpoint; users run in between, so that the event loop is not blocked for long.

    Attributes:
        run: name of the run.
        reports: number of reports taken.
    """

    def __init__(self, environment: Environment, run: str = "") -> None:
        self.run, self.reports = run, 0
        self._environment = environment
        self._events = environment.events
        self._statistics = Statistics(environment)
        self._is_stopped = False
        self._second = _Second(0)
        self._finished: deque[_FinishedSecond] = deque()
        self._report = Report([], [], [])
        self._failures: dict[tuple[str, str, str], Failure] = {}
        self._monitor = SelfMonitor(self._note_process_sample)
        self._greenlet = gevent.spawn(self._work)
        self._events.request.add_listener(self._on_request)

    def stop(self) -> None:
        """Stop listening and end the current second; does nothing if stopped already."""
        if self._is_stopped:
            return
        self._is_stopped = True
        self._events.request.remove_listener(self._on_request)
        self._monitor.stop()
        self._greenlet.kill()
        self._begin_second(int(self._second.until_s))
        self._statistics.stop()  # after the last second was added
        while self._finished:
            self._make_histogram()

    def take_report(self) -> Report:
        """Return the finished seconds and the failures since the last report."""
        self._flush_all(self._second)
        report, self._report = self._report, Report([], [], [])
        report.failures.extend(self._failures.values())
        self._failures.clear()
        self.reports += 1
        # The oldest second that is still queued, else the current one.
        until = self._finished[0].second if self._finished else self._second.number
        return msgspec.structs.replace(report, until=until, run=self.run, number=self.reports)

    def _on_request(
        self,
        request_type: str,
        name: str,
        response_time: float | None,
        exception: Exception | None = None,
        start_time: float | None = None,
        response_length: int | None = 0,
        response: object = None,
        context: object = None,
        url: object = None,
        **_: object,
    ) -> None:
        key = request_type, name
        if response_time is None:  # Locust counts these, without a time
            self._statistics.add_untimed(key, response_length or 0, exception)
            if exception is not None:
                self._add_untimed_failure(key, exception, time.time())
            return
        # A custom task's event may lack the start time.
        now_s = time.time() if start_time is None else start_time + response_time * 0.001
        # A late event counts in the current second: earlier ones may have been reported.
        second = self._second
        if now_s >= second.until_s:
            second = self._begin_second(int(now_s))
        second.all_ms[key].append(response_time)
        second.unflushed_bytes[key] += response_length or 0
        second.last_s = now_s
        if exception is not None:
            self._flush(second, key)  # first: no failure without its request
            self._statistics.add_failure(key, exception)
            second.failed_ms[key].append(response_time)
            self._note_failure(key, exception, now_s)

    def _add_untimed_failure(self, key: Key, error: Exception, now_s: float) -> None:
        """Count a failure without a response time, which must also count as a request."""
        second = self._second
        if now_s >= second.until_s:
            second = self._begin_second(int(now_s))
        second.untimed[key] += 1
        self._note_failure(key, error, now_s)

    def _note_process_sample(self, sample: ProcessSample) -> None:
        runner = self._environment.runner
        users = 0 if runner is None else runner.user_count
        self._report.process_samples.append(msgspec.structs.replace(sample, users=users))

    def _note_failure(self, key: Key, error: Exception, now_s: float) -> None:
        failure = Failure(*key, str(error), 1, now_s, now_s)
        row = *key, failure.error
        known = self._failures.get(row)
        self._failures[row] = failure if known is None else known + failure

    def _begin_second(self, number: int) -> _Second:
        over, self._second = self._second, _Second(number)
        self._flush_all(over)
        # After _flush_all: Locust's statistics have these already.
        for key, count in over.untimed.items():
            over.all_ms[key] += [0.0] * count
            over.failed_ms[key] += [0.0] * count
        for key, all_ms in over.all_ms.items():
            self._finished.append(
                _FinishedSecond(over.number, key, all_ms, over.failed_ms.get(key))
            )
        return self._second

    def _flush_all(self, second: _Second) -> None:
        for key in second.all_ms:
            self._flush(second, key)

    def _flush(self, second: _Second, key: Key) -> None:
        """Add an endpoint's requests that Locust's statistics do not have yet."""
        all_ms, flushed = second.all_ms[key], second.flushed[key]
        if flushed < len(all_ms):
            second.flushed[key] = len(all_ms)
            length = second.unflushed_bytes.pop(key)
            self._statistics.add(key, all_ms[flushed:], length, second.number, second.last_s)

    def _work(self) -> None:
        while True:
            gevent.sleep(TICK_S)
            if time.time() >= self._second.until_s:
                self._begin_second(int(time.time()))
            while self._finished:
                self._make_histogram()
                gevent.sleep(0)  # let the users run

    def _make_histogram(self) -> None:
        times = self._finished.popleft()
        failed = None if times.failed_ms is None else histograms.from_ms(times.failed_ms)
        everything = histograms.from_ms(times.all_ms)
        self._report.intervals.append(Interval(times.second, *times.key, everything, failed))


class _Second:
    """The current second: raw response times and body lengths per endpoint."""

    __slots__ = (
        "all_ms",
        "failed_ms",
        "flushed",
        "last_s",
        "number",
        "unflushed_bytes",
        "until_s",
        "untimed",
    )

    def __init__(self, number: int) -> None:
        self.number = number
        self.until_s = number + 1.0
        self.last_s = float(number)
        self.unflushed_bytes: defaultdict[Key, int] = defaultdict(int)
        self.flushed: defaultdict[Key, int] = defaultdict(int)
        self.all_ms: defaultdict[Key, list[float]] = defaultdict(list)
        self.failed_ms: defaultdict[Key, list[float]] = defaultdict(list)
        self.untimed: defaultdict[Key, int] = defaultdict(int)


class _FinishedSecond(NamedTuple):
    """The response times of one endpoint in a finished second."""

    second: int
    key: Key
    all_ms: list[float]
    failed_ms: list[float] | None

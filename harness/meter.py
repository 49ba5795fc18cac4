"""Counts every request of this process: per second and endpoint a histogram, and the failures.

A process that leads a run writes them down; a worker sends them along with its reports. Locust's
own statistics are fed from here too.
"""

from __future__ import annotations

import time
from collections import defaultdict, deque
from typing import NamedTuple

import gevent
from locust.env import Environment

import msgspec

from harness import histograms
from harness.health import Watch
from harness.statistics import Statistics
from harness.timeseries import Failure, Health, Interval, Key, Report

TICK_S = 0.25


class Meter:
    """Listens to one run of this process until stopped; `reports` counts what was taken.

    Response times are kept as they are for the second that goes on; one that is over becomes a
    histogram an endpoint, and between two of these the users have their turn.
    """

    def __init__(self, environment: Environment, run: str = "") -> None:
        self.run, self.reports = run, 0
        self._environment = environment
        self._events = environment.events
        self._statistics = Statistics(environment)
        self._is_stopped = False
        self._second = _Second(0)
        self._over: deque[_Times] = deque()
        self._report = Report([], [], [])
        self._failures: dict[tuple[str, str, str], Failure] = {}
        self._watch = Watch(self._note_health)
        self._worker = gevent.spawn(self._work)
        self._events.request.add_listener(self._on_request)

    def stop(self) -> None:
        """Listen no more; the second that has begun counts as over. Harmless when repeated."""
        if self._is_stopped:
            return
        self._is_stopped = True
        self._events.request.remove_listener(self._on_request)
        self._watch.stop()
        self._worker.kill()
        self._begin_second(int(self._second.until_s))
        self._statistics.stop()
        while self._over:
            self._condense()

    def taken(self) -> Report:
        """Return what is over and was not taken yet; locust's statistics hold all by then."""
        self._count_all(self._second)
        report, self._report = self._report, Report([], [], [])
        report.failures.extend(self._failures.values())
        self._failures.clear()
        self.reports += 1
        until = self._over[0].second if self._over else self._second.number
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
        if response_time is None:  # locust counts such requests, though there is nothing to time
            self._statistics.add_untimed(key, response_length or 0, exception)
            if exception is not None:
                self._add_untimed_failure(key, exception, time.time())
            return
        now_s = time.time() if start_time is None else start_time + response_time * 0.001
        second = self._second
        if now_s >= second.until_s:
            second = self._begin_second(int(now_s))
        second.all_ms[key].append(response_time)
        second.lengths[key] += response_length or 0
        second.last_s = now_s
        if exception is not None:
            self._count(second, key)
            self._statistics.add_failure(key, exception)
            second.failed_ms[key].append(response_time)
            self._note_failure(key, exception, now_s)

    def _add_untimed_failure(self, key: Key, error: Exception, now_s: float) -> None:
        """Count a failure that took no time, else it would be a failure of no request."""
        second = self._second
        if now_s >= second.until_s:
            second = self._begin_second(int(now_s))
        second.untimed[key] += 1
        self._note_failure(key, error, now_s)

    def _note_health(self, health: Health) -> None:
        runner = self._environment.runner
        users = 0 if runner is None else runner.user_count
        self._report.health.append(msgspec.structs.replace(health, users=users))

    def _note_failure(self, key: Key, error: Exception, now_s: float) -> None:
        failure = Failure(*key, str(error), 1, now_s, now_s)
        row = *key, failure.error
        known = self._failures.get(row)
        self._failures[row] = failure if known is None else known + failure

    def _begin_second(self, number: int) -> _Second:
        over, self._second = self._second, _Second(number)
        self._count_all(over)
        for key, count in over.untimed.items():  # locust's statistics have them already
            over.all_ms[key] += [0.0] * count
            over.failed_ms[key] += [0.0] * count
        for key, all_ms in over.all_ms.items():
            self._over.append(_Times(over.number, key, all_ms, over.failed_ms.get(key)))
        return self._second

    def _count_all(self, second: _Second) -> None:
        for key in second.all_ms:
            self._count(second, key)

    def _count(self, second: _Second, key: Key) -> None:
        """Add the requests of an endpoint that are not in locust's statistics yet."""
        all_ms, counted = second.all_ms[key], second.counted[key]
        if counted < len(all_ms):
            second.counted[key] = len(all_ms)
            length = second.lengths.pop(key)
            self._statistics.add(key, all_ms[counted:], length, second.number, second.last_s)

    def _work(self) -> None:
        while True:
            gevent.sleep(TICK_S)
            if time.time() >= self._second.until_s:
                self._begin_second(int(time.time()))
            while self._over:
                self._condense()
                gevent.sleep(0)

    def _condense(self) -> None:
        times = self._over.popleft()
        failed = None if times.failed_ms is None else histograms.of(times.failed_ms)
        everything = histograms.of(times.all_ms)
        self._report.intervals.append(Interval(times.second, *times.key, everything, failed))


class _Second:
    """The response times of the second that goes on, by endpoint."""

    __slots__ = (
        "all_ms",
        "counted",
        "failed_ms",
        "last_s",
        "lengths",
        "number",
        "until_s",
        "untimed",
    )

    def __init__(self, number: int) -> None:
        self.number = number
        self.until_s = number + 1.0
        self.last_s = float(number)
        self.lengths: defaultdict[Key, int] = defaultdict(int)
        self.counted: defaultdict[Key, int] = defaultdict(int)
        self.all_ms: defaultdict[Key, list[float]] = defaultdict(list)
        self.failed_ms: defaultdict[Key, list[float]] = defaultdict(list)
        self.untimed: defaultdict[Key, int] = defaultdict(int)


class _Times(NamedTuple):
    """Those of one endpoint, when the second is over."""

    second: int
    key: Key
    all_ms: list[float]
    failed_ms: list[float] | None

"""Locust's own statistics, fed a few times a second: once a request costs ten times as much."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from locust import stats
from locust.env import Environment
from locust.stats import StatsEntry

from harness.timeseries import Key


class Statistics:
    """Takes the place of the listener by which locust's runner counts, until stopped.

    What is added comes out as if each request had been counted by itself. In an environment
    without a runner nobody counts, and nothing is added.
    """

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._listener = _locusts_own(environment)
        if self._listener is not None:
            environment.events.request.remove_listener(self._listener)

    def stop(self) -> None:
        """Let Locust count by itself again; to be called once."""
        if self._listener is not None:
            self._environment.events.request.add_listener(self._listener)

    def add(
        self, key: Key, times_ms: Sequence[float], length: int, second: int, last_s: float
    ) -> None:
        """Add requests of one endpoint in one second, with the sum of their body lengths."""
        if self._listener is None:
            return
        counted = self._environment.stats
        method, name = key
        entry: Any = StatsEntry(counted, name, method)  # its types say int of times in ms
        entry.num_requests = len(times_ms)
        entry.total_response_time = sum(times_ms)
        entry.min_response_time = min(times_ms)
        entry.max_response_time = max(times_ms)
        entry.total_content_length = length
        entry.response_times = Counter(map(stats.bucket_response_time, times_ms))
        entry.num_reqs_per_sec[second] = len(times_ms)
        entry.last_request_timestamp = last_s
        counted.entries[name, method].extend(entry)
        counted.total.extend(entry)

    def add_untimed(self, key: Key, length: int, error: Exception | None) -> None:
        """Add a request that has no response time."""
        if self._listener is not None:
            method, name = key
            self._listener(method, name, None, length, error)

    def add_failure(self, key: Key, error: Exception) -> None:
        """Let a request that was added count as failed."""
        if self._listener is not None:
            self._environment.stats.log_error(*key, error)


def _locusts_own(environment: Environment) -> Callable[..., Any] | None:
    listeners: list[Callable[..., Any]] = environment.events.request._handlers
    return next((each for each in listeners if each.__module__ == "locust.runners"), None)

"""Feed Locust's own statistics a few times a second; per request, it costs ten times as much.

Invariant: the result is as if Locust had counted each request by itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from locust import stats
from locust.env import Environment
from locust.stats import StatsEntry

from harness.patches import locust_internals
from harness.recording.samples import Key


class Statistics:
    """Replaces the listener with which Locust's runner counts requests, until stopped.

    In an environment without a runner, Locust counts nothing, and nothing is added.
    """

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._listener = locust_internals.request_listener(environment)
        if self._listener is not None:
            environment.events.request.remove_listener(self._listener)

    def stop(self) -> None:
        """Let Locust count by itself again; call this once."""
        if self._listener is not None:
            self._environment.events.request.add_listener(self._listener)

    def add(
        self, key: Key, times_ms: Sequence[float], length: int, second: int, last_s: float
    ) -> None:
        """Add the requests of one endpoint in one second; `length` sums their body lengths."""
        if self._listener is None:
            return
        counted = self._environment.stats
        method, name = key  # Locust's own keys are in the other order
        entry: Any = StatsEntry(counted, name, method)  # typed for int, but takes float ms
        entry.num_requests = len(times_ms)
        entry.total_response_time = sum(times_ms)
        entry.min_response_time = min(times_ms)
        entry.max_response_time = max(times_ms)
        entry.total_content_length = length
        # By its name in the module, so that a project can still replace Locust's rounding.
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
        """Count a request that was added as failed."""
        if self._listener is not None:
            self._environment.stats.log_error(*key, error)

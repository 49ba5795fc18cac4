"""Measure whether the generator is the bottleneck: CPU and event-loop lag of this process."""

from __future__ import annotations

import time
from collections.abc import Callable

import gevent

import psutil

from harness.recording.samples import ProcessSample

TICK_S = 0.02  # 50 measurements of the lag in a second


class SelfMonitor:
    """Watches this process until stopped, and reports each second."""

    def __init__(self, on_sample: Callable[[ProcessSample], None]) -> None:
        """Start; `on_sample` gets each second soon after it has ended."""
        self._on_sample = on_sample
        self._process = psutil.Process()
        self._watcher = gevent.spawn(self._watch)

    def stop(self) -> None:
        """Stop; the current second is not reported."""
        self._watcher.kill()

    def _watch(self) -> None:
        """Report each second; if the process stood still for several, report the lag for each.

        The part of such a pause that lies in the current second is its first lag.
        """
        late_s = 0.0
        while True:
            begun_s = time.time()
            second = int(begun_s)
            start_s, start_cpu_s = time.perf_counter(), self._cpu_s()
            lag_s = min(late_s, begun_s - second)
            while (now := int(time.time())) == second:
                due_s = time.perf_counter() + TICK_S
                gevent.sleep(TICK_S)
                late_s = time.perf_counter() - due_s
                lag_s = max(lag_s, late_s)
            share = (self._cpu_s() - start_cpu_s) / (time.perf_counter() - start_s)
            # All seconds of a pause are late, not one. At least one: the clock may be set back.
            for number in range(second, max(now, second + 1)):
                self._on_sample(
                    ProcessSample(number, round(share * 100, 1), round(lag_s * 1000, 2))
                )

    def _cpu_s(self) -> float:
        times = self._process.cpu_times()
        return float(times.user + times.system)

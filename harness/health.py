"""Is the generator itself the bottleneck? CPU of this process and lag of its event loop."""

from __future__ import annotations

import time
from collections.abc import Callable

import gevent

import psutil

from harness.timeseries import Health

TICK_S = 0.02


class Watch:
    """Watches this process until stopped, and tells how each second went."""

    def __init__(self, tell: Callable[[Health], None]) -> None:
        """Begin; `tell` gets each second soon after it is over."""
        self._tell = tell
        self._process = psutil.Process()
        self._watcher = gevent.spawn(self._watch)

    def stop(self) -> None:
        """End; the second that has begun is not told."""
        self._watcher.kill()

    def _watch(self) -> None:
        """Tell of each second; of all in which the process stood still that it was late so much.

        The part of that which lies in the second that goes on is the first lag of this one.
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
            for number in range(second, max(now, second + 1)):
                self._tell(Health(number, round(share * 100, 1), round(lag_s * 1000, 2)))

    def _cpu_s(self) -> float:
        times = self._process.cpu_times()
        return float(times.user + times.system)

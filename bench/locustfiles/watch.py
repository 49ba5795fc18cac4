"""Records the event-loop lag of a process with many users.

SIGUSR1 starts the measured phase. SIGUSR2 ends it and writes the file `LOOP_REPORT`. The file
`SPAWNED` exists once all users run.
"""

import os
import signal
from array import array
from pathlib import Path
from time import perf_counter

import gevent
from locust.env import Environment

import msgspec

from harness.config import atomic

TICK_S = 0.010


class SelfMonitor:
    """Sleeps for `TICK_S` in a loop and records how late it wakes up each time."""

    def __init__(self, environment: Environment) -> None:
        """Start in the ramp-up phase."""
        self.environment = environment
        self.requests_before = self.failures_before = 0
        self.ramp_up, self.steady = array("d"), array("d")
        self.lags_s = self.ramp_up

    def watch(self) -> None:
        """Record lags until killed."""
        while True:
            lags_s = self.lags_s  # before the sleep: a lag counts in the phase where it began
            due_s = perf_counter() + TICK_S
            gevent.sleep(TICK_S)
            lags_s.append(perf_counter() - due_s)

    def settle(self) -> None:
        """End the ramp-up; discard lags until the measured phase."""
        self.lags_s = array("d")
        Path(os.environ["SPAWNED"]).touch()

    def begin(self) -> None:
        """Start the measured phase."""
        stats = self.environment.stats  # reset below, so that response times are of this phase
        self.requests_before = stats.total.num_requests
        self.failures_before = stats.total.num_failures
        stats.reset_all()
        self.lags_s = self.steady

    def end(self) -> None:
        """End the measured phase and write the report."""
        total = self.environment.stats.total
        measured = {
            "requests": self.requests_before + total.num_requests,
            "failures": self.failures_before + total.num_failures,
            "response_p99_ms": total.get_response_time_percentile(0.99),
            "response_max_ms": total.max_response_time,
            "ramp_up_lags_s": list(self.ramp_up),
            "lags_s": list(self.steady),
        }
        atomic.write(Path(os.environ["LOOP_REPORT"]), msgspec.json.encode(measured))


def watch_the_loop(environment: Environment, **_: object) -> None:
    """Start the monitor; a listener of Locust's `init` event."""
    watch = SelfMonitor(environment)
    gevent.spawn(watch.watch)
    gevent.signal_handler(signal.SIGUSR1, watch.begin)
    gevent.signal_handler(signal.SIGUSR2, watch.end)

    def spawned(**_: object) -> None:
        watch.settle()

    environment.events.spawning_complete.add_listener(spawned)

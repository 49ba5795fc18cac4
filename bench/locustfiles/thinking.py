"""The project's users at the seed's wait, in a process that watches its own event loop.

SIGUSR1 begins the measured phase, SIGUSR2 ends it and writes the file `LOOP_REPORT`; the file
`SPAWNED` is there once all users are.
"""

import json
import os
import signal
from array import array
from pathlib import Path
from time import perf_counter

import gevent
from locust import events
from locust.env import Environment

from bench.locustfiles import ours

TICK_S = 0.010


class ThinkingUser(ours.OneDeviceUser):
    """Waits between tasks as the suite's users do."""


class Watch:
    """Sleeps a moment, again and again, and notes how late it was woken up."""

    def __init__(self, environment: Environment) -> None:
        """Begin with the ramp-up."""
        self.environment = environment
        self.requests_before = self.failures_before = 0
        self.ramp_up, self.steady = array("d"), array("d")
        self.lags_s = self.ramp_up

    def watch(self) -> None:
        """Note the lags, until killed."""
        while True:
            lags_s = self.lags_s  # those of the phase in which a stop began
            due_s = perf_counter() + TICK_S
            gevent.sleep(TICK_S)
            lags_s.append(perf_counter() - due_s)

    def settle(self) -> None:
        """Forget what was between the ramp-up and the measured phase."""
        self.lags_s = array("d")

    def begin(self) -> None:
        """Count from here."""
        stats = self.environment.stats
        self.requests_before = stats.total.num_requests
        self.failures_before = stats.total.num_failures
        stats.reset_all()
        self.lags_s = self.steady

    def end(self) -> None:
        """Write down what was measured."""
        total = self.environment.stats.total
        report = Path(os.environ["LOOP_REPORT"])
        unfinished = report.with_suffix(".unfinished")
        unfinished.write_text(
            json.dumps(
                {
                    "requests": self.requests_before + total.num_requests,
                    "failures": self.failures_before + total.num_failures,
                    "response_p99_ms": total.get_response_time_percentile(0.99),
                    "response_max_ms": total.max_response_time,
                    "ramp_up_lags_s": list(self.ramp_up),
                    "lags_s": list(self.steady),
                }
            ),
            encoding="utf-8",
        )
        unfinished.rename(report)


def watch_the_loop(environment: Environment, **_: object) -> None:
    """Start to watch with locust itself."""
    watch = Watch(environment)
    gevent.spawn(watch.watch)
    gevent.signal_handler(signal.SIGUSR1, watch.begin)
    gevent.signal_handler(signal.SIGUSR2, watch.end)

    def spawned(**_: object) -> None:
        watch.settle()
        Path(os.environ["SPAWNED"]).touch()

    environment.events.spawning_complete.add_listener(spawned)


events.init.add_listener(watch_the_loop)

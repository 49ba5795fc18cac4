"""The project's own locustfile, with one fixed device for all: the server has fixed answers.

`import locustfile` rather than a name from it: locust would run every user class that it finds.
"""

from locust import constant

import locustfile
from bench.answers import DEVICE_ID
from harness import contract
from harness.meter import Meter


class OneDeviceUser(locustfile.NoticeUser):
    """Everybody registers the same id, and writes draw it from a pool that holds nothing else.

    It gets there before any answer: a write that finds the pool empty registers an id of its own.
    It has no number, so that the suite's own end of the run neither reads it back nor deletes it.
    """

    abstract = True

    def on_start(self) -> None:
        """Register the device."""
        pool = self.shared.devices.pool
        if not pool:
            pool.add(DEVICE_ID)
        self.send(contract.register(DEVICE_ID))


class CheckedUser(OneDeviceUser):
    """Without wait; every answer is decoded and checked."""

    wait_time = constant(0)


class AnewUser(CheckedUser):
    """The same as if no two answers were alike: each is decoded and judged anew."""

    def on_start(self) -> None:
        """Let this process forget what it has judged."""
        contract.Request.problem = _problem_anew  # type: ignore[method-assign]
        super().on_start()


class UncheckedUser(CheckedUser):
    """The same, but only the status of an answer is looked at."""

    def on_start(self) -> None:
        """Take the checks out of this process."""
        contract.Request.problem = _status_problem  # type: ignore[method-assign]
        super().on_start()


class UnrecordedUser(CheckedUser):
    """The same, counted by locust alone: without histograms, and without its CPU and lag."""

    def on_start(self) -> None:
        """Stop what listens to this process."""
        for listener in list(self.environment.events.request._handlers):
            meter = getattr(listener, "__self__", None)
            if isinstance(meter, Meter):
                meter.stop()
        super().on_start()


_problem = contract.Request.problem


def _problem_anew(self: contract.Request, status: int, body: bytes) -> str | None:
    self.last_right = None
    return _problem(self, status, body)


def _status_problem(self: contract.Request, status: int, body: bytes) -> str | None:
    expected = self.endpoint.status
    return None if status == expected else f"expected status {expected}, got {status}"

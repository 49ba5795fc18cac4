"""The suite's own locustfile, with one fixed device, because the server has fixed responses.

It imports the module, not the class: Locust runs every user class in a locustfile.
"""

from locust import constant

import locustfile
from bench.answers import DEVICE_ID
from harness import contract
from harness.meter import Meter


class OneDeviceUser(locustfile.NoticeUser):
    """All register the same id, and writes take it from a pool that holds nothing else.

    It is in the pool before any response: a write that finds the pool empty registers a new id.
    It has no number, so the end of the run neither reads it back nor deletes it.
    """

    abstract = True

    def on_start(self) -> None:
        """Register the device."""
        pool = self.shared.devices.pool
        if not pool:
            pool.add(DEVICE_ID)
        self.send(contract.register(DEVICE_ID))


class CheckedUser(OneDeviceUser):
    """Without wait; every response is decoded and checked."""

    wait_time = constant(0)


class AnewUser(CheckedUser):
    """The same as if no two responses were alike: each is parsed."""

    def on_start(self) -> None:
        """Forget the last valid response of each request, in this process."""
        contract.Request.problem = _problem_anew  # type: ignore[method-assign]
        super().on_start()


class UncheckedUser(CheckedUser):
    """The same, but only the status is checked."""

    def on_start(self) -> None:
        """Remove the checks from this process."""
        contract.Request.problem = _status_problem  # type: ignore[method-assign]
        super().on_start()


class UnrecordedUser(CheckedUser):
    """The same, counted by Locust alone: without histograms, CPU and lag."""

    def on_start(self) -> None:
        """Stop the recording of this process."""
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

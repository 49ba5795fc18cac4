"""The suite's tasks with one fixed device, because the server's responses are fixed."""

from locust import between, constant, events

from bench import answers
from bench.answers import DEVICE_ID
from harness.http import Request
from harness.recording.collector import Collector
from harness.run import install
from harness.users import ApiUser
from notice_api import SUITE, contract
from tasks.devices import set_keywords, subscribe, switch_alarm
from tasks.notices import browse_pages, list_boards, search_notices

install(events, SUITE)


class OneDeviceUser(ApiUser):
    """Registers the one id that all users share, the only one in the pool.

    The mix is that of the original test, as all generators of the bench send it.

    The id is in the pool before any response, because a write registers a new id if the pool is
    empty. It is in no ledger, so the end of the run neither reads the device back nor deletes it.
    """

    abstract = True
    wait_time = between(1, 5)
    tasks = {  # noqa: RUF012 - Locust's idiom
        search_notices: answers.SEARCHES,
        browse_pages: answers.BROWSES,
        list_boards: answers.LISTS,
        subscribe: answers.WRITES_OF_A_KIND,
        set_keywords: answers.WRITES_OF_A_KIND,
        switch_alarm: answers.WRITES_OF_A_KIND,
    }

    def on_start(self) -> None:
        """Register the device."""
        pool = self.run_context.devices.pool
        if not pool:
            pool.add(DEVICE_ID)
        self.send(contract.register(DEVICE_ID))

    def on_stop(self) -> None:
        """Close connections."""
        self.close_connections()


class CheckedUser(OneDeviceUser):
    """Has no wait time; every response is decoded and checked."""

    wait_time = constant(0)


class AnewUser(CheckedUser):
    """Parses every response, as if no two were alike."""

    def on_start(self) -> None:
        """Make this process forget the last valid response of a request before each check."""
        Request.problem = _problem_anew
        super().on_start()


class UncheckedUser(CheckedUser):
    """Checks only the status."""

    def on_start(self) -> None:
        """Remove the checks from this process."""
        Request.problem = _status_problem
        super().on_start()


class UnrecordedUser(CheckedUser):
    """Is counted by Locust alone: no histograms, CPU use or event-loop lag."""

    def on_start(self) -> None:
        """Stop the recording in this process."""
        for listener in list(self.environment.events.request._handlers):
            collector = getattr(listener, "__self__", None)
            if isinstance(collector, Collector):
                collector.stop()
        super().on_start()


_problem = Request.problem


def _problem_anew(self: Request, status: int, body: bytes) -> str | None:
    self.last_valid_body = None
    return _problem(self, status, body)


def _status_problem(self: Request, status: int, body: bytes) -> str | None:
    expected = self.endpoint.status
    return None if status == expected else f"expected status {expected}, got {status}"

"""What every simulated user holds, and what the users of one process share."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from random import Random
from typing import Any
from weakref import WeakKeyDictionary

import gevent
from locust import HttpUser, User
from locust.clients import HttpSession
from locust.env import Environment
from locust.exception import StopTest, StopUser
from locust.user.task import LOCUST_STATE_STOPPING

from harness import ConfigurationError
from harness.clients import Client, RequestsClient, http_session
from harness.contract import Request
from harness.data import Vocabulary
from harness.devices import Devices
from harness.guard import check_host
from harness.journal import Write
from harness.origin import Origin
from harness.session import Session
from harness.settings import Settings

STOP_POLL_S = 0.1


@dataclass(slots=True)
class Shared:
    """What the users of one process share for the length of one run.

    Attributes:
        settings: what the run was told.
        vocabulary: the words that are sent.
        seed: makes the choices of every user repeatable.
        devices: the pool that all write tasks draw from, and the ids of new ones.
        worker_index: tells the processes of a distributed run apart; 0 when there is one.
        numbers: gives each user its number, in the order of their spawning.
    """

    settings: Settings
    vocabulary: Vocabulary
    seed: int
    devices: Devices
    worker_index: int = 0
    numbers: Iterator[int] = field(default_factory=itertools.count)
    origins: dict[str, Origin] = field(default_factory=dict)

    def origin(self, host: str) -> Origin:
        """Return where the requests to a host go, made once for all users."""
        if host not in self.origins:
            self.origins[host] = Origin(host, self.settings)
        return self.origins[host]


_shared: WeakKeyDictionary[Environment, Shared] = WeakKeyDictionary()


def share(environment: Environment, shared: Shared) -> None:
    """Give the users that will be spawned in this environment what they share."""
    _shared[environment] = shared


def shared_in(environment: Environment) -> Shared:
    """Return what the users of this environment share; KeyError before its first run."""
    return _shared[environment]


class NoticeApiUser(HttpUser):
    """An `HttpUser` that sends requests of the notice API and makes repeatable choices.

    `send` is the measured path of the contract's requests. `client` is Locust's own, for tasks in
    Locust's usual style; both count in the same statistics.

    Attributes:
        shared: settings, words and the device pool of this process.
        random: this user's own generator: its choices do not depend on other users' timing.
    """

    abstract = True

    def __init__(self, environment: Environment) -> None:
        """Take the next number; the seed, the worker and that number give all later choices."""
        User.__init__(self, environment)  # HttpUser's would make a client that few tasks need
        self.shared = shared_in(environment)
        try:  # once more here: locust's web UI can give a user class another host in mid-run
            check_host(self.host or "", self.shared.settings.allowed_hosts)
        except ConfigurationError as error:
            raise StopTest(str(error)) from None
        number = next(self.shared.numbers)
        self.random = Random(f"{self.shared.seed}/{self.shared.worker_index}/{number}")
        self._sender = self._make_sender()
        self.tasks = _OwnChoice(type(self).tasks, self.random)

    def send(self, request: Request) -> bool:
        """Send a request as part of the workload; return whether the answer was right.

        Raises:
            StopUser: the user was told to stop; nothing is sent then.
        """
        self.stop_if_told()
        return self._sender.send(request)

    def write(self, device_id: str, request: Request) -> bool:
        """Send a request that changes a device, and note for the end what it may have done there.

        Raises:
            StopUser: as above.
        """
        self.stop_if_told()
        journal, is_right = self.shared.devices.journal, False
        sent_s = journal.now_s()
        try:
            is_right = self._sender.send(request)
        finally:
            assert request.change is not None
            field, value = request.change
            if not is_right or self._sender.was_sent_again:  # one of the two is still in doubt
                journal.add(device_id, field, Write(value, sent_s, None))
            if is_right:
                journal.add(device_id, field, Write(value, sent_s, journal.now_s()))
        return is_right

    def stop_if_told(self) -> None:
        """End the task of a user that is to stop; hold up one whose devices may be deleted by now.

        This process gives up when its lease on them has run out, and then tells all users to stop.

        Raises:
            StopUser: that is so.
        """
        while self._state != LOCUST_STATE_STOPPING:
            if self.shared.devices.has_lease():
                return
            gevent.sleep(STOP_POLL_S)
        raise StopUser  # what is under way ends by itself

    @cached_property
    def client(self) -> HttpSession:  # type: ignore[override] # Locust makes it in __init__
        """Return Locust's own `HttpSession`, made when a task first uses it."""
        return http_session(self, self.shared.settings)

    def close_connections(self) -> None:
        """Close what this user has open; the next request opens another connection."""
        self._sender.close()
        if "client" in vars(self):
            self.client.close()

    def _make_sender(self) -> Client:
        settings = self.shared.settings
        has_lease = self.shared.devices.has_lease
        if settings.http_client == "requests":
            return RequestsClient(self.client, settings, has_lease)
        fire = self.environment.events.request.fire
        origin = self.shared.origin(self.host or "")
        return Session(origin, fire, self.context, may_send=has_lease)


class _OwnChoice(list[Any]):
    """Tasks of which the user's own generator chooses.

    Locust picks a task with `random.choice(user.tasks)`: the module's generator draws an index,
    and which user gets which draw depends on timing. Here the user draws the index anew.
    """

    def __init__(self, tasks: list[Any], random: Random) -> None:
        super().__init__(tasks)
        self._random = random

    def __getitem__(self, index: Any) -> Any:
        return super().__getitem__(int(self._random.random() * len(self)))

"""The base class of the simulated users, and what the users of one process share."""

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

from harness import ConfigurationError
from harness.config.hosts import check_host
from harness.config.settings import Settings
from harness.devices.pool import Devices
from harness.devices.write_history import Write
from harness.http.locust_clients import Client, RequestsClient, http_session
from harness.http.request import Request
from harness.http.session import Session
from harness.http.target import Target
from harness.patches import locust_internals

STOP_POLL_S = 0.1


@dataclass(slots=True)
class RunContext:
    """What the users of one process share during one run.

    Attributes:
        settings: of the run.
        words: the data that users send, made by the suite for the seed.
        seed: makes the choices of every user repeatable.
        devices: the pool that all write tasks draw from, and the source of new ids.
        worker_index: distinguishes the processes of a distributed run; 0 if there is only one.
        numbers: gives each user its number, in the order of spawning.
        targets: filled by `target`, by host.
    """

    settings: Settings
    words: Any
    seed: int
    devices: Devices
    worker_index: int = 0
    numbers: Iterator[int] = field(default_factory=itertools.count)
    targets: dict[str, Target] = field(default_factory=dict)

    def target(self, host: str) -> Target:
        """Return the target of a host, which all users share."""
        if host not in self.targets:
            self.targets[host] = Target(host, self.settings)
        return self.targets[host]


_run_contexts: WeakKeyDictionary[Environment, RunContext] = WeakKeyDictionary()


def set_run_context(environment: Environment, run_context: RunContext) -> None:
    """Set the context of all users that are spawned in this environment from now on."""
    _run_contexts[environment] = run_context


def run_context_of(environment: Environment) -> RunContext:
    """Return the context of this environment's users; KeyError before its first run."""
    return _run_contexts[environment]


class ApiUser(HttpUser):
    """An `HttpUser` that sends requests of the API under test and makes repeatable choices.

    `send` is the measured path for requests of the contract. `client` is Locust's own client, for
    tasks in Locust's usual style. Both count in the same statistics.

    Attributes:
        run_context: settings, words and the device pool of this process.
        random: this user's own generator, so that its choices do not depend on other users'
            timing.
    """

    abstract = True

    def __init__(self, environment: Environment) -> None:
        """Take the next number; all later choices follow from it, the seed and the worker."""
        User.__init__(self, environment)  # HttpUser's would create a client that few tasks need
        self.run_context = run_context_of(environment)
        # Checked here again: Locust's web UI can give a user class another host during a run.
        try:
            check_host(self.host or "", self.run_context.settings.allowed_hosts)
        except ConfigurationError as error:
            raise StopTest(str(error)) from None
        number = next(self.run_context.numbers)
        self.random = Random(f"{self.run_context.seed}/{self.run_context.worker_index}/{number}")
        self._session = self._make_session()
        self.tasks = locust_internals.RepeatableTasks(type(self).tasks, self.random)

    def send(self, request: Request) -> bool:
        """Send a request as part of the workload; return True if the response is valid.

        Raises:
            StopUser: the user was told to stop; nothing was sent.
        """
        self.raise_if_stopping()
        return self._session.send(request)

    def write(self, device_id: str, request: Request) -> bool:
        """Send a request that changes a device, and record the write for the audit.

        Raises:
            StopUser: as for `send`.
        """
        self.raise_if_stopping()
        history, is_right = self.run_context.devices.history, False
        sent_s = history.now_s()
        try:
            is_right = self._session.send(request)
        finally:
            # Also if the user is killed: the server may have applied the write, or still may.
            assert request.change is not None
            field, value = request.change
            # Sent twice, one of the two may still be applied, even if the other was acknowledged.
            if not is_right or self._session.was_retried:
                history.add(device_id, field, Write(value, sent_s, None))
            if is_right:
                history.add(device_id, field, Write(value, sent_s, history.now_s()))
        return is_right

    def raise_if_stopping(self) -> None:
        """End the task of a user that was told to stop; pause a user whose lease has run out.

        A process may use its devices only while it has a lease on them (see `devices.pool`).
        Without one, they may have been deleted: the process gives up and tells its users to stop.

        Raises:
            StopUser: the user was told to stop.
        """
        while not locust_internals.is_stopping(self):
            if self.run_context.devices.has_lease():
                return
            gevent.sleep(STOP_POLL_S)
        raise StopUser  # requests are not interrupted: one in flight is counted

    @property
    def words(self) -> Any:
        """The data that this user sends, of the type that the suite's `words` makes."""
        return self.run_context.words

    @cached_property
    def client(self) -> HttpSession:  # type: ignore[override] # Locust makes it in __init__
        """Locust's own `HttpSession`, created when a task first uses it."""
        return http_session(self, self.run_context.settings)

    def close_connections(self) -> None:
        """Close this user's connections; the next request opens a new one."""
        self._session.close()
        if "client" in vars(self):  # reading `self.client` would create one
            self.client.close()

    def _make_session(self) -> Client:
        settings = self.run_context.settings
        has_lease = self.run_context.devices.has_lease
        if settings.http_client == "requests":
            return RequestsClient(self.client, settings, has_lease)
        fire = self.environment.events.request.fire
        target = self.run_context.target(self.host or "")
        return Session(target, fire, self.context, can_still_send=has_lease)

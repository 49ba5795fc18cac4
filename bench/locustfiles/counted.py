"""The suite's users in a master and workers that count the messages between them.

A process appends its counts to the file `COUNTS` on SIGUSR1 and when it exits. The master, or the
only process, creates the file `SPAWNED` once all users run.
"""

import atexit
import os
import signal
from pathlib import Path

import gevent
from gevent.lock import BoundedSemaphore
from locust import User, between, constant, events
from locust.env import Environment
from locust.runners import WorkerRunner

from bench.distributed.counter import Counter
from bench.locustfiles import ours
from bench.server import with_id_in_query
from harness.http import Request
from harness.users import ApiUser
from notice_api import contract
from tasks.devices import register

MIN_WAIT_S, LONGEST_WAIT_S = (float(text) for text in os.environ["WAIT_S"].split())
MAX_CONNECTING = 100


class UserOfWorkersAddress(ApiUser):
    """Sends to its worker's own address; one address has too few ports for all users."""

    abstract = True

    def __init__(self, environment: Environment) -> None:
        # Before the base class makes the session, which connects to this host.
        self.host = os.environ["TARGET"]
        super().__init__(environment)


class PacedUser(UserOfWorkersAddress, ours.OneDeviceUser):
    """The suite's user with the wait time of this measurement."""

    wait_time = between(MIN_WAIT_S, LONGEST_WAIT_S)


def do_nothing(user: User) -> None:
    """Do nothing: Locust requires a task, and waits after it."""


class RegisteredUser(UserOfWorkersAddress):
    """Registers a device and then does nothing; the run deletes the device at its end.

    It closes its connection, because there are fewer ports than users, and a server closes
    connections that are idle for minutes anyway. So only a few users connect at a time, too.
    """

    wait_time = constant(LONGEST_WAIT_S)
    tasks = [do_nothing]  # noqa: RUF012 - Locust's idiom
    turn = BoundedSemaphore(MAX_CONNECTING)

    def on_start(self) -> None:
        """Register the device, then disconnect."""
        with self.turn:
            register(self)
            self.close_connections()


_register = contract.register


def _register_with_query(device_id: str) -> Request:
    return with_id_in_query(_register(device_id), device_id)


def count_messages(environment: Environment, **_: object) -> None:
    """Write counts on SIGUSR1; a listener of Locust's `init` event."""
    gevent.signal_handler(signal.SIGUSR1, counter.write, COUNTS)
    if isinstance(environment.runner, WorkerRunner):
        return

    def spawned(**_: object) -> None:
        Path(os.environ["SPAWNED"]).touch()

    environment.events.spawning_complete.add_listener(spawned)


COUNTS = Path(os.environ["COUNTS"])
counter = Counter()
atexit.register(counter.write, COUNTS)
contract.register = _register_with_query  # tasks look the function up in the module
events.init.add_listener(count_messages)

"""The suite's users in processes that count their messages, and their master's.

On SIGUSR1 and at its end, a process appends its counts to the file `COUNTS`. The file `SPAWNED`
exists once all users run.
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

import locustfile
from bench.distributed.counter import Counter
from bench.locustfiles import ours
from bench.server import with_id_in_query
from harness import contract

LEAST_WAIT_S, LONGEST_WAIT_S = (float(text) for text in os.environ["WAIT_S"].split())
MOST_CONNECTING = 100


class UserOfWorkersAddress(locustfile.NoticeUser):
    """Sends to the address of its worker: one address has too few ports for all users."""

    abstract = True

    def __init__(self, environment: Environment) -> None:
        """Set the host before there is a client."""
        self.host = os.environ["TARGET"]
        super().__init__(environment)


class PacedUser(UserOfWorkersAddress, ours.OneDeviceUser):
    """The suite's user, with the wait of this measurement."""

    wait_time = between(LEAST_WAIT_S, LONGEST_WAIT_S)


def do_nothing(user: User) -> None:
    """Be a task; the wait follows."""


class RegisteredUser(UserOfWorkersAddress):
    """Registers a device of its own, and does nothing more; the run deletes it at its end.

    It keeps no connection: a server closes one that is idle for minutes, and there are fewer ports
    than users. For the same reason only a few connect at a time.
    """

    wait_time = constant(LONGEST_WAIT_S)
    turn = BoundedSemaphore(MOST_CONNECTING)

    def on_start(self) -> None:
        """Register."""
        with self.turn:
            super().on_start()
            self.close_connections()


# Not in the class, where Locust would add the tasks of its base.
RegisteredUser.tasks = [do_nothing]  # type: ignore[assignment]
_register = contract.register


def _register_with_query(device_id: str) -> contract.Request:
    return with_id_in_query(_register(device_id), device_id)


def count_messages(environment: Environment, **_: object) -> None:
    """Write counts when asked to: a listener of Locust's event `init`."""
    gevent.signal_handler(signal.SIGUSR1, counter.write, COUNTS)
    if isinstance(environment.runner, WorkerRunner):
        return

    def spawned(**_: object) -> None:
        Path(os.environ["SPAWNED"]).touch()

    environment.events.spawning_complete.add_listener(spawned)


COUNTS = Path(os.environ["COUNTS"])
counter = Counter()
atexit.register(counter.write, COUNTS)
contract.register = _register_with_query
events.init.add_listener(count_messages)

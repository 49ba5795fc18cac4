"""The project's users in processes that count their messages, and those of their master.

SIGUSR1 and the end of a process append a look to the file `LOOKS`; the file `SPAWNED` is there
once the process that leads the run has all its users.
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
from bench.server import asking_for_its_id
from harness import contract

LEAST_WAIT_S, LONGEST_WAIT_S = (float(text) for text in os.environ["WAIT_S"].split())
AT_A_TIME = 100


class AtItsAddress(locustfile.NoticeUser):
    """A user that goes to the address of its worker: one has too few ports for all users."""

    abstract = True

    def __init__(self, environment: Environment) -> None:
        """Have a host of its own before there is a client."""
        self.host = os.environ["TARGET"]
        super().__init__(environment)


class PacedUser(AtItsAddress, ours.OneDeviceUser):
    """The suite's user, with the think time of this measurement."""

    wait_time = between(LEAST_WAIT_S, LONGEST_WAIT_S)


def do_nothing(user: User) -> None:
    """Be a task; then comes the wait."""


class RegisteredUser(AtItsAddress):
    """Registers a device of its own, and does nothing more; the run deletes it at its end.

    It keeps no connection: a server closes one that is idle for minutes, and there are fewer ports
    than users. For the same reason few of them connect at a time.
    """

    wait_time = constant(LONGEST_WAIT_S)
    turn = BoundedSemaphore(AT_A_TIME)

    def on_start(self) -> None:
        """Register."""
        with self.turn:
            super().on_start()
            self.close_connections()


# Here, since what a class names is added to its base's.
RegisteredUser.tasks = [do_nothing]  # type: ignore[assignment]
_register = contract.register


def _register_asking(device_id: str) -> contract.Request:
    return asking_for_its_id(_register(device_id), device_id)


def count_messages(environment: Environment, **_: object) -> None:
    """Be ready to be looked at."""
    gevent.signal_handler(signal.SIGUSR1, counter.write, LOOKS)
    if isinstance(environment.runner, WorkerRunner):
        return

    def spawned(**_: object) -> None:
        Path(os.environ["SPAWNED"]).touch()

    environment.events.spawning_complete.add_listener(spawned)


LOOKS = Path(os.environ["LOOKS"])
counter = Counter()
atexit.register(counter.write, LOOKS)
contract.register = _register_asking
events.init.add_listener(count_messages)

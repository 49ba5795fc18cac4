"""The private parts of Locust that the harness reads or replaces, all in one place.

Written for Locust 2.47.0 (`locust_version.TESTED_VERSION`). Each function says what Locust does
without it and what would go wrong in a run; tests/unit/patches/test_locust_internals.py fails if
one of them no longer applies.

Invariant: a replacement that does not refuse a call passes it to the method it replaced, so
several patches of one method add up. The last one made runs first.
"""

from __future__ import annotations

import logging
from argparse import Namespace
from collections.abc import Callable
from random import Random
from typing import Any

from gevent.lock import RLock
from locust import User
from locust.argument_parser import LocustArgumentParser
from locust.dispatch import UsersDispatcher
from locust.env import Environment
from locust.rpc import Message
from locust.runners import (
    HEARTBEAT_DEAD_INTERNAL,
    STATE_INIT,
    STATE_MISSING,
    STATE_SPAWNING,
    MasterRunner,
    WorkerRunner,
)
from locust.user.task import LOCUST_STATE_STOPPING

SPAWNING_MESSAGES = ("spawning", "spawning_complete")
REMOVE_EARLIER_S = 10  # before Locust would; far more than the second between two checks

Handler = Callable[[str, Message], None]
"""Handles a message from a worker, given the worker's id."""


def request_listener(environment: Environment) -> Callable[..., Any] | None:
    """Return the listener with which Locust's runner counts requests; None without a runner.

    It costs more per request than sending one does.
    """
    # A closure that Locust stores nowhere else: only its defining module identifies it.
    listeners: list[Callable[..., Any]] = environment.events.request._handlers
    return next((each for each in listeners if each.__module__ == "locust.runners"), None)


def is_stopping(user: User) -> bool:
    """Return True once Locust has told a user to stop; Locust checks this only between tasks."""
    return user._state == LOCUST_STATE_STOPPING


class RepeatableTasks(list[Any]):
    """A user's tasks, chosen with the user's own random generator.

    Locust calls `random.choice(user.tasks)`. That draws an index from the generator that all users
    share; who gets which draw depends on timing, so no seed would repeat a run. `random.choice`
    indexes the list once: this list ignores the index and draws its own.
    """

    def __init__(self, tasks: list[Any], random: Random) -> None:
        super().__init__(tasks)
        self._random = random

    def __getitem__(self, index: Any) -> Any:
        return super().__getitem__(int(self._random.random() * len(self)))


def call_when_parsed(parser: LocustArgumentParser, callback: Callable[[Namespace], None]) -> None:
    """Call `callback` with the options whenever Locust has parsed its command line.

    Locust fires no event between parsing the command line and binding the master's port.
    """
    parse_args = parser.parse_args

    def parse_and_call(*args: Any, **kwargs: Any) -> Namespace:
        options: Namespace = parse_args(*args, **kwargs)
        callback(options)
        return options

    parser.parse_args = parse_and_call


def forget_run(runner: WorkerRunner) -> None:
    """Make a worker that has finished a run fire `test_start` for the next one.

    Locust does this when the master says "stop", which may be lost. The next run would then fire
    no `test_start`, and its users would use the devices of this one.
    """
    runner.worker_state = STATE_INIT


def print_one_table() -> None:
    """Send the three tables that Locust prints at the end to its log file: we print our own."""
    tables = logging.getLogger("locust.stats_logger")
    tables.handlers = logging.getLogger().handlers


def allow_early_messages(kind: str) -> None:
    """Suppress Locust's warning about messages of a kind that arrive before `init` has fired.

    No handler can be registered by then, so Locust drops them. Use it for messages that are
    repeated.
    """
    logging.getLogger("locust.runners").addFilter(
        lambda record: not record.getMessage().endswith(kind)
    )


def intercept_messages(runner: MasterRunner, handle: Handler) -> Handler:
    """Pass all messages from workers to `handle`; return the previous handler, for it to call."""
    original = runner.handle_message
    runner.handle_message = handle  # type: ignore[assignment, method-assign]
    return original


def stoppable_dispatcher(
    is_stopping: Callable[[], bool], on_users: Callable[[dict[str, dict[str, int]]], None]
) -> type[UsersDispatcher]:
    """Return a dispatcher class that stops spawning when the run stops.

    Locust's own continues to the end of the ramp-up, and so restarts workers that have finished.
    `on_users` gets the users of each class that each worker is to have, before the worker does.
    """

    class StoppableDispatcher(UsersDispatcher):
        def __next__(self) -> dict[str, dict[str, int]]:
            if is_stopping():
                raise StopIteration
            users = super().__next__()  # sleeps between two steps; the run may have stopped since
            if is_stopping():
                raise StopIteration
            on_users(users)
            return users

    return StoppableDispatcher


def refuse_starts(runner: MasterRunner, is_stopping: Callable[[], bool]) -> None:
    """Keep the master of a stopping run from replacing the users of a worker that leaves.

    Locust calls `start` again when a worker leaves, and so starts its users on the others.
    """
    start = runner.start

    def start_unless_stopping(*args: Any, **kwargs: Any) -> None:
        if not is_stopping():
            start(*args, **kwargs)

    runner.start = start_unless_stopping  # type: ignore[method-assign]


def stop_one_at_a_time(runner: WorkerRunner) -> None:
    """Make a worker's `stop` calls wait for each other: Locust raises if two stop the same user.

    The master's request for the final report, its "stop" and "quit", and the worker's own decision
    to stop may come at the same time.
    """
    stop, lock = runner.stop, RLock()

    def stop_alone() -> None:
        with lock:
            stop()

    runner.stop = stop_alone  # type: ignore[method-assign]


def refuse_users(runner: WorkerRunner, is_over: Callable[[], bool]) -> None:
    """Keep a worker from starting users of a run that is over for it.

    They come, for example, from another worker that leaves, whose users the master moves.
    """
    start = runner.start_worker

    def start_unless_over(user_classes_count: dict[str, int], **kwargs: Any) -> None:
        if not is_over():
            start(user_classes_count, **kwargs)

    runner.start_worker = start_unless_over  # type: ignore[method-assign]


def set_worker_timeout(runner: MasterRunner, timeout_s: float) -> None:
    """Make the master wait `timeout_s` for a silent worker, whose users have stopped by then.

    Locust gives it up after 4 s. The users of a disconnected worker would be started elsewhere
    while they still run, and a run would end if all its workers were unreachable for that long.
    """

    def handle_and_reset(client_id: str, msg: Message) -> None:
        original(client_id, msg)
        if msg.type in ("client_ready", "heartbeat") and client_id in runner.clients:
            # Locust counts this down by one a second, and sets it to 3 with each such message.
            runner.clients[client_id].heartbeat = round(timeout_s)

    original = intercept_messages(runner, handle_and_reset)


def remove_dead_workers(runner: MasterRunner) -> None:
    """Forget each dead worker before the master does; call this every second.

    Locust removes it 60 s after giving it up. It then also discards its dispatcher, which knows
    the users of each worker, and spawns the users of all others again from the start.
    """
    for node in list(runner.clients.values()):
        is_dead = node.heartbeat <= HEARTBEAT_DEAD_INTERNAL + REMOVE_EARLIER_S
        if node.state == STATE_MISSING and is_dead:
            del runner.clients[node.id]


def rejoin_by_heartbeat_only(runner: MasterRunner) -> None:
    """Let a missing worker return only by a heartbeat, and only when Locust handles that.

    During a ramp-up, Locust gives the users of a missing worker to the others, and back to it at
    its first heartbeat. In two cases it does not, and those users run twice:

    - A late "spawning" or "spawning_complete" marks the worker as running, so that Locust ignores
      the heartbeats after it.
    - The first heartbeat arrives while the master waits for reports after the ramp-up, when Locust
      redistributes nothing.

    These messages are dropped; another heartbeat comes a second later.
    """

    def handle_in_time(client_id: str, msg: Message) -> None:
        if client_id in runner.clients and runner.clients[client_id].state == STATE_MISSING:
            dispatcher = runner._users_dispatcher
            is_between = (
                runner.state == STATE_SPAWNING
                and dispatcher is not None
                and not dispatcher.dispatch_in_progress
            )
            if msg.type in SPAWNING_MESSAGES or (msg.type == "heartbeat" and is_between):
                return
        original(client_id, msg)

    original = intercept_messages(runner, handle_in_time)

"""What locust does while a run stops that would lose answers or wake users again, put right."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

import gevent
from gevent.lock import RLock
from locust.dispatch import UsersDispatcher
from locust.runners import MasterRunner, WorkerRunner


def interrupt_between_turns(number: signal.Signals) -> None:
    """Let a signal interrupt the main greenlet, and never the one that happens to run.

    Python raises KeyboardInterrupt wherever it is: in mid-answer, which then is lost.
    """
    if signal.getsignal(number) not in (signal.SIG_DFL, signal.default_int_handler):
        return
    hub = gevent.get_hub()
    main = hub.parent
    assert main is not None

    def interrupt(_number: int, _frame: object) -> None:
        hub.loop.run_callback_threadsafe(main.throw, KeyboardInterrupt)

    signal.signal(number, interrupt)


def dispatcher(
    is_stopping: Callable[[], bool], on_users: Callable[[dict[str, dict[str, int]]], None]
) -> type[UsersDispatcher]:
    """Return a dispatcher that stops spawning when the run stops.

    Locust's own goes on to the end of the ramp-up, and so wakes workers that have finished. It
    sleeps between two steps, so what it comes to then may be too late as well. `on_users` is told
    how many users of each class each worker is to have, before the worker.
    """

    class StoppableDispatcher(UsersDispatcher):
        def __next__(self) -> dict[str, dict[str, int]]:
            if is_stopping():
                raise StopIteration
            users = super().__next__()
            if is_stopping():
                raise StopIteration
            on_users(users)
            return users

    return StoppableDispatcher


def refuse_starts(runner: MasterRunner, is_stopping: Callable[[], bool]) -> None:
    """Keep the master from replacing the users of a worker that leaves at the end."""
    start = runner.start

    def start_unless_stopping(*args: Any, **kwargs: Any) -> None:
        if not is_stopping():
            start(*args, **kwargs)

    runner.start = start_unless_stopping  # type: ignore[method-assign]


def stop_one_at_a_time(runner: WorkerRunner) -> None:
    """Let a worker stop once at a time: locust raises when it stops a user twice at once.

    Its master may ask for last words, say "stop" and "quit" in one go, when it stops by itself.
    """
    stop, lock = runner.stop, RLock()

    def stop_alone() -> None:
        with lock:
            stop()

    runner.stop = stop_alone  # type: ignore[method-assign]


def refuse_users(runner: WorkerRunner, is_over: Callable[[], bool]) -> None:
    """Keep a worker from users of a run that is over for it, such as those of one that leaves."""
    start = runner.start_worker

    def start_unless_over(user_classes_count: dict[str, int], **kwargs: Any) -> None:
        if not is_over():
            start(user_classes_count, **kwargs)

    runner.start_worker = start_unless_over  # type: ignore[method-assign]

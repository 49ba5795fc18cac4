"""What locust does while a run stops that would lose answers or wake users again, put right."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

import gevent
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


def dispatcher(is_stopping: Callable[[], bool]) -> type[UsersDispatcher]:
    """Return a dispatcher that stops spawning when the run stops.

    Locust's own goes on to the end of the ramp-up, and so wakes workers that have finished.
    """

    class StoppableDispatcher(UsersDispatcher):
        def __next__(self) -> dict[str, dict[str, int]]:
            if is_stopping():
                raise StopIteration
            return super().__next__()

    return StoppableDispatcher


def refuse_starts(
    runner: MasterRunner, is_stopping: Callable[[], bool], before: Callable[[], None]
) -> None:
    """Keep the master from replacing the users of a worker that leaves at the end.

    Args:
        runner: locust's.
        is_stopping: whether that is so.
        before: is called before any start that is not refused.
    """
    start = runner.start

    def start_unless_stopping(*args: Any, **kwargs: Any) -> None:
        if not is_stopping():
            before()
            start(*args, **kwargs)

    runner.start = start_unless_stopping  # type: ignore[method-assign]


def take_no_users(runner: WorkerRunner) -> None:
    """Refuse the users of another worker that leaves: too late for them in one that leaves too."""

    def do_nothing(user_classes_count: dict[str, int], **_: object) -> None:
        pass

    runner.start_worker = do_nothing  # type: ignore[method-assign]

"""Send many requests outside the workload and the statistics, bounded in rate and time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import gevent
import gevent.pool

from harness.http.session import Session
from harness.http.target import Target

MAX_CONNECTIONS = 20
KILL_TIMEOUT_S = 1.0
"""Seconds to wait for killed greenlets: each still waits for the response it has asked for."""

T = TypeVar("T")


def run(
    target: Target,
    items: Iterable[T],
    action: Callable[[Session, T], None],
    *,
    per_s: float,
    timeout_s: float,
) -> None:
    """Run `action(session, item)` for each item, over at most `MAX_CONNECTIONS` connections.

    At most `per_s` actions start in a second. After `timeout_s` seconds the remaining items are
    dropped and the actions in flight are abandoned.
    """
    # All greenlets draw from the same two iterators, so each item and each start is taken once.
    waiting, start_times = iter(items), _start_times(per_s)

    def go() -> None:
        session = Session(target)
        try:
            for item in waiting:
                gevent.sleep(max(0.0, next(start_times) - time.monotonic()))
                action(session, item)
        finally:
            session.close()

    group = gevent.pool.Group()
    try:
        # False: the block ends without an error, and an outer timeout still passes through.
        with gevent.Timeout(timeout_s, False):  # type: ignore[arg-type]
            for _ in range(MAX_CONNECTIONS):
                group.spawn(go)
            group.join()
    finally:
        group.kill(timeout=KILL_TIMEOUT_S)


def _start_times(per_s: float) -> Iterator[float]:
    """Yield when each action may start, by `time.monotonic`; missed starts are not made up for."""
    start_s = 0.0
    while True:
        start_s = max(start_s, time.monotonic())
        yield start_s
        start_s += 1 / per_s

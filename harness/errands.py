"""Requests that belong to no workload: many at once, outside of the statistics, and bounded."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import TypeVar

import gevent
import gevent.pool

from harness.origin import Origin
from harness.session import Session

CONNECTIONS = 20
LET_GO_S = 1.0

T = TypeVar("T")


def run(
    origin: Origin,
    items: Iterable[T],
    errand: Callable[[Session, T], None],
    *,
    per_s: float,
    timeout_s: float,
) -> None:
    """Run `errand(session, item)` for each item, over at most `CONNECTIONS` connections.

    At most `per_s` begin in a second. After `timeout_s` the rest is left, and what is under way
    too: a session waits for an answer even when it is killed, but nobody waits for the session.
    """
    waiting, turns = iter(items), _turns(per_s)

    def go() -> None:
        session = Session(origin)
        try:
            for item in waiting:
                gevent.sleep(max(0.0, next(turns) - time.monotonic()))
                errand(session, item)
        finally:
            session.close()

    group = gevent.pool.Group()
    try:
        with suppress(gevent.Timeout), gevent.Timeout(timeout_s):
            for _ in range(CONNECTIONS):
                group.spawn(go)
            group.join()
    finally:
        group.kill(timeout=LET_GO_S)


def _turns(per_s: float) -> Iterator[float]:
    """Yield when each errand may begin, in seconds of `time.monotonic`; none is made up for."""
    turn_s = 0.0
    while True:
        turn_s = max(turn_s, time.monotonic())
        yield turn_s
        turn_s += 1 / per_s

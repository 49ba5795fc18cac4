"""A clock that only a test advances, for code that sleeps and waits with gevent."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable

import gevent
from gevent.event import AsyncResult

TURNS = 12
"""Turns of gevent's event loop, after which all greenlets have run as far as they can."""


class VirtualTime:
    """Replaces `time` and `gevent.sleep`; a sleeper wakes only when `pass_on` reaches its time."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.held: Callable[[], None] = lambda: None
        """Called in each greenlet that wakes up; it may block the greenlet further."""
        self._due: list[tuple[float, int, Callable[[], object]]] = []
        self._count = itertools.count()

    def now(self) -> float:
        """Return the time; replaces `time.time` and `time.monotonic`."""
        return self.now_s

    def call_later(self, seconds: float, function: Callable[[], object]) -> None:
        heapq.heappush(self._due, (self.now_s + seconds, next(self._count), function))

    def sleep(self, seconds: float = 0.0) -> None:
        if seconds <= 0:
            gevent.sleep(0)
            return
        woken = AsyncResult()
        self.call_later(seconds, woken.set)
        woken.get()
        self.held()

    def pass_on(self, seconds: float) -> None:
        """Advance the clock; wake each sleeper at its time and let it run as far as it can."""
        until_s = self.now_s + seconds
        settle()
        while self._due and self._due[0][0] <= until_s:
            at_s, _, function = heapq.heappop(self._due)
            self.now_s = max(self.now_s, at_s)
            function()
            if not self._due or self._due[0][0] > at_s:
                settle()
        self.now_s = until_s

    def event(self) -> Event:
        """Return an event; replaces `gevent.event.Event`."""
        return Event(self)


class Event:
    """An event whose wait times out by the virtual clock."""

    def __init__(self, time: VirtualTime) -> None:
        self._time = time
        self._waiting: list[AsyncResult] = []

    def wait(self, timeout: float) -> bool:
        result = AsyncResult()
        self._waiting.append(result)
        self._time.call_later(timeout, lambda: _answer(result, False))
        is_set = bool(result.get())
        self._time.held()
        return is_set

    def set(self) -> None:
        for result in self._waiting:
            _answer(result, True)


def settle() -> None:
    """Let all other greenlets run as far as they can."""
    for _ in range(TURNS):
        gevent.sleep(0)


def _answer(result: AsyncResult, value: bool) -> None:
    if not result.ready():
        result.set(value)

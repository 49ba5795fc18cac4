"""The devices of a run: their numbers and ids, and the pool that the users of all processes share.

A device is a number of the process that registers it: the 17th of worker 2. Its id follows from
the seed, the worker and the number, so that processes tell each other of numbers alone, and a
ledger of how far each of them has counted is enough to find every device again.

A number is reserved in the ledger before its POST goes out, since the server may create the
device and its answer still be lost. A device can be drawn, here and in the other processes, once
the server has said 201. None is deleted before the users of all processes have stopped.
A worker holds all of this on a lease, which runs from the last report that its master took.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from hashlib import blake2b
from random import Random
from string import ascii_uppercase, digits

from gevent.event import Event

from msgspec import Struct

from harness.journal import Journal, Writes
from harness.ledger import Ranges, ranges

ID_LENGTH = 30
ID_CHARACTERS = ascii_uppercase + digits
RESERVED_AT_ONCE = 200
"""A worker asks for so many: its master is far away, and the rest costs a DELETE if it dies."""
ASK_AGAIN_S = 2.0

_CLOCK = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", None))
_FAIR = 256 - 256 % len(ID_CHARACTERS)
_LETTERS = bytes(ord(ID_CHARACTERS[byte % len(ID_CHARACTERS)]) for byte in range(256))
_UNFAIR = bytes(range(_FAIR, 256))


def clock_s() -> float:
    """Return seconds by a clock that nobody sets, and that goes on while the machine sleeps."""
    return time.monotonic() if _CLOCK is None else time.clock_gettime(_CLOCK)


def device_id(seed: int, worker: int, number: int) -> str:
    """Return the id of a device: 30 characters of A-Z and 0-9, which follow from the arguments.

    They are those bytes of a BLAKE2b hash that spread over the 36 characters evenly. It has 64
    bytes, of which 1 in 64 is left out: too few never remain. 155 bits: a collision is not met.
    """
    digest = blake2b(f"{seed}/{worker}/{number}".encode()).digest()
    return digest.translate(_LETTERS, _UNFAIR)[:ID_LENGTH].decode("ascii")


class Handover(Struct, frozen=True, kw_only=True):
    """What a process says of its devices when its users have stopped.

    It has `used` so many numbers, from 0 on, of which the server has registered `confirmed`.
    `writes` are the last ones to the sample that is read back, by id; None of a lost worker.
    It has sent nothing any more for `quiet_s`, less than 0 when that is not known.
    """

    worker: int
    used: int
    confirmed: Ranges
    writes: dict[str, Writes] | None
    quiet_s: float = 0.0


class Pool:
    """What can be drawn in constant time; beyond the limit a fair sample of all that came.

    The sample is Algorithm R of Vitter, "Random Sampling with a Reservoir", 1985: each of the n
    devices that came is in it with probability limit / n.
    """

    def __init__(self, limit: int, random: Random) -> None:
        self._limit = limit
        self._random = random
        self._came = 0
        self._ids: list[str] = []

    def __len__(self) -> int:
        return len(self._ids)

    def add(self, id_: str) -> None:
        """Put a device in, in the place of another one when the pool is full, or not at all."""
        self._came += 1
        if len(self._ids) < self._limit:
            self._ids.append(id_)
            return
        place = int(self._random.random() * self._came)
        if place < self._limit:
            self._ids[place] = id_

    def draw(self, random: Random) -> str:
        """Return one of the devices, each with the same probability; there must be one."""
        return self._ids[int(random.random() * len(self._ids))]


class Numbers:
    """Counts the devices of one process, and none that the ledger does not have yet."""

    def __init__(self, ask: Callable[[int, int], None], at_once: int = RESERVED_AT_ONCE) -> None:
        """Start at 0.

        `ask(first, last)` asks that numbers be reserved, `at_once` of them, when half as many are
        left; `reserved` is the answer.
        """
        self.used = 0
        self._at_once = at_once
        self._ask = ask
        self._asked = self._reserved = 0
        self._asked_s = -ASK_AGAIN_S
        self._more = Event()

    def next(self) -> int:
        """Return the next number; wait for its reservation, which nearly always is there."""
        number, self.used = self.used, self.used + 1
        if number + self._at_once // 2 >= self._asked:
            self._asked += self._at_once
            self._ask_for_more()
        while number >= self._reserved:
            late = not self._more.wait(ASK_AGAIN_S)
            if late and clock_s() >= self._asked_s + ASK_AGAIN_S:  # one of all that wait
                self._ask_for_more()
        return number

    def reserved(self, last: int) -> None:
        """Note that the ledger has all numbers up to `last`."""
        self._reserved = max(self._reserved, last + 1)
        self._more.set()
        self._more = Event()

    def _ask_for_more(self) -> None:
        self._asked_s = clock_s()
        self._ask(self._reserved, self._asked - 1)


class Devices:
    """The devices that one process knows of: its own, and what it has learnt of the others'."""

    def __init__(
        self,
        seed: int,
        worker: int = 0,
        *,
        ask: Callable[[int, int], None] | None = None,
        at_once: int = RESERVED_AT_ONCE,
        limit: int = 100_000,
        sample: int = 0,
        lease_ends_s: float = math.inf,
    ) -> None:
        """Start with none, of which the pool takes `limit` and the journal `sample`.

        For `ask` and `at_once` see `Numbers`; without them every number counts as reserved. This
        process may use its devices until `lease_ends_s` by `clock_s`.
        """
        self.journal = Journal(sample)
        self.numbers = Numbers(ask or (lambda first, last: self.numbers.reserved(last)), at_once)
        self.pool = Pool(limit, Random(f"{seed}/{worker}/pool"))
        self._lease_ends_s = lease_ends_s
        self._seed = seed
        self._worker = worker
        self._number_of: dict[str, int] = {}  # of those that are not confirmed
        self._confirmed: set[int] = set()
        self._untold: list[int] = []

    def has_lease(self) -> bool:
        """Say whether this process may use the devices; to be asked before each request.

        Whoever has stood still, or was cut off, cannot know whether they have been deleted.
        """
        return clock_s() <= self._lease_ends_s

    def renew_lease(self, until_s: float) -> None:
        """Let this process use the devices until then, by `clock_s`, or for longer."""
        self._lease_ends_s = max(self._lease_ends_s, until_s)

    def new_id(self) -> str:
        """Return the id of a device that is in the ledger and may be registered."""
        number = self.numbers.next()
        id_ = device_id(self._seed, self._worker, number)
        self._number_of[id_] = number
        return id_

    def confirm(self, id_: str) -> None:
        """Let a device of `new_id` be drawn: the server answered 201."""
        number = self._number_of.pop(id_)
        self._confirmed.add(number)
        self._untold.append(number)
        self._take_in(id_)

    def learn(self, worker: int, first: int, last: int) -> None:
        """Take in devices that another process has registered, each of them once."""
        for number in range(first, last + 1):
            self._take_in(device_id(self._seed, worker, number))

    def untold(self) -> Ranges:
        """Return what was confirmed since the last call."""
        found, self._untold = ranges(self._untold), []
        return found

    def handover(self) -> Handover:
        """Return what has to be known of them at the end."""
        return Handover(
            worker=self._worker,
            used=self.numbers.used,
            confirmed=ranges(self._confirmed),
            writes=self.journal.writes,
        )

    def _take_in(self, id_: str) -> None:
        self.pool.add(id_)
        self.journal.consider(id_)

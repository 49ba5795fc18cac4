"""The devices of a run: their numbers and ids, and the pool that the users of all processes share.

A device is a number of the worker that registers it, such as number 17 of worker 2. Its id is a
hash of seed, worker and number, so processes exchange numbers only, and a ledger of how far each
worker has counted is enough to find every device again.

Invariants:

- A number is in the ledger before its POST goes out, because the server may create the device and
  the response may be lost.
- A device enters the pool, here and in the other processes, only after the server has answered its
  POST with 201.
- No device is deleted before the users of all processes have stopped. A worker may use devices
  only while it holds a lease, which runs from the last report that its master accepted.
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

from harness.devices.ledger import Ranges, ranges
from harness.devices.write_history import WriteHistory, Writes

ID_LENGTH = 30
ID_CHARACTERS = ascii_uppercase + digits
RESERVED_AT_ONCE = 200
"""Numbers that a worker reserves at a time.

More mean fewer round trips to the master; each that a dead worker leaves unused costs a DELETE.
"""
RESERVATION_TIMEOUT_S = 2.0
"""Timeout after which a reservation is requested again: request or reply may be lost."""

# On Linux, time.monotonic() stands still while the machine is suspended; a lease must not.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", None))
# `byte % 36` is uniform only below the largest multiple of 36: larger bytes are dropped.
_FAIR = 256 - 256 % len(ID_CHARACTERS)
_LETTERS = bytes(ord(ID_CHARACTERS[byte % len(ID_CHARACTERS)]) for byte in range(256))
_UNFAIR = bytes(range(_FAIR, 256))


def clock_s() -> float:
    """Return seconds of a clock that is never set and that runs on while the machine sleeps."""
    return time.monotonic() if _CLOCK is None else time.clock_gettime(_CLOCK)


def device_id(seed: int, worker: int, number: int) -> str:
    """Return the id of a device: 30 characters of A-Z and 0-9, determined by the arguments.

    A BLAKE2b digest has 64 bytes, of which 1 in 64 is dropped: 30 always remain in practice. An id
    carries 155 bits, so collisions are negligible. The result must never change, because `cleanup`
    derives the ids of older runs from their ledgers.
    """
    digest = blake2b(f"{seed}/{worker}/{number}".encode()).digest()
    return digest.translate(_LETTERS, _UNFAIR)[:ID_LENGTH].decode("ascii")


class DeviceReport(Struct, frozen=True, kw_only=True):
    """A process's devices after its users have stopped.

    Attributes:
        worker: index of the process.
        used: how many numbers it has used; they start at 0.
        confirmed: the numbers that the server has registered.
        writes: last writes to the sample that is read back, by id; None for a lost worker.
        stopped_for_s: seconds since it may last have sent a request; negative if it still may.
    """

    worker: int
    used: int
    confirmed: Ranges
    writes: dict[str, Writes] | None
    stopped_for_s: float = 0.0


class Pool:
    """Ids to draw from in constant time; above the limit, a uniform sample of all that were added.

    The sample is Algorithm R of Vitter, "Random Sampling with a Reservoir", 1985: each of n ids is
    in it with probability limit / n.
    """

    def __init__(self, limit: int, random: Random) -> None:
        self._limit = limit
        self._random = random
        self._came = 0
        self._ids: list[str] = []

    def __len__(self) -> int:
        return len(self._ids)

    def add(self, id_: str) -> None:
        """Add an id; if the pool is full, it replaces a random one or is dropped."""
        self._came += 1
        if len(self._ids) < self._limit:
            self._ids.append(id_)
            return
        place = int(self._random.random() * self._came)
        if place < self._limit:
            self._ids[place] = id_

    def draw(self, random: Random) -> str:
        """Return one of the ids, each equally likely; IndexError if the pool is empty."""
        return self._ids[int(random.random() * len(self._ids))]


class NumberAllocator:
    """Hands out the device numbers of one process, each only once the ledger holds it."""

    def __init__(
        self, ask: Callable[[int, int], None], block_size: int = RESERVED_AT_ONCE
    ) -> None:
        """Start at 0.

        Args:
            ask: requests a reservation by `ask(first, last)`; the reply is a call of `reserved`.
            block_size: numbers per reservation; the next is requested when half of them are left.
        """
        self.used = 0
        self._block_size = block_size
        self._ask = ask
        self._asked = self._reserved = 0
        self._asked_s = -RESERVATION_TIMEOUT_S
        self._more = Event()

    def next(self) -> int:
        """Return the next number; wait for its reservation, which is usually there already."""
        # Taken before the wait: no other user gets this number, even if this user is killed.
        number, self.used = self.used, self.used + 1
        if number + self._block_size // 2 >= self._asked:
            self._asked += self._block_size
            self._ask_for_more()
        while number >= self._reserved:
            # A late reply wakes up all waiting users; only the first of them asks again.
            late = not self._more.wait(RESERVATION_TIMEOUT_S)
            if late and clock_s() >= self._asked_s + RESERVATION_TIMEOUT_S:
                self._ask_for_more()
        return number

    def reserved(self, last: int) -> None:
        """Note that the ledger holds all numbers up to `last`."""
        self._reserved = max(self._reserved, last + 1)
        # Wakes all waiting users; some may have to wait again, for the new event.
        self._more.set()
        self._more = Event()

    def _ask_for_more(self) -> None:
        self._asked_s = clock_s()
        # All that is missing, since the reply to an earlier request may be lost.
        self._ask(self._reserved, self._asked - 1)


class Devices:
    """The devices that one process knows: its own, and those it has learned of from the others."""

    def __init__(
        self,
        seed: int,
        worker: int = 0,
        *,
        ask: Callable[[int, int], None] | None = None,
        block_size: int = RESERVED_AT_ONCE,
        limit: int = 100_000,
        sample: int = 0,
        lease_ends_s: float = math.inf,
    ) -> None:
        """Start with no devices.

        `limit` bounds the pool, and `sample` the write history. `ask` and `block_size` are those
        of `NumberAllocator`; without `ask`, every number counts as reserved. The lease ends at
        `lease_ends_s` of `clock_s`.
        """
        self.history = WriteHistory(sample)
        self.numbers = NumberAllocator(
            ask or (lambda first, last: self.numbers.reserved(last)), block_size
        )
        self.pool = Pool(limit, Random(f"{seed}/{worker}/pool"))
        self._lease_ends_s = lease_ends_s
        self._seed = seed
        self._worker = worker
        self._number_of: dict[str, int] = {}  # of devices that are not confirmed yet
        self._confirmed: set[int] = set()
        self._unreported: list[int] = []

    def has_lease(self) -> bool:
        """Return True if this process may use the devices; to be checked before each request.

        After being suspended or cut off, a process cannot know whether they have been deleted.
        """
        return clock_s() <= self._lease_ends_s

    def renew_lease(self, until_s: float) -> None:
        """Extend the lease to `until_s` of `clock_s`; never shorten it."""
        self._lease_ends_s = max(self._lease_ends_s, until_s)

    def new_id(self) -> str:
        """Return a new id whose number is in the ledger, so that it may be registered."""
        number = self.numbers.next()
        id_ = device_id(self._seed, self._worker, number)
        self._number_of[id_] = number
        return id_

    def confirm(self, id_: str) -> None:
        """Add a device to the pool, once the server has answered its POST with 201.

        Raises:
            KeyError: `new_id` did not return this id, or it is confirmed already.
        """
        number = self._number_of.pop(id_)
        self._confirmed.add(number)
        self._unreported.append(number)
        self._add(id_)

    def add_remote(self, worker: int, first: int, last: int) -> None:
        """Add devices that another process has registered; call it once for each of them."""
        for number in range(first, last + 1):
            self._add(device_id(self._seed, worker, number))

    def take_unreported(self) -> Ranges:
        """Return the numbers confirmed since the last call, for the next report to the master."""
        found, self._unreported = ranges(self._unreported), []
        return found

    def device_report(self) -> DeviceReport:
        """Return the final report on the devices of this process."""
        return DeviceReport(
            worker=self._worker,
            used=self.numbers.used,
            confirmed=ranges(self._confirmed),
            writes=self.history.writes,
        )

    def _add(self, id_: str) -> None:
        self.pool.add(id_)
        self.history.consider(id_)

"""The last writes to a sample of the devices, to compare with the server at the end; pure.

Writes to a field may overlap, and then their order is unknown. A write may have been the last one
if it was acknowledged and no other acknowledged write was sent after that. A write that was never
acknowledged may have been the last one too, since the server may apply it at any time.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Mapping
from time import perf_counter, time

from msgspec import Struct

from harness.http import Value

MAX_CLOCK_DIFFERENCE_S = 3.0
"""Largest difference between two workers' clocks in a valid run.

`results.verdict` allows 1 s ahead of the master's clock and 2 s behind it.
"""


class Write(Struct, frozen=True, array_like=True):
    """A write to one field of one device.

    Attributes:
        value: what was written.
        sent_s: when, in seconds since the epoch by the clock of the process.
        acknowledged_s: when a valid response was there; None if none came, or an invalid one.
    """

    value: Value
    sent_s: float
    acknowledged_s: float | None


Writes = dict[str, list[Write]]
"""Writes to one device that may have been the last one, by field."""


class WriteHistory:
    """One process's writes to the devices with the smallest ids.

    Ids are random, so these devices are a fair sample. All processes choose the same sample
    without communicating: of the devices that a process knows, those in the sample of all
    processes are among the smallest.
    """

    def __init__(self, size: int) -> None:
        self.writes: dict[str, Writes] = {}
        self._size = size
        self._ids: list[str] = []
        self._epoch_s = time() - perf_counter()

    def now_s(self) -> float:
        """Return seconds since the epoch, by a clock that is not set during the run."""
        return self._epoch_s + perf_counter()

    def consider(self, id_: str) -> None:
        """Add a new device to the sample if its id is among the smallest."""
        if len(self._ids) == self._size and not (self._ids and id_ < self._ids[-1]):
            return
        insort(self._ids, id_)
        self.writes[id_] = {}
        if len(self._ids) > self._size:
            del self.writes[self._ids.pop()]

    def add(self, id_: str, field: str, write: Write) -> None:
        """Record a write that is over, and drop those that it certainly follows."""
        fields = self.writes.get(id_)
        if fields is None:
            return
        known = fields.get(field, [])
        if write.acknowledged_s is None and any(
            each.acknowledged_s is None and each.value == write.value for each in known
        ):
            return  # an unacknowledged value stays possible: one such write is enough
        fields[field] = [*(each for each in known if not _follows(write, each, 0.0)), write]


def possible_values(histories: Iterable[Mapping[str, Writes]], id_: str, field: str) -> set[Value]:
    """Return the values that a field may hold after all writes of all processes.

    The result is empty if nobody wrote to it.
    """
    of_processes = [history.get(id_, {}).get(field, []) for history in histories]
    return {
        write.value
        for mine, writes in enumerate(of_processes)
        for write in writes
        if not any(
            # A process orders its own writes by one clock; the clocks of two may differ.
            _follows(other, write, 0.0 if mine == whose else MAX_CLOCK_DIFFERENCE_S)
            for whose, others in enumerate(of_processes)
            for other in others
        )
    }


def was_acknowledged(histories: Iterable[Mapping[str, Writes]], id_: str, field: str) -> bool:
    """Return True if the server has acknowledged any write to the field."""
    return any(
        write.acknowledged_s is not None
        for history in histories
        for write in history.get(id_, {}).get(field, [])
    )


def _follows(later: Write, earlier: Write, clocks_s: float) -> bool:
    """Return True if `later` was certainly applied after `earlier`; both are acknowledged then."""
    if later.acknowledged_s is None or earlier.acknowledged_s is None:
        return False
    return later.sent_s > earlier.acknowledged_s + clocks_s

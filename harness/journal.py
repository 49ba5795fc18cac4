"""Who wrote what to a sample of the devices last, so that it can be read back at the end; pure.

Writes to a field may overlap, and then nobody can say which of them came last. Those that may
have: every acknowledged one after which no other was sent that was acknowledged as well, and every
one that is in doubt, since a server may get to it at any time.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Mapping
from time import perf_counter, time

from msgspec import Struct

Value = str | bool

CLOCKS_S = 3.0
"""By so much two workers' clocks may differ in a valid run: 1 s ahead, 2 s behind the master's."""


class Write(Struct, frozen=True, array_like=True):
    """A write to one field of one device.

    It was sent and its right answer was there at these seconds since the epoch, by the clock of
    the process; `acknowledged_s` is None when no answer came, or a wrong one.
    """

    value: Value
    sent_s: float
    acknowledged_s: float | None


Writes = dict[str, list[Write]]
"""Those to a device that may have been the last, by field."""


class Journal:
    """The writes of one process to the devices whose ids come first in the alphabet.

    Ids are random, so these are a fair sample, and each process keeps the same one without a word
    to the others: whatever else it does not know of, none of the first can be missing from the
    first of a part.
    """

    def __init__(self, size: int) -> None:
        self.writes: dict[str, Writes] = {}
        self._size = size
        self._ids: list[str] = []
        self._epoch_s = time() - perf_counter()

    def now_s(self) -> float:
        """Return the time in seconds since the epoch, by a clock that nobody sets in mid-run."""
        return self._epoch_s + perf_counter()

    def consider(self, id_: str) -> None:
        """Take a new device into the sample, if it is one of the first."""
        if len(self._ids) == self._size and not (self._ids and id_ < self._ids[-1]):
            return
        insort(self._ids, id_)
        self.writes[id_] = {}
        if len(self._ids) > self._size:
            del self.writes[self._ids.pop()]

    def add(self, id_: str, field: str, write: Write) -> None:
        """Write down a write that is over; forget those that it follows."""
        fields = self.writes.get(id_)
        if fields is None:
            return
        known = fields.get(field, [])
        if write.acknowledged_s is None and any(
            each.acknowledged_s is None and each.value == write.value for each in known
        ):
            return  # what is in doubt stays so: once is enough
        fields[field] = [*(each for each in known if not _follows(write, each, 0.0)), write]


def possible_values(journals: Iterable[Mapping[str, Writes]], id_: str, field: str) -> set[Value]:
    """Return what a field may hold after all writes of all processes; empty without any."""
    of_processes = [journal.get(id_, {}).get(field, []) for journal in journals]
    return {
        write.value
        for mine, writes in enumerate(of_processes)
        for write in writes
        if not any(
            _follows(other, write, 0.0 if mine == whose else CLOCKS_S)
            for whose, others in enumerate(of_processes)
            for other in others
        )
    }


def was_acknowledged(journals: Iterable[Mapping[str, Writes]], id_: str, field: str) -> bool:
    """Say whether any write to a field is known to have been done."""
    return any(
        write.acknowledged_s is not None
        for journal in journals
        for write in journal.get(id_, {}).get(field, [])
    )


def _follows(later: Write, earlier: Write, clocks_s: float) -> bool:
    """Say whether one write certainly was done after another that was done."""
    if later.acknowledged_s is None or earlier.acknowledged_s is None:
        return False
    return later.sent_s > earlier.acknowledged_s + clocks_s

"""`ledger.csv`: which devices a run may have put on its server, and which of them are gone.

A device is a number of the process that registers it, its worker. Numbers are *reserved* in the
ledger before the first of them is used; at the end they are *gone* from the server, or *unused*.
What is reserved and neither of these may still be there, whoever died in between.
"""

from __future__ import annotations

import errno
import os
import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

try:
    import fcntl
except ImportError:  # Windows: a ledger in use cannot be told from another there
    fcntl = None  # type: ignore[assignment]

LEDGER = "ledger.csv"
HEADING = "state,worker,first,last"
ROW = re.compile(r"(reserved|gone|unused),(\d+),(\d+),(\d+)")

State = Literal["reserved", "gone", "unused"]
Ranges = list[tuple[int, int]]
"""Whole numbers as (first, last), both included, in rising order."""


def ranges(numbers: Iterable[int]) -> Ranges:
    """Return numbers as ranges, as few as possible."""
    found: Ranges = []
    for number in sorted(numbers):
        if found and number <= found[-1][1] + 1:
            found[-1] = found[-1][0], number
        else:
            found.append((number, number))
    return found


def numbers_in(found: Iterable[tuple[int, int]]) -> set[int]:
    """Return the numbers of some ranges."""
    return {number for first, last in found for number in range(first, last + 1)}


class LedgerHeldError(Exception):
    """The run that the ledger belongs to goes on, or is being cleaned up by somebody else."""


class Ledger:
    """The ledger of a run, held by the one process that leads it or cleans up after it.

    Each row goes out at once and whole: it stands there when the process is killed.
    """

    def __init__(self, folder: Path) -> None:
        """Open that of a run folder, or begin it; LedgerHeldError when it is held elsewhere."""
        self.folder = folder
        self._file = (folder / LEDGER).open("ab", buffering=0)
        try:
            _hold(self._file.fileno())
        except BlockingIOError:
            self._file.close()
            raise LedgerHeldError(folder) from None
        if not self._file.tell():
            self._file.write(f"{HEADING}\n".encode())
        elif not (folder / LEDGER).read_bytes().endswith(b"\n"):
            self._file.write(b"\n")  # behind a row that was cut

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def reserve(self, worker: int, first: int, last: int) -> None:
        """Write down that these numbers of a worker may be used from now on."""
        self._write("reserved", worker, [(first, last)])

    def strike_off(self, worker: int, numbers: Iterable[int]) -> None:
        """Write down that these devices are gone from the server."""
        self._write("gone", worker, ranges(numbers))

    def give_back(self, worker: int, first: int) -> None:
        """Write down that of a worker's reserved numbers those from `first` on were not used."""
        reserved = read_reserved(self.folder).get(worker, 0)
        if first < reserved:
            self._write("unused", worker, [(first, reserved - 1)])

    def touch(self) -> None:
        """Leave a sign of life: the file's time is when its run was last known to go on."""
        os.utime(self.folder / LEDGER)

    def close(self) -> None:
        """Hold it no longer."""
        self._file.close()

    def _write(self, state: State, worker: int, found: Ranges) -> None:
        if self._file.closed:  # a run that is interrupted twice may be over already
            return
        rows = "".join(f"{state},{worker},{first},{last}\n" for first, last in found).encode()
        size = os.fstat(self._file.fileno()).st_size
        if self._file.write(rows) < len(rows):
            self._file.truncate(size)  # else the next row would go on in the middle of this one
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), LEDGER)


def read_reserved(folder: Path) -> dict[int, int]:
    """Return how many numbers each worker may have used: those from 0 on."""
    reserved: dict[int, int] = {}
    for state, worker, _, last in _rows(folder):
        if state == "reserved":
            reserved[worker] = max(last + 1, reserved.get(worker, 0))
    return reserved


def read_left(folder: Path) -> dict[int, list[int]]:
    """Return the numbers of the devices that may still be on the server, by worker."""
    over: defaultdict[int, set[int]] = defaultdict(set)
    for state, worker, first, last in _rows(folder):
        if state != "reserved":
            over[worker].update(range(first, last + 1))
    return {
        worker: left
        for worker, reserved in read_reserved(folder).items()
        if (left := [number for number in range(reserved) if number not in over[worker]])
    }


def _rows(folder: Path) -> Iterable[tuple[str, int, int, int]]:
    """Yield the rows; one that was cut holds nothing that was used."""
    with (folder / LEDGER).open(encoding="ascii") as stream:
        for line in stream:
            if row := ROW.fullmatch(line.rstrip("\n")):
                yield row[1], int(row[2]), int(row[3]), int(row[4])


def _hold(descriptor: int) -> None:
    if fcntl is not None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

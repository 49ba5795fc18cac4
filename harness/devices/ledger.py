"""`ledger.csv`: which devices a run may have created on the server, and which are gone.

A row gives a worker, a range of its device numbers and their state: *reserved* before the first of
them is used; at the end *gone* from the server, or *unused*.

Invariant: a device may be on the server only if its number is reserved and neither gone nor
unused, whichever process was killed. This does not cover a power cut: rows are not synced to disk.
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
except ImportError:  # on Windows a ledger in use cannot be recognized
    fcntl = None  # type: ignore[assignment]

LEDGER = "ledger.csv"
HEADING = "state,worker,first,last"
ROW = re.compile(r"(reserved|gone|unused),(\d+),(\d+),(\d+)")

State = Literal["reserved", "gone", "unused"]
Ranges = list[tuple[int, int]]
"""Whole numbers as (first, last), both included, in ascending order."""


def ranges(numbers: Iterable[int]) -> Ranges:
    """Return numbers as the fewest possible ranges."""
    found: Ranges = []
    for number in sorted(numbers):
        if found and number <= found[-1][1] + 1:
            found[-1] = found[-1][0], number
        else:
            found.append((number, number))
    return found


def numbers_in(found: Iterable[tuple[int, int]]) -> set[int]:
    """Return all numbers within some ranges."""
    return {number for first, last in found for number in range(first, last + 1)}


class LedgerHeldError(Exception):
    """The run of this ledger is still going on, or another process is cleaning it up."""


class Ledger:
    """The ledger of a run, held by the one process that leads the run or cleans up after it.

    Each row is written at once and whole, so that it survives the death of the process.
    """

    def __init__(self, folder: Path) -> None:
        """Open or create the ledger of a run folder.

        Raises:
            LedgerHeldError: another process holds it.
        """
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
            self._file.write(b"\n")  # ends a row that was cut off

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
        """Record that a worker may use these numbers from now on."""
        self._write("reserved", worker, [(first, last)])

    def mark_deleted(self, worker: int, numbers: Iterable[int]) -> None:
        """Record that these devices are gone from the server."""
        self._write("gone", worker, ranges(numbers))

    def release(self, worker: int, first: int) -> None:
        """Record that a worker did not use its reserved numbers from `first` on."""
        reserved = read_reserved(self.folder).get(worker, 0)
        if first < reserved:
            self._write("unused", worker, [(first, reserved - 1)])

    def touch(self) -> None:
        """Set the file's modification time, which tells `cleanup` when the run was last alive."""
        os.utime(self.folder / LEDGER)

    def close(self) -> None:
        """Close the file, which lets another process hold the ledger."""
        self._file.close()

    def _write(self, state: State, worker: int, found: Ranges) -> None:
        if self._file.closed:  # a run that is interrupted twice may be over already
            return
        rows = "".join(f"{state},{worker},{first},{last}\n" for first, last in found).encode()
        size = os.fstat(self._file.fileno()).st_size
        if self._file.write(rows) < len(rows):
            self._file.truncate(size)  # else the next row would continue this one
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), LEDGER)


def read_reserved(folder: Path) -> dict[int, int]:
    """Return, by worker, how many numbers it may have used; they start at 0."""
    reserved: dict[int, int] = {}
    for state, worker, _, last in _rows(folder):
        if state == "reserved":
            reserved[worker] = max(last + 1, reserved.get(worker, 0))
    return reserved


def read_left(folder: Path) -> dict[int, list[int]]:
    """Return, by worker, the numbers of the devices that may still be on the server."""
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
    """Yield the rows that can be read.

    A row that was cut off loses nothing: no number is used before its row is whole.
    """
    with (folder / LEDGER).open(encoding="ascii") as stream:
        for line in stream:
            if row := ROW.fullmatch(line.rstrip("\n")):
                yield row[1], int(row[2]), int(row[3]), int(row[4])


def _hold(descriptor: int) -> None:
    if fcntl is not None:
        # The kernel releases the lock when the process dies, however it dies.
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

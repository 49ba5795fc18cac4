"""The ledger: what was reserved is never forgotten, and what may be there is never struck off."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.config.settings import PROJECT_DIR
from harness.devices.ledger import (
    HEADING,
    LEDGER,
    Ledger,
    LedgerHeldError,
    numbers_in,
    ranges,
    read_left,
    read_reserved,
)

HOLD = """
import sys
from pathlib import Path
from harness.devices.ledger import Ledger, LedgerHeldError
try:
    ledger = Ledger(Path(sys.argv[1]))
except LedgerHeldError:
    print("held by another", flush=True)
else:
    ledger.reserve(7, 0, 199)
    print("taken", flush=True)
    sys.stdin.read()
"""
Row = tuple[str, int, int, int]


@pytest.fixture
def hold_elsewhere(tmp_path: Path) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """Yield a function that starts a process which takes the ledger, until its input ends."""
    started: list[subprocess.Popen[str]] = []

    def hold() -> subprocess.Popen[str]:
        command = [sys.executable, "-c", HOLD, str(tmp_path)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        started.append(subprocess.Popen(command, cwd=PROJECT_DIR, **pipes))
        return started[-1]

    yield hold
    for process in started:
        process.kill()
        process.communicate()


# Ranges.


@pytest.mark.parametrize(
    ("numbers", "found"),
    [
        ([], []),
        ([5], [(5, 5)]),
        ([3, 1, 2], [(1, 3)]),
        ([1, 1, 2, 2], [(1, 2)]),
        ([9, 0, 1, 8, 4], [(0, 1), (4, 4), (8, 9)]),
    ],
)
def test_numbers_become_as_few_ranges_as_possible(
    numbers: list[int], found: list[tuple[int, int]]
) -> None:
    assert ranges(numbers) == found


@given(st.lists(st.integers(0, 60)))
@settings(deadline=None, derandomize=True)
def test_ranges_hold_the_numbers_that_went_in(numbers: list[int]) -> None:
    found = ranges(numbers)
    assert numbers_in(found) == set(numbers)
    ends = [end for each in found for end in each]
    assert ends == sorted(ends)
    assert all(later > last + 1 for (_, last), (later, _) in pairwise(found))


# What is written and read.


def test_what_is_neither_gone_nor_unused_is_left(tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger:
        ledger.reserve(0, 0, 199)
        ledger.reserve(2, 0, 199)
        ledger.reserve(2, 200, 399)
        ledger.mark_deleted(2, [0, 1, 2, 5])
        ledger.release(2, 7)
        ledger.release(0, 0)
        assert read_reserved(tmp_path) == {0: 200, 2: 400}
        assert read_left(tmp_path) == {2: [3, 4, 6]}
    assert (tmp_path / LEDGER).read_text().splitlines() == [
        HEADING,
        "reserved,0,0,199",
        "reserved,2,0,199",
        "reserved,2,200,399",
        "gone,2,0,2",
        "gone,2,5,5",
        "unused,2,7,399",
        "unused,0,0,199",
    ]


def test_what_was_used_up_or_never_reserved_is_not_given_back(tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger:
        ledger.reserve(0, 0, 199)
        for worker, first in ((0, 200), (0, 205), (1, 0)):
            ledger.release(worker, first)
    assert (tmp_path / LEDGER).read_text() == f"{HEADING}\nreserved,0,0,199\n"


def test_a_reservation_that_came_late_or_twice_changes_nothing(tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger:
        for first, last in ((0, 399), (0, 199), (0, 399)):
            ledger.reserve(0, first, last)
    assert read_reserved(tmp_path) == {0: 400}


def test_each_row_stands_there_at_once(tmp_path: Path) -> None:
    """Read from the file while it is open: who writes it may be killed."""
    with Ledger(tmp_path) as ledger:
        ledger.reserve(3, 0, 199)
        assert read_left(tmp_path) == {3: [*range(200)]}
        ledger.mark_deleted(3, range(200))
        assert read_left(tmp_path) == {}


def test_an_opened_ledger_goes_on_where_it_was(tmp_path: Path) -> None:
    for worker in (0, 1):
        with Ledger(tmp_path) as ledger:
            ledger.reserve(worker, 0, 199)
    assert (tmp_path / LEDGER).read_text().count(HEADING) == 1
    assert read_reserved(tmp_path) == {0: 200, 1: 200}


def test_a_closed_ledger_takes_nothing(tmp_path: Path) -> None:
    """A run that is interrupted twice may write to one."""
    ledger = Ledger(tmp_path)
    ledger.reserve(0, 0, 199)
    ledger.close()
    ledger.mark_deleted(0, [1])
    ledger.close()
    assert read_left(tmp_path) == {0: [*range(200)]}


# Who holds it.


def test_a_ledger_is_held_by_one_process_at_a_time(
    tmp_path: Path, hold_elsewhere: Callable[[], subprocess.Popen[str]]
) -> None:
    with Ledger(tmp_path) as ledger:
        second = hold_elsewhere()
        assert second.communicate()[0] == "held by another\n"
        ledger.reserve(1, 0, 199)
    third = hold_elsewhere()
    assert third.stdout is not None and third.stdout.readline() == "taken\n"
    with pytest.raises(LedgerHeldError):
        Ledger(tmp_path)
    third.kill()
    third.wait()
    with Ledger(tmp_path):
        assert read_reserved(tmp_path) == {1: 200, 7: 200}


# A row that was cut.


def struck(rows: list[Row]) -> set[tuple[int, int]]:
    """Return what rows say is gone or unused, by an account of its own."""
    return {
        (worker, number)
        for state, worker, first, last in rows
        for number in range(first, last + 1)
        if state != "reserved"
    }


def reserved(rows: list[Row]) -> set[tuple[int, int]]:
    return {
        (worker, number)
        for state, worker, _, last in rows
        for number in range(last + 1)
        if state == "reserved"
    }


def left(folder: Path) -> set[tuple[int, int]]:
    found = read_left(folder).items()
    return {(worker, number) for worker, numbers in found for number in numbers}


def a_row() -> st.SearchStrategy[Row]:
    def row(state: str, worker: int, first: int, more: int) -> Row:
        return state, worker, first, first + more

    states = st.sampled_from(["reserved", "gone", "unused"])
    return st.builds(row, states, st.integers(0, 12), st.integers(0, 130), st.integers(0, 120))


@given(st.lists(a_row(), max_size=4), a_row())
@settings(deadline=None, derandomize=True, max_examples=25)
def test_a_ledger_cut_at_any_byte_of_its_last_row_still_tells(rows: list[Row], last: Row) -> None:
    """The rows before it count in full; of the cut one no more than it said when it was whole."""
    whole = [f"{HEADING}\n", *(f"{','.join(map(str, row))}\n" for row in (*rows, last))]
    before, row = "".join(whole[:-1]).encode(), whole[-1].encode()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for kept in range(len(row) + 1):
            (folder / LEDGER).write_bytes(before + row[:kept])
            assert reserved(rows) - struck([*rows, last]) <= left(folder)
            assert left(folder) <= reserved([*rows, last]) - struck(rows)
            with Ledger(folder) as ledger:  # whoever goes on behind it
                ledger.reserve(99, 0, 0)
                ledger.mark_deleted(99, [0])
            assert reserved(rows) - struck([*rows, last]) <= left(folder)
            assert left(folder) <= reserved([*rows, last]) - struck(rows)
            assert read_reserved(folder)[99] == 1


@pytest.mark.parametrize("kept", range(len(HEADING) + 1))
def test_a_heading_that_was_cut_does_no_harm(tmp_path: Path, kept: int) -> None:
    (tmp_path / LEDGER).write_text(HEADING[:kept])
    assert read_left(tmp_path) == {}
    with Ledger(tmp_path) as ledger:
        ledger.reserve(0, 0, 3)
    assert read_left(tmp_path) == {0: [0, 1, 2, 3]}


class FullDisk:
    """A file that takes only so many bytes more."""

    def __init__(self, file: object, room: int) -> None:
        self.file = file
        self.room = room

    def __getattr__(self, name: str) -> object:
        return getattr(self.file, name)

    def write(self, data: bytes) -> int:
        if data and not self.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        taken = self.file.write(data[: self.room])
        self.room -= taken
        return taken


@pytest.mark.parametrize("room", range(len("reserved,0,200,399\n")))
def test_a_row_that_does_not_fit_on_the_disk_is_an_error_and_the_next_one_whole(
    tmp_path: Path, room: int
) -> None:
    """The numbers of a reservation that is not there must not be used."""
    with Ledger(tmp_path) as ledger:
        ledger.reserve(0, 0, 199)
        file, ledger._file = ledger._file, FullDisk(ledger._file, room)
        with pytest.raises(OSError, match="No space left"):
            ledger.reserve(0, 200, 399)
        ledger._file = file
        assert read_reserved(tmp_path)[0] >= 200
        ledger.reserve(0, 200, 399)
        assert read_reserved(tmp_path) == {0: 400}

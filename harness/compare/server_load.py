"""What the server's processes take of the machine, sampled while a step goes on."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import pairwise

import psutil

from harness.compare.files import ServerLoad, ServerSecond
from harness.processes import cpu_s

MEGABYTE = 1e6


def look(pids: Iterable[int]) -> ServerSecond | None:
    """Return what programs and their children take now; None when one has ended."""
    processes, cpu = [], 0.0
    try:
        for pid in pids:
            processes += list(_tree(pid))
            cpu += cpu_s(pid)
    except psutil.NoSuchProcess:
        return None
    memory = sum(_memory_bytes(process) for process in processes)
    return ServerSecond(
        at_s=time.time(), cpu_s=cpu, memory_mb=memory / MEGABYTE, processes=len(processes)
    )


def load_between(
    rows: Sequence[ServerSecond], first_s: float, end_s: float, requests: int
) -> ServerLoad | None:
    """Return the load from one moment to another, CPU time interpolated between two looks.

    Args:
        rows: of `server.csv`.
        first_s: since the epoch.
        end_s: likewise.
        requests: that were answered in between.
    """
    begin, end = _cpu_at(rows, first_s), _cpu_at(rows, end_s)
    inside = [row.memory_mb for row in rows if first_s <= row.at_s <= end_s]
    if begin is None or end is None or not inside or not requests:
        return None
    return ServerLoad(
        cpu_percent=round((end - begin) / (end_s - first_s) * 100, 1),
        cpu_ms_per_request=round((end - begin) / requests * 1000, 4),
        memory_mb=max(inside),
    )


def _tree(pid: int) -> Iterator[psutil.Process]:
    root = psutil.Process(pid)
    yield root
    yield from root.children(recursive=True)


def _memory_bytes(process: psutil.Process) -> int:
    """Return its share of the memory, of pages that it shares a part; resident where untold."""
    with suppress(psutil.Error):
        full = process.memory_full_info()
        return int(getattr(full, "pss", 0) or full.rss)
    return 0


def _cpu_at(rows: Sequence[ServerSecond], at_s: float) -> float | None:
    for before, after in pairwise(rows):
        if before.at_s <= at_s <= after.at_s:
            share = (at_s - before.at_s) / ((after.at_s - before.at_s) or 1.0)
            return before.cpu_s + share * (after.cpu_s - before.cpu_s)
    return None

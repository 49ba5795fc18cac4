"""The machine of an experiment, and the CPU and memory that the server uses during a step."""

from __future__ import annotations

import os
import platform
import re
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import psutil

from harness.experiments.compare.files import Machine, ServerLoad, ServerSecond
from harness.processes import cpu_s


def machine() -> Machine:
    """Describe this machine."""
    return Machine(
        cpu=cpu_model(),
        cores=os.cpu_count() or 1,
        memory_gb=round(psutil.virtual_memory().total / 1e9, 1),
        system=f"{platform.system()} {platform.release().partition('-')[0]}",
    )


def cpu_model() -> str:
    """Return the name of the processor, or its architecture if the system tells no more."""
    info = Path("/proc/cpuinfo")
    text = info.read_text(encoding="utf-8") if info.exists() else ""
    model = re.search(r"^model name\s*: (.+)$", text, re.MULTILINE)
    return model[1].strip() if model else platform.machine()


def sample(pids: Iterable[int]) -> ServerSecond | None:
    """Return what programs and their descendants use now; None if one has ended."""
    processes, cpu = [], 0.0
    try:
        for pid in pids:
            root = psutil.Process(pid)
            processes += [root, *root.children(recursive=True)]
            cpu += cpu_s(pid)
    except psutil.NoSuchProcess:
        return None
    memory_mb = sum(_memory_bytes(process) for process in processes) / 1e6
    return ServerSecond(at_s=time.time(), cpu_s=cpu, memory_mb=memory_mb, processes=len(processes))


def load_between(
    rows: Sequence[ServerSecond], first_s: float, end_s: float, requests: int
) -> ServerLoad | None:
    """Return the load between two times since the epoch, with this many requests in between.

    CPU time is interpolated between samples. Return None if the samples do not cover the time.
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


def _memory_bytes(process: psutil.Process) -> int:
    """Return PSS, which divides shared pages among their users, or RSS where it is unknown."""
    with suppress(psutil.Error):
        full = process.memory_full_info()
        return int(getattr(full, "pss", 0) or full.rss)
    return 0


def _cpu_at(rows: Sequence[ServerSecond], at_s: float) -> float | None:
    for before, after in pairwise(rows):
        if before.at_s <= at_s <= after.at_s:
            # 1.0 in place of 0, if both samples have the same time.
            share = (at_s - before.at_s) / ((after.at_s - before.at_s) or 1.0)
            return before.cpu_s + share * (after.cpu_s - before.cpu_s)
    return None

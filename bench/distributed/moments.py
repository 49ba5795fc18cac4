"""A cluster at two moments, and what lies between."""

from __future__ import annotations

import re
import subprocess

from msgspec import Struct

from bench.distributed.messages import Look
from bench.distributed.results import Load, Sample
from harness.processes import find_program


class Moment(Struct, frozen=True):
    """What was counted so far, at one moment; of `looks` the first is the leader's."""

    moment_s: float
    requests: int
    server_cpu_s: float
    rss_kb: float
    looks: list[Look]
    kernel: tuple[int, int] | None


def between(load: Load, begin: Moment, end: Moment) -> Sample:
    """Return what lies between two moments.

    Of workers that are replayed only the master is looked at.
    """
    led = bool(load.workers)
    looks = [after.since(before) for before, after in zip(begin.looks, end.looks, strict=True)]
    cpus_s = [look.cpu_s for look in looks]
    workers = sum(looks[1:], Look())
    kernel = (
        None
        if begin.kernel is None or end.kernel is None
        else (end.kernel[0] - begin.kernel[0], end.kernel[1] - begin.kernel[1])
    )
    return Sample(
        load=load,
        seconds=end.moment_s - begin.moment_s,
        requests=end.requests - begin.requests,
        master_cpu_s=cpus_s[0] if led else None,
        master_rss_kb=end.rss_kb if led else None,
        workers_cpu_s=cpus_s[1:] if led else cpus_s,
        server_cpu_s=end.server_cpu_s - begin.server_cpu_s,
        intervals=workers.intervals,
        to_master=looks[0].received,
        to_workers=looks[0].sent,
        parts=workers.parts,
        kernel_to_master=kernel[0] if kernel and led else None,
        kernel_to_workers=kernel[1] if kernel and led else None,
    )


def carried_by_tcp(port: int) -> tuple[int, int] | None:
    """Return the bytes that came to a local port and that left it, of all open connections."""
    program = find_program("ss")
    if program is None:
        return None
    command = [program, "-tinHO", "state", "established", f"( sport = :{port} )"]
    return carried_bytes(
        subprocess.run(command, capture_output=True, text=True, check=False).stdout
    )


def carried_bytes(told: str) -> tuple[int, int]:
    """Return the bytes that were received and those that were acknowledged, as `ss -i` tells."""
    received, acked = (
        sum(map(int, re.findall(rf"\b{name}:(\d+)", told)))
        for name in ("bytes_received", "bytes_acked")
    )
    return received, acked

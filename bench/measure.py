"""Measures one generator: nginx counts the requests, psutil reads the CPU times."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench import BenchError
from bench.generators import Generator, Job, Reported, own_variables
from bench.process import Processes
from bench.results import Sample
from bench.server import Nginx
from harness.processes import cpu_s

FIRST_REQUESTS = 100
START_TIMEOUT_S = 30.0
END_TIMEOUT_S = 30.0
WARM_UP_S = 1.0
TAIL_S = 2.0
"""The load continues this long after the measured interval, to keep the ramp-down out of it."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Counters at one moment."""

    moment_s: float
    requests: int
    generator_cpu_s: float
    server_cpu_s: float


def measure(
    generator: Generator, program: str, server: Nginx, core: int, seconds: int, folder: Path
) -> Sample:
    """Run a generator on one core against the server and measure both.

    Args:
        generator: the generator.
        program: path of its program.
        server: the running server.
        core: number of the core to pin the generator to.
        seconds: length of the measured interval, without warm-up.
        folder: an empty folder for its files.

    Raises:
        BenchError: it ended early, failed, or reports more requests than the server saw.
    """
    job = Job(server.host, math.ceil(WARM_UP_S + seconds + TAIL_S), folder)
    seen_before = server.requests()
    with Processes(generator.name, folder) as load:
        started = load.start([program, *generator.command(job)], core, own_variables(job))

        def snapshot() -> Snapshot:
            if started.poll() is not None:
                raise load.error("ended early")
            try:
                return Snapshot(
                    requests=server.requests(),
                    moment_s=time.perf_counter(),
                    generator_cpu_s=cpu_s(started.pid),
                    server_cpu_s=server.cpu_s(),
                )
            except psutil.NoSuchProcess:
                raise load.error("ended early") from None

        load.wait_until(
            lambda: server.requests() >= seen_before + FIRST_REQUESTS,
            "does not load",
            START_TIMEOUT_S,
        )
        time.sleep(WARM_UP_S)
        begin = snapshot()
        time.sleep(seconds)
        end = snapshot()
        load.wait_for_end(job.seconds + END_TIMEOUT_S)
        if started.returncode not in generator.exit_codes:
            raise load.error("failed")
    seen = server.requests() - seen_before
    reported = generator.reported(job)
    check_seen(generator.name, reported, seen)
    check_right(generator.name, reported)
    return Sample(
        seconds=end.moment_s - begin.moment_s,
        requests=end.requests - begin.requests,
        generator_cpu_s=end.generator_cpu_s - begin.generator_cpu_s,
        server_cpu_s=end.server_cpu_s - begin.server_cpu_s,
        reported=reported.requests,
        seen=seen,
    )


def check_seen(name: str, reported: Reported, seen: int) -> None:
    """Compare a generator's report with the server's count.

    The server may see more, such as requests in flight when the generator stops.

    Raises:
        BenchError: the generator reports more requests than the server saw.
    """
    if reported.requests > seen:
        raise BenchError(f"{name} reports {reported.requests} requests, the server saw {seen}")


def check_right(name: str, reported: Reported) -> None:
    """Reject a generator whose requests failed, so that errors never count as throughput.

    Raises:
        BenchError: it reports failures, or no requests at all.
    """
    if reported.failures or not reported.requests:
        raise BenchError(
            f"{name} reports {reported.failures} failures in {reported.requests} requests"
        )

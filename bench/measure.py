"""One generator against the server: the server counts, psutil weighs, and nobody is believed."""

from __future__ import annotations

import contextlib
import math
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench import BenchError, process
from bench.generators import Generator, Job, Reported, own_variables
from bench.results import Sample
from bench.server import Nginx
from harness.processes import cpu_s, last_words, start_process, stop_process

FIRST_REQUESTS = 100
START_TIMEOUT_S = 30.0
END_TIMEOUT_S = 30.0
WARM_UP_S = 1.0
TAIL_S = 2.0
"""The load goes on for so long after the measured interval, so that its end is not in it."""
POLL_S = 0.02


@dataclass(frozen=True, slots=True)
class Look:
    """What was counted so far, at one moment."""

    moment_s: float
    requests: int
    generator_cpu_s: float
    server_cpu_s: float


def measure(
    generator: Generator, program: str, server: Nginx, core: int, seconds: int, folder: Path
) -> Sample:
    """Load the server with a generator for some seconds.

    Args:
        generator: which.
        program: where it is.
        server: a running one.
        core: the one that the generator is pinned to.
        seconds: length of the measured interval.
        folder: an empty one, for what the generator writes.

    Raises:
        BenchError: it ended early, failed, or reports more requests than the server saw.
    """
    job = Job(server.host, math.ceil(WARM_UP_S + seconds + TAIL_S), folder)
    seen_before = server.requests()
    command = [program, *generator.command(job)]
    with process.pinned(core):
        load = start_process(command, log=job.log, env=own_variables(job), cwd=folder)
    try:
        _await_first_requests(generator, server, load, job, seen_before + FIRST_REQUESTS)
        time.sleep(WARM_UP_S)
        begin = _look(generator, server, load, job)
        time.sleep(seconds)
        end = _look(generator, server, load, job)
        with contextlib.suppress(subprocess.TimeoutExpired):
            load.wait(job.seconds + END_TIMEOUT_S)
        if load.returncode not in generator.exit_codes:
            raise _ended_wrongly(generator, load, job)
    finally:
        stop_process(load)
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
    """Compare what a generator says with what the server saw.

    Raises:
        BenchError: it reports more.
    """
    if reported.requests > seen:
        raise BenchError(f"{name} reports {reported.requests} requests, the server saw {seen}")


def check_right(name: str, reported: Reported) -> None:
    """Refuse to compare errors.

    Raises:
        BenchError: a generator reports failures, or nothing at all.
    """
    if reported.failures or not reported.requests:
        raise BenchError(
            f"{name} reports {reported.failures} failures in {reported.requests} requests"
        )


def _await_first_requests(
    generator: Generator, server: Nginx, load: subprocess.Popen[bytes], job: Job, enough: int
) -> None:
    latest = time.monotonic() + START_TIMEOUT_S
    while server.requests() < enough:
        if load.poll() is not None or time.monotonic() > latest:
            raise _ended_wrongly(generator, load, job)
        time.sleep(POLL_S)


def _look(generator: Generator, server: Nginx, load: subprocess.Popen[bytes], job: Job) -> Look:
    if load.poll() is not None:
        raise _ended_wrongly(generator, load, job)
    try:
        return Look(
            requests=server.requests(),
            moment_s=time.perf_counter(),
            generator_cpu_s=cpu_s(load.pid),
            server_cpu_s=server.cpu_s(),
        )
    except psutil.NoSuchProcess:
        raise _ended_wrongly(generator, load, job) from None


def _ended_wrongly(generator: Generator, load: subprocess.Popen[bytes], job: Job) -> BenchError:
    code = load.poll()
    what = "did not load or did not end in time" if code is None else f"ended with code {code}"
    return BenchError(f"{generator.name} {what}: {last_words(job.log)}")

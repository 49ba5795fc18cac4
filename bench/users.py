"""`python -m bench.users`: what thousands of users cost one process, by client."""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
import psutil

from bench import REPORT, BenchError, charts, machine, process, report
from bench.command import Benchmark, base_parser, positive, run
from bench.generators import Reported, headless, locust
from bench.measure import check_seen
from bench.results import Client, Step, UserSteps
from bench.server import Nginx
from harness.config.settings import HTTP_CLIENTS
from harness.processes import cpu_s
from harness.recording.histograms import nearest_rank
from harness.results.formatting import count, rounded, time_ms

USERS = (1_000, 5_000, 10_000)
DRY_USERS = (100, 200)
SPAWN_RATE_PER_S = 500
SETTLE_S = 5.0
SPAWN_TIMEOUT_S = 120.0
REPORT_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 30.0
OTHER_FILES = 100  # open beside one socket per user

PEER = "FastHttpUser"
CLIENTS = (*HTTP_CLIENTS, PEER)
"""The suite with each HTTP_CLIENT, and the original test on Locust's FastHttpUser."""


class LoopReport(msgspec.Struct, frozen=True):
    """The report that `locustfiles/watch.py` writes."""

    requests: int
    failures: int
    response_p99_ms: float
    response_max_ms: float
    ramp_up_lags_s: list[float]
    lags_s: list[float]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, or render the last results again; return the exit code."""
    parser = base_parser("bench.users", __doc__ or "", seconds=20)
    parser.add_argument(
        "--users", type=positive, nargs="+", default=USERS, help="(1000 5000 10000)"
    )
    return run(BENCHMARK, parser.parse_args(arguments))


def _measure(options: argparse.Namespace, scratch: Path) -> UserSteps:
    seconds = 2 if options.dry else options.seconds
    numbers = sorted(set(DRY_USERS if options.dry else options.users))
    process.allow_open_files(max(numbers) + OTHER_FILES)
    generator_core, server_core = process.two_cores()
    clients = []
    with Nginx(scratch, server_core) as server:
        for name in CLIENTS:
            steps = []
            for users in numbers:
                own = scratch / f"{name}-{users}"
                own.mkdir()
                step = measure(name, users, server, generator_core, seconds, own)
                steps.append(step)
                print(_line(name, step), flush=True)
            clients.append(Client(name, steps))
    return UserSteps(machine.conditions(("nginx",)), seconds, SPAWN_RATE_PER_S, clients)


def measure(client: str, users: int, server: Nginx, core: int, seconds: int, folder: Path) -> Step:
    """Start `users` in one process on one core, and measure it once all of them run.

    `client` is one of `CLIENTS`; `folder` has to be empty.

    Raises:
        BenchError: the process ended early, or reports more requests than the server saw.
    """
    name = f"{client} with {users} users"
    spawned, loop_report = folder / "spawned", folder / "loop.json"
    seen_before = server.requests()
    with process.Processes(name, folder, STOP_TIMEOUT_S) as processes:
        load = _started(processes, client, users, server.url, core, seconds)
        processes.wait_until(  # the first request may be the suite's probe, before any user
            lambda: server.requests() > seen_before + 1, "sends nothing", SPAWN_TIMEOUT_S
        )
        first_s = time.monotonic()
        processes.wait_until(spawned.exists, "lacks users", SPAWN_TIMEOUT_S)
        spawned_s = time.monotonic() - first_s
        time.sleep(SETTLE_S)
        try:
            load.send_signal(signal.SIGUSR1)
            begin = time.perf_counter(), server.requests(), cpu_s(load.pid)
            time.sleep(seconds)
            end = time.perf_counter(), server.requests(), cpu_s(load.pid)
            rss_kb = psutil.Process(load.pid).memory_info().rss / 1024
            load.send_signal(signal.SIGUSR2)
        except psutil.NoSuchProcess:
            raise processes.error("ended early") from None
        processes.wait_until(loop_report.exists, "writes no report", REPORT_TIMEOUT_S)
        seen = server.requests() - seen_before
    loop = msgspec.json.decode(loop_report.read_bytes(), type=LoopReport)
    answered = loop.requests - loop.failures  # the server never sees a failed connection
    check_seen(name, Reported(answered, loop.failures), seen)
    lags_ms = sorted(lag_s * 1000 for lag_s in loop.lags_s)
    p50_ms, p99_ms = nearest_rank(lags_ms, 0.50), nearest_rank(lags_ms, 0.99)
    if p50_ms is None or p99_ms is None:
        raise BenchError(f"{name}: the event loop was blocked for {seconds} s")
    return Step(
        users=users,
        rss_kb=rss_kb,
        seconds=end[0] - begin[0],
        requests=end[1] - begin[1],
        failures=loop.failures,
        cpu_s=end[2] - begin[2],
        spawned_s=spawned_s,
        ramp_up_stop_ms=max(loop.ramp_up_lags_s) * 1000,
        lag_p50_ms=p50_ms,
        lag_p99_ms=p99_ms,
        lag_max_ms=lags_ms[-1],
        response_p99_ms=loop.response_p99_ms,
        response_max_ms=loop.response_max_ms,
    )


def _started(
    processes: process.Processes, client: str, users: int, url: str, core: int, seconds: int
) -> subprocess.Popen[bytes]:
    # The run ends when the process is stopped; its run time is only a safety limit.
    limit_s = int(2 * SPAWN_TIMEOUT_S + SETTLE_S + seconds + REPORT_TIMEOUT_S)
    folder = processes.folder
    variables = process.environment(
        RESULTS_DIR=str(folder / "results"),
        SPAWNED=str(folder / "spawned"),
        LOOP_REPORT=str(folder / "loop.json"),
    )
    if client == PEER:
        command = locust("thinking_original.py", "ThinkingOriginalUser")
    else:
        command = locust("thinking.py", "ThinkingUser")
        variables["HTTP_CLIENT"] = client
    command += headless(url, users, SPAWN_RATE_PER_S, limit_s)
    return processes.start(command, core, variables)


def _line(client: str, step: Step) -> str:
    return (
        f"{client:<13}{count(step.users):>7} users{step.rss_kb / 1024:>6.0f} MB"
        f"{rounded(step.requests_per_s):>8} requests/s{step.core_share * 100:>5.0f} % of the core"
        f"   lag p99 {time_ms(step.lag_p99_ms)} ms, max {time_ms(step.lag_max_ms)} ms"
    )


BENCHMARK = Benchmark(
    kind=UserSteps,
    data="users.json",
    document=REPORT,
    chart="users.png",
    measure=_measure,
    sections=lambda results: {report.USERS_MARK: report.users(results)},
    draw=charts.users,
)


if __name__ == "__main__":
    sys.exit(main())

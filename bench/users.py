"""`python -m bench.users`: what thousands of users cost one process, by client.

Exit codes as `python -m bench`.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import psutil

from bench import BENCH_DIR, REPORT, BenchError, machine, process, report
from bench.__main__ import add_common_options, destination, positive, run
from bench.generators import LOCUSTFILES, Reported
from bench.measure import check_seen
from bench.results import Client, Step, UserSteps, percentile, read, write
from bench.server import Nginx
from harness.processes import cpu_s, last_words, locustfiles, start_process, stop_process
from harness.settings import HTTP_CLIENTS

USERS = (1_000, 5_000, 10_000)
DRY_USERS = (100, 200)
SPAWN_RATE_PER_S = 500
SETTLE_S = 5.0
SPAWN_TIMEOUT_S = 120.0
REPORT_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 30.0
POLL_S = 0.05
OTHER_FILES = 100
JSON = "users.json"


class LoopReport(msgspec.Struct, frozen=True):
    """What `locustfiles/thinking.py` writes at the end."""

    requests: int
    failures: int
    response_p99_ms: float
    response_max_ms: float
    ramp_up_lags_s: list[float]
    lags_s: list[float]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, or draw again; return the exit code."""
    options = _parser().parse_args(arguments)
    return run(lambda: _redraw() if options.redraw else _measure(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.users", description=__doc__)
    parser.add_argument(
        "--users", type=positive, nargs="+", default=USERS, help="steps (1000 5000 10000)"
    )
    add_common_options(parser, seconds=20)
    return parser


def _measure(options: argparse.Namespace) -> None:
    seconds = 2 if options.dry else options.seconds
    numbers = sorted(set(DRY_USERS if options.dry else options.users))
    process.allow_open_files(max(numbers) + OTHER_FILES)
    generator_core, server_core = process.two_cores()
    clients = []
    with tempfile.TemporaryDirectory(prefix="notice-load-bench-") as scratch:
        folder = Path(scratch)
        with Nginx(folder, server_core) as server:
            for name in HTTP_CLIENTS:
                steps = []
                for users in numbers:
                    own = folder / f"{name}-{users}"
                    own.mkdir()
                    step = measure(name, users, server, generator_core, seconds, own)
                    steps.append(step)
                    print(_line(name, step), flush=True)
                clients.append(Client(name=name, steps=steps))
    results = UserSteps(
        conditions=machine.conditions(("nginx",)),
        seconds=seconds,
        spawn_rate_per_s=SPAWN_RATE_PER_S,
        clients=clients,
    )
    target = destination(options.dry)
    write(target / JSON, results)
    _draw(results, target)


def measure(client: str, users: int, server: Nginx, core: int, seconds: int, folder: Path) -> Step:
    """Let one process of its own carry some users, and look at it when they are all there.

    Args:
        client: HTTP_CLIENT.
        users: how many.
        server: a running one.
        core: the one that the process is pinned to.
        seconds: length of the measured phase.
        folder: an empty one, for what the process writes.

    Raises:
        BenchError: it ended early, or reports more requests than the server saw.
    """
    name = f"{client} with {users} users"
    spawned, loop_report, log = folder / "spawned", folder / "loop.json", folder / "log"
    seen_before = server.requests()
    load = _started(client, users, server, core, seconds, folder)
    try:

        def wait_for(true: Callable[[], object], what: str, timeout_s: float) -> None:
            latest = time.monotonic() + timeout_s
            while not true():
                if load.poll() is not None or time.monotonic() > latest:
                    raise BenchError(f"{name}: {what}: {last_words(log)}")
                time.sleep(POLL_S)

        wait_for(lambda: server.requests() > seen_before + 1, "sends nothing", SPAWN_TIMEOUT_S)
        first_s = time.monotonic()
        wait_for(spawned.exists, "does not spawn its users", SPAWN_TIMEOUT_S)
        spawned_s = time.monotonic() - first_s
        time.sleep(SETTLE_S)
        load.send_signal(signal.SIGUSR1)
        begin = time.perf_counter(), server.requests(), cpu_s(load.pid)
        time.sleep(seconds)
        end = time.perf_counter(), server.requests(), cpu_s(load.pid)
        rss_kb = psutil.Process(load.pid).memory_info().rss / 1024
        load.send_signal(signal.SIGUSR2)
        wait_for(loop_report.exists, "writes no report", REPORT_TIMEOUT_S)
        seen = server.requests() - seen_before
    except psutil.NoSuchProcess:
        raise BenchError(f"{name} ended early: {last_words(log)}") from None
    finally:
        stop_process(load, STOP_TIMEOUT_S)
    loop = msgspec.json.decode(loop_report.read_bytes(), type=LoopReport)
    answered = loop.requests - loop.failures  # a connection that never came about is not seen
    check_seen(name, Reported(answered, loop.failures), seen)
    if not loop.lags_s:
        raise BenchError(f"{name}: its event loop stood still for {seconds} s")
    lags_ms = [lag_s * 1000 for lag_s in loop.lags_s]
    return Step(
        users=users,
        rss_kb=rss_kb,
        seconds=end[0] - begin[0],
        requests=end[1] - begin[1],
        failures=loop.failures,
        cpu_s=end[2] - begin[2],
        spawned_s=spawned_s,
        ramp_up_stop_ms=max(loop.ramp_up_lags_s) * 1000,
        lag_p50_ms=percentile(lags_ms, 0.50),
        lag_p99_ms=percentile(lags_ms, 0.99),
        lag_max_ms=max(lags_ms),
        response_p99_ms=loop.response_p99_ms,
        response_max_ms=loop.response_max_ms,
    )


def _started(
    client: str, users: int, server: Nginx, core: int, seconds: int, folder: Path
) -> subprocess.Popen[bytes]:
    """Start locust; its own time limit is there in case that nobody stops it."""
    limit_s = int(2 * SPAWN_TIMEOUT_S + SETTLE_S + seconds + REPORT_TIMEOUT_S)
    command = [
        *(sys.executable, "-m", "locust", "-f", locustfiles(LOCUSTFILES / "thinking.py")),
        *("ThinkingUser", "--headless", "--only-summary"),
        *("--host", server.url, "--run-time", str(limit_s)),
        *("--users", str(users), "--spawn-rate", str(SPAWN_RATE_PER_S)),
    ]
    variables = process.environment(
        HTTP_CLIENT=client,
        RESULTS_DIR=str(folder / "results"),
        SPAWNED=str(folder / "spawned"),
        LOOP_REPORT=str(folder / "loop.json"),
    )
    with process.pinned(core):
        return start_process(command, log=folder / "log", env=variables, cwd=folder)


def _line(client: str, step: Step) -> str:
    return (
        f"{client:<9}{step.users:>7,} users{step.rss_kb / 1024:>7.0f} MB"
        f"{step.requests_per_s:>9,.0f} requests/s{step.cpu_percent:>5.0f} % of the core"
        f"   lag p99 {step.lag_p99_ms:.1f} ms, max {step.lag_max_ms:.0f} ms"
    )


def _redraw() -> None:
    _draw(read(BENCH_DIR / JSON, UserSteps), BENCH_DIR)


def _draw(results: UserSteps, target: Path) -> None:
    from bench import charts  # the tests of all else need no matplotlib

    measured = report.users(results)
    report.update(REPORT, target / REPORT.name, report.USERS_MARK, measured)
    charts.users(results, target / "users.png")
    print(f"\n{measured}\n\nwrote {REPORT.name}, {JSON} and users.png in {target}")


if __name__ == "__main__":
    sys.exit(main())

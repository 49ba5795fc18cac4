"""`python -m harness run | ui`: starts a server if no host is given, then Locust's processes.

The run itself is Locust's, with `harness.run` attached to its events. Whatever happens, everything
that was started here is stopped at the end.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from harness import ConfigurationError, processes
from harness.commands.locustfile import LOCUSTFILE
from harness.config.hosts import check_host
from harness.config.parsing import RUN_TIME_S, SPAWN_RATE, USERS, argument, whole
from harness.config.settings import PROJECT_DIR, Settings, redacted
from harness.experiments import deployments
from harness.results import run_folder

PROFILES_DIR = PROJECT_DIR / "conf" / "profiles"
LOCUST = (sys.executable, "-m", "locust")
DEFAULT_CONFIG = PROJECT_DIR / "conf" / "locust.conf"
POLL_S = 0.1
MAX_WORKERS = 256
KNOWN_EXITS = (0, 1, 2, 3)


def add_to(parser: argparse.ArgumentParser) -> None:
    """Add the options of both commands."""
    parser.add_argument("--host", help="server to test (default: HOST, or one of our own)")
    parser.add_argument("--profile", help="one of conf/profiles/")
    parser.add_argument("--users", type=argument(USERS), help="peak number of users")
    parser.add_argument("--spawn-rate", type=argument(SPAWN_RATE), help="users started a second")
    parser.add_argument(
        "--run-time", type=argument(RUN_TIME_S), help="duration such as 30s, 5m or 1h30m"
    )
    parser.add_argument(
        "--workers",
        type=argument(whole(1, MAX_WORKERS)),
        help="run master and so many workers",
    )
    parser.add_argument(
        "--enable-rebalancing",
        action="store_true",
        help="the users of a worker that is lost go to the others",
    )
    parser.add_argument("--seed", help="makes the choices of every user repeatable")
    parser.add_argument("--tags", nargs="+", help="only tasks with one of these tags")
    parser.add_argument("--exclude-tags", nargs="+", help="no task with one of these tags")
    parser.add_argument("--deployment", help="one of conf/deployments.toml (without a host)")
    parser.add_argument("--run-id", help="name of the folder under results/")


def run(options: argparse.Namespace, settings: Settings) -> int:
    """Make a run, or open the web UI; return the exit code."""
    config = _config(options.profile)
    with _server(options, settings) as (host, folder):
        return _locust(options, settings, config, host, folder)


def _config(profile: str | None) -> Path:
    if not profile:
        return DEFAULT_CONFIG
    known = sorted(path.stem for path in PROFILES_DIR.glob("*.conf"))
    if profile not in known:
        raise ConfigurationError(f"unknown profile {profile!r}; there are {', '.join(known)}")
    return PROFILES_DIR / f"{profile}.conf"


@contextlib.contextmanager
def _server(options: argparse.Namespace, settings: Settings) -> Iterator[tuple[str, Path]]:
    """Yield the host to test and the run's folder; start a server if no host was given."""
    host = options.host or os.environ.get("LOCUST_HOST") or settings.host
    if host:
        check_host(host, settings.allowed_hosts)
    run_id = options.run_id or run_folder.new_run_id()
    folder = run_folder.create(settings.results_dir, run_folder.checked_run_id(run_id))
    if host:
        yield host, folder
        return
    deployment = _deployment(options, settings)
    options.deployment = deployment.name
    print(f"starting the reference server: {deployment.title}, on SQLite", flush=True)
    with deployments.Server(deployment, folder, settings.alarm_fields) as server:
        yield server.url, folder


def _deployment(options: argparse.Namespace, settings: Settings) -> deployments.Deployment:
    known = deployments.load(settings.deployments_file)
    name = options.deployment or settings.deployment or deployments.DEFAULT
    if name not in known:
        raise ConfigurationError(f"unknown deployment {name!r}; there are {', '.join(known)}")
    return known[name]


def _locust(
    options: argparse.Namespace, settings: Settings, config: Path, host: str, folder: Path
) -> int:
    command = [*LOCUST, "--config", str(config), "-f", _locustfiles(config)]
    for name in ("users", "spawn_rate", "run_time", "seed", "web_port"):
        if (value := getattr(options, name, None)) is not None:
            command += [f"--{name.replace('_', '-')}={value}"]
    for name in ("tags", "exclude_tags"):
        if value := getattr(options, name):
            command += [f"--{name.replace('_', '-')}", *value]
    if options.profile:
        command += ["--profile", options.profile]
    command += ["--run-id", folder.name]
    workers: list[subprocess.Popen[bytes]] = []
    if options.workers:
        port = processes.free_port()
        workers = [_worker(port, number, folder) for number in range(1, options.workers + 1)]
        command += ["--master", f"--master-bind-port={port}"]
        command += [f"--expect-workers={options.workers}"]
        command += ["--enable-rebalancing"] if options.enable_rebalancing else []
    if options.command == "run":
        command += ["--headless", "--only-summary", "--logfile", str(folder / "locust.log")]
        print(f"load on {redacted(host)}, results in {folder}/", flush=True)
    # The host is passed in the environment: a list of processes would show its credentials.
    env = processes.child_environment(LOCUST_HOST=host)
    locust = processes.start_process(command, env=env, cwd=None)
    try:
        _await(locust, workers, folder)
    finally:
        # Audit and cleanup may take `cleanup_timeout_s` each.
        limit_s = settings.answer_timeout_s + 2 * settings.cleanup_timeout_s
        processes.stop_processes([locust, *workers], limit_s)
    return _outcome(locust.returncode, folder)


def _locustfiles(config: Path) -> str:
    """Return the locustfile, and the load curve if the profile has one, for any folder."""
    curve = config.with_suffix(".py")
    return processes.locustfiles(*(path for path in (LOCUSTFILE, curve) if path.exists()))


def _worker(port: int, number: int, folder: Path) -> subprocess.Popen[bytes]:
    command = [*LOCUST, "-f", processes.locustfiles(LOCUSTFILE)]
    command += ["--worker", f"--master-port={port}"]
    return processes.start_process(command, log=folder / f"worker-{number}.log")


def _await(
    locust: subprocess.Popen[bytes], workers: Sequence[subprocess.Popen[bytes]], folder: Path
) -> None:
    """Wait for Locust; pass on the first Ctrl-C, and let the run finish with a report."""
    stopping = False
    while locust.poll() is None:
        try:
            time.sleep(POLL_S)
            begun = (folder / run_folder.MANIFEST).exists()
            # Otherwise Locust's master would wait for the missing worker for ever.
            if not begun and any(worker.poll() is not None for worker in workers):
                print(f"error: a worker ended before the run; see {folder}/", file=sys.stderr)
                return
        except KeyboardInterrupt:
            if stopping:
                return
            stopping = True
            print("\nstopping; once more to stop at once", file=sys.stderr, flush=True)
            locust.terminate()


def _outcome(code: int, folder: Path) -> int:
    if code in KNOWN_EXITS:
        return code
    if code == -signal.SIGTERM and not (folder / run_folder.MANIFEST).exists():
        print("stopped before the run began", file=sys.stderr)
        return 3
    print(f"error: locust ended with {code}; see {folder / 'locust.log'}", file=sys.stderr)
    return 3

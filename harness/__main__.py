"""`python -m harness run | ui | report | cleanup | compare | baseline`: beyond one locust process.

It starts a server to test when no host is named, starts locust's processes, and stops all of them.
The run itself is locust's; `harness.lifecycle` watches over it. `report` draws a run again,
`cleanup` deletes what one has left on its server.
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
from types import FrameType
from typing import NoReturn

from harness import ConfigurationError, deployments, processes, runfolder
from harness.compare import options as experiment_options
from harness.compare.files import PLAN
from harness.guard import check_host
from harness.parsing import RUN_TIME_S, SPAWN_RATE, USERS, argument, whole
from harness.settings import PROJECT_DIR, Settings, load, redacted
from harness.two_runs import options as two_runs_options

PROFILES_DIR = PROJECT_DIR / "conf" / "profiles"
LOCUST = (sys.executable, "-m", "locust")
LOCUSTFILE = PROJECT_DIR / "locustfile.py"
DEFAULT_CONFIG = PROJECT_DIR / "conf" / "locust.conf"
POLL_S = 0.1
MAX_WORKERS = 256
KNOWN_EXITS = (0, 1, 2, 3)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0 pass, 1 failures, 2 wrong usage, 3 invalid.

    That of `report` is 0 when it was drawn, whatever the verdict is; that of `cleanup` 1 when
    something is left.
    """
    options = _parser().parse_args(arguments)
    for name in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, _interrupt)
    try:
        if options.command == "report":
            return _report(options.folder)
        settings = load()
        if options.command == "cleanup":
            from harness import after_run  # brings locust along, and its patched sockets

            return after_run.clean_up(options.folder, settings)
        if options.command == "baseline" or _is_of_two_runs(options):
            return _two_runs(options, settings)
        if options.command == "compare":
            from harness.compare import command  # brings scipy along, which a run does without

            return command.run(options, settings)
        config = _config(options.profile)
        with _server(options, settings) as (host, folder):
            return _locust(options, settings, config, host, folder)
    except ConfigurationError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        what = "the run began" if options.command in ("run", "ui") else "it was done"
        print(f"interrupted before {what}", file=sys.stderr)
        return 3


def _parser() -> argparse.ArgumentParser:
    parser = _OneLineParser(prog="python -m harness", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser(
        "run", help="a headless run, from the start of a server to the table"
    )
    ui = commands.add_parser("ui", help="locust's web UI")
    ui.add_argument("--web-port", help="port of the web UI (default 8089)")
    for command in (run, ui):
        command.add_argument("--host", help="server to test (default: HOST, or one of our own)")
        command.add_argument("--profile", help="one of conf/profiles/")
        command.add_argument("--users", type=argument(USERS), help="peak number of users")
        command.add_argument(
            "--spawn-rate", type=argument(SPAWN_RATE), help="users started a second"
        )
        command.add_argument(
            "--run-time", type=argument(RUN_TIME_S), help="duration such as 30s, 5m or 1h30m"
        )
        command.add_argument(
            "--workers",
            type=argument(whole(1, MAX_WORKERS)),
            help="run master and so many workers",
        )
        command.add_argument(
            "--enable-rebalancing",
            action="store_true",
            help="the users of a worker that is lost go to the others",
        )
        command.add_argument("--seed", help="makes the choices of every user repeatable")
        command.add_argument("--tags", nargs="+", help="only tasks with one of these tags")
        command.add_argument("--exclude-tags", nargs="+", help="no task with one of these tags")
        command.add_argument("--deployment", help="one of conf/deployments.toml (without a host)")
        command.add_argument("--run-id", help="name of the folder under results/")
    compare = commands.add_parser("compare", help="which deployment carries more")
    experiment_options.add_to(compare)
    two_runs_options.add_to(compare)
    baseline = commands.add_parser("baseline", help="keep a run, to compare later ones with")
    baseline.add_argument("folder", type=Path, metavar="results/RUN_ID")
    report = commands.add_parser("report", help="draw a run again, from the files of its folder")
    report.add_argument("folder", type=Path, help="results/RUN_ID")
    cleanup = commands.add_parser("cleanup", help="delete what a run has left on its server")
    cleanup.add_argument("folder", type=Path, metavar="results/RUN_ID")
    return parser


class _OneLineParser(argparse.ArgumentParser):
    """Says what is wrong in one line, without the usage above it."""

    def error(self, message: str) -> NoReturn:
        """End with exit code 2."""
        self.exit(2, f"error: {message}\n")


def _report(folder: Path) -> int:
    if (folder / PLAN).exists():
        from harness.compare import command

        what = command.judge(folder).finding.removesuffix(".")
    else:
        from harness.report.writing import draw  # brings matplotlib, which a run does without

        what = draw(folder).verdict
    print(f"{what}, report: {folder / 'report.html'}")
    return 0


def _is_of_two_runs(options: argparse.Namespace) -> bool:
    if options.command != "compare":
        return False
    return bool(options.folders) or options.anyway or options.max_slowdown is not None


def _two_runs(options: argparse.Namespace, settings: Settings) -> int:
    from harness.two_runs import command  # brings scipy along, as above

    results_dir = settings.results_dir
    if options.command == "baseline":
        return command.keep(options.folder, results_dir)
    if given := ", ".join(experiment_options.given(options)):
        raise ConfigurationError(f"{given}: not with run folders, which are compared as they are")
    return command.run(options.folders, options.max_slowdown, options.anyway, results_dir)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _config(profile: str | None) -> Path:
    if not profile:
        return DEFAULT_CONFIG
    known = sorted(path.stem for path in PROFILES_DIR.glob("*.conf"))
    if profile not in known:
        raise ConfigurationError(f"unknown profile {profile!r}; there are {', '.join(known)}")
    return PROFILES_DIR / f"{profile}.conf"


@contextlib.contextmanager
def _server(options: argparse.Namespace, settings: Settings) -> Iterator[tuple[str, Path]]:
    """Give the host to test and the run's folder; start a server when no host was named."""
    host = options.host or os.environ.get("LOCUST_HOST") or settings.host
    if host:
        check_host(host, settings.allowed_hosts)
    run_id = options.run_id or runfolder.new_run_id()
    folder = runfolder.create(settings.results_dir, runfolder.checked_run_id(run_id))
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
    # The host goes by the environment: credentials in it would show in the list of processes.
    env = processes.inherited(LOCUST_HOST=host)
    locust = processes.start_process(command, env=env, cwd=None)
    try:
        _await(locust, workers, folder)
    finally:
        limit_s = settings.answer_timeout_s + 2 * settings.cleanup_timeout_s
        processes.stop_processes([locust, *workers], limit_s)
    return _outcome(locust.returncode, folder)


def _locustfiles(config: Path) -> str:
    """Return the locustfile, and the curve of a profile that has one, found from any folder."""
    curve = config.with_suffix(".py")
    return processes.locustfiles(*(path for path in (LOCUSTFILE, curve) if path.exists()))


def _worker(port: int, number: int, folder: Path) -> subprocess.Popen[bytes]:
    command = [*LOCUST, "-f", processes.locustfiles(LOCUSTFILE)]
    command += ["--worker", f"--master-port={port}"]
    return processes.start_process(command, log=folder / f"worker-{number}.log")


def _await(
    locust: subprocess.Popen[bytes], workers: Sequence[subprocess.Popen[bytes]], folder: Path
) -> None:
    """Wait for locust; pass the first Ctrl-C on, and let it finish with a report."""
    stopping = False
    while locust.poll() is None:
        try:
            time.sleep(POLL_S)
            begun = (folder / runfolder.MANIFEST).exists()
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
    if code == -signal.SIGTERM and not (folder / runfolder.MANIFEST).exists():
        print("stopped before the run began", file=sys.stderr)
        return 3
    print(f"error: locust ended with {code}; see {folder / 'locust.log'}", file=sys.stderr)
    return 3


if __name__ == "__main__":
    sys.exit(main())

"""Runs an experiment: every variant once per round, on a server of its own, step by step.

Invariant: a run counts once its `server.json` is written. A run without one is removed and made
again when the experiment is resumed.
"""

from __future__ import annotations

import hashlib
import random
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec import Struct

from harness import ConfigurationError
from harness.config.settings import Settings
from harness.experiments.compare import files, server_load, step_search
from harness.experiments.compare.files import Plan, ServerEnd
from harness.experiments.compare.judging import Rounds, read_run
from harness.experiments.compare.progress import Display, spawn_rate_per_s, step_s
from harness.experiments.deployments import Deployment, Server
from harness.processes import child_environment, last_line, start_process, stop_process
from harness.results import run_folder

SERVERS = "servers"
WRONG_USAGE = 2
POLL_S = 0.1
SAMPLE_INTERVAL_S = 1.0
"""Time between two samples of the server's CPU and memory."""
MARGIN_S = 60.0
"""A run hangs if it takes this much longer than its load, last responses and cleanup may."""


def turns(plan: Plan) -> Iterator[tuple[int, str]]:
    """Yield (round, variant) in the order of the experiment, which the seed shuffles per round.

    Otherwise a machine that warms up, or a neighbour that gets busy, could always affect the same
    variant.
    """
    for number in range(1, plan.rounds + 1):
        names = [variant.name for variant in plan.variants]
        random.Random(f"{plan.seed}/{number}").shuffle(names)
        for name in names:
            yield number, name


def seed_of(plan: Plan, number: int, users: int) -> int:
    """Return the seed of a step, the same for every variant: their users choose alike."""
    digest = hashlib.sha256(f"{plan.seed}/{number}/{users}".encode()).digest()
    return int.from_bytes(digest[:4], "big")


def run(folder: Path, plan: Plan, known: Mapping[str, Deployment], settings: Settings) -> None:
    """Make the missing runs of an experiment in its folder.

    `known` has the deployment of each variant by name.

    Raises:
        ConfigurationError: a server does not start, or a run refuses its options; finished runs
            are kept.
    """
    _forget_unfinished(folder)
    rounds = Rounds(folder)
    left = [
        (place, number, name)
        for place, (number, name) in enumerate(turns(plan), 1)
        if not rounds.is_done(name, number)
    ]
    with Display(plan, len(left)) as display:
        for place, number, name in left:
            display.begin_turn(number, name, place)
            turn = _Turn(folder, plan, number, name, known[name], settings, display)
            while turn.next_users() is not None:
                turn.serve()
            display.end_turn()


class _Turn(Struct, frozen=True):
    """One variant in one round."""

    folder: Path
    plan: Plan
    number: int
    name: str
    deployment: Deployment
    settings: Settings
    display: Display

    def next_users(self) -> int | None:
        return step_search.next_users(self.plan, Rounds(self.folder).held(self.name, self.number))

    def serve(self) -> None:
        """Start a server and make the steps that are left, until one of its programs dies."""
        logs = self.folder / SERVERS / f"r{self.number}-{self.name}"
        while logs.exists():
            logs = logs.with_name(f"{logs.name}-again")
        logs.mkdir(parents=True)
        with Server(self.deployment, logs, self.settings.alarm_fields) as server:
            while (users := self.next_users()) is not None:
                if self._step(server, users) is not None:
                    return

    def _step(self, server: Server, users: int) -> str | None:
        """Make one run; return which program of the server died, or None."""
        folder = self.folder / files.RUNS / f"r{self.number}-{self.name}-{users}"
        is_again = folder.exists()
        if is_again:
            folder = folder.with_name(f"{folder.name}-again")
        folder.mkdir(parents=True)
        end = ServerEnd(
            variant=self.name,
            round=self.number,
            users=users,
            attempt=1 + is_again,
            died=self._load(server, users, folder),
        )
        files.write(folder, end)
        self.display.report(read_run(folder, end)[0])
        return end.died

    def _load(self, server: Server, users: int, folder: Path) -> str | None:
        settings, planned_s = self.settings, step_s(self.plan, users)
        process = start_process(
            self._command(server.url, users, planned_s, folder.name),
            log=folder / "run.log",
            env=child_environment(
                RESULTS_DIR=str((self.folder / files.RUNS).resolve()),
                SLO_FILE=str((self.folder / run_folder.OBJECTIVES).resolve()),
                WARM_UP_S=f"{self.plan.warm_up_s:f}",
                DEPLOYMENT=self.name,
                DRAW_REPORT="0",
            ),
        )
        last_s = settings.connect_timeout_s + settings.answer_timeout_s
        last_s += 2 * settings.cleanup_timeout_s  # for reading devices back, and deleting them
        try:
            began = time.monotonic()
            latest, next_look = began + planned_s + last_s + MARGIN_S, began
            while process.poll() is None and (now := time.monotonic()) < latest:
                if now >= next_look:
                    next_look = now + SAMPLE_INTERVAL_S
                    _sample_server(server, folder)
                    self.display.show(self.name, users, now - began)
                    if server.died() is not None:
                        break
                time.sleep(POLL_S)
            # The other runs would be refused too, unless it is only that the server died.
            if process.poll() == WRONG_USAGE and server.died() is None:
                raise ConfigurationError(last_line(folder / "run.log").removeprefix("error: "))
            _sample_server(server, folder)  # the last steady second must lie between two samples
            return server.died()
        finally:
            stop_process(process, last_s)

    def _command(self, url: str, users: int, planned_s: float, run_id: str) -> list[str]:
        options = {
            "host": url,
            "run-id": run_id,
            "users": users,
            "spawn-rate": f"{spawn_rate_per_s(users):g}",
            "run-time": f"{planned_s:.0f}s",
            "seed": seed_of(self.plan, self.number, users),
        }
        command = [sys.executable, "-m", "harness", "run"]
        command += [f"--{name}={value}" for name, value in options.items()]
        for name, tags in (("--tags", self.plan.tags), ("--exclude-tags", self.plan.exclude_tags)):
            command += [name, *tags] if tags else []
        return command


def _sample_server(server: Server, folder: Path) -> None:
    if (row := server_load.sample(server.pids)) is not None:
        files.append_server_second(folder, row)


def _forget_unfinished(folder: Path) -> None:
    """Remove the unfinished run of an interrupted experiment, and databases if it was killed."""
    for database in (folder / SERVERS).glob("*/*.sqlite3*"):
        database.unlink()
    for path in (folder / files.RUNS).glob("*"):
        if not (path / files.SERVER).exists():
            shutil.rmtree(path)

"""Runs an experiment: in each round every variant once, on a server of its own, step by step."""

from __future__ import annotations

import hashlib
import random
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec import Struct

from harness import ConfigurationError, runfolder
from harness.compare import files, ladder, server_load
from harness.compare.files import Plan, ServerEnd
from harness.compare.judging import Rounds, read_run
from harness.compare.progress import Display, spawn_rate_per_s, step_s
from harness.deployments import Deployment, Server
from harness.processes import inherited, last_words, start_process, stop_process
from harness.settings import Settings

SERVERS = "servers"
WRONG_USAGE = 2
POLL_S = 0.1
LOOK_S = 1.0
MARGIN_S = 60.0
"""A run that takes so much longer than planned, and than its last answers may, hangs."""


def turns(plan: Plan) -> Iterator[tuple[int, str]]:
    """Yield (round, variant) in the order of the experiment: shuffled in each round by the seed.

    A machine that gets warmer, or a neighbour who comes, is not to hit the same variant always.
    """
    for number in range(1, plan.rounds + 1):
        names = [variant.name for variant in plan.variants]
        random.Random(f"{plan.seed}/{number}").shuffle(names)
        for name in names:
            yield number, name


def seed_of(plan: Plan, number: int, users: int) -> int:
    """Return the seed of a step, the same for every variant: its users make the same choices."""
    digest = hashlib.sha256(f"{plan.seed}/{number}/{users}".encode()).digest()
    return int.from_bytes(digest[:4], "big")


def run(folder: Path, plan: Plan, known: Mapping[str, Deployment], settings: Settings) -> None:
    """Make all runs of an experiment that are not made yet, into its folder.

    `known` has the deployment of each variant by name.

    Raises:
        ConfigurationError: a server does not start, or a run refuses its options; the finished
            runs are kept.
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
        return ladder.next_users(self.plan, Rounds(self.folder).held(self.name, self.number))

    def serve(self) -> None:
        """Start a server and make the steps that are left, as long as it lives."""
        logs = self.folder / SERVERS / f"r{self.number}-{self.name}"
        while logs.exists():
            logs = logs.with_name(f"{logs.name}-again")
        logs.mkdir(parents=True)
        with Server(self.deployment, logs, self.settings.alarm_fields) as server:
            while (users := self.next_users()) is not None:
                if self._step(server, users) is not None:
                    return

    def _step(self, server: Server, users: int) -> str | None:
        """Make one run; return what died."""
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
            env=inherited(
                RESULTS_DIR=str((self.folder / files.RUNS).resolve()),
                SLO_FILE=str((self.folder / runfolder.OBJECTIVES).resolve()),
                WARM_UP_S=f"{self.plan.warm_up_s:f}",
                DEPLOYMENT=self.name,
                DRAW_REPORT="0",
            ),
        )
        last_s = settings.connect_timeout_s + settings.answer_timeout_s
        last_s += 2 * settings.cleanup_timeout_s  # devices are read back, then deleted
        try:
            began = time.monotonic()
            latest, next_look = began + planned_s + last_s + MARGIN_S, began
            while process.poll() is None and (now := time.monotonic()) < latest:
                if now >= next_look:
                    next_look = now + LOOK_S
                    _look(server, folder)
                    self.display.show(self.name, users, now - began)
                    if server.died() is not None:
                        break
                time.sleep(POLL_S)
            if process.poll() == WRONG_USAGE and server.died() is None:
                raise ConfigurationError(last_words(folder / "run.log").removeprefix("error: "))
            _look(server, folder)  # once more, so that no second that counts lies behind it
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


def _look(server: Server, folder: Path) -> None:
    if (row := server_load.look(server.pids)) is not None:
        files.append_server_second(folder, row)


def _forget_unfinished(folder: Path) -> None:
    """Remove what an interrupted experiment left: its open run, and databases if it was killed."""
    for database in (folder / SERVERS).glob("*/*.sqlite3*"):
        database.unlink()
    for path in (folder / files.RUNS).glob("*"):
        if not (path / files.SERVER).exists():
            shutil.rmtree(path)

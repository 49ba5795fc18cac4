"""Runs an experiment: in each round every variant once, on a server of its own, step by step."""

from __future__ import annotations

import hashlib
import random
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from harness import ConfigurationError, runfolder
from harness.compare import files, ladder, server_load
from harness.compare.files import Plan, Run, ServerEnd
from harness.compare.judging import Rounds
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


def run(
    folder: Path, plan: Plan, deployments: Mapping[str, Deployment], settings: Settings
) -> None:
    """Make all runs of an experiment that are not made yet.

    Args:
        folder: of the comparison, with its plan in it; the run folders go into it.
        plan: of the experiment.
        deployments: by the name of the variant.
        settings: the suite's.

    Raises:
        ConfigurationError: a server cannot be started, or a run refuses what it is told; the
            finished runs are kept.
    """
    _forget_unfinished(folder)
    rounds = Rounds(folder)
    left = sum(not rounds.is_done(variant, number) for number, variant in turns(plan))
    with Display(plan, left) as display:
        for place, (number, name) in enumerate(turns(plan), 1):
            if Rounds(folder).is_done(name, number):
                continue
            display.begin_turn(number, name, place)
            turn = _Turn(folder, plan, number, deployments[name], name, settings, display)
            while turn.next_users() is not None:
                turn.serve()
            display.end_turn()


class _Turn:
    """One variant in one round."""

    def __init__(
        self,
        folder: Path,
        plan: Plan,
        number: int,
        deployment: Deployment,
        name: str,
        settings: Settings,
        display: Display,
    ) -> None:
        self._folder = folder
        self._plan = plan
        self._number = number
        self._deployment = deployment
        self._name = name
        self._settings = settings
        self._display = display

    def next_users(self) -> int | None:
        held = Rounds(self._folder).held(self._name, self._number)
        return ladder.next_users(self._plan, held)

    def serve(self) -> None:
        """Start a server and make the steps that are left, as long as it lives."""
        logs = self._folder / SERVERS / f"r{self._number}-{self._name}"
        while logs.exists():
            logs = logs.with_name(f"{logs.name}-again")
        logs.mkdir(parents=True)
        with Server(self._deployment, logs, self._settings.alarm_fields) as server:
            while (users := self.next_users()) is not None:
                if self._step(server, users) is not None:
                    return

    def _step(self, server: Server, users: int) -> str | None:
        """Make one run; return what died."""
        before = Rounds(self._folder).runs
        where = self._name, self._number, users
        attempt = 1 + sum((run.variant, run.round, run.users) == where for run in before)
        run_id = f"r{self._number}-{self._name}-{users}" + "-again" * (attempt > 1)
        folder = self._folder / files.RUNS / run_id
        folder.mkdir(parents=True)
        died = self._load(server, users, folder)
        end = ServerEnd(
            variant=self._name, round=self._number, users=users, attempt=attempt, died=died
        )
        files.write(folder, end)
        self._display.report(self._made(folder))
        return died

    def _load(self, server: Server, users: int, folder: Path) -> str | None:
        planned_s = step_s(self._plan, users)
        process = start_process(
            self._command(server.url, users, planned_s, folder.name),
            log=folder / "run.log",
            env=self._environment(),
        )
        settings = self._settings
        last_s = settings.connect_timeout_s + settings.answer_timeout_s
        last_s += 2 * settings.cleanup_timeout_s  # devices are read back, then deleted
        try:
            began = time.monotonic()
            latest, next_look = began + planned_s + last_s + MARGIN_S, began
            while process.poll() is None and (now := time.monotonic()) < latest:
                if now >= next_look:
                    next_look = now + LOOK_S
                    self._look(server, folder)
                    self._display.show(self._name, users, now - began)
                    if server.died() is not None:
                        break
                time.sleep(POLL_S)
            if process.poll() == WRONG_USAGE and server.died() is None:
                raise ConfigurationError(last_words(folder / "run.log").removeprefix("error: "))
            self._look(server, folder)  # once more, so that no second that counts lies behind it
            return server.died()
        finally:
            stop_process(process, last_s)

    def _look(self, server: Server, folder: Path) -> None:
        if (row := server_load.look(server.pids)) is not None:
            files.append_server_second(folder, row)

    def _made(self, folder: Path) -> Run:
        where = str(folder.relative_to(self._folder))
        return next(run for run in Rounds(self._folder).runs if run.folder == where)

    def _command(self, url: str, users: int, planned_s: float, run_id: str) -> list[str]:
        plan = self._plan
        command = [
            *(sys.executable, "-m", "harness", "run", "--host", url, "--run-id", run_id),
            *("--users", str(users), "--spawn-rate", f"{spawn_rate_per_s(users):g}"),
            *("--run-time", f"{planned_s:.0f}s"),
            *("--seed", str(seed_of(plan, self._number, users))),
        ]
        for name, tags in (("--tags", plan.tags), ("--exclude-tags", plan.exclude_tags)):
            command += [name, *tags] if tags else []
        return command

    def _environment(self) -> dict[str, str]:
        return inherited(
            RESULTS_DIR=str((self._folder / files.RUNS).resolve()),
            SLO_FILE=str((self._folder / runfolder.OBJECTIVES).resolve()),
            WARM_UP_S=str(self._plan.warm_up_s),
            DEPLOYMENT=self._name,
            DRAW_REPORT="0",
        )


def _forget_unfinished(folder: Path) -> None:
    """Remove what an interrupted experiment left: its open run, and databases if it was killed."""
    for database in (folder / SERVERS).glob("*/*.sqlite3*"):
        database.unlink()
    for path in (folder / files.RUNS).glob("*"):
        if not (path / files.SERVER).exists():
            shutil.rmtree(path)

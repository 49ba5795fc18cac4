"""A distributed run whose master and workers a test starts by hand, and its results."""

from __future__ import annotations

import subprocess
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from harness.config.settings import PROJECT_DIR
from harness.devices.pool import device_id
from harness.processes import free_port, locustfiles
from support.commands import Commands, Finished, wait_until
from support.notice_server import NoticeServer

WRITE_LOG = PROJECT_DIR / "tests" / "integration" / "locustfiles" / "write_log.py"
SEED = 11
MAX_DEVICES = 400
Process = subprocess.Popen[str]


class Parts:
    """A master and its workers, each started by the test."""

    def __init__(self, commands: Commands, server: NoticeServer) -> None:
        self.commands = commands
        self.server = server
        self.port = str(free_port())
        self.logs = commands.folder / "writes"
        self.logs.mkdir()
        self.started: list[Process] = []

    def start(self, *arguments: str, file: Path = WRITE_LOG, **env: str) -> Process:
        """Start Locust with a locustfile; `worker` and `master` take the same options."""
        command = ("-m", "locust", "-f", locustfiles(file), *arguments)
        usual = {"WRITE_LOG": str(self.logs), "ANSWER_TIMEOUT_S": "2"}
        process = self.commands.start(*command, **{**usual, **env})
        self.started.append(process)
        return process

    def worker(self, **options: object) -> Process:
        return self.start("--worker", f"--master-port={self.port}", **options)  # type: ignore[arg-type]

    def master(self, users: int, workers: int, *arguments: str, **options: object) -> Process:
        return self.start(
            "--headless",
            "--only-summary",
            "--master",
            f"--master-bind-port={self.port}",
            f"--expect-workers={workers}",
            f"--users={users}",
            f"--spawn-rate={users}",
            f"--seed={SEED}",
            "--run-id=run",
            "--tags",
            "write",
            "--host",
            self.server.url,
            *arguments,
            **options,  # type: ignore[arg-type]
        )

    @property
    def folder(self) -> Path:
        """Return the folder of the run."""
        return self.commands.results / "run"

    def writes(self, since_s: float = 0.0) -> dict[int, set[int]]:
        """Return, per worker, the workers whose devices it wrote to after `since_s`."""
        owner = {
            device_id(SEED, worker, number): worker
            for worker in range(6)
            for number in range(MAX_DEVICES)
        }
        written = defaultdict(set)
        for path in self.logs.iterdir():
            for line in path.read_text().splitlines():
                writer, id_, time_s = line.split()
                if float(time_s) > since_s:
                    written[int(writer)].add(owner[id_])
        return dict(written)

    def wait(
        self, true: Callable[[], object], what: str, alive: Sequence[Process] | None = None
    ) -> None:
        """Wait until `true()` holds; fail at once if a process that has to run has ended.

        Args:
            true: the condition.
            what: its description, for the failure.
            alive: the processes that have to run; all by default.
        """

        def is_true() -> bool:
            for process in self.started if alive is None else alive:
                if process.poll() is not None:
                    pytest.fail(f"not yet: {what}; but one has ended: {process.communicate()}")
            return bool(true())

        wait_until(is_true, what)

    def end(self, process: Process) -> Finished:
        return self.commands.finish(process)

    def stop(self) -> None:
        for process in self.started:
            if process.poll() is None:
                process.kill()
                process.communicate()


def broken_rules(run: Finished) -> list[str]:
    return [rule["name"] for rule in run.summary["validity"] if not rule["kept"]]


def puts_after_deletes(server: NoticeServer) -> list[str]:
    methods = [method for method, target, _ in server.requests if target == "/accounts/device"]
    return methods[methods.index("DELETE") :]

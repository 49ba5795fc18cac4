"""Child processes of the bench: pinned to a core, awaited, stopped; and the open-file limit."""

from __future__ import annotations

import os
import resource
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Self

from bench import BenchError
from harness import ConfigurationError
from harness.config.settings import NAMES, PROJECT_DIR
from harness.processes import STOP_TIMEOUT_S, last_line, start_process, stop_processes

POLL_S = 0.02


def two_cores() -> tuple[int, int]:
    """Return a core for the generator and another one for the server.

    Raises:
        ConfigurationError: this process may not use two cores.
    """
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(cores) < 2:
        raise ConfigurationError("the bench needs Linux and two cores: generator and server")
    return cores[0], cores[1]


@contextmanager
def pinned(core: int) -> Iterator[None]:
    """Pin processes started inside the block, and their children, to one core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})  # children inherit it
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class Processes:
    """A group of child processes; a context manager that stops them.

    Attributes:
        folder: working directory and place of the logs.
        running: the processes, in start order.
    """

    def __init__(self, name: str, folder: Path, stop_timeout_s: float = STOP_TIMEOUT_S) -> None:
        """Start nothing yet; error messages begin with `name`."""
        self.folder = folder
        self.running: list[subprocess.Popen[bytes]] = []
        self._name = name
        self._stop_timeout_s = stop_timeout_s

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Stop all processes that still run."""
        stop_processes(self.running, self._stop_timeout_s)

    def start(
        self, command: Sequence[str], core: int | None = None, env: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a program, pinned to `core` if given."""
        log = self.log(len(self.running))
        with nullcontext() if core is None else pinned(core):
            self.running.append(start_process(command, log=log, env=env, cwd=self.folder))
        return self.running[-1]

    def log(self, number: int = 0) -> Path:
        """Return the path of the output of process `number`."""
        return self.folder / f"log-{number}"

    def wait_until(self, is_done: Callable[[], bool], otherwise: str, timeout_s: float) -> None:
        """Poll until `is_done()` returns True.

        Raises:
            BenchError: a process ended, or the time ran out; `otherwise` says what is missing.
        """
        latest = time.monotonic() + timeout_s
        while not is_done():
            if time.monotonic() > latest or self._ended():
                raise self.error(otherwise)
            time.sleep(POLL_S)

    def wait_for_end(self, timeout_s: float) -> None:
        """Wait until all processes have ended.

        Raises:
            BenchError: one still runs after `timeout_s`.
        """
        latest = time.monotonic() + timeout_s
        try:
            for each in self.running:
                each.wait(max(0.0, latest - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise self.error("does not end") from None

    def error(self, what: str) -> BenchError:
        """Return an error with the last output line of a process that ended, or of the first."""
        ended = self._ended()
        if ended:
            what += f": ended with code {self.running[ended[-1]].returncode}"
        words = last_line(self.log((ended or [0])[-1]))
        return BenchError(f"{self._name}: {what}: {words}")

    def _ended(self) -> list[int]:
        return [n for n, each in enumerate(self.running) if each.poll() is not None]


def allow_open_files(needed: int) -> None:
    """Raise the soft limit on open files to the hard limit.

    Raises:
        ConfigurationError: the hard limit is too low.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise ConfigurationError(
            f"only {hard} files may be open, {needed} are needed; raise it: ulimit -Hn {needed}"
        )


def environment(**own: str) -> dict[str, str]:
    """Return an environment without the developer's settings, in which `bench` is importable."""
    clean = {
        name: value
        for name, value in os.environ.items()
        if name not in NAMES and not name.startswith(("LOCUST_", "K6_"))
    }
    return {**clean, "PYTHONPATH": str(PROJECT_DIR), **own}

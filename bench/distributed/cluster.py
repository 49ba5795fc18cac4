"""A master with its workers, or one process without: real ones, started, looked at, and ended."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

import psutil

from bench import BENCH_DIR, BenchError, process
from bench.distributed.counter import read_looks
from bench.distributed.messages import Look
from bench.distributed.moments import Moment, carried_by_tcp
from bench.distributed.results import Load
from bench.server import Nginx
from harness import runfolder
from harness.processes import (
    free_port,
    last_words,
    locustfiles,
    start_process,
    stop_processes,
)
from harness.runfolder import Summary
from harness.timeseries import read_failures

LOCUSTFILE = BENCH_DIR / "locustfiles" / "counted.py"
START_TIMEOUT_S = 240.0
LOOK_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 240.0
MOST_S = 900
POLL_S = 0.02
RUN_ID = "run"


class Cluster:
    """A context manager; starts the processes, and is there when all users are.

    Attributes:
        load: what was asked for.
        started_s: when the first process was started, seconds since the epoch.
    """

    def __init__(
        self,
        load: Load,
        server: Nginx,
        folder: Path,
        *,
        user: str = "PacedUser",
        spawn_rate: int = 500,
        words: Path | None = None,
    ) -> None:
        """Keep what is to be started.

        Args:
            load: how many workers and users, and their think time.
            server: a running one.
            folder: an empty one, for what the processes write.
            user: a class of `locustfiles/counted.py`.
            spawn_rate: users a second.
            words: of a real worker, for workers that repeat them.
        """
        self.load = load
        self._server = server
        self._folder = folder
        self._user = user
        self._spawn_rate = spawn_rate
        self._words = words
        self._port = free_port()
        self._processes: list[subprocess.Popen[bytes]] = []
        self._seen_before = 0
        self.started_s = time.time()

    def __enter__(self) -> Cluster:
        """Start all processes and wait until they have their users.

        Raises:
            BenchError: one ended early, or they take too long.
        """
        load = self.load
        self._seen_before = self._server.requests()
        self.started_s = time.time()
        leader = ["--headless", "--only-summary", "--host", self._server.url]
        users, rate = load.users, self._spawn_rate
        if self._words is not None:  # they stand for more, which the report has
            users = rate = load.workers
        leader += ["--users", str(users), "--spawn-rate", str(rate)]
        leader += ["--run-time", str(MOST_S), "--run-id", RUN_ID]
        leader += ["--stop-timeout", str(int(STOP_TIMEOUT_S / 2))]
        if load.workers:
            leader += ["--master", f"--master-bind-port={self._port}"]
            leader += [f"--expect-workers={load.workers}"]
        try:
            self._start(leader)
            if self._words is not None:
                self._start_talkers(self._words)
            else:
                for _ in range(load.workers):
                    self._start(["--worker", f"--master-port={self._port}"])
            self._wait_for((self._folder / "spawned").exists, "no users", START_TIMEOUT_S)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End what still runs."""
        stop_processes(self._processes, 1.0)

    def look(self) -> Moment:
        """Let every process write down what it has counted; return it with what the system says.

        Raises:
            BenchError: a process has ended, or does not answer.
        """
        files = self._files()
        known = [len(read_looks(path)) for path in files]
        try:
            for started in self._processes[: len(files)]:
                started.send_signal(signal.SIGUSR1)
            moment_s, requests = time.perf_counter(), self._server.requests()
            server_cpu_s, kernel = self._server.cpu_s(), carried_by_tcp(self._port)
            rss_kb = psutil.Process(self._processes[0].pid).memory_info().rss / 1024
        except psutil.NoSuchProcess:
            raise self._error("a process has ended") from None
        self._wait_for(
            lambda: all(
                len(read_looks(path)) > before for path, before in zip(files, known, strict=True)
            ),
            "no look",
            LOOK_TIMEOUT_S,
        )
        looks = [read_looks(path)[before] for path, before in zip(files, known, strict=True)]
        return Moment(moment_s, requests, server_cpu_s, rss_kb, looks, kernel)

    def stop(self) -> tuple[list[Look], Summary]:
        """End the run; return what each process has counted in all, and the result.

        Raises:
            BenchError: it did not end in time, had wrong answers, or says to have sent more
                requests than the server saw.
        """
        self._processes[0].terminate()
        latest = time.monotonic() + STOP_TIMEOUT_S
        while any(started.poll() is None for started in self._processes):
            if time.monotonic() > latest:
                raise self._error("the run does not end")
            time.sleep(POLL_S)
        seen = self._server.requests() - self._seen_before
        folder = self._folder / "results" / RUN_ID
        summary = runfolder.read_summary(folder)
        whole = summary.total.whole_run
        lied = whole.requests > seen and self._words is None
        if whole.failures or not whole.requests or lied:
            said = "; ".join(each.error for each in read_failures(folder)[:3])
            raise self._error(
                f"{whole.failures} failures in {whole.requests} requests, the server saw {seen}; "
                f"{said}"
            )
        return [read_looks(path)[-1] for path in self._files()], summary

    def _files(self) -> list[Path]:
        counted = 1 if self._words is not None else len(self._processes)
        return [self._folder / f"looks-{number}" for number in range(counted)]

    def _start(self, arguments: Sequence[str]) -> None:
        number, load = len(self._processes), self.load
        variables = process.environment(
            RESULTS_DIR=str(self._folder / "results"),
            DRAW_REPORT="0",
            AUDIT_SAMPLE="0",
            CLEANUP_PER_S="100000",
            CLEANUP_TIMEOUT_S="300",
            SPAWNED=str(self._folder / "spawned"),
            LOOKS=str(self._folder / f"looks-{number}"),
            TARGET=self._server.url_of(number),
            WAIT_S=" ".join(map(str, load.wait_s)),
        )
        command = [sys.executable, "-m", "locust", "-f", locustfiles(LOCUSTFILE)]
        command += [self._user, *arguments]
        log = self._folder / f"log-{number}"
        self._processes.append(start_process(command, log=log, env=variables, cwd=self._folder))

    def _start_talkers(self, words: Path) -> None:
        command = [sys.executable, "-m", "bench.distributed.replay", "--words", str(words)]
        command += ["--port", str(self._port), "--workers", str(self.load.workers)]
        log = self._folder / "log-1"
        self._processes.append(start_process(command, log=log, env=process.environment()))

    def words_of_a_worker(self) -> Path:
        """Return the file with what a worker had said when it was looked at."""
        return self._files()[-1].with_suffix(".words")

    def _wait_for(self, true: Callable[[], object], what: str, timeout_s: float) -> None:
        latest = time.monotonic() + timeout_s
        while not true():
            ended = any(started.poll() is not None for started in self._processes)
            if ended or time.monotonic() > latest:
                raise self._error(what)
            time.sleep(POLL_S)

    def _error(self, what: str) -> BenchError:
        ended = [n for n, each in enumerate(self._processes) if each.poll() is not None]
        said = last_words(self._folder / f"log-{(ended or [0])[-1]}")
        return BenchError(f"{self.load.workers} workers, {self.load.users} users: {what}: {said}")

"""Starts, reads and stops a real master with its workers, or one process without a master."""

from __future__ import annotations

import contextlib
import re
import signal
import subprocess
import time
from pathlib import Path

import psutil

from bench.distributed.counter import read_counts
from bench.distributed.messages import Counts
from bench.distributed.results import Load, Snapshot
from bench.generators import headless, locust
from bench.process import Processes, environment
from bench.server import Nginx
from harness.processes import find_program, free_port
from harness.results import run_folder
from harness.results.run_folder import Summary
from harness.results.timeline import read_failures

START_TIMEOUT_S = 240.0
SNAPSHOT_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 240.0
KILL_AFTER_S = 1.0
SPAWN_RATE = 2_000
RUN_TIME_S = 900
RUN_ID = "run"


class Cluster(Processes):
    """A master with workers, or one process without a master; a context manager.

    Attributes:
        load: the processes and users to run.
        started_s: start of the first process, in seconds since the epoch.
    """

    def __init__(self, load: Load, server: Nginx, folder: Path, user: str) -> None:
        """Use an empty folder; `user` is a class in `locustfiles/counted.py`."""
        super().__init__(f"{load.workers} workers, {load.users} users", folder, KILL_AFTER_S)
        self.load = load
        self.started_s = time.time()
        self._server = server
        self._user = user
        self._port = free_port()
        self._seen_before = server.requests()

    def __enter__(self) -> Cluster:
        """Start all processes and wait until all users run.

        Raises:
            BenchError: a process ended early, or the start took too long.
        """
        workers = self.load.workers
        options = headless(self._server.url, self.load.users, SPAWN_RATE, RUN_TIME_S)
        options += ["--run-id", RUN_ID, "--stop-timeout", str(int(STOP_TIMEOUT_S / 2))]
        if workers:
            options += ["--master", f"--master-bind-port={self._port}"]
            options += [f"--expect-workers={workers}"]
        with contextlib.ExitStack() as stack:
            stack.push(self)  # Python calls __exit__ only after __enter__ has succeeded
            self._start(options)
            for _ in range(workers):
                self._start(["--worker", f"--master-port={self._port}"])
            self.wait_until((self.folder / "spawned").exists, "lacks users", START_TIMEOUT_S)
            stack.pop_all()
        return self

    def snapshot(self) -> Snapshot:
        """Make every process write its counts; return them with nginx's and the kernel's.

        Raises:
            BenchError: a process has ended, or writes nothing in time.
        """
        files = self._files()
        known = [len(read_counts(path)) for path in files]
        try:
            for started in self.running:
                started.send_signal(signal.SIGUSR1)
            moment_s, requests = time.perf_counter(), self._server.requests()
            server_cpu_s, tcp = self._server.cpu_s(), carried_by_tcp(self._port)
            rss_kb = psutil.Process(self.running[0].pid).memory_info().rss / 1024
        except psutil.NoSuchProcess:
            raise self.error("a process has ended") from None
        written: list[list[Counts]] = []

        def all_have_written() -> bool:
            written[:] = map(read_counts, files)
            return all(len(each) > n for each, n in zip(written, known, strict=True))

        self.wait_until(all_have_written, "writes no counts", SNAPSHOT_TIMEOUT_S)
        counts = [each[n] for each, n in zip(written, known, strict=True)]
        return Snapshot(moment_s, requests, server_cpu_s, rss_kb, counts, tcp)

    def stop(self) -> tuple[list[Counts], Summary]:
        """Stop the run; return the final counts of each process and the run's summary.

        Raises:
            BenchError: the run did not end in time, had failures, or reports more requests than
                the server saw.
        """
        self.running[0].terminate()
        self.wait_for_end(STOP_TIMEOUT_S)
        seen = self._server.requests() - self._seen_before
        folder = self.folder / "results" / RUN_ID
        summary = run_folder.read_summary(folder)
        whole = summary.total.whole_run
        if whole.failures or not 0 < whole.requests <= seen:
            errors = "; ".join(each.error for each in read_failures(folder)[:3])
            raise self.error(
                f"{whole.failures} failures in {whole.requests} requests, the server saw {seen}; "
                f"{errors}"
            )
        return [read_counts(path)[-1] for path in self._files()], summary

    def _files(self) -> list[Path]:
        return [self.folder / f"counts-{number}" for number in range(len(self.running))]

    def _start(self, options: list[str]) -> None:
        number = len(self.running)
        variables = environment(
            RESULTS_DIR=str(self.folder / "results"),
            DRAW_REPORT="0",
            AUDIT_SAMPLE="0",  # nginx stores nothing that could be read back
            CLEANUP_PER_S="100000",  # as fast as the master can delete
            CLEANUP_TIMEOUT_S="300",
            SPAWNED=str(self.folder / "spawned"),
            COUNTS=str(self.folder / f"counts-{number}"),
            TARGET=self._server.url_of(number),
            WAIT_S=" ".join(map(str, self.load.wait_s)),
        )
        self.start(locust("counted.py", self._user) + options, env=variables)


def carried_by_tcp(port: int) -> tuple[int, int] | None:
    """Return the bytes received and sent on a port's open connections; None without `ss`."""
    program = find_program("ss")
    if program is None:
        return None
    command = [program, "-tinHO", "state", "established", f"( sport = :{port} )"]
    return carried_bytes(
        subprocess.run(command, capture_output=True, text=True, check=False).stdout
    )


def carried_bytes(output: str) -> tuple[int, int]:
    """Return the sums of bytes received and bytes acknowledged in the output of `ss -i`."""
    received, acked = (
        sum(map(int, re.findall(rf"\b{name}:(\d+)", output)))
        for name in ("bytes_received", "bytes_acked")
    )
    return received, acked

"""Starts the project's commands in processes of their own, as a user does."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.config.settings import NAMES, PROJECT_DIR
from harness.experiments import deployments
from harness.experiments.deployments import Server
from harness.processes import locustfiles
from harness.results.timeline import read_timeline

PATIENCE_S = 240
"""Limit of every wait: whatever takes longer hangs, even on a slow and busy machine."""
LONG_RUN_RULES = ("mix", "steady state", "samples", "planned users")


def reference_server(folder: Path, alarm_fields: Sequence[str] = ()) -> Server:
    """Return the server that a run without a host starts, not started yet."""
    return Server(deployments.load()[deployments.DEFAULT], folder, alarm_fields)


@dataclass
class Finished:
    """A finished process: its exit code, its output and the folder of the runs it wrote."""

    exit_code: int
    stdout: str
    stderr: str
    results: Path

    @property
    def folder(self) -> Path:
        (folder,) = (path for path in self.results.iterdir() if (path / "run.json").exists())
        return folder

    @property
    def summary(self) -> dict:
        return json.loads((self.folder / "summary.json").read_text())

    @property
    def faults(self) -> list[str]:
        """Return broken rules and failed requests; skip rules that any short run breaks."""
        summary = self.summary
        rules = (rule for rule in summary["validity"] if rule["name"] not in LONG_RUN_RULES)
        broken = [rule["sentence"] for rule in rules if not rule["kept"]]
        failed = (each for each in summary["objectives"] if each["key"] == "fail_ratio")
        return broken + [each["sentence"] for each in failed if each["value"] and not each["met"]]

    @property
    def manifest(self) -> dict:
        return json.loads((self.folder / "run.json").read_text())

    @property
    def requests(self) -> dict[str, int]:
        rows = self.summary["endpoints"]
        return {f"{row['method']} {row['name']}": row["whole_run"]["requests"] for row in rows}

    @property
    def failures(self) -> str:
        return (self.folder / "locust_failures.csv").read_text()


@dataclass
class Commands:
    """Starts the project's commands in an empty folder, without the developer's settings.

    By default, a run draws no report, which takes seconds, and uses the usual objectives except
    for the limit on event-loop lag: other tests use the machine at the same time, and one late
    second is more than a tenth of a short run.
    """

    folder: Path

    def __post_init__(self) -> None:
        usual = (PROJECT_DIR / "conf" / "slo.toml").read_text()
        patient, count = re.subn(r"^lag_ms = .*$", "lag_ms = 60000", usual, flags=re.MULTILINE)
        assert count == 1
        self.objectives.write_text(patient)

    @property
    def objectives(self) -> Path:
        return self.folder / "patient.toml"

    @property
    def results(self) -> Path:
        return self.folder / "results"

    def start(self, *command: str, by: tuple[str, ...] = (), **env: str) -> subprocess.Popen[str]:
        """Start Python with a command; `by` is a wrapper such as nsenter, which has to exec it."""
        clean = {
            name: value
            for name, value in os.environ.items()
            if name not in NAMES and not name.startswith("LOCUST_")
        }
        return subprocess.Popen(
            [*by, sys.executable, *command],
            cwd=self.folder,
            env={
                **clean,
                "PYTHONPATH": str(PROJECT_DIR),
                "DRAW_REPORT": "0",
                "SLO_FILE": str(self.objectives),
                **env,
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def finish(self, process: subprocess.Popen[str]) -> Finished:
        try:
            stdout, stderr = process.communicate(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            stdout, stderr = process.communicate()
            pytest.fail(f"it did not end within {PATIENCE_S} s\n{stdout}\n{stderr}")
        return Finished(process.returncode, stdout, stderr, self.results)

    def locust(self, *arguments: str, **env: str) -> Finished:
        """Run plain Locust, headless."""
        return self.finish(self.start_locust("--headless", *arguments, **env))

    def locust_until(
        self, true: Callable[[Path], object], what: str, *arguments: str, **env: str
    ) -> Finished:
        """Run plain Locust, headless; interrupt it once `true(results)` holds."""
        process = self.start_locust("--headless", *arguments, **env)
        wait_until(lambda: process.poll() is not None or true(self.results), what)
        interrupt(process)
        return self.finish(process)

    def start_locust(
        self, *arguments: str, by: tuple[str, ...] = (), **env: str
    ) -> subprocess.Popen[str]:
        locustfile = locustfiles(PROJECT_DIR / "locustfile.py")
        return self.start("-m", "locust", "-f", locustfile, *arguments, by=by, **env)

    def harness(self, *arguments: str, **env: str) -> Finished:
        """Run `python -m harness`."""
        return self.finish(self.start("-m", "harness", *arguments, **env))


def wait_until(
    true: Callable[[], object], what: str, timeout_s: float = PATIENCE_S, poll_s: float = 0.05
) -> None:
    latest = time.monotonic() + timeout_s
    while not true():
        if time.monotonic() > latest:
            pytest.fail(f"not within {timeout_s} s: {what}")
        time.sleep(poll_s)


def full_seconds(results: Path, run: str = "*") -> int:
    """Return the number of seconds that the run has recorded with all planned users."""
    found = results.glob(f"{run}/timeline.csv")
    rows = [row for path in found for row in read_timeline(path.parent)]
    most = max((row.target_users for row in rows), default=0)
    return sum(row.users == row.target_users == most > 0 for row in rows)


def interrupt(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGINT)

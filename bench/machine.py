"""Describes when, and on which machine, a measurement was made."""

from __future__ import annotations

import platform
import re
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version

from bench.results import Conditions
from harness.experiments.compare.server_load import machine
from harness.processes import find_program

PACKAGES = ("locust", "gevent", "httptools", "msgspec")
VERSION_ARGUMENTS = {"nginx": "-v", "k6": "version", "wrk": "-v"}


def conditions(programs: tuple[str, ...]) -> Conditions:
    """Return the time, the machine and the versions of packages and programs."""
    here = machine()
    return Conditions(
        measured_at=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        cpu=here.cpu,
        cores=here.cores,
        kernel=here.system,
        versions={
            "Python": platform.python_version(),
            **{package: version(package) for package in PACKAGES},
            **{program: _version(program) for program in programs},
        },
    )


def _version(program: str) -> str:
    path = find_program(program)
    if path is None:
        return "missing"
    if program not in VERSION_ARGUMENTS:
        return "of unknown version"
    done = subprocess.run(
        [path, VERSION_ARGUMENTS[program]], capture_output=True, text=True, check=False
    )
    number = re.search(r"\d+\.\d+(\.\d+)?", done.stdout + done.stderr)
    return number[0] if number else "of unknown version"

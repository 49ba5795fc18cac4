"""When and on what a measurement was made."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version

from bench.results import Conditions
from harness.compare.server_load import cpu_model
from harness.processes import find_program

VERSION_ARGUMENTS = {"nginx": "-v", "k6": "version", "wrk": "-v"}


def conditions(programs: tuple[str, ...]) -> Conditions:
    """Describe this moment and this machine."""
    packages = {name: version(name) for name in ("locust", "gevent", "httptools", "msgspec")}
    return Conditions(
        measured_at=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        cpu=cpu_model(),
        cores=os.cpu_count() or 1,
        kernel=f"{platform.system()} {platform.release().partition('-')[0]}",
        versions={
            "Python": platform.python_version(),
            **packages,
            **{program: _version(program) for program in programs},
        },
    )


def _version(program: str) -> str:
    path = find_program(program)
    if path is None:
        return "missing"
    if program not in VERSION_ARGUMENTS:
        return "does not say"
    done = subprocess.run(
        [path, VERSION_ARGUMENTS[program]], capture_output=True, text=True, check=False
    )
    number = re.search(r"\d+\.\d+(\.\d+)?", done.stdout + done.stderr)
    return number[0] if number else "does not say"


# TODO

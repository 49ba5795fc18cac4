"""Lets a run be drawn by a process of its own: drawing is heavy, the generator stays light."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from harness.processes import start_process, stop_process
from harness.settings import PROJECT_DIR

TIMEOUT_S = 120.0
REPORT = "report.html"
LOG = "report.log"


def draw_report(folder: Path, timeout_s: float = TIMEOUT_S) -> str | None:
    """Draw the report of a run into its folder; return what went wrong, in one line, or None.

    With gevent's subprocess, as locust patches it, all else goes on meanwhile.
    """
    log = folder / LOG
    log.unlink(missing_ok=True)
    process = start_process(
        [sys.executable, "-m", "harness", "report", str(folder.resolve())],
        log=log,
        cwd=PROJECT_DIR,  # from there the package is found, wherever the run was started
    )
    try:
        code = process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        return f"it took longer than {timeout_s:g} s"
    finally:
        stop_process(process)
    if code:
        words = log.read_text(encoding="utf-8", errors="replace").split("\n")
        last = next((line for line in reversed(words) if line.strip()), f"exit code {code}")
        return last.removeprefix("error: ")
    log.unlink(missing_ok=True)
    return None

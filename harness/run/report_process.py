"""Draws the report of a run in a process of its own, so that the generator stays light."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

from harness.config.settings import PROJECT_DIR
from harness.processes import last_line, start_process, stop_process

TIMEOUT_S = 120.0
REPORT = "report.html"
LOG = "report.log"

logger = logging.getLogger(__name__)


def draw_report(folder: Path, timeout_s: float = TIMEOUT_S) -> str | None:
    """Draw the report of a run into its folder; return what went wrong in one line, or None.

    Locust has patched subprocess for gevent, so everything else continues meanwhile.
    """
    log = folder / LOG
    log.unlink(missing_ok=True)
    process = start_process(
        [sys.executable, "-m", "harness", "report", str(folder.resolve())],
        log=log,
        cwd=PROJECT_DIR,  # where the package is found, wherever the run was started
    )
    try:
        code = process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        return f"it took longer than {timeout_s:g} s"
    finally:
        stop_process(process)
    if code:
        return last_line(log, f"exit code {code}").removeprefix("error: ")
    log.unlink(missing_ok=True)
    return None


def draw_and_report(folder: Path, *, is_headless: bool) -> None:
    """Draw the report and print where it is; a failure does not change the verdict."""
    problem = draw_report(folder)
    if problem is not None:
        again = f"draw it again: python -m harness report {folder}"
        print(f"the report was not drawn: {problem}; {again}", file=sys.stderr)
    elif is_headless:
        print(f"report: {folder / REPORT}", flush=True)
    else:
        logger.info("Report in %s", folder / REPORT)

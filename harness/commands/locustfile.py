"""Loads the project's locustfile outside Locust, for what only it can tell: the suite.

Run as a module, it checks a file of objectives against the endpoints of the suite. That is a
process of its own because a locustfile imports Locust, which patches sockets and subprocesses.
"""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from pathlib import Path

from harness import ConfigurationError, exit_on_wrong_configuration
from harness.config.settings import PROJECT_DIR
from harness.http.suite import Suite, installed
from harness.processes import child_environment, last_line_of
from harness.results import objectives

LOCUSTFILE = PROJECT_DIR / "locustfile.py"


def suite_of_locustfile() -> Suite:
    """Return the suite that the locustfile installs.

    Raises:
        ConfigurationError: the locustfile does not load, or installs none.
    """
    try:
        runpy.run_path(str(LOCUSTFILE))
    except Exception as error:  # whatever a file raises that somebody is just editing
        problem = f"{type(error).__name__}: {error}"
        raise ConfigurationError(f"{LOCUSTFILE.name} does not load: {problem}") from error
    return installed()


def check_objectives(path: Path) -> None:
    """Check objectives as a run will, with the endpoints that the suite has.

    Raises:
        ConfigurationError: the file cannot be read, or is wrong.
    """
    done = subprocess.run(
        [sys.executable, "-m", __name__, str(path)],
        # The working folder, whose .env counts, may be another than the project's.
        env=child_environment(PYTHONPATH=os.pathsep.join([str(PROJECT_DIR), *sys.path])),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ConfigurationError(last_line_of(done.stderr).removeprefix("error: "))


if __name__ == "__main__":
    with exit_on_wrong_configuration():
        objectives.load(Path(sys.argv[1]), suite_of_locustfile().endpoints)

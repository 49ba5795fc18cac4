"""`python -m harness`: the commands beyond one Locust process."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

from harness import ConfigurationError
from harness.commands import compare_options, regression_options, report, run
from harness.commands.locustfile import suite_of_locustfile
from harness.config.settings import Settings, load


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0 pass, 1 failures, 2 wrong usage, 3 invalid.

    `report` returns 0 whatever the verdict; `cleanup` returns 1 if something is left.
    """
    options = _parser().parse_args(arguments)
    # Like Ctrl-C: the run ends with a report, and everything that was started is stopped.
    for name in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, _interrupt)
    try:
        if options.command == "report":
            return report.run(options.folder)
        settings = load()
        if options.command == "cleanup":
            from harness.commands import cleanup  # imports Locust, which patches sockets

            return cleanup.clean_up(options.folder, settings, suite_of_locustfile())
        if options.command == "baseline" or _is_of_two_runs(options):
            return _regression(options, settings)
        if options.command == "compare":
            from harness.commands import compare  # imports SciPy, which a run does not need

            return compare.run(options, settings)
        return run.run(options, settings)
    except ConfigurationError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        what = "the run began" if options.command in ("run", "ui") else "it was done"
        print(f"interrupted before {what}", file=sys.stderr)
        return 3


def _parser() -> argparse.ArgumentParser:
    # The module's docstring is the text of `--help`.
    parser = _OneLineParser(prog="python -m harness", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    headless = commands.add_parser(
        "run", help="a headless run, from the start of a server to the table"
    )
    ui = commands.add_parser("ui", help="Locust's web UI")
    ui.add_argument("--web-port", help="port of the web UI (default 8089)")
    for command in (headless, ui):
        run.add_to(command)
    compare = commands.add_parser("compare", help="which deployment carries more")
    compare_options.add_to(compare)
    regression_options.add_to(compare)
    baseline = commands.add_parser("baseline", help="keep a run, to compare later ones with")
    baseline.add_argument("folder", type=Path, metavar="results/RUN_ID")
    again = commands.add_parser("report", help="draw a run again, from the files of its folder")
    again.add_argument("folder", type=Path, help="results/RUN_ID")
    cleanup = commands.add_parser("cleanup", help="delete what a run has left on its server")
    cleanup.add_argument("folder", type=Path, metavar="results/RUN_ID")
    return parser


class _OneLineParser(argparse.ArgumentParser):
    """Reports wrong usage in one line, without the usage text."""

    def error(self, message: str) -> NoReturn:
        """Print the message and end the process with exit code 2."""
        self.exit(2, f"error: {message}\n")


def _is_of_two_runs(options: argparse.Namespace) -> bool:
    if options.command != "compare":
        return False
    return bool(options.folders) or options.anyway or options.max_slowdown is not None


def _regression(options: argparse.Namespace, settings: Settings) -> int:
    from harness.commands import regression  # imports SciPy, as above

    results_dir = settings.results_dir
    if options.command == "baseline":
        return regression.keep(options.folder, results_dir)
    if given := ", ".join(compare_options.given(options)):
        raise ConfigurationError(f"{given}: not with run folders, which are compared as they are")
    return regression.run(options.folders, options.max_slowdown, options.anyway, results_dir)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())

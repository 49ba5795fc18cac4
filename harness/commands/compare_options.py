"""The options of an experiment (`compare` without run folders)."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness import ConfigurationError
from harness.config.parsing import SEED, argument, duration_s, whole

STEP_USERS = whole(1, 1_000_000)
STEP_S = duration_s(0, 3600)


def _steps(text: str) -> list[int]:
    try:
        steps = [STEP_USERS(part.strip()) for part in text.split(",")]
    except ConfigurationError:
        steps = []
    if not steps or steps != sorted(set(steps)):
        raise ConfigurationError(
            "write numbers of users, each above the one before, such as 50,100,200"
        )
    return steps


NUMBERS = (
    ("--rounds", whole(1, 1000), 3, "default 3"),
    ("--steps", _steps, None, "users, as 50,100,200 (default: doubled)"),
    ("--first-users", STEP_USERS, 100, "of the doubling, default 100"),
    ("--most-users", STEP_USERS, 3200, "of the doubling, default 3200"),
    ("--refinements", whole(0, 20), 2, "halvings of the last gap, default 2"),
    ("--step-time", STEP_S, 15.0, "that counts, default 15s"),
    ("--warm-up", STEP_S, 5.0, "of each step, default 5s"),
    ("--seed", SEED, None, "of the order and of the users' choices"),
)
DEFAULTS = dict.fromkeys(("--variants", "--aa", "--tags", "--exclude-tags", "--run-id")) | {
    option: default for option, _, default, _ in NUMBERS
}
"""Of the options that only an experiment has: another value means that the option was given."""


def given(options: argparse.Namespace) -> list[str]:
    """Return the options of an experiment that were given, such as "--rounds"."""
    values = {f"--{name.replace('_', '-')}": value for name, value in vars(options).items()}
    return [option for option, default in DEFAULTS.items() if values[option] != default]


def add_to(parser: argparse.ArgumentParser) -> None:
    """Add the options of an experiment."""
    parser.add_argument("--variants", nargs="+", help="of conf/deployments.toml (default: all)")
    parser.add_argument("--aa", metavar="VARIANT", help="one variant against itself")
    for option, parse, default, text in NUMBERS:
        parser.add_argument(option, type=argument(parse), default=default, help=text)
    parser.add_argument("--tags", nargs="+", help="only tasks with one of these tags")
    parser.add_argument("--exclude-tags", nargs="+", help="no task with one of these tags")
    parser.add_argument("--run-id", help="name of the folder under results/")
    parser.add_argument("--resume", type=Path, help="results/COMPARE_ID that was interrupted")

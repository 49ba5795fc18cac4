"""What a comparison is told on the command line."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness import ConfigurationError
from harness.parsing import SEED, argument, duration_s, whole

STEP_USERS = whole(1, 1_000_000)
STEP_S = duration_s(0, 3600)

DEFAULTS: dict[str, int | float] = {
    "rounds": 3,
    "first_users": 100,
    "most_users": 3200,
    "refinements": 2,
    "step_time": 15.0,
    "warm_up": 5.0,
}
ONLY_IN_AN_EXPERIMENT = (
    "variants",
    "aa",
    "steps",
    "seed",
    "tags",
    "exclude_tags",
    "run_id",
    *DEFAULTS,
)


def given(options: argparse.Namespace) -> list[str]:
    """Return the options of an experiment that were given, such as "--rounds"."""
    return [
        f"--{name.replace('_', '-')}"
        for name in ONLY_IN_AN_EXPERIMENT
        if getattr(options, name) != DEFAULTS.get(name)
    ]


def add_to(parser: argparse.ArgumentParser) -> None:
    """Add the options of an experiment."""
    parser.set_defaults(**DEFAULTS)
    parser.add_argument("--variants", nargs="+", help="of conf/deployments.toml (default: all)")
    parser.add_argument("--aa", metavar="VARIANT", help="one variant against itself")
    for option, parse, text in (
        ("--rounds", whole(1, 1000), "default 3"),
        ("--steps", _steps, "users, as 50,100,200 (default: doubled)"),
        ("--first-users", STEP_USERS, "of the doubling, default 100"),
        ("--most-users", STEP_USERS, "of the doubling, default 3200"),
        ("--refinements", whole(0, 20), "halvings of the last gap, default 2"),
        ("--step-time", STEP_S, "that counts, default 15s"),
        ("--warm-up", STEP_S, "of each step, default 5s"),
        ("--seed", SEED, "of the order and of the users' choices"),
    ):
        parser.add_argument(option, type=argument(parse), help=text)
    parser.add_argument("--tags", nargs="+", help="only tasks with one of these tags")
    parser.add_argument("--exclude-tags", nargs="+", help="no task with one of these tags")
    parser.add_argument("--run-id", help="name of the folder under results/")
    parser.add_argument("--resume", type=Path, help="results/COMPARE_ID that was interrupted")


def _steps(text: str) -> list[int]:
    wrong = ConfigurationError(
        "write numbers of users, each above the one before, such as 50,100,200"
    )
    try:
        steps = [STEP_USERS(part.strip()) for part in text.split(",")]
    except ConfigurationError:
        raise wrong from None
    if steps != sorted(set(steps)):
        raise wrong
    return steps

"""What a comparison is told on the command line."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

DURATION = re.compile(r"(?=\d)(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s?)?")
MOST_USERS = 1_000_000


DEFAULTS: dict[str, int | float] = {
    "rounds": 3,
    "first_users": 100,
    "most_users": 3200,
    "refinements": 2,
    "step_time": 15.0,
    "warm_up": 5.0,
}
ONLY_IN_AN_EXPERIMENT = (
    *("variants", "aa", "steps", "seed", "tags", "exclude_tags", "run_id"),
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
    parser.add_argument("--rounds", type=_whole, help="default 3")
    parser.add_argument("--steps", type=_steps, help="users, as 50,100,200 (default: doubled)")
    parser.add_argument("--first-users", type=_whole, help="of the doubling, 100")
    parser.add_argument("--most-users", type=_whole, help="of the doubling, 3200")
    parser.add_argument("--refinements", type=_count, help="halvings of the last gap, default 2")
    parser.add_argument("--step-time", type=_duration_s, help="that counts, 15s")
    parser.add_argument("--warm-up", type=_duration_s, help="of each step, 5s")
    parser.add_argument("--seed", type=_count, help="of the order and of the users' choices")
    parser.add_argument("--tags", nargs="+", help="only tasks with one of these tags")
    parser.add_argument("--exclude-tags", nargs="+", help="no task with one of these tags")
    parser.add_argument("--run-id", help="name of the folder under results/")
    parser.add_argument("--resume", type=Path, help="results/COMPARE_ID that was interrupted")


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text) <= MOST_USERS:
        raise argparse.ArgumentTypeError(f"{text}: write a whole number, 1 or more")
    return int(text)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 20):
        raise argparse.ArgumentTypeError(f"{text}: write a whole number, 0 or more")
    return int(text)


def _steps(text: str) -> list[int]:
    try:
        steps = [_whole(part.strip()) for part in text.split(",")]
    except argparse.ArgumentTypeError:
        steps = []
    if not steps or steps != sorted(set(steps)):
        raise argparse.ArgumentTypeError(
            f"{text}: write numbers of users, each above the one before, such as 50,100,200"
        )
    return steps


def _duration_s(text: str) -> float:
    found = DURATION.fullmatch(text)
    hours, minutes, seconds = found.groups() if found else ("", "", "")
    duration_s = float(hours or 0) * 3600 + float(minutes or 0) * 60 + float(seconds or 0)
    if found is None or duration_s > 3600:
        raise argparse.ArgumentTypeError(
            f"{text}: write a duration such as 20s or 1m30s, at most 1h"
        )
    return duration_s

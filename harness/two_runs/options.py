"""What a comparison of two runs is told on the command line."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_to(parser: argparse.ArgumentParser) -> None:
    """Add the options of a comparison of two runs."""
    parser.add_argument(
        "folders",
        type=Path,
        nargs="*",
        metavar="results/RUN_ID",
        help="two runs, or one and the baseline; without them: an experiment",
    )
    parser.add_argument(
        "--max-slowdown", type=_slowdown, help="of p50 and p95 that is tolerated, default 1.10"
    )
    parser.add_argument(
        "--anyway", action="store_true", help="also compare runs that were not loaded alike"
    )


def _slowdown(text: str) -> float:
    try:
        factor = float(text)
    except ValueError:
        factor = 0.0
    if not 1 <= factor < float("inf"):
        raise argparse.ArgumentTypeError(f"{text}: write a factor, 1 or more, such as 1.10")
    return factor

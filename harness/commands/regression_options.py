"""The options of a comparison of two runs."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness.config.parsing import argument, decimal


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
        "--max-slowdown",
        type=argument(decimal("a factor such as 1.10", 1)),
        help="of p50 and p95 that is tolerated, default 1.10",
    )
    parser.add_argument(
        "--anyway", action="store_true", help="also compare runs that were not loaded alike"
    )

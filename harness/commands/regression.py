"""`python -m harness compare BEFORE AFTER` and `python -m harness baseline RUN`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from harness import ConfigurationError
from harness.config import atomic
from harness.experiments.regression import baseline, ratios, reading, slowdown, table
from harness.results import run_folder

INVALID = 3


def run(
    folders: Sequence[Path], max_slowdown: float | None, anyway: bool, results_dir: Path
) -> int:
    """Compare two runs, or the baseline with one, and return the exit code.

    The code is 0 if no slowdown is shown, 1 if one is, and 3 if one of the runs is invalid or too
    short. The printed result is also written to `against-RUN_ID.md` in the later run's folder.

    Raises:
        ConfigurationError: there are no two runs that can be compared, or one cannot be read.
    """
    if not folders:
        raise ConfigurationError("--max-slowdown and --anyway are of two runs; give their folders")
    if len(folders) > 2:
        raise ConfigurationError(f"give two runs, or one and the baseline, not {len(folders)}")
    before = folders[0] if len(folders) == 2 else baseline.kept(results_dir)
    after = folders[-1]
    notes = reading.check_alike(before, after, anyway)
    runs = [reading.read(folder) for folder in (before, after)]
    if _print_reasons(*runs):
        return INVALID
    found = ratios.compare(runs[0], runs[1], notes, anyway)
    judgement = slowdown.judge(found, max_slowdown or slowdown.MAX_SLOWDOWN)
    table.print_table(found, judgement, sys.stdout)
    path = after / f"against-{run_folder.checked_run_id(runs[0].manifest.run_id)}.md"
    try:
        atomic.write(path, table.markdown(found, judgement).encode())
    except OSError as error:
        raise ConfigurationError(f"cannot write {path}: {error.strerror}") from None
    print(f"for a pull request: {path}")
    return judgement.exit_code


def keep(folder: Path, results_dir: Path) -> int:
    """Keep a run as the baseline, and return the exit code: 0, or 3 if it is invalid.

    A run that missed its objectives can be kept; a run that cannot be compared cannot.

    Raises:
        ConfigurationError: it is no run, or cannot be read or copied.
    """
    found = reading.read(folder)
    if _print_reasons(found):
        return INVALID
    kept = baseline.keep(found, results_dir)
    print(f"{found.manifest.run_id} ({found.summary.verdict}) is the baseline, in {kept}/")
    print("compare a run with it: python -m harness compare results/RUN_ID")
    return 0


def _print_reasons(*runs: reading.Run) -> bool:
    """Print why runs cannot be compared; return True if there is a reason."""
    reasons = "; ".join(filter(None, map(reading.why_not, runs)))
    if reasons:
        print(f"error: {reasons}", file=sys.stderr)
    return bool(reasons)

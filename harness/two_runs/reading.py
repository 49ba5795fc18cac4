"""Two run folders, read as far as a comparison needs them, or refused."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from harness import ConfigurationError, figures, objectives, result, runfolder, timeseries
from harness.runfolder import Manifest, Summary
from harness.two_runs import alike
from harness.two_runs.steady import Steady

LEAST_STEADY_S = 20
"""A shorter steady state has too few blocks to know how it varies."""
LEAST_REQUESTS = 100
"""With fewer, less than five are above the p95."""


class Run(Struct, frozen=True):
    """A run as it was read: what was planned, its result, and its steady state."""

    folder: Path
    manifest: Manifest
    summary: Summary
    steady: Steady


def check_alike(before: Path, after: Path, anyway: bool) -> list[str]:
    """Return in what two runs differ, before they are read.

    Raises:
        ConfigurationError: one is no run, both are the same, or they were not loaded alike and
            that was not to be overlooked.
    """
    manifests = [result.checked_manifest(folder) for folder in (before, after)]
    if manifests[0] == manifests[1]:
        raise ConfigurationError(f"{before} and {after} are the same run; give two")
    loads = alike.differences(*map(alike.load_of, manifests))
    refuse(loads, anyway)
    return loads + alike.differences(*map(alike.subject_of, manifests))


def read(folder: Path) -> Run:
    """Read a run.

    Raises:
        ConfigurationError: one of its files is missing or broken; says which.
    """
    manifest = result.checked_manifest(folder)
    with result.readable(folder, runfolder.ENDING):
        runfolder.read_ending(folder)
    with result.readable(folder, runfolder.OBJECTIVES):
        objectives.load(folder / runfolder.OBJECTIVES)
    with result.readable(folder, timeseries.TIMELINE):
        steady = Steady(figures.read_steps(folder, manifest.warm_up_s))
    with result.readable(folder, f"{timeseries.TIMELINE} or {timeseries.HISTOGRAMS}"):
        summary, _ = result.judge(folder, steady.add)
    return Run(folder, manifest, summary, steady)


def why_not(run: Run) -> str | None:
    """Say why nothing can be said by a run; None when something can."""
    if run.summary.verdict == "invalid":
        broken = [rule.sentence for rule in run.summary.validity if not rule.kept]
        return f"the run in {run.folder} is invalid: {'; '.join(broken)}"
    steady = run.summary.total.steady
    requests = steady.requests if steady else 0
    if run.summary.steady_s < LEAST_STEADY_S or requests < LEAST_REQUESTS:
        return (
            f"the run in {run.folder} is too short: a comparison needs {LEAST_STEADY_S} s of "
            f"steady state and {LEAST_REQUESTS} requests in it, here are "
            f"{run.summary.steady_s:.0f} s and {requests}"
        )
    return None


def refuse(differences: Sequence[str], anyway: bool) -> None:
    """Refuse to compare what differs so.

    Raises:
        ConfigurationError: something does, and that was not to be overlooked.
    """
    if differences and not anyway:
        raise ConfigurationError(
            f"the runs were not loaded alike: {'; '.join(differences)}; "
            "--anyway compares them all the same"
        )

"""Two run folders, read as far as a comparison needs them, or refused: another load is none."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from msgspec import Struct

from harness import ConfigurationError, figures, result, timeseries
from harness.formatting import count
from harness.guard import is_loopback
from harness.runfolder import Manifest, Summary
from harness.two_runs.steady import Steady

LEAST_STEADY_S = 20
"""A shorter steady state has too few blocks to know how it varies."""
LEAST_REQUESTS = 100
"""With fewer, less than five are above the p95."""

Stated = Mapping[str, object]
"""Something in words -> what it was in a run."""


class Run(Struct, frozen=True):
    """A run as it was read: what was planned, its result, and its steady state."""

    folder: Path
    manifest: Manifest
    summary: Summary
    steady: Steady


def check_alike(before: Path, after: Path, anyway: bool) -> list[str]:
    """Return in what two runs differ, before they are read.

    Raises:
        ConfigurationError: one is no run, both are the same, or they were not loaded alike.
    """
    manifests = [result.checked_manifest(folder) for folder in (before, after)]
    if manifests[0] == manifests[1]:
        raise ConfigurationError(f"{before} and {after} are the same run; give two")
    loads = differences(*map(load_of, manifests), anyway=anyway)
    return loads + differences(*map(subject_of, manifests))


def differences(before: Stated, after: Stated, *, anyway: bool = True) -> list[str]:
    """Name what differs, each as "users 100 and 200".

    Raises:
        ConfigurationError: something does, and such runs are not to be compared anyway.
    """
    found = [
        f"{what} {_told(value)} and {_told(after[what])}"
        for what, value in before.items()
        if value != after[what]
    ]
    if found and not anyway:
        raise ConfigurationError(
            f"the runs were not loaded alike: {'; '.join(found)}; "
            "--anyway compares them all the same"
        )
    return found


def load_of(manifest: Manifest) -> Stated:
    """Return what has to be the same in two runs.

    The spawn rate and the run time are not in it: only the steady state is compared. Nor is the
    seed: by another one the users choose otherwise, but from the same.
    """
    return {
        "task mix": sorted(f"{task} {weight}" for task, weight in manifest.task_mix.items()),
        "endpoints": sorted(manifest.endpoints),
        "users": manifest.users,
        "profile": manifest.profile,
        "tags": sorted(manifest.tags),
        "excluded tags": sorted(manifest.exclude_tags),
        "varied data": "yes" if manifest.vary_data else "no",
        "data": manifest.data_sha256[:8],
        "client": manifest.client,
        "workers": manifest.workers,
        "warm-up": f"{manifest.warm_up_s:g} s",
        "host": "on this machine" if _is_here(manifest.host) else "elsewhere",
    }


def subject_of(manifest: Manifest) -> Stated:
    """Return what may differ, since it may be what is compared, but should be known."""
    versions = manifest.versions
    return {
        "server": "of this machine" if _is_here(manifest.host) else manifest.host,
        "deployment": manifest.deployment,
        "suite": versions.suite,
        "locust": versions.locust,
        "Python": versions.python,
    }


def read(folder: Path) -> Run:
    """Read a run.

    Raises:
        ConfigurationError: one of its files is missing or broken; says which.
    """
    manifest = result.checked_manifest(folder)
    with result.readable(folder, timeseries.TIMELINE):
        steady = Steady(figures.read_steps(folder, manifest.warm_up_s))
    return Run(folder, manifest, result.judge(folder, steady.add).summary, steady)


def why_not(run: Run) -> str:
    """Say why nothing can be said by a run; empty when something can."""
    if run.summary.verdict == "invalid":
        broken = [rule.sentence for rule in run.summary.validity if not rule.kept]
        return f"the run in {run.folder} is invalid: {'; '.join(broken)}"
    steady = run.summary.total.steady
    requests = steady.requests if steady else 0
    if run.summary.steady_s < LEAST_STEADY_S or requests < LEAST_REQUESTS:
        return (
            f"the run in {run.folder} is too short: a comparison needs {LEAST_STEADY_S} s of "
            f"steady state and {LEAST_REQUESTS} requests in it, here are "
            f"{run.summary.steady_s:.0f} s and {count(requests)}"
        )
    return ""


def _is_here(host: str) -> bool:
    return is_loopback((urlsplit(host).hostname or "").lower())


def _told(value: object) -> str:
    if isinstance(value, list):
        return f"({', '.join(value)})" if value else "none"
    return "none" if value is None else str(value)

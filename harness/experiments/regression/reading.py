"""Reads two run folders for a comparison, and refuses runs with different loads."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from msgspec import Struct

from harness import ConfigurationError
from harness.config.hosts import is_loopback
from harness.experiments.regression.steady import Steady
from harness.results import figures, judging, timeline
from harness.results.formatting import count
from harness.results.run_folder import Manifest, Summary

MIN_STEADY_S = 20
"""A shorter steady state has too few blocks to show how it varies."""
MIN_REQUESTS = 100
"""With fewer, fewer than five are above the p95."""

Stated = Mapping[str, object]
"""A property in words -> its value in a run."""


class Run(Struct, frozen=True):
    """A run: what was planned, its result, and its steady state."""

    folder: Path
    manifest: Manifest
    summary: Summary
    steady: Steady


def check_alike(before: Path, after: Path, anyway: bool) -> list[str]:
    """Return the planned differences of two runs, before their records are read.

    Raises:
        ConfigurationError: one is no run, both are the same, or their loads differ.
    """
    # Not the folders but the manifests: the baseline is a copy of a run.
    manifests = [judging.checked_manifest(folder) for folder in (before, after)]
    if manifests[0] == manifests[1]:
        raise ConfigurationError(f"{before} and {after} are the same run; give two")
    loads = differences(*map(load_of, manifests), anyway=anyway)
    return loads + differences(*map(subject_of, manifests))


def differences(before: Stated, after: Stated, *, anyway: bool = True) -> list[str]:
    """Return the differences, each such as "users 100 and 200".

    Raises:
        ConfigurationError: there are some, and `anyway` is False.
    """
    found = [
        f"{what} {_format(value)} and {_format(after[what])}"
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

    Spawn rate and run time are left out, because only the steady state is compared. So is the
    seed: with another one, users make other choices from the same distribution.
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
    """Return what may differ, since it may be the change itself, but has to be reported."""
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
        ConfigurationError: one of its files is missing or broken; names it.
    """
    manifest = judging.checked_manifest(folder)
    with judging.readable(folder, timeline.TIMELINE):
        steady = Steady(figures.read_steps(folder, manifest.warm_up_s))
    return Run(folder, manifest, judging.judge(folder, steady.add).summary, steady)


def why_not(run: Run) -> str:
    """Return why a run cannot be compared, or "" if it can."""
    if run.summary.verdict == "invalid":
        broken = [rule.sentence for rule in run.summary.validity if not rule.kept]
        return f"the run in {run.folder} is invalid: {'; '.join(broken)}"
    steady = run.summary.total.steady
    requests = steady.requests if steady else 0
    if run.summary.steady_s < MIN_STEADY_S or requests < MIN_REQUESTS:
        return (
            f"the run in {run.folder} is too short: a comparison needs {MIN_STEADY_S} s of "
            f"steady state and {MIN_REQUESTS} requests in it, here are "
            f"{run.summary.steady_s:.0f} s and {count(requests)}"
        )
    return ""


def _is_here(host: str) -> bool:
    return is_loopback((urlsplit(host).hostname or "").lower())


def _format(value: object) -> str:
    if isinstance(value, list):
        return f"({', '.join(value)})" if value else "none"
    return "none" if value is None else str(value)

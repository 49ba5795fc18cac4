"""In what two runs differ beside their results: a load that is another is no comparison; pure."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from harness.guard import is_loopback
from harness.runfolder import Manifest

Stated = Mapping[str, str]
"""Something in words -> what it was in a run."""


def differences(before: Stated, after: Stated) -> list[str]:
    """Name what differs, each as "users 100 and 200"."""
    return [
        f"{what} {before[what]} and {after[what]}"
        for what in before
        if before[what] != after[what]
    ]


def load_of(manifest: Manifest) -> Stated:
    """Return what has to be the same in two runs.

    The spawn rate and the run time are not in it: only the steady state is compared. Nor is the
    seed: by another one the users choose otherwise, but from the same.
    """
    return {
        "task mix": _weights(manifest.task_mix),
        "endpoints": _listed(sorted(manifest.endpoints)),
        "users": _told(manifest.users),
        "profile": _told(manifest.profile),
        "tags": _listed(sorted(manifest.tags)),
        "excluded tags": _listed(sorted(manifest.exclude_tags)),
        "varied data": "yes" if manifest.vary_data else "no",
        "data": manifest.data_sha256[:8],
        "client": manifest.client,
        "workers": _told(manifest.workers),
        "warm-up": f"{manifest.warm_up_s:g} s",
        "host": "on this machine" if _is_here(manifest.host) else "elsewhere",
    }


def subject_of(manifest: Manifest) -> Stated:
    """Return what may differ, since it may be what is compared, but should be known."""
    versions = manifest.versions
    return {
        "server": manifest.host if not _is_here(manifest.host) else "of this machine",
        "deployment": _told(manifest.deployment),
        "suite": versions.suite,
        "locust": versions.locust,
        "Python": versions.python,
    }


def _is_here(host: str) -> bool:
    return is_loopback((urlsplit(host).hostname or "").lower())


def _weights(mix: Mapping[str, int]) -> str:
    return _listed([f"{task} {weight}" for task, weight in sorted(mix.items())])


def _listed(names: list[str]) -> str:
    return f"({', '.join(names)})" if names else "none"


def _told(value: object) -> str:
    return "none" if value is None else str(value)

"""Programs on one core each: found, pinned, and asked how much of it they took."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager

from harness import ConfigurationError
from harness.settings import NAMES, PROJECT_DIR


def two_cores() -> tuple[int, int]:
    """Return a core for the generator and another for the server.

    Raises:
        ConfigurationError: there are not two.
    """
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(cores) < 2:
        raise ConfigurationError("the bench needs Linux and two cores: generator and server")
    return cores[0], cores[1]


@contextmanager
def pinned(core: int) -> Iterator[None]:
    """Pin what is started inside, and all that it starts, to one core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})  # a child takes over its parent's
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def allow_open_files(needed: int) -> None:
    """Raise the soft limit of open files to the hard one.

    Raises:
        ConfigurationError: that is too low.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise ConfigurationError(
            f"only {hard} files may be open, {needed} are needed; raise it: ulimit -Hn {needed}"
        )


def environment(**own: str) -> dict[str, str]:
    """Return an environment without the developer's settings, in which `bench` can be imported."""
    clean = {
        name: value
        for name, value in os.environ.items()
        if name not in NAMES and not name.startswith(("LOCUST_", "K6_"))
    }
    return {**clean, "PYTHONPATH": str(PROJECT_DIR), **own}

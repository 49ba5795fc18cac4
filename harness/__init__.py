"""The load-test harness: sends requests, records them, and judges and reports runs.

Invariant: no package here knows an API; `harness.run.install(events, suite)` passes one in.
pyproject.toml says which package may import which, and `make lint` checks it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

__version__ = "0.1.0"


class ConfigurationError(ValueError):
    """An error the user can fix; its one line says what is wrong, where, and what to do."""


@contextmanager
def exit_on_wrong_configuration() -> Iterator[None]:
    """Print a ConfigurationError as one line on stderr, and exit with code 2."""
    try:
        yield
    except ConfigurationError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)

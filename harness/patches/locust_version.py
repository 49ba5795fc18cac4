"""The version of Locust that the patches were tested with."""

from __future__ import annotations

import re
from importlib.metadata import version

TESTED_VERSION = "2.47.0"
"""requirements.txt pins the same version; a test compares the two."""


def newer_version_warning(installed: str | None = None) -> str | None:
    """Return a one-line warning if Locust is newer than the tested version, else None.

    An older version raises no warning: the tests of the patches show whether it lacks anything.
    """
    found = installed or version("locust")
    if _numbers(found) <= _numbers(TESTED_VERSION):
        return None
    return (
        f"Locust {found} is newer than {TESTED_VERSION}, the version that notice-load was tested "
        "with; if a run behaves oddly, install the pinned version: pip install -r requirements.txt"
    )


def _numbers(text: str) -> tuple[int, ...]:
    """Return major, minor and patch number; a suffix such as .dev3 is ignored."""
    return tuple(int(number) for number in re.findall(r"\d+", text)[:3])

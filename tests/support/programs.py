"""Programs that a machine may lack. Tests that need one have the marker `programs`.

Without the program, such a test is skipped. `make test-bare` runs all of them without any of these
programs: they may be skipped, but must not fail.
"""

from __future__ import annotations

import pytest

from harness.processes import find_program

PACKAGES = {
    "nginx": "nginx-light",
    "openssl": "openssl",
    "ip": "iproute2",
    "chromium": "chromium",
    "chromedriver": "chromium-driver",
}
FIXTURES = {"nginx", "authority", "chromium", "browser", "networks"}
"""Fixtures that need a program; every test that uses one gets the marker."""


def needed(name: str) -> str:
    """Return the path of a program; skip the test if it is not installed."""
    path = find_program(name)
    if path is None:
        pytest.skip(f"needs {name}: apt-get install {PACKAGES[name]}")
    return path

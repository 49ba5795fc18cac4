"""Programs that a machine may lack: tests that need one are skipped there, and named `programs`.

`make test-bare` runs them without any of these programs: skipped they may be, failing never.
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
"""Those that need one, and with them each test that asks for one of them."""


def needed(name: str) -> str:
    """Return where a program is; skip the test where it is not installed."""
    path = find_program(name)
    if path is None:
        pytest.skip(f"needs {name}: apt-get install {PACKAGES[name]}")
    return path

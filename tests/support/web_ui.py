"""Starts Locust's web UI on a free port and talks to it over HTTP."""

from __future__ import annotations

import contextlib
import signal
import subprocess
from collections.abc import Iterator

import requests

from harness.processes import free_port
from support import direct
from support.commands import PATIENCE_S, Commands, wait_until


@contextlib.contextmanager
def web_ui(
    commands: Commands, *options: str, port: int | None = None, **env: str
) -> Iterator[str]:
    """Start Locust with its web UI, on a free port by default; yield its base URL."""
    port = port or free_port()
    process = commands.start_locust(f"--web-port={port}", *options, **env)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: answers(url), "the web UI answers")
        yield url
    finally:
        end(process)


def end(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    process.communicate(timeout=PATIENCE_S)


def answers(url: str) -> bool:
    try:
        direct.get(url)
    except requests.ConnectionError:
        return False
    return True


def post(url: str, **fields: object) -> dict:
    """Send the form behind a button of the web UI; return the response."""
    answer = direct.post(url, data=fields).json()
    assert answer["success"] is True, answer
    return answer


def state(url: str) -> dict:
    """Return the state of the run that the verdict page shows."""
    return direct.get(f"{url}/verdict/state").json()


def verdict(url: str) -> str | None:
    interim_verdict = state(url)["standing"]
    return interim_verdict and interim_verdict["verdict"]

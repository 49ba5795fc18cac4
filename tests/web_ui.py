"""Locust's web UI for tests: started on a free port, asked over HTTP."""

from __future__ import annotations

import contextlib
import signal
import subprocess
from collections.abc import Iterator

import direct
import requests
from commands import PATIENCE_S, Commands, wait_until

from harness.processes import free_port


@contextlib.contextmanager
def web_ui(
    commands: Commands, *options: str, port: int | None = None, **env: str
) -> Iterator[str]:
    """Start locust with its web UI, on a free port unless one is given; yield its address."""
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
    """Press a button of the web UI; return its answer."""
    answer = direct.post(url, data=fields).json()
    assert answer["success"] is True, answer
    return answer


def state(url: str) -> dict:
    """Return how the run stands, as the live page has it."""
    return direct.get(f"{url}/verdict/state").json()


def verdict(url: str) -> str | None:
    standing = state(url)["standing"]
    return standing and standing["verdict"]

"""Real processes: locust as a user starts it, and the reference server."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from harness.experiments.deployments import Server
from support.commands import Commands, reference_server
from support.notice_server import NoticeServer
from support.parts import Parts


@pytest.fixture
def commands(tmp_path: Path) -> Iterator[Commands]:
    here = psutil.Process()
    before = set(here.children(recursive=True))
    yield Commands(tmp_path)
    left = {}
    for process in here.children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):  # it ended while we looked
            if process not in before and process.status() != psutil.STATUS_ZOMBIE:
                left[process] = " ".join(process.cmdline())
                process.kill()
    assert not left, f"left behind: {list(left.values())}"


@pytest.fixture
def parts(commands: Commands, notice_server: NoticeServer) -> Iterator[Parts]:
    made = Parts(commands, notice_server)
    yield made
    made.stop()


@pytest.fixture(scope="session")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with reference_server(tmp_path_factory.mktemp("target"), ("alarm_switch",)) as server:
        yield server

"""The bench's server and its way of measuring, with real processes; no peer is needed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import locust  # noqa: F401 - first, for gevent's monkey patching

import psutil
import pytest

from bench import BenchError, answers, measure
from bench.generators import GENERATORS, PYTHON, Generator, Job
from bench.locustfiles import ours
from bench.server import Nginx
from harness.config.settings import Settings
from harness.http.request import Request
from harness.http.session import Session
from harness.http.target import Target
from harness.processes import open_directly
from locustfile import NoticeUser
from notice_api import contract
from support.commands import PATIENCE_S
from support.notice_server import NoticeServer
from support.notice_server import answers as answering
from support.programs import needed

SENDS = """
import json, sys, time
from harness.processes import open_directly
url, seconds, report, more = sys.argv[1], float(sys.argv[2]), sys.argv[3], int(sys.argv[4])
sent, latest = 0, time.monotonic() + seconds
while time.monotonic() < latest:
    open_directly(url, 60).close()
    sent += 1
json.dump({"requests": sent + more, "failures": 0}, open(report, "w"))
"""
"""A generator that adds so many requests to those that it sent."""


@pytest.fixture
def nginx(tmp_path: Path) -> Iterator[Nginx]:
    needed("nginx")
    folder = tmp_path / "nginx"
    folder.mkdir()
    with Nginx(folder) as server:
        yield server


@pytest.fixture
def core() -> int:
    return min(os.sched_getaffinity(0))


def liar(more: int) -> Generator:
    def command(job: Job) -> list[str]:
        url = job.url + contract.BOARDS
        return ["-c", SENDS, url, str(job.seconds), str(job.report), str(more)]

    return Generator("liar", "liar", command, PYTHON)


def test_every_kind_of_request_gets_a_right_answer(nginx: Nginx) -> None:
    reported = []
    session = Session(Target(nginx.url, Settings()), lambda **event: reported.append(event))
    for request, _ in answers.every_kind():
        session.send(request)
    assert session.try_exchange(contract.unregister(answers.DEVICE_ID)) == (204, b"")
    session.close()
    assert [event["exception"] for event in reported] == [None] * len(answers.every_kind())
    assert {event["name"] for event in reported} == {e.name for e in contract.ENDPOINTS}


def test_the_counter_leaves_its_own_requests_out(nginx: Nginx) -> None:
    assert [nginx.requests() for _ in range(3)] == [0, 0, 0]
    for _ in range(5):
        open_directly(nginx.url + contract.BOARDS, PATIENCE_S).close()
    assert [nginx.requests() for _ in range(3)] == [5, 5, 5]


def test_ours_is_measured_and_leaves_nothing_running(
    nginx: Nginx, core: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measure, "WARM_UP_S", 0.1)
    (checked,) = (generator for generator in GENERATORS if generator.name == "ours")
    before = psutil.Process().children()
    sample = measure.measure(checked, PYTHON, nginx, core, 1, tmp_path)
    assert psutil.Process().children() == before
    assert 0 < sample.requests < sample.reported <= sample.seen
    assert sample.generator_cpu_s > 0 and sample.server_cpu_s > 0


@pytest.mark.parametrize("more", [0, 1_000_000])
def test_a_generator_that_reports_more_than_the_server_saw(
    more: int, nginx: Nginx, core: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measure, "WARM_UP_S", 0.1)
    monkeypatch.setattr(measure, "TAIL_S", 0.5)
    if not more:
        sample = measure.measure(liar(more), PYTHON, nginx, core, 1, tmp_path)
        assert sample.reported == sample.seen
        return
    with pytest.raises(BenchError, match=r"liar reports 1\d{6} requests, the server saw \d+"):
        measure.measure(liar(more), PYTHON, nginx, core, 1, tmp_path)


def test_a_generator_that_ends_at_once_is_named(nginx: Nginx, core: int, tmp_path: Path) -> None:
    broken = Generator(
        "broken", "broken", lambda _: ["-c", "raise SystemExit('no such option')"], PYTHON
    )
    with pytest.raises(BenchError, match=r"broken: .*ended with code 1: no such option"):
        measure.measure(broken, PYTHON, nginx, core, 1, tmp_path)


def test_unchecked_looks_at_the_status_alone(
    notice_server: NoticeServer,
    make_user: Callable[..., NoticeUser],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Request, "problem", Request.problem)  # put back
    environment = make_user().environment
    notice_server.faults["GET", contract.BOARDS] = answering(200, [])
    sent = []
    for kind in (ours.CheckedUser, ours.UncheckedUser):
        kind.host = notice_server.url
        user = kind(environment)
        user.on_start()
        sent.append(user.send(contract.list_boards()))
        user.close_connections()
        notice_server.devices.clear()
    assert sent == [False, True]
    assert not user.send(contract.subscribe("unknown", ("cse",)))
    user.close_connections()

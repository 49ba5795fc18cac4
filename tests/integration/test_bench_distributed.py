"""The bench of master and workers with real processes, as short as it can be."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from pathlib import Path

import locust  # noqa: F401 - first, for gevent's monkey patching

import psutil
import pytest

from bench import BenchError, answers
from bench.distributed import measuring
from bench.distributed.cluster import Cluster
from bench.distributed.messages import sharing, sharing_bytes, total
from bench.distributed.results import Load
from bench.server import Nginx, with_id_in_query
from harness.processes import open_directly
from notice_api import contract
from support.commands import PATIENCE_S
from support.programs import needed

WAIT_S = (0.1, 0.3)


@pytest.fixture
def nginx(tmp_path: Path) -> Iterator[Nginx]:
    needed("nginx")
    folder = tmp_path / "nginx"
    folder.mkdir()
    with Nginx(folder) as server:
        yield server


@pytest.fixture
def bench(nginx: Nginx, tmp_path: Path) -> measuring.Bench:
    return measuring.Bench(nginx, tmp_path, lambda _: None, settle_s=0.5)


def test_a_registration_gets_its_own_id_or_the_fixed_one(nginx: Nginx) -> None:
    for request, device_id in (
        (contract.register(answers.DEVICE_ID), answers.DEVICE_ID),
        (with_id_in_query(contract.register("MINE"), "MINE"), "MINE"),
    ):
        sent = urllib.request.Request(nginx.url + request.path, request.body, method="POST")
        with open_directly(sent, PATIENCE_S) as answer:
            assert request.problem(answer.status, answer.read()) is None, device_id


def test_real_workers_are_measured(bench: measuring.Bench) -> None:
    before = psutil.Process().children()
    (sample,) = bench.rounds((Load(2, 6, WAIT_S),), 1, 3).samples
    assert psutil.Process().children() == before
    assert len(sample.workers_cpu_s) == 2
    assert sample.master.cpu_s and sample.requests and sample.workers.histograms
    assert sample.master.received["stats"].messages
    assert sample.master.sent["heartbeat"].messages
    sent = sample.master.received["stats"].bytes  # a report may be under way at a snapshot
    assert sum(sample.workers.parts.values()) == pytest.approx(sent, rel=0.7)
    if sample.tcp is not None:
        counted = total(sample.master.received).bytes
        assert sample.tcp[0] == pytest.approx(counted, rel=0.7)


def test_devices_are_registered_and_deleted(bench: measuring.Bench) -> None:
    (run,) = bench.devices((Load(2, 6, (600.0, 600.0)),), settle_s=5.0).runs
    assert run.registered == run.deleted == 6
    registering, deleting = run.phases
    assert registering.master.sent["spawn"].messages >= 2
    shared = sharing(registering.master.received) + sharing(registering.master.sent)
    assert shared.messages >= 6 and sharing_bytes(registering.workers.parts)
    assert deleting.master.received["notice_load.finished"].messages >= 2


def test_a_worker_that_dies_ends_the_measurement(nginx: Nginx, tmp_path: Path) -> None:
    before = psutil.Process().children()
    own = tmp_path / "own"
    own.mkdir()
    with (
        pytest.raises(BenchError, match="1 workers, 2 users: "),
        Cluster(Load(1, 2, WAIT_S), nginx, own, "PacedUser") as cluster,
    ):
        cluster.running[1].kill()
        cluster.running[1].wait()
        cluster.snapshot()
    assert psutil.Process().children() == before

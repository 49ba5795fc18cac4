"""The bench of master and workers with real processes, as short as it can be."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from pathlib import Path

import locust  # noqa: F401 - first, for gevent's monkey patching

import psutil
import pytest
from commands import PATIENCE_S

from bench import BenchError, answers
from bench.distributed import measuring
from bench.distributed.cluster import Cluster
from bench.distributed.messages import sharing, sharing_bytes, total
from bench.distributed.results import Load
from bench.server import Nginx, asking_for_its_id
from harness import contract
from harness.processes import find_program, open_directly

WAIT_S = (0.1, 0.3)


@pytest.fixture
def nginx(tmp_path: Path) -> Iterator[Nginx]:
    if find_program("nginx") is None:
        pytest.skip("needs nginx: apt-get install nginx-light")
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
        (asking_for_its_id(contract.register("MINE"), "MINE"), "MINE"),
    ):
        sent = urllib.request.Request(nginx.url + request.target, request.body, method="POST")
        with open_directly(sent, PATIENCE_S) as answer:
            assert request.problem(answer.status, answer.read()) is None, device_id


def test_real_workers_are_measured_and_then_replayed(bench: measuring.Bench) -> None:
    real, replayed = (Load(2, 6, WAIT_S, replayed) for replayed in (False, True))
    before = psutil.Process().children()
    first, again = bench.part((real, replayed), 1, 3).samples
    assert psutil.Process().children() == before
    assert len(first.workers_cpu_s) == 2 and not again.workers_cpu_s
    for sample in (first, again):
        assert sample.master_cpu_s and sample.requests and sample.intervals
        assert sample.to_master["stats"].messages
        assert sample.to_workers["heartbeat"].messages
    sent = first.to_master["stats"].bytes  # a report may be under way while they are looked at
    assert sum(first.parts.values()) == pytest.approx(sent, rel=0.7)
    if first.kernel_to_master is not None:
        counted = total(first.to_master).bytes
        assert first.kernel_to_master == pytest.approx(counted, rel=0.7)


def test_devices_are_registered_and_deleted(bench: measuring.Bench) -> None:
    (run,) = bench.pool((Load(2, 6, (600.0, 600.0)),), settle_s=5.0).runs
    assert run.registered == run.deleted == 6
    registering, deleting = run.phases
    assert registering.to_workers["spawn"].messages >= 2
    shared = sharing(registering.to_master) + sharing(registering.to_workers)
    assert shared.messages >= 6 and sharing_bytes(registering.parts)
    assert deleting.to_master["notice_load.finished"].messages >= 2


def test_a_worker_that_dies_ends_the_measurement(nginx: Nginx, tmp_path: Path) -> None:
    before = psutil.Process().children()
    own = tmp_path / "own"
    own.mkdir()
    with (
        pytest.raises(BenchError, match="1 workers, 2 users: "),
        Cluster(Load(1, 2, WAIT_S), nginx, own) as cluster,
    ):
        cluster._processes[1].kill()
        cluster._processes[1].wait()
        cluster.look()
    assert psutil.Process().children() == before

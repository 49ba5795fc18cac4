"""What comes after the users: nothing is forgotten, nothing is struck off that may be there."""

from __future__ import annotations

import itertools
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import gevent

import pytest

from harness.config.settings import Settings
from harness.devices import cleanup
from harness.devices.cleanup import (
    DeleteOutcome,
    DeviceNumber,
    audit_and_delete,
    delete_all,
    identified,
)
from harness.devices.ledger import LEDGER, Ledger, read_left
from harness.devices.pool import DeviceReport, Devices, device_id
from harness.devices.write_history import Write
from harness.http import batch
from harness.http.target import Target
from harness.results.run_folder import DeviceCounts
from notice_api import SUITE
from support.notice_server import NoticeServer, answers, answers_late, resets

PATH = "/accounts/device"
DELETE = ("DELETE", PATH)
SEED = 3


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path) as ledger:
        yield ledger


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cleanup, "UNCONFIRMED_POLL_S", 0.05)


def registered(server: NoticeServer, ledger: Ledger, count: int) -> dict[str, DeviceNumber]:
    """Put devices of two workers on the server and in the ledger."""
    numbers = {worker: range(count) for worker in (0, 1)}
    for worker in numbers:
        ledger.reserve(worker, 0, count - 1)
    devices = identified(SEED, numbers)
    for id_ in devices:
        put_on(server, id_)
    return devices


def put_on(server: NoticeServer, id_: str) -> None:
    blank = {"id_method": "InstanceId", "keywords": "", "subscriptions": ""}
    server.devices[id_] = {"id": id_, **blank, "alarm_switch": False}


def outcome(
    server: NoticeServer,
    devices: dict[str, DeviceNumber],
    ledger: Ledger,
    *,
    doubtful: frozenset[str] = frozenset(),
    settled_in_s: float = 0.0,
    **told: object,
) -> DeleteOutcome:
    settings = Settings(**{"cleanup_per_s": 100_000, **told})
    unconfirmed = dict.fromkeys(doubtful, time.monotonic() + settled_in_s)
    return delete_all(
        Target(server.url, settings), SUITE.devices, devices, unconfirmed, ledger, settings
    )


def left(ledger: Ledger) -> set[DeviceNumber]:
    return {
        DeviceNumber(worker, number)
        for worker, numbers in read_left(ledger.folder).items()
        for number in numbers
    }


# Sweeping.


def test_all_are_deleted_and_struck_off(notice_server: NoticeServer, ledger: Ledger) -> None:
    devices = registered(notice_server, ledger, 150)
    assert outcome(notice_server, devices, ledger) == DeleteOutcome({*devices}, set())
    assert notice_server.devices == {}
    assert read_left(ledger.folder) == {}


def test_there_may_be_none(notice_server: NoticeServer, ledger: Ledger) -> None:
    assert outcome(notice_server, {}, ledger) == DeleteOutcome(set(), set())
    assert notice_server.connections == 0


def test_one_that_was_registered_and_is_not_there_is_absent_at_once(
    notice_server: NoticeServer, ledger: Ledger
) -> None:
    devices = registered(notice_server, ledger, 2)
    gone = next(iter(devices))
    del notice_server.devices[gone]
    result = outcome(notice_server, devices, ledger, settled_in_s=60)
    assert result == DeleteOutcome({*devices} - {gone}, {gone})
    assert notice_server.seen[DELETE] == 4
    assert read_left(ledger.folder) == {}


def test_a_doubtful_one_is_asked_for_until_the_server_has_come_to_it(
    notice_server: NoticeServer, ledger: Ledger
) -> None:
    devices = registered(notice_server, ledger, 1)
    late = next(iter(devices))
    del notice_server.devices[late]

    def come_to_it(connection: socket.socket, answer: bytes) -> bool:
        connection.sendall(answer)
        if notice_server.seen[DELETE] == 4:
            put_on(notice_server, late)
        return True

    notice_server.faults[DELETE] = come_to_it
    doubtful = frozenset({late})
    result = outcome(notice_server, devices, ledger, doubtful=doubtful, settled_in_s=60)
    assert result == DeleteOutcome({*devices}, set())
    assert notice_server.devices == {}


def test_a_doubtful_one_that_never_comes_is_struck_off_when_it_cannot_come_any_more(
    notice_server: NoticeServer, ledger: Ledger
) -> None:
    devices = registered(notice_server, ledger, 1)
    notice_server.devices.clear()
    doubtful = frozenset(devices)
    result = outcome(notice_server, devices, ledger, doubtful=doubtful, settled_in_s=0.3)
    assert result == DeleteOutcome(set(), {*devices})
    assert notice_server.seen[DELETE] > 2
    assert read_left(ledger.folder) == {}


def test_doubts_are_settled_even_if_asking_takes_long(
    notice_server: NoticeServer, ledger: Ledger
) -> None:
    """Some are asked for before the time, the last long after it: the first ones once more."""
    devices = registered(notice_server, ledger, 6)
    notice_server.devices.clear()
    result = outcome(
        notice_server,
        devices,
        ledger,
        doubtful=frozenset(devices),
        settled_in_s=0.2,
        cleanup_per_s=20,
    )
    assert result == DeleteOutcome(set(), {*devices})


def test_what_the_server_refuses_is_left_and_asked_for_once(
    notice_server: NoticeServer, ledger: Ledger
) -> None:
    devices = registered(notice_server, ledger, 5)
    notice_server.faults[DELETE] = answers(500, {})
    assert outcome(notice_server, devices, ledger) == DeleteOutcome(set(), set())
    assert notice_server.seen[DELETE] == 10
    assert left(ledger) == {*devices.values()}


def test_what_is_refused_is_tried_again_while_others_are_in_doubt(
    notice_server: NoticeServer, ledger: Ledger
) -> None:
    devices = registered(notice_server, ledger, 2)
    doubtful = frozenset({next(iter(devices))})

    def refuse_at_first(method: str, target: str, body: bytes) -> tuple[int, object]:
        if method == "DELETE" and notice_server.seen[DELETE] <= 6:
            return 500, {}
        return honest(method, target, body)

    honest, notice_server._answer = notice_server._answer, refuse_at_first
    result = outcome(notice_server, devices, ledger, doubtful=doubtful, settled_in_s=60)
    assert result.deleted == {*devices}


def test_cleaning_up_again_goes_on_where_it_was(
    notice_server: NoticeServer, ledger: Ledger
) -> None:
    devices = registered(notice_server, ledger, 30)
    count = itertools.count()

    def refuse_some(method: str, target: str, body: bytes) -> tuple[int, object]:
        return (503, {}) if next(count) % 3 == 0 else honest(method, target, body)

    honest, notice_server._answer = notice_server._answer, refuse_some
    remaining = len(devices)
    while devices:
        outcome(notice_server, devices, ledger)
        devices = identified(SEED, read_left(ledger.folder))
        assert len(devices) < remaining
        remaining = len(devices)
        assert {*notice_server.devices} == {*devices}


def test_nothing_is_struck_off_without_an_answer(
    notice_server: NoticeServer, ledger: Ledger
) -> None:
    """The server has deleted them, and closed the connection instead of an answer."""
    devices = registered(notice_server, ledger, 3)
    notice_server.faults[DELETE] = resets
    assert outcome(notice_server, devices, ledger) == DeleteOutcome(set(), set())
    assert left(ledger) == {*devices.values()}
    del notice_server.faults[DELETE]
    assert outcome(notice_server, devices, ledger) == DeleteOutcome(set(), {*devices})
    assert left(ledger) == set()


def test_a_server_that_is_away_leaves_all_behind(
    notice_server: NoticeServer, ledger: Ledger
) -> None:
    devices = registered(notice_server, ledger, 3)
    notice_server.stop()
    doubtful = frozenset(devices)
    result = outcome(notice_server, devices, ledger, doubtful=doubtful, settled_in_s=0.2)
    assert result == DeleteOutcome(set(), set())
    assert left(ledger) == {*devices.values()}


@pytest.mark.slow
def test_a_server_that_does_not_answer_costs_no_more_than_the_time_for_it(
    notice_server: NoticeServer, ledger: Ledger
) -> None:
    """`pytest`'s own limit would say so; what is under way is left too."""
    devices = registered(notice_server, ledger, 40)
    notice_server.faults[DELETE] = answers_late(600)
    told = {"cleanup_timeout_s": 0.5, "answer_timeout_s": 600.0}
    doubtful = frozenset(devices)
    result = outcome(notice_server, devices, ledger, doubtful=doubtful, settled_in_s=600, **told)
    assert result == DeleteOutcome(set(), set())
    assert notice_server.seen[DELETE] <= batch.MAX_CONNECTIONS
    assert left(ledger) == {*devices.values()}


@pytest.mark.slow
def test_what_was_done_before_the_time_was_over_is_struck_off(
    notice_server: NoticeServer, ledger: Ledger
) -> None:
    devices = registered(notice_server, ledger, 30)
    last = list(devices)[-1]

    def stall_on_the_last(connection: socket.socket, answer: bytes) -> bool:
        if last not in notice_server.devices:
            gevent.sleep(600)
        connection.sendall(answer)
        return True

    notice_server.faults[DELETE] = stall_on_the_last
    told = {"cleanup_timeout_s": 2.0, "answer_timeout_s": 600.0}
    result = outcome(notice_server, devices, ledger, **told)
    assert result.deleted and last not in result.deleted
    assert left(ledger) == {devices[id_] for id_ in {*devices} - result.deleted}


def test_an_interruption_leaves_what_was_done_struck_off(
    notice_server: NoticeServer, ledger: Ledger
) -> None:
    devices = registered(notice_server, ledger, 30)
    work = gevent.spawn(outcome, notice_server, devices, ledger, cleanup_per_s=50)
    while notice_server.seen[DELETE] < 10:
        gevent.sleep(0.01)
    work.kill()
    assert {devices[id_] for id_ in notice_server.devices} <= left(ledger)
    assert 0 < len(left(ledger)) < len(devices)


def test_no_more_are_under_way_than_there_are_connections(
    notice_server: NoticeServer, ledger: Ledger
) -> None:
    devices = registered(notice_server, ledger, 50)
    under_way: list[int] = []
    now = 0

    def count(connection: socket.socket, answer: bytes) -> bool:
        nonlocal now
        now += 1
        under_way.append(now)
        gevent.sleep(0.02)
        now -= 1
        connection.sendall(answer)
        return True

    notice_server.faults[DELETE] = count
    outcome(notice_server, devices, ledger)
    assert len(under_way) == 100
    assert 1 < max(under_way) <= batch.MAX_CONNECTIONS
    assert notice_server.connections <= batch.MAX_CONNECTIONS


def test_turns_come_at_the_rate_and_none_is_made_up_for(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [50.0]
    monkeypatch.setattr(batch.time, "monotonic", lambda: now[0])
    start_times = batch._start_times(4)
    assert [next(start_times) for _ in range(4)] == [50.0, 50.25, 50.5, 50.75]
    now[0] = 60.0
    assert [next(start_times) for _ in range(3)] == [60.0, 60.25, 60.5]


# The end of a run.


def a_run(
    server: NoticeServer, ledger: Ledger, workers: int = 2, confirmed: int = 3, doubtful: int = 0
) -> list[Devices]:
    """Register devices of some processes as their users would have."""
    run = []
    for worker in range(workers):
        devices = Devices(SEED, worker, sample=100)
        ledger.reserve(worker, 0, 199)
        for number in range(confirmed + doubtful):
            id_ = devices.new_id()
            put_on(server, id_)
            if number < confirmed:
                devices.confirm(id_)
        run.append(devices)
    return run


def concluded(
    server: NoticeServer,
    run: list[DeviceReport],
    ledger: Ledger,
    **told: object,
) -> tuple[DeviceCounts, object]:
    usual = {"cleanup_per_s": 100_000, "answer_timeout_s": 0.3, "audit_sample": 0}
    settings = Settings(**{**usual, **told})
    return audit_and_delete(server.url, SUITE.devices, SEED, run, ledger, settings)


def device_reports(run: list[Devices]) -> list[DeviceReport]:
    return [devices.device_report() for devices in run]


def test_a_run_that_goes_well_leaves_nothing(notice_server: NoticeServer, ledger: Ledger) -> None:
    run = device_reports(a_run(notice_server, ledger))
    counts, audit = concluded(notice_server, run, ledger)
    assert counts == DeviceCounts(registered=6, deleted=6, left_behind=0)
    assert audit is None
    assert notice_server.devices == {}
    assert left(ledger) == set()
    *_, unused, also_unused, gone, also_gone = (ledger.folder / LEDGER).read_text().splitlines()
    assert (unused, also_unused) == ("unused,0,3,199", "unused,1,3,199")
    assert {gone, also_gone} == {"gone,0,0,2", "gone,1,0,2"}, "whoever was answered first"


def test_a_device_whose_registration_nobody_confirmed_counts_when_it_is_deleted(
    notice_server: NoticeServer, ledger: Ledger
) -> None:
    run = device_reports(a_run(notice_server, ledger, confirmed=2, doubtful=2))
    del notice_server.devices[device_id(SEED, 0, 3)]
    counts, _ = concluded(notice_server, run, ledger)
    assert counts == DeviceCounts(registered=7, deleted=7, left_behind=0)
    assert left(ledger) == set()


def test_a_server_that_is_away_at_the_end(notice_server: NoticeServer, ledger: Ledger) -> None:
    run = device_reports(a_run(notice_server, ledger, confirmed=2, doubtful=1))
    notice_server.stop()
    counts, audit = concluded(notice_server, run, ledger, audit_sample=10)
    assert counts == DeviceCounts(registered=4, deleted=0, left_behind=6)
    assert (audit.devices, audit.unread, audit.lost_devices) == (0, 4, 0)
    assert len(left(ledger)) == 6


def test_devices_that_are_kept_are_read_back_and_stay(
    notice_server: NoticeServer, ledger: Ledger
) -> None:
    run = device_reports(a_run(notice_server, ledger, confirmed=2, doubtful=1))
    counts, audit = concluded(notice_server, run, ledger, keep_devices=True, audit_sample=3)
    assert counts == DeviceCounts(registered=4, deleted=0, left_behind=6)
    assert audit.devices == 3
    assert notice_server.seen[DELETE] == 0
    assert len(notice_server.devices) == 6
    assert {device_id(SEED, *each) for each in left(ledger)} == {*notice_server.devices}


def test_what_a_lost_worker_may_have_registered_is_looked_for(
    notice_server: NoticeServer, ledger: Ledger
) -> None:
    """It had told of two of four, and might have used all that was reserved for it."""
    mine, lost = a_run(notice_server, ledger, confirmed=3, doubtful=1)
    mine.history.add(device_id(SEED, 0, 0), "keywords", Write("never arrived", 1.0, 2.0))
    told = DeviceReport(worker=1, used=200, confirmed=[(0, 1)], writes=None)
    counts, audit = concluded(notice_server, [mine.device_report(), told], ledger, audit_sample=50)
    assert counts == DeviceCounts(registered=8, deleted=8, left_behind=0)
    assert (audit.devices, audit.lost_devices) == (5, 0)
    assert (audit.values, audit.wrong_values, audit.are_values_known) == (0, 0, False)
    assert notice_server.devices == {}
    assert left(ledger) == set()
    assert lost.numbers.used == 4


def test_the_sample_are_the_first_of_all_processes(
    notice_server: NoticeServer, ledger: Ledger
) -> None:
    run = device_reports(a_run(notice_server, ledger, confirmed=10))
    _, audit = concluded(notice_server, run, ledger, audit_sample=4, keep_devices=True)
    asked = {target for method, target, _ in notice_server.requests if method == "GET"}
    first = sorted(device_id(SEED, worker, number) for worker in (0, 1) for number in range(10))
    assert asked == {f"{PATH}?id={id_}" for id_ in first[:4]}
    assert audit.devices == 4


def test_a_run_without_devices_asks_nothing(notice_server: NoticeServer, ledger: Ledger) -> None:
    run = [DeviceReport(worker=0, used=0, confirmed=[], writes={})]
    assert concluded(notice_server, run, ledger, audit_sample=5) == (DeviceCounts(), None)
    assert notice_server.connections == 0

"""Reading devices back: what was lost is found and named, and nobody is accused without cause."""

from __future__ import annotations

import socket

import gevent

import pytest

from harness.config.settings import Settings
from harness.devices import audit
from harness.devices.audit import MAX_UNREAD, read_back
from harness.devices.pool import device_id
from harness.devices.write_history import Write, WriteHistory, Writes
from harness.http.batch import MAX_CONNECTIONS
from harness.http.session import Session
from harness.http.target import Target
from harness.results.run_folder import Audit
from notice_api import SUITE, contract
from support.notice_server import NoticeServer, answers, changes, resets, sends

PATH = "/accounts/device"
GET = ("GET", PATH)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "RECHECK_AFTER_S", 0.01)


class Users:
    """Registers devices and writes to them as users do, with a write history of its own."""

    def __init__(self, server: NoticeServer, count: int = 2) -> None:
        self.server = server
        self.ids = sorted(device_id(1, 0, number) for number in range(count))
        self.history = WriteHistory(count)
        target = Target(server.url, Settings())
        self.session = Session(target, lambda **_: None)
        for id_ in self.ids:
            assert self.session.send(contract.register(id_))
            self.history.consider(id_)

    def write(self, number: int, word: str) -> bool:
        """Set the keywords of a device."""
        sent_s = self.history.now_s()
        is_right = self.session.send(contract.set_keywords(self.ids[number], (word,)))
        over_s = self.history.now_s() if is_right else None
        self.history.add(self.ids[number], "keywords", Write(word, sent_s, over_s))
        return is_right

    def held(self, number: int) -> dict[str, object]:
        return self.server.devices[self.ids[number]]


@pytest.fixture
def users(notice_server: NoticeServer) -> Users:
    return Users(notice_server)


def audited(users: Users, *others: dict[str, Writes], known: bool = True, **told: object) -> Audit:
    settings = Settings(**{"cleanup_per_s": 100_000, **told})
    histories = [users.history.writes, *others] if known else None
    return read_back(
        Target(users.server.url, settings), SUITE.devices, users.ids, histories, settings
    )


def clean(devices: int) -> Audit:
    """Return what comes of so many devices, each of which has three fields."""
    return Audit(devices=devices, values=3 * devices, unread=0, lost_devices=0, wrong_values=0)


# An honest server.


def test_what_was_written_is_there(users: Users) -> None:
    for word in ("a", "b", "c"):
        users.write(0, word)
    assert audited(users) == clean(2)
    assert users.server.seen[GET] == 2


def test_a_write_that_nobody_acknowledged_may_be_done_or_not(users: Users) -> None:
    users.write(1, "before")
    users.server.faults["PUT", PATH] = resets
    assert not users.write(0, "done")  # the server does it, and the answer is lost
    assert not users.write(1, "done")
    assert audited(users) == clean(2)
    users.held(0)["keywords"], users.held(1)["keywords"] = "", "before"
    assert audited(users) == clean(2)
    users.held(0)["keywords"] = "other"
    assert audited(users).wrong_values == 1


def test_the_writes_of_all_processes_count(users: Users) -> None:
    users.write(0, "mine")
    now_s = users.history.now_s()
    theirs = Write("theirs", now_s - 1, now_s)
    history = {users.ids[0]: {"keywords": [theirs]}}
    assert audited(users, history) == clean(2)
    users.held(0)["keywords"] = "theirs"
    assert audited(users, history) == clean(2)
    assert audited(users).wrong_values == 1


def test_a_server_whose_copies_lag_gets_a_second_look(users: Users) -> None:
    users.write(0, "a")
    seen: set[str] = set()

    def lag(method: str, target: str, body: bytes) -> tuple[int, object]:
        status, content = honest(method, target, body)
        if target in seen:
            return status, content
        seen.add(target)
        late = target.endswith(users.ids[0])
        return (200, {**content, "keywords": ""}) if late else (404, {})

    honest, users.server._answer = users.server._answer, lag
    assert audited(users) == clean(2)
    assert users.server.seen[GET] == 4


# One that is not.


def test_a_write_that_was_dropped_behind_a_right_answer_is_found(users: Users) -> None:
    users.write(0, "kept")
    users.write(1, "kept")
    users.server.drop_every = 3
    assert users.write(0, "dropped")
    found = audited(users)
    assert (found.devices, found.values, found.wrong_values) == (2, 6, 1)
    assert found.examples == [f'keywords of {users.ids[0]} is "kept", not "dropped"']


def test_a_dropped_write_that_another_one_followed_is_no_loss(users: Users) -> None:
    users.server.drop_every = 2
    for word in ("a", "dropped", "c"):
        users.write(0, word)
    assert len(users.server.dropped) == 1
    assert audited(users) == clean(2)


def test_the_first_write_of_all_that_was_dropped_is_found(users: Users) -> None:
    users.server.drop_every = 1
    users.write(0, "dropped")
    assert audited(users).examples == [f'keywords of {users.ids[0]} is "", not "dropped"']


def test_what_nobody_wrote_is_found(users: Users) -> None:
    users.held(0)["alarm_switch"] = True
    users.held(1)["subscriptions"] = "s" * 200
    found = audited(users)
    assert found.wrong_values == 2
    long, short = sorted(found.examples, key=len, reverse=True)
    assert short == f"alarm_switch of {users.ids[0]} is true, not false"
    assert long.endswith('…, not ""') and len(long) < 150


def test_a_device_that_is_gone_is_found(users: Users) -> None:
    del users.server.devices[users.ids[1]]
    assert audited(users) == Audit(
        devices=2,
        values=3,
        unread=0,
        lost_devices=1,
        wrong_values=0,
        examples=[f"{users.ids[1]} is gone"],
    )


def test_a_field_that_the_server_does_not_have_is_wrong(users: Users) -> None:
    found = audited(users, alarm_fields=("alarm_switch_sub", "alarm_switch"))
    assert (found.values, found.wrong_values) == (8, 2)
    assert "alarm_switch_sub" in found.examples[0]
    assert found.examples[0].endswith("is absent, not false")


def test_a_few_examples_are_enough(notice_server: NoticeServer) -> None:
    users = Users(notice_server, count=12)
    notice_server.devices.clear()
    found = audited(users)
    assert found.lost_devices == 12
    assert found.examples == [f"{id_} is gone" for id_ in users.ids[:5]]


def test_without_the_history_of_a_process_only_devices_are_looked_for(users: Users) -> None:
    users.held(0)["keywords"] = "who knows"
    del users.server.devices[users.ids[1]]
    found = audited(users, known=False)
    assert users.server.seen["GET", "/accounts/device"] == 3, "only the lost one is read again"
    assert (found.devices, found.lost_devices) == (2, 1)
    assert (found.values, found.wrong_values, found.are_values_known) == (0, 0, False)


# One that cannot be read.


@pytest.mark.parametrize(
    "fault",
    [
        answers(500, {}),
        answers(200, []),
        answers(200, {"id": "another", "id_method": "", "keywords": "", "subscriptions": ""}),
        answers(403, {}),
        sends(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n!!"),
        changes(lambda device: device.pop("keywords") and None),
        resets,
    ],
)
def test_a_wrong_answer_is_neither_loss_nor_proof(users: Users, fault: object) -> None:
    users.server.faults[GET] = fault
    assert audited(users) == Audit(devices=0, values=0, unread=2, lost_devices=0, wrong_values=0)


def test_a_server_that_went_away(users: Users) -> None:
    users.server.stop()
    assert audited(users).unread == 2


def test_a_server_without_any_answer_is_given_up(notice_server: NoticeServer) -> None:
    users = Users(notice_server, count=5 * MAX_UNREAD)
    notice_server.faults[GET] = answers(500, {})
    assert audited(users).unread == 5 * MAX_UNREAD
    assert notice_server.seen[GET] <= MAX_UNREAD + MAX_CONNECTIONS


def test_a_server_with_an_answer_now_and_then_is_not(notice_server: NoticeServer) -> None:
    users = Users(notice_server, count=3 * MAX_UNREAD)
    fails = answers(500, {})

    def fault(connection: socket.socket, answer: bytes) -> bool:
        if notice_server.seen[GET] % 3 == 1:
            connection.sendall(answer)
            return True
        return fails(connection, answer)

    notice_server.faults[GET] = fault
    found = audited(users)
    assert notice_server.seen[GET] == 3 * MAX_UNREAD
    assert found.devices + found.unread == 3 * MAX_UNREAD
    assert found.devices == MAX_UNREAD


@pytest.mark.slow
def test_a_server_that_says_nothing_costs_no_more_than_the_time_for_it(users: Users) -> None:
    def say_nothing(connection: socket.socket, answer: bytes) -> bool:
        gevent.sleep(600)
        return False

    users.server.faults[GET] = say_nothing
    found = audited(users, cleanup_timeout_s=0.3, answer_timeout_s=600.0)
    assert (found.devices, found.unread) == (0, 2)

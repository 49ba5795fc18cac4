"""A user that is stopped in mid-exchange leaves nothing behind, and can go on."""

from __future__ import annotations

import gc
import os
import signal
import socket
from collections.abc import Callable

import gevent
from gevent.event import Event
from locust.exception import StopUser

import pytest

from harness.http.wire import Connection, sockets
from harness.run.signals import interrupt_between_turns
from notice_api import contract
from support.raw_servers import (
    OK,
    Behaviour,
    Client,
    Server,
    no_more_open_files,
    nobody_accepts,
    sends,
    stalls_after,
    wait_for,
)


def watchers() -> int:
    """Return how many watchers of the loop are active."""
    return gevent.get_hub().loop.activecnt


PARTS = {"before an answer": b"", "inside the head": OK[:9], "inside the body": OK[:-1]}


def stalls_until(event: Event, raw: bytes) -> Behaviour:
    """Send these bytes, then nothing until the event, then close."""

    def behave(connection: socket.socket, _number: int) -> bool:
        connection.sendall(raw)
        event.wait()
        return False

    return behave


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("kept", [False, True])
def test_killed_in_an_exchange(
    part: str, kept: bool, serve: Callable[..., Server], connect: Callable[..., Client]
) -> None:
    """What was sent is answered, or fails, and is counted before the user ends."""
    server = serve(sends(OK, keeps=True))
    client = connect(server.url)
    with no_more_open_files():
        before = watchers()
        if kept:
            client.call("POST")
        over = Event()
        server.behave = stalls_until(over, PARTS[part])
        user = gevent.spawn(client.call, "POST")
        wait_for(lambda: len(server.requests) == kept + 1, "it is sent")
        user.kill(block=False)
        gevent.sleep(0)
        assert not user.dead
        over.set()
        user.join()
        assert isinstance(user.value, gevent.GreenletExit)
        closed = (
            f"closed early: connection closed {'inside' if PARTS[part] else 'before'} an answer"
        )
        assert client.problems == [*[None] * kept, closed]
        wait_for(lambda: watchers() <= before, "no watcher is left")
        server.behave = sends(OK)
        assert client.call().content == b"ok"
        assert client.problems[kept + 1 :] == [None]
        client.session.close()


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("kept", [False, True])
def test_a_timeout_of_the_users_own(
    part: str, kept: bool, serve: Callable[..., Server], connect: Callable[..., Client]
) -> None:
    server = serve(sends(OK, keeps=True))
    client = connect(server.url)
    with no_more_open_files():
        before = watchers()
        if kept:
            client.call()
        server.behave = stalls_after(PARTS[part])
        with pytest.raises(gevent.Timeout), gevent.Timeout(0.05):
            client.call()
        assert client.problems == [None] * kept
        wait_for(lambda: watchers() <= before, "no watcher is left")
        server.behave = sends(OK)
        assert client.call().content == b"ok"
        assert client.problems[kept:] == [None]
        client.session.close()


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_stopped_while_connecting(scheme: str, connect: Callable[..., Client]) -> None:
    with nobody_accepts() as port, no_more_open_files():
        before = watchers()
        client = connect(f"{scheme}://127.0.0.1:{port}")
        user = gevent.spawn(client.call)
        wait_for(lambda: watchers() > before, "it connects")
        user.kill()
        wait_for(lambda: watchers() <= before, "no watcher is left")
        assert client.fired == []


def test_stopped_in_a_handshake(
    serve: Callable[..., Server], connect: Callable[..., Client]
) -> None:
    over = Event()
    server = serve(sends(OK))
    server._server.set_handle(lambda connection, _: (over.wait(), connection.close()))
    with no_more_open_files():
        before = watchers()
        client = connect(server.url.replace("http:", "https:"))
        with pytest.raises(gevent.Timeout), gevent.Timeout(0.05):
            client.call()
        over.set()
        wait_for(lambda: watchers() <= before, "no watcher is left")


def test_stopped_while_sending(
    serve: Callable[..., Server], connect: Callable[..., Client]
) -> None:
    over = Event()
    server = serve(sends(OK))
    server._server.set_handle(lambda connection, _: (over.wait(), connection.close()))
    with no_more_open_files():
        before = watchers()
        client = connect(server.url)
        with pytest.raises(gevent.Timeout), gevent.Timeout(0.05):
            client.call("PUT", body=bytes(20_000_000))
        over.set()
        wait_for(lambda: watchers() <= before, "no watcher is left")


def test_many_users_stopped_at_once(
    serve: Callable[..., Server], connect: Callable[..., Client]
) -> None:
    server = serve(stalls_after(OK[:9]))
    with no_more_open_files():
        clients = [connect(server.url, answer_timeout_s=0.5) for _ in range(50)]
        users = [gevent.spawn(client.call) for client in clients]
        wait_for(lambda: len(server.requests) == 50, "all are sent")
        gevent.killall(users)
        assert [client.problems for client in clients] == [["answer timeout"]] * 50
    del users
    gc.collect()
    left = [thing for thing in gc.get_objects() if isinstance(thing, Connection)]
    assert left == []


def test_an_answer_timeout_reaches_no_later_wait(
    serve: Callable[..., Server], connect: Callable[..., Client]
) -> None:
    """The timer of one exchange never goes off in what the user does next."""
    server = serve(sends(OK, keeps=True))
    client = connect(server.url, answer_timeout_s=0.5)
    for _ in range(2):
        client.call()
        gevent.sleep(0.6)
    server.behave = stalls_after(b"")
    client.call()
    gevent.sleep(0.6)
    assert client.problems == [None, None, "answer timeout"]


def test_a_kill_while_a_request_is_sent_again_loses_it_not(
    serve: Callable[..., Server], connect: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    def behave(connection: socket.socket, _number: int) -> bool:
        if len(server.requests) == 2:
            return False
        connection.sendall(OK)
        return True

    connects = sockets.connect
    killed = Event()

    def connected(host: str, port: int) -> socket.socket:
        if server.requests and not killed.is_set():
            killed.set()
            user.kill(block=False)
            gevent.sleep(0.01)
        return connects(host, port)

    monkeypatch.setattr(sockets, "connect", connected)
    server = serve(behave)
    client = connect(server.url)

    def act() -> None:
        client.call()
        client.call()
        pytest.fail("it goes on after the kill")

    user = gevent.spawn(act)
    user.join()
    assert isinstance(user.value, gevent.GreenletExit)
    assert client.problems == [None, None]
    assert len(server.requests) == 3  # the second twice


def test_a_kill_is_not_forgotten_when_a_listener_raises(
    serve: Callable[..., Server], connect: Callable[..., Client]
) -> None:
    over = Event()

    def behave(connection: socket.socket, _number: int) -> bool:
        over.wait()
        connection.sendall(OK)
        return True

    def fire(**_: object) -> None:
        raise StopUser

    server = serve(behave)
    client = connect(server.url)
    client.session._fire = fire
    user = gevent.spawn(client.session.send, contract.list_boards())
    wait_for(lambda: server.requests, "it is sent")
    user.kill(block=False)
    gevent.sleep(0)
    over.set()
    user.join()
    assert isinstance(user.value, gevent.GreenletExit)
    assert client.session._pending_kill is None


def test_a_signal_waits_for_what_runs() -> None:
    """Python would raise KeyboardInterrupt in the middle of an answer, which is lost then."""
    number = signal.SIGUSR2
    before = signal.getsignal(number)
    done = []

    def busy() -> None:
        os.kill(os.getpid(), number)
        done.append(sum(range(100_000)))

    try:
        interrupt_between_turns(number)
        gevent.spawn(busy)
        with pytest.raises(KeyboardInterrupt):
            gevent.sleep(10)
    finally:
        signal.signal(number, before)
    assert done

"""A user that is stopped in mid-exchange leaves nothing behind, and can go on."""

from __future__ import annotations

import gc
import socket
from collections.abc import Callable

import gevent

import pytest
from session.raw_servers import OK, Client, Server, no_more_open_files, sends, stalls_after
from session.test_failures import nobody_accepts

from harness.wire import Connection


def watchers() -> int:
    """Return how many watchers of the loop are active."""
    return gevent.get_hub().loop.activecnt


PARTS = {"before an answer": b"", "inside the head": OK[:9], "inside the body": OK[:-1]}


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("how", ["kill", "timeout"])
def test_stopped_in_an_exchange(
    part: str,
    kept: bool,
    how: str,
    serve: Callable[..., Server],
    connect: Callable[..., Client],
) -> None:
    server = serve(sends(OK, keeps=True))
    client = connect(server.url, answer_timeout_s=0.2)
    right = [None] * kept
    with no_more_open_files():
        before = watchers()
        if kept:
            client.session.get("/")
        server.behave = stalls_after(PARTS[part])
        if how == "kill":
            user = gevent.spawn(client.session.get, "/")
            gevent.sleep(0.02)
            user.kill()
            assert isinstance(user.value, gevent.GreenletExit)
            right.append("answer timeout")  # what was sent is counted before the user ends
        else:
            with pytest.raises(gevent.Timeout), gevent.Timeout(0.02):
                client.session.get("/")
        assert client.problems == right
        gevent.sleep(0.02)
        assert watchers() <= before
        server.behave = sends(OK)
        assert client.session.get("/").content == b"ok"
        assert client.problems == [*right, None]
        client.session.close()


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_stopped_while_connecting(scheme: str, connect: Callable[..., Client]) -> None:
    with nobody_accepts() as port, no_more_open_files():
        before = watchers()
        client = connect(f"{scheme}://127.0.0.1:{port}")
        user = gevent.spawn(client.session.get, "/")
        gevent.sleep(0.02)
        user.kill()
        gevent.sleep(0.02)
        assert watchers() <= before
        assert client.fired == []


def test_stopped_in_a_handshake(
    serve: Callable[..., Server], connect: Callable[..., Client]
) -> None:
    def behave(connection: socket.socket, _number: int) -> bool:
        return False

    server = serve(behave)
    server._server.set_handle(lambda connection, _: (gevent.sleep(0.1), connection.close()))
    with no_more_open_files():
        before = watchers()
        client = connect(server.url.replace("http:", "https:"))
        with pytest.raises(gevent.Timeout), gevent.Timeout(0.02):
            client.session.get("/")
        gevent.sleep(0.15)
        assert watchers() <= before


def test_stopped_while_sending(
    serve: Callable[..., Server], connect: Callable[..., Client]
) -> None:
    server = serve(sends(OK))
    server._server.set_handle(lambda connection, _: (gevent.sleep(0.1), connection.close()))
    with no_more_open_files():
        before = watchers()
        client = connect(server.url)
        with pytest.raises(gevent.Timeout), gevent.Timeout(0.03):
            client.session.put("/", data=bytes(20_000_000))
        gevent.sleep(0.15)
        assert watchers() <= before


def test_many_users_stopped_at_once(
    serve: Callable[..., Server], connect: Callable[..., Client]
) -> None:
    server = serve(stalls_after(OK[:9]))
    with no_more_open_files():
        clients = [connect(server.url, answer_timeout_s=0.2) for _ in range(50)]
        users = [gevent.spawn(client.session.get, "/") for client in clients]
        gevent.sleep(0.05)
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
    client = connect(server.url, answer_timeout_s=0.05)
    for _ in range(3):
        client.session.get("/")
        gevent.sleep(0.1)
    server.behave = stalls_after(b"")
    client.session.get("/")
    gevent.sleep(0.2)
    assert client.problems == [None, None, None, "answer timeout"]

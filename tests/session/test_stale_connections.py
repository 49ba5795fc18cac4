"""A kept connection that the server closed: nothing is lost, and no POST is sent twice."""

from __future__ import annotations

import socket
from collections.abc import Callable

import gevent

import pytest

from harness.http import session
from harness.http.wire import Connection
from support.raw_servers import (
    OK,
    Client,
    Server,
    answer,
    let_it_be_read,
    no_more_open_files,
    reset,
    resets_after,
    sends,
    wait_for,
)

UNANSWERED = "closed early: connection closed before an answer"
CUT = "closed early: connection closed inside an answer"


def closes_after(count: int, idle_s: float = 0.0) -> Callable[[socket.socket, int], bool]:
    """Close after each `count`-th answer, at once or after a while, without saying so."""

    def behave(connection: socket.socket, number: int) -> bool:
        connection.sendall(OK)
        if number < count:
            return True
        gevent.sleep(idle_s)
        return False

    return behave


def act(client: Client, method: str, number: int) -> None:
    client.call(method, body=f"{method} {number}".encode() if method != "GET" else None)


@pytest.mark.parametrize("close_after", [1, 2, 3, 7])
@pytest.mark.parametrize("idle_s", [0.0, 0.01])
@pytest.mark.parametrize(
    "methods",
    [("GET",), ("PUT",), ("DELETE",), ("POST",), ("GET", "POST", "PUT", "POST", "DELETE")],
    ids=" ".join,
)
def test_a_server_that_closes_after_each_nth_answer(
    close_after: int,
    idle_s: float,
    methods: tuple[str, ...],
    serve: Callable[..., Server],
    connect: Callable[..., Client],
) -> None:
    server = serve(closes_after(close_after, idle_s))
    client = connect(server.url)
    count, sent = 22, []
    for number in range(count):
        method = methods[number % len(methods)]
        act(client, method, number)
        sent.append((method, number))
        if idle_s and (number + 1) % close_after == 0:
            wait_for(lambda: server.closed == server.connections, "the server closed it")
    assert client.problems == [None] * count
    again = [method for method, number in sent if number and number % close_after == 0]
    assert client.connections.reconnects == len([method for method in again if method != "POST"])
    assert server.connections == -(-count // close_after)
    assert len(server.requests) == count
    posts = [body for body in server.bodies if body.startswith(b"POST")]
    assert posts == [f"POST {number}".encode() for method, number in sent if method == "POST"]


def test_all_requests_take_the_one_live_connection(
    serve: Callable[..., Server], connect: Callable[..., Client]
) -> None:
    server = serve(sends(OK, keeps=True))
    client = connect(server.url)
    for number, method in enumerate(["POST", "POST", "GET", "POST", "PUT", "POST", "DELETE"]):
        act(client, method, number)
    assert server.connections == 1
    assert client.connections.reconnects == 0
    assert len(server.requests) == 7


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST"])
def test_a_reset_between_two_requests(
    method: str, serve: Callable[..., Server], connect: Callable[..., Client]
) -> None:
    def behave(connection: socket.socket, _number: int) -> bool:
        connection.sendall(OK)
        let_it_be_read(connection)
        reset(connection)
        return False

    server = serve(behave)
    client = connect(server.url)
    for number in range(4):
        act(client, method, number)
        wait_for(lambda: server.closed == server.connections, "the server reset it")
    assert client.problems == [None] * 4
    assert server.connections == 4
    assert client.connections.reconnects == (0 if method == "POST" else 3)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_nothing_is_sent_again_when_the_run_may_be_over_by_then(
    method: str, serve: Callable[..., Server], connect: Callable[..., Client]
) -> None:
    """Such as by a process that stood still while it waited for the first answer."""

    def behave(connection: socket.socket, number: int) -> bool:
        if number == 1:
            connection.sendall(OK)
        else:
            client.session._can_still_send = lambda: False
        return number == 1

    server = serve(behave)
    client = connect(server.url)
    for number in range(2):
        act(client, method, number)
    assert client.problems == [None, "generator: not sent, since the run may be over"]
    assert len(server.requests) == 2
    assert client.session.was_retried, "the first try may have been answered"
    client.session._can_still_send = lambda: True
    act(client, method, 3)
    assert client.problems[2] is None


def test_a_connection_that_took_too_long_sends_nothing(
    serve: Callable[..., Server], connect: Callable[..., Client]
) -> None:
    server = serve(sends(OK, keeps=True))
    client = connect(server.url)
    client.session._can_still_send = lambda: False
    act(client, "POST", 1)
    assert client.problems == ["generator: not sent, since the run may be over"]
    assert server.requests == []


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST"])
@pytest.mark.parametrize("resets", [False, True])
def test_a_new_connection_closed_without_an_answer_is_a_failure(
    method: str, resets: bool, serve: Callable[..., Server], connect: Callable[..., Client]
) -> None:
    def behave(connection: socket.socket, _number: int) -> bool:
        if resets:
            reset(connection)
        return False

    server = serve(behave)
    client = connect(server.url)
    act(client, method, 1)
    assert client.problems == ["connection reset" if resets else UNANSWERED]
    assert len(server.requests) == server.connections == 1
    assert client.connections.reconnects == 0


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_a_request_is_sent_again_once_not_twice(
    method: str, serve: Callable[..., Server], connect: Callable[..., Client]
) -> None:
    server = serve(sends(OK, keeps=True))
    client = connect(server.url)
    act(client, "GET", 0)
    server.behave = sends(b"")
    act(client, method, 1)
    assert client.problems == [None, UNANSWERED]
    assert len(server.requests) == 3
    assert client.connections.reconnects == 1


def test_a_post_on_a_live_connection_closed_unanswered_is_not_sent_again(
    serve: Callable[..., Server], connect: Callable[..., Client]
) -> None:
    server = serve(sends(OK, keeps=True))
    client = connect(server.url)
    act(client, "GET", 0)
    server.behave = sends(b"")
    act(client, "POST", 1)
    assert client.problems == [None, UNANSWERED]
    assert server.bodies == [b"", b"POST 1"]
    assert client.connections.reconnects == 0


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST"])
@pytest.mark.parametrize("part", [b"H", b"HTTP/1.1 200 OK\r\nX: ", OK[:-1]])
def test_half_an_answer_on_a_kept_connection_is_a_failure(
    method: str, part: bytes, serve: Callable[..., Server], connect: Callable[..., Client]
) -> None:
    server = serve(sends(OK, keeps=True))
    client = connect(server.url)
    act(client, "GET", 0)
    server.behave = sends(part)
    act(client, method, 1)
    assert client.problems == [None, CUT]
    assert len(server.requests) == 2
    assert client.connections.reconnects == 0
    server.behave = sends(OK)
    act(client, method, 2)
    assert client.problems[2] is None


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST"])
@pytest.mark.parametrize("part", [b"H", b"HTTP/1.1 200 OK\r\nX: ", OK[:-1]])
def test_half_an_answer_and_a_reset_on_a_kept_connection_is_a_failure(
    method: str, part: bytes, serve: Callable[..., Server], connect: Callable[..., Client]
) -> None:
    server = serve(sends(OK, keeps=True))
    client = connect(server.url)
    act(client, "GET", 0)
    server.behave = resets_after(part)
    act(client, method, 1)
    assert client.problems == [None, "connection reset"]
    assert len(server.requests) == 2
    assert client.connections.reconnects == 0
    server.behave = sends(OK)
    act(client, method, 2)
    assert client.problems[2] is None
    assert (server.connections, client.connections.reconnects) == (2, 0)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST"])
def test_a_reset_instead_of_an_answer_on_a_kept_connection(
    method: str, serve: Callable[..., Server], connect: Callable[..., Client]
) -> None:
    """No byte came: an idempotent request is sent again, once, and a POST is not."""
    server = serve(sends(OK, keeps=True))
    client = connect(server.url)
    act(client, "GET", 0)
    server.behave = resets_after(b"")
    act(client, method, 1)
    assert client.problems == [None, "connection reset"]
    again = method != "POST"
    assert len(server.requests) == 2 + again
    assert client.connections.reconnects == again


def test_an_answer_timeout_on_a_kept_connection_is_not_sent_again(
    serve: Callable[..., Server], connect: Callable[..., Client]
) -> None:
    def behave(connection: socket.socket, number: int) -> bool:
        if number == 1:
            connection.sendall(OK)
            return True
        connection.recv(1)
        return False

    server = serve(behave)
    client = connect(server.url, answer_timeout_s=0.5)
    act(client, "GET", 0)
    act(client, "GET", 1)
    assert client.problems == [None, "answer timeout"]
    assert len(server.requests) == 2


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST"])
def test_what_came_unasked_is_not_taken_for_the_next_answer(
    method: str, serve: Callable[..., Server], connect: Callable[..., Client]
) -> None:
    """Some proxies say 408 on an idle connection before they close it."""

    def behave(connection: socket.socket, _number: int) -> bool:
        connection.sendall(OK)
        let_it_be_read(connection)
        connection.sendall(answer(408, b"too late", "Connection: close"))
        return False

    server = serve(behave)
    client = connect(server.url)
    for number in range(3):
        act(client, method, number)
        wait_for(lambda: server.closed == server.connections, "the server closed it")
    assert client.problems == [None] * 3
    assert server.connections == 3


def test_two_greenlets_that_share_a_session_leave_no_socket(
    serve: Callable[..., Server], connect: Callable[..., Client]
) -> None:
    def behave(connection: socket.socket, _number: int) -> bool:
        gevent.sleep(0.01)
        connection.sendall(OK)
        return True

    server = serve(behave)
    with no_more_open_files():
        client = connect(server.url)
        gevent.joinall([gevent.spawn(act, client, "GET", number) for number in range(5)])
        assert client.problems == [None] * 5
        client.session.close()


def test_closing_a_session_closes_its_socket(
    serve: Callable[..., Server], connect: Callable[..., Client]
) -> None:
    server = serve(sends(OK, keeps=True))
    with no_more_open_files():
        client = connect(server.url)
        for number in range(3):
            act(client, "GET", number)
            client.session.close()
            client.session.close()
    assert server.connections == 3


def test_a_post_is_only_sent_on_what_was_seen_to_be_alive(
    serve: Callable[..., Server],
    connect: Callable[..., Client],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    is_alive = Connection.is_alive

    def noted(self: Connection) -> bool:
        asked.append("alive?")
        return is_alive(self)

    monkeypatch.setattr(Connection, "is_alive", noted)
    server = serve(sends(OK, keeps=True))
    client = connect(server.url)
    act(client, "POST", 0)
    assert asked == []  # a new connection is alive
    act(client, "POST", 1)
    assert asked == ["alive?"]


def test_a_post_takes_no_connection_that_a_server_may_be_about_to_close(
    serve: Callable[..., Server],
    connect: Callable[..., Client],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It looks alive, and is closed while the request is on its way: gunicorn after 2 s."""
    monkeypatch.setattr(session, "POST_MAX_IDLE_S", 0.05)
    server = serve(sends(OK, keeps=True))
    client = connect(server.url)
    act(client, "POST", 0)
    gevent.sleep(0.06)
    act(client, "GET", 1)
    assert server.connections == 1
    gevent.sleep(0.06)
    act(client, "POST", 2)
    assert server.connections == 2
    assert client.problems == [None] * 3
    assert client.connections.reconnects == 0


@pytest.mark.parametrize("unasked", [b"", answer(408, b"too late", "Connection: close")])
def test_what_comes_on_an_idle_connection_closes_it_at_once(
    unasked: bytes, serve: Callable[..., Server], connect: Callable[..., Client]
) -> None:
    def behave(connection: socket.socket, _number: int) -> bool:
        connection.sendall(OK)
        gevent.sleep(0.01)
        connection.sendall(unasked)
        return False

    server = serve(behave)
    client = connect(server.url)
    with no_more_open_files():
        act(client, "GET", 0)
    assert client.problems == [None]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_what_came_before_a_request_was_sent_is_no_answer_to_it(
    method: str, serve: Callable[..., Server], connect: Callable[..., Client]
) -> None:
    """A proxy says 408 in the very turn of the loop in which the user goes on."""

    def behave(connection: socket.socket, number: int) -> bool:
        connection.sendall(OK)
        if len(server.requests) == 1:
            gevent.sleep(0.05)
            connection.sendall(answer(408, b"too late", "Connection: close"))
            act(client, method, 1)  # the client's loop has not looked since
            return False
        return True

    server = serve(behave)
    client = connect(server.url)
    act(client, "GET", 0)
    wait_for(lambda: len(client.fired) == 2, "the second is answered")
    assert client.problems == [None, None]
    assert client.connections.reconnects == 1
    assert len(server.requests) == 2
    assert client.fired[1]["response_time"] < 5000

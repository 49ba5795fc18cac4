"""What goes out byte for byte, and what locust's `request` event is told of it."""

from __future__ import annotations

import base64
import gzip
import json
import socket
import time
from collections.abc import Callable

import gevent
from gevent.event import Event
from locust.exception import CatchResponseError

import pytest

from harness.http.session import Response
from notice_api import contract
from support.raw_servers import (
    OK,
    Behaviour,
    Client,
    Server,
    answer,
    answers_after,
    sends,
    wait_for,
)

PLAIN = "User-Agent: notice-load\r\nAccept: application/json\r\nAccept-Encoding: identity\r\n"
FIELDS = {
    "request_type",
    "name",
    "response_time",
    "response_length",
    "response",
    "context",
    "exception",
    "start_time",
    "url",
}
BODY = b'[{"name": "cse", "api_url": "http://campus.example/cse"}]'


@pytest.fixture
def server(serve: Callable[..., Server]) -> Server:
    return serve(sends(OK, keeps=True))


def test_the_bytes_of_a_get(server: Server, connect: Callable[..., Client]) -> None:
    connect(server.url).session.send(contract.list_boards())
    host = f"127.0.0.1:{server.port}"
    expected = f"GET /notice/list HTTP/1.1\r\nHost: {host}\r\n{PLAIN}\r\n"
    assert server.requests == [expected.encode()]


def test_the_bytes_of_a_put(server: Server, connect: Callable[..., Client]) -> None:
    connect(server.url).session.send(contract.set_keywords("a", ("장학",)))
    body = '{"id":"a","keywords":"장학"}'.encode()
    host = f"127.0.0.1:{server.port}"
    head = f"PUT /accounts/device HTTP/1.1\r\nHost: {host}\r\n{PLAIN}"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    assert server.requests == [head.encode() + body]


def test_a_target_rendered_before_is_the_same_again(
    server: Server, connect: Callable[..., Client]
) -> None:
    client = connect(server.url)
    for device in ("a", "b", "a"):
        client.session.send(contract.register(device))
        client.session.send(contract.list_boards())
    assert server.requests[0] == server.requests[4] != server.requests[2]
    assert server.requests[1] == server.requests[3] == server.requests[5]
    assert [json.loads(body)["id"] for body in server.bodies[::2]] == ["a", "b", "a"]


@pytest.mark.parametrize("base", ["/base/path", "/base/path/"])
def test_a_base_path(base: str, server: Server, connect: Callable[..., Client]) -> None:
    client = connect(server.url + base)
    client.session.send(contract.list_boards())
    client.call(target="/a")
    lines = [request.split(b"\r\n")[0] for request in server.requests]
    assert lines == [b"GET /base/path/notice/list HTTP/1.1", b"GET /base/path/a HTTP/1.1"]


def test_ipv6(serve: Callable[..., Server], connect: Callable[..., Client]) -> None:
    server = serve(sends(OK, keeps=True), host="::1")
    client = connect(server.url)
    assert client.call().content == b"ok"
    assert f"Host: [::1]:{server.port}\r\n".encode() in server.requests[0]


def test_a_name_whose_first_address_refuses(
    serve: Callable[..., Server], connect: Callable[..., Client]
) -> None:
    server = serve(sends(OK))  # localhost may also be ::1, where nobody listens
    assert connect(f"http://localhost:{server.port}").call().content == b"ok"


def test_gzip_is_only_accepted_when_told(
    serve: Callable[..., Server], connect: Callable[..., Client]
) -> None:
    server = serve(sends(answer(200, gzip.compress(BODY), "Content-Encoding: gzip"), keeps=True))
    assert connect(server.url, accept_gzip=True).session.send(contract.list_boards())
    assert connect(server.url).session.send(contract.list_boards())
    assert b"Accept-Encoding: gzip\r\n" in server.requests[0]
    assert b"Accept-Encoding: identity\r\n" in server.requests[1]
    assert b"gzip" not in server.requests[1]


def test_credentials_go_to_the_server_and_nowhere_else(
    serve: Callable[..., Server], connect: Callable[..., Client]
) -> None:
    server = serve(sends(answer(200, BODY), keeps=True))
    client = connect(server.url.replace("//", "//kim:p%40ss%3Aword@"))
    client.session.send(contract.list_boards())
    client.call(target="/a")
    server.behave = sends(answer(302, b"", "Location: /b"))
    client.session.send(contract.list_boards())
    server.stop()
    client.session.close()
    client.session.send(contract.list_boards())
    token = base64.b64encode(b"kim:p@ss:word").decode()
    assert all(f"Authorization: Basic {token}\r\n".encode() in sent for sent in server.requests)
    assert len(server.requests) == 3
    shown = repr([client.fired, client.session, client.target, client.target.address])
    for event in client.fired:
        response = event["response"]
        shown += f"{event['url']}{event['exception']}{response.url}{response!r}{response.text}"
    shown += client.session.base_url + client.target.url
    for secret in ("kim", "p@ss", "p%40ss", token):
        assert secret not in shown
    assert client.fired[0]["url"] == f"{server.url}/notice/list"
    assert "connection refused" in shown


def test_the_fields_of_the_event(
    serve: Callable[..., Server], connect: Callable[..., Client]
) -> None:
    server = serve(sends(answer(200, BODY), keeps=True))
    client = connect(server.url)
    before = time.time()
    client.session.send(contract.list_boards())
    server.behave = sends(b"")
    client.session.send(contract.browse(("cse",), 1))
    own, failed = client.fired
    assert set(own) == set(failed) == FIELDS
    assert (own["request_type"], own["name"]) == ("GET", "/notice/list")
    assert (failed["request_type"], failed["name"]) == ("GET", "/notice/all?page")
    assert own["response_length"] == len(BODY)
    assert (failed["response_length"], failed["response"].status_code) == (0, 0)
    assert own["url"] == f"{server.url}/notice/list"
    assert failed["url"] == f"{server.url}/notice/all?target=cse&page=1"
    assert own["context"] == failed["context"] == {"user": "Kim"}
    assert own["exception"] is None
    assert isinstance(failed["exception"], CatchResponseError)
    for event in client.fired:
        assert isinstance(event["response_time"], float)
        assert isinstance(event["response"], Response)
        assert before <= event["start_time"] <= time.time()
    assert own["response"].json() == json.loads(BODY)
    assert own["response"].headers["content-length"] == str(len(BODY))


TYPES = {
    "request_type": str,
    "name": str,
    "response_time": float,
    "response_length": int,
    "response": Response,
    "context": dict,
    "exception": (CatchResponseError, type(None)),
    "start_time": float,
    "url": str,
}


@pytest.mark.parametrize(
    "behave",
    [
        sends(answer(200, BODY)),
        sends(answer(500, BODY)),
        sends(answer(200, b"{}")),
        sends(b""),
        sends(b"garbage\r\n\r\n"),
        sends(answer(302, b"", "Location: /b")),
    ],
    ids=["right", "another status", "another shape", "closed", "garbage", "redirect"],
)
def test_the_types_of_the_fields_are_the_same_however_it_ends(
    behave: Behaviour, serve: Callable[..., Server], connect: Callable[..., Client]
) -> None:
    """Plugins write them to databases and traces without a look."""
    client = connect(serve(behave).url)
    client.session.send(contract.list_boards())
    client.call(target="/notice/list")
    for event in client.fired:
        assert {
            name: isinstance(event[name], kind) for name, kind in TYPES.items()
        } == dict.fromkeys(FIELDS, True)
        assert event["context"] == {"user": "Kim"}
        answered = event["response"]
        assert event["response_length"] == len(answered.content) == len(answered.text.encode())
        assert answered.url == event["url"] and answered.elapsed_ms == event["response_time"]
        assert str(event["exception"]) or event["exception"] is None
    assert len(client.fired) == 2


def test_response_time_has_the_whole_answer_in_it(
    serve: Callable[..., Server], connect: Callable[..., Client]
) -> None:
    server = serve(answers_after(0.1))
    client = connect(server.url)
    client.call()
    client.call()
    assert all(event["response_time"] >= 95 for event in client.fired)
    assert client.connections.opened == 1


def test_connecting_is_part_of_the_response_time_and_kept_apart(
    server: Server, connect: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    from gevent import socket as gevent_socket

    from harness.http.wire import sockets

    resolve = gevent_socket.getaddrinfo

    def slowly(*arguments: object, **options: object) -> object:
        time.sleep(0.1)  # gevent's
        return resolve(*arguments, **options)

    monkeypatch.setattr(sockets.patched_socket, "getaddrinfo", slowly)
    client = connect(server.url)
    client.call()
    connecting_ms = client.connections.connecting_ms
    assert client.fired[0]["response_time"] >= connecting_ms >= 95
    client.call()
    assert client.connections.connecting_ms == connecting_ms
    assert len(client.fired) == 2


def test_the_retry_is_part_of_the_response_time(
    serve: Callable[..., Server], connect: Callable[..., Client]
) -> None:
    def behave(connection: object, number: int) -> bool:
        time.sleep(0.1)  # gevent's
        if number == 1:
            connection.sendall(OK)
        return number == 1

    server = serve(behave)
    client = connect(server.url)
    client.call()
    client.call()
    assert client.connections.reconnects == 1
    assert client.fired[1]["response_time"] >= 195
    assert client.problems == [None, None]


def test_a_redirect_is_a_failure(
    serve: Callable[..., Server], connect: Callable[..., Client]
) -> None:
    client = connect(serve(sends(answer(302, b"", "Location: //x.example"), keeps=True)).url)
    assert client.call().status_code == 302
    assert client.problems == ["redirect: expected status 200, got 302 to another host"]


def test_a_failed_exchange_can_be_looked_at(
    serve: Callable[..., Server], connect: Callable[..., Client]
) -> None:
    client = connect(serve(sends(b"")).url)
    response = client.call()
    assert (response.status_code, response.content, response.text) == (0, b"", "")
    assert (response.headers, response.ok, bool(response)) == ({}, False, False)
    with pytest.raises(ValueError, match="Expecting value"):
        response.json()
    assert client.problems == ["closed early: connection closed before an answer"]


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_no_body_has_the_length_zero(
    method: str, server: Server, connect: Callable[..., Client]
) -> None:
    """RFC 9110, 8.6; some servers refuse it otherwise with 411."""
    connect(server.url).call(method)
    assert b"\r\nContent-Length: 0\r\n" in server.requests[0]


def test_asking_says_status_and_body_and_fires_nothing(
    serve: Callable[..., Server], connect: Callable[..., Client]
) -> None:
    server = serve(sends(b"HTTP/1.1 404 X\r\nContent-Length: 2\r\n\r\n{}", keeps=True))
    client = connect(server.url)
    assert client.session.try_exchange(contract.unregister("a")) == (404, b"{}")
    server.behave = sends(b"garbage\r\n\r\n")
    assert client.session.try_exchange(contract.unregister("a")) == (0, b"")
    assert client.fired == []
    assert server.bodies == [b'{"id":"a"}'] * 2


def test_each_of_two_greenlets_on_one_session_gets_its_own_time(
    serve: Callable[..., Server], connect: Callable[..., Client]
) -> None:
    first, second = Event(), Event()

    def behave(connection: socket.socket, _number: int) -> bool:
        (first if len(server.requests) == 1 else second).wait()
        connection.sendall(OK)
        return True

    server = serve(behave)
    client = connect(server.url)
    users = [gevent.spawn(client.call)]
    wait_for(lambda: len(server.requests) == 1, "the first is sent")
    gevent.sleep(0.3)
    users.append(gevent.spawn(client.call))
    wait_for(lambda: len(server.requests) == 2, "the second is sent")
    first.set()
    users[0].join()
    assert client.fired[0]["response_time"] > 250
    second.set()
    gevent.joinall(users)
    assert client.problems == [None, None]

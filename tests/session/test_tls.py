"""TLS: verified unless told otherwise, with names, tickets and big answers."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable

import gevent

import pytest
from session.conftest import Authority

from harness.http.wire import parser
from notice_api import contract
from support.raw_servers import (
    OK,
    Client,
    Server,
    answer,
    let_it_be_read,
    no_more_open_files,
    sends,
    stalls_after,
    wait_for,
)

FAILED = "TLS failed"
TLS_1_2, TLS_1_3 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


def problem(client: Client) -> str | None:
    client.call()
    return client.problems[-1]


def test_an_unknown_authority_is_refused(
    serve: Callable[..., Server], connect: Callable[..., Client], authority: Authority
) -> None:
    server = serve(sends(OK), tls=authority.server_context())
    with no_more_open_files():
        assert problem(connect(server.url)) == FAILED
    assert server.requests == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_private_authority_is_accepted_when_told(
    host: str, serve: Callable[..., Server], connect: Callable[..., Client], authority: Authority
) -> None:
    server = serve(sends(OK), tls=authority.server_context())
    client = connect(f"https://{host}:{server.port}", tls_ca_file=authority.ca)
    assert problem(client) is None


def test_ipv6(
    serve: Callable[..., Server], connect: Callable[..., Client], authority: Authority
) -> None:
    """The certificate is for the address without its brackets, the Host header has them."""
    server = serve(sends(OK, keeps=True), host="::1", tls=authority.server_context())
    client = connect(server.url, tls_ca_file=authority.ca)
    assert server.url == f"https://[::1]:{server.port}"
    for _ in range(3):
        assert problem(client) is None
    assert f"\r\nHost: [::1]:{server.port}\r\n".encode() in server.requests[0]
    assert server.connections == 1


def test_an_ipv6_address_that_the_certificate_does_not_name_is_refused(
    serve: Callable[..., Server], connect: Callable[..., Client], authority: Authority
) -> None:
    server = serve(sends(OK), host="::1", tls=authority.server_context("wrong_name"))
    assert problem(connect(server.url, tls_ca_file=authority.ca)) == FAILED
    assert server.requests == []


def test_a_wrong_host_name_is_refused(
    serve: Callable[..., Server], connect: Callable[..., Client], authority: Authority
) -> None:
    server = serve(sends(OK), tls=authority.server_context("wrong_name"))
    for host in ("127.0.0.1", "localhost"):
        client = connect(f"https://{host}:{server.port}", tls_ca_file=authority.ca)
        assert problem(client) == FAILED
    assert server.requests == []


@pytest.mark.parametrize("which", ["right", "wrong_name"])
def test_anything_is_accepted_without_verification(
    which: str, serve: Callable[..., Server], connect: Callable[..., Client], authority: Authority
) -> None:
    server = serve(sends(OK), tls=authority.server_context(which))
    assert problem(connect(server.url, tls_verify=False)) is None


def test_the_server_is_told_the_name(
    serve: Callable[..., Server], connect: Callable[..., Client], authority: Authority
) -> None:
    names: list[str | None] = []
    context = authority.server_context()
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    server = serve(sends(OK), tls=context)
    client = connect(f"https://localhost:{server.port}", tls_ca_file=authority.ca)
    assert problem(client) is None
    assert names == ["localhost"]


def test_tls_to_a_plain_port(serve: Callable[..., Server], connect: Callable[..., Client]) -> None:
    def behave(connection: socket.socket, _number: int) -> bool:
        raise AssertionError("nothing of a handshake is a request")

    server = serve(behave)
    server._server.set_handle(lambda connection, _: (connection.sendall(OK), connection.close()))
    with no_more_open_files():
        assert problem(connect(server.url.replace("http:", "https:"))) == FAILED


def test_a_handshake_that_stalls_is_a_connect_timeout(
    serve: Callable[..., Server], connect: Callable[..., Client]
) -> None:
    server = serve(stalls_after(b""))
    client = connect(server.url.replace("http:", "https:"), connect_timeout_s=0.2)
    with no_more_open_files(but=1):  # the server's end
        assert problem(client) == "connect timeout"


@pytest.mark.parametrize("version", [TLS_1_2, TLS_1_3])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_connection_is_kept(
    version: ssl.TLSVersion,
    method: str,
    serve: Callable[..., Server],
    connect: Callable[..., Client],
    authority: Authority,
) -> None:
    """TLS 1.3 sends session tickets after the handshake: no sign of a dead connection."""
    context = authority.server_context()
    context.minimum_version = context.maximum_version = version
    server = serve(sends(OK, keeps=True), tls=context)
    client = connect(server.url, tls_ca_file=authority.ca)
    for _ in range(5):
        client.call(method, body=b"x")
        gevent.sleep(0.01)
    assert client.problems == [None] * 5
    assert server.connections == 1


@pytest.mark.parametrize("version", [TLS_1_2, TLS_1_3])
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("says_so", [True, False])
def test_a_kept_connection_that_was_closed(
    version: ssl.TLSVersion,
    method: str,
    says_so: bool,
    serve: Callable[..., Server],
    connect: Callable[..., Client],
    authority: Authority,
) -> None:
    def behave(connection: ssl.SSLSocket, _number: int) -> bool:
        connection.sendall(OK)
        if says_so:
            connection.settimeout(0.02)
            connection.unwrap()
        return False

    context = authority.server_context()
    context.minimum_version = context.maximum_version = version
    server = serve(behave, tls=context)
    client = connect(server.url, tls_ca_file=authority.ca)
    for _ in range(4):
        client.call(method, body=b"x")
        wait_for(lambda: server.closed == server.connections, "the server closed it")
    assert client.problems == [None] * 4
    assert len(server.requests) == server.connections == 4


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_garbage_on_an_idle_connection(
    method: str,
    serve: Callable[..., Server],
    connect: Callable[..., Client],
    authority: Authority,
) -> None:
    def behave(connection: ssl.SSLSocket, _number: int) -> bool:
        connection.sendall(OK)
        let_it_be_read(connection)
        with socket.socket(fileno=connection.detach()) as below:
            below.sendall(b"\xff" * 100)
        return False

    server = serve(behave, tls=authority.server_context())
    client = connect(server.url, tls_ca_file=authority.ca)
    with no_more_open_files(but=2):
        for _ in range(3):
            client.call(method, body=b"x")
            wait_for(lambda: server.closed == server.connections, "the server closed it")
            kept = client.session._connection
            wait_for(lambda kept=kept: not (kept and kept.is_open), "the client noticed it")
        assert client.problems == [None] * 3
    assert len(server.requests) == 3


@pytest.mark.parametrize("framing", ["length", "close"])
def test_big_answers(
    framing: str,
    serve: Callable[..., Server],
    connect: Callable[..., Client],
    authority: Authority,
) -> None:
    body = b"0123456789abcdef" * 500_000
    length = answer(200, body)
    raw = length if framing == "length" else b"HTTP/1.1 200 OK\r\n\r\n" + body
    server = serve(sends(raw, keeps=framing == "length"), tls=authority.server_context())
    client = connect(server.url, tls_ca_file=authority.ca)
    for _ in range(2):
        assert client.call().content == body
    assert client.problems == [None] * 2


def test_a_record_that_was_begun_before_a_full_buffer(
    serve: Callable[..., Server],
    connect: Callable[..., Client],
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Reads of less than a record leave a part of one behind, which the next read completes."""
    buffer = bytearray(40_000)
    monkeypatch.setattr(parser, "buffer", buffer)
    monkeypatch.setattr(parser, "view", memoryview(buffer))
    monkeypatch.setattr(parser, "BUFFER_BYTES", len(buffer))
    body = b"0123456789abcdef" * 50_000
    server = serve(sends(answer(200, body), keeps=True), tls=authority.server_context())
    client = connect(server.url, tls_ca_file=authority.ca)
    assert client.call().content == body


def test_an_answer_up_to_the_end_of_tls(
    serve: Callable[..., Server], connect: Callable[..., Client], authority: Authority
) -> None:
    """The end of TLS ends the answer, also while the server waits for ours before it closes."""

    def behave(connection: ssl.SSLSocket, _number: int) -> bool:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\nto the end")
        connection.unwrap()
        return False

    server = serve(behave, tls=authority.server_context())
    client = connect(server.url, tls_ca_file=authority.ca)
    assert client.call().content == b"to the end"
    assert client.problems == [None]


def test_an_answer_in_many_small_records(
    serve: Callable[..., Server], connect: Callable[..., Client], authority: Authority
) -> None:
    def behave(connection: ssl.SSLSocket, _number: int) -> bool:
        for byte in OK:
            connection.sendall(bytes([byte]))
        return True

    server = serve(behave, tls=authority.server_context())
    client = connect(server.url, tls_ca_file=authority.ca)
    for _ in range(3):
        assert client.call().content == b"ok"
    assert server.connections == 1


def test_a_large_request(
    serve: Callable[..., Server], connect: Callable[..., Client], authority: Authority
) -> None:
    server = serve(sends(OK, keeps=True), tls=authority.server_context())
    client = connect(server.url, tls_ca_file=authority.ca)
    body = b"0123456789abcdef" * 200_000
    client.call("PUT", body=body)
    assert server.bodies == [body]


def test_what_the_server_cannot_decrypt_any_more(
    serve: Callable[..., Server], connect: Callable[..., Client], authority: Authority
) -> None:
    def behave(connection: ssl.SSLSocket, _number: int) -> bool:
        gevent.sleep(0.01)
        with socket.socket(fileno=connection.detach()) as below:
            below.sendall(b"\xff" * 100)
        return False

    server = serve(behave, tls=authority.server_context())
    client = connect(server.url, tls_ca_file=authority.ca)
    assert not client.session.send(contract.list_boards())
    assert client.problems == [FAILED]

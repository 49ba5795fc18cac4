"""Each way in which an exchange fails has one constant name; the exceptions are real ones."""

from __future__ import annotations

import contextlib
import http.client
import select
import socket
import struct
import threading
from collections.abc import Callable, Iterator

import locust  # noqa: F401 - first, for gevent's monkey patching

import pytest
import requests
from urllib3 import exceptions as urllib3

from harness.http.locust_clients import OverdueError, fault_of
from support.commands import PATIENCE_S

SHORT_S = 0.3
"""How long a part of an answer may take when the server is to stall."""

Behaviour = Callable[[socket.socket, threading.Event], None]
"""Gets the connection, once the request was read, and what is set when the client has gone."""

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
LONG = OK + b"Content-Length: 100\r\n\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


@contextlib.contextmanager
def raw_server(behave: Behaviour) -> Iterator[int]:
    """Serve one connection, then close it; yield the port."""
    over = threading.Event()

    def serve() -> None:
        with contextlib.suppress(OSError):
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                behave(connection, over)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            over.set()
            thread.join(5)


def sends(raw: bytes) -> Behaviour:
    return lambda connection, _over: connection.sendall(raw)


def stalls_after(raw: bytes) -> Behaviour:
    def behave(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(raw)
        over.wait(60)

    return behave


def resets_after(raw: bytes) -> Behaviour:
    def behave(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(raw)
        over.wait(0.1)  # let it be read, or the reset takes it away
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    return behave


def failure(url: str, limit_s: float = PATIENCE_S) -> requests.RequestException:
    with requests.Session() as session:
        session.trust_env = False
        with pytest.raises(requests.RequestException) as caught:
            session.get(url, timeout=(PATIENCE_S, limit_s), allow_redirects=False)
    return caught.value


@pytest.mark.parametrize(
    ("behave", "name"),
    [
        (sends(b""), "closed early: connection closed before an answer"),
        (sends(LONG), "closed early: connection closed inside an answer"),
        (sends(LONG + b'{"count": '), "closed early: connection closed inside an answer"),
        (sends(CHUNKED + b'a\r\n{"coun'), "closed early: connection closed inside an answer"),
        (sends(CHUNKED + b'3\r\n{"c\r\n'), "closed early: connection closed inside an answer"),
        (sends(CHUNKED), "closed early: connection closed inside an answer"),
        (resets_after(b""), "connection reset"),
        (resets_after(LONG + b"{"), "connection reset"),
        (stalls_after(b""), "answer timeout"),
        (stalls_after(OK), "answer timeout"),
        (stalls_after(LONG + b"{"), "answer timeout"),
        (stalls_after(CHUNKED + b"3\r\n{"), "answer timeout"),
        (sends(b"garbage\r\n\r\n"), "not HTTP"),
        (sends(b"\x00\xff" * 50), "not HTTP"),
        (sends(b"SSH-2.0-OpenSSH_9.6\r\n"), "not HTTP"),
        (sends(b"HTTP/1.1 two hundred\r\n\r\n"), "not HTTP"),
        (sends(b"HTTP/1.1 200 " + b"x" * 70_000 + b"\r\n\r\n"), "not HTTP"),
        (sends(OK + b"X: 1\r\n" * 200 + b"\r\n"), "not HTTP"),
        (sends(CHUNKED + b"zz\r\n{}\r\n0\r\n\r\n"), "not HTTP: body not as its headers say"),
        (
            sends(OK + b"Content-Encoding: gzip\r\nContent-Length: 8\r\n\r\nnot gzip"),
            "not HTTP: body not as its headers say",
        ),
    ],
    ids=[
        "closed before an answer",
        "closed before the body",
        "closed inside the body",
        "closed inside a chunk",
        "closed between chunks",
        "closed before the first chunk",
        "reset before an answer",
        "reset inside the body",
        "stalled before an answer",
        "stalled in the head",
        "stalled in the body",
        "stalled in a chunk",
        "garbage",
        "binary garbage",
        "another protocol",
        "no status",
        "no end of a line",
        "too many headers",
        "bad chunk",
        "bad gzip",
    ],
)
@pytest.mark.parametrize("path", ["/notice/list", "/accounts/device?id=7"])
def test_a_server_that_misbehaves(behave: Behaviour, name: str, path: str) -> None:
    limit_s = SHORT_S if name == "answer timeout" else PATIENCE_S
    with raw_server(behave) as port:
        assert fault_of(failure(f"http://127.0.0.1:{port}{path}", limit_s)) == name


def test_nobody_listens() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))  # so that nobody else gets the port meanwhile
        port = silent.getsockname()[1]
        assert fault_of(failure(f"http://127.0.0.1:{port}")) == "connection refused"


def test_nobody_accepts() -> None:
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(address)
        select.select([listener], [], [], 30)  # one is in the queue, which is full then
        with requests.Session() as session, pytest.raises(requests.RequestException) as caught:
            session.trust_env = False
            session.get(f"http://127.0.0.1:{address[1]}", timeout=(0.3, PATIENCE_S))
    assert fault_of(caught.value) == "connect timeout"


def test_tls_to_a_plain_port() -> None:
    with raw_server(sends(OK + b"\r\n")) as port:
        assert fault_of(failure(f"https://127.0.0.1:{port}")) == "TLS failed"


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_name_that_no_one_has(scheme: str) -> None:
    assert fault_of(failure(f"{scheme}://no-such-host.invalid")) == "DNS: host name not found"


def test_too_slow_as_a_whole_is_a_timeout_of_the_answer() -> None:
    with pytest.raises(OverdueError) as caught:
        raise OverdueError("no whole answer in time")
    assert fault_of(caught.value) == "answer timeout"


def test_what_nobody_foresaw_is_named_by_its_type_alone() -> None:
    error = requests.exceptions.InvalidURL("http://127.0.0.1/accounts/device?id=SECRET")
    assert fault_of(error) == "failed exchange: InvalidURL"
    assert fault_of(RuntimeError(7)) == "failed exchange: RuntimeError"


def test_a_cause_is_found_wherever_a_library_hid_it() -> None:
    reset = ConnectionResetError(104, "Connection reset by peer")
    in_arguments = requests.ConnectionError(urllib3.ProtocolError("Connection aborted.", reset))
    as_reason = requests.ConnectionError()
    as_reason.reason = reset
    as_cause, as_context = requests.ConnectionError(), requests.ConnectionError()
    as_cause.__cause__, as_context.__context__ = reset, reset
    for error in (in_arguments, as_reason, as_cause, as_context):
        assert fault_of(error) == "connection reset"


def test_a_bare_error_of_the_standard_library_is_known() -> None:
    assert fault_of(http.client.BadStatusLine("SSH-2.0")) == "not HTTP"
    assert fault_of(BrokenPipeError(32, "Broken pipe")) == "connection reset"


def test_exceptions_that_hold_each_other_are_walked_once() -> None:
    first, second = requests.ConnectionError(), OSError()
    first.__cause__, second.__context__ = second, first
    first.args, second.args = (second,), (first, first)
    assert fault_of(first) == "failed exchange: ConnectionError"
    second.__cause__ = ConnectionResetError()
    assert fault_of(first) == "connection reset"

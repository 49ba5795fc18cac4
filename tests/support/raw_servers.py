"""A raw-socket server that responds to each request with any bytes that a test chooses."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import socket
import ssl
import struct
import termios
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import gevent
import gevent.pool
from gevent.server import StreamServer
from gevent.socket import wait_write

from harness.config.settings import Settings
from harness.http.request import Endpoint, Request
from harness.http.response import Response
from harness.http.session import Session
from harness.http.target import Target
from harness.http.wire import Address, Connection, Fault
from harness.recording.samples import ConnectionCounts
from support.commands import PATIENCE_S

Behaviour = Callable[[socket.socket, int], bool]
"""Takes the connection and its number of requests so far; returns True to keep it open."""

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
GET = b"GET / HTTP/1.1\r\nHost: x\r\nAccept-Encoding: identity\r\n\r\n"


class Server:
    """Reads whole requests, keeps their bytes, and lets `behave` respond to each."""

    def __init__(
        self, behave: Behaviour, *, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
    ) -> None:
        self.behave = behave
        self.requests: list[bytes] = []
        self.connections = 0
        self.closed = 0
        self._tls = tls
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, 0), family=family, backlog=256)
        self.port: int = listener.getsockname()[1]
        self._server = StreamServer(listener, self._serve, spawn=gevent.pool.Pool())
        self._server.start()
        shown = f"[{host}]" if ":" in host else host
        self.url = f"{'https' if tls else 'http'}://{shown}:{self.port}"

    def stop(self) -> None:
        self._server.stop(timeout=0)

    @property
    def bodies(self) -> list[bytes]:
        return [request.partition(b"\r\n\r\n")[2] for request in self.requests]

    def _serve(self, connection: socket.socket, _address: object) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
            self.connections += 1
            number = 0
            while request := read_request(connection):
                self.requests.append(request)
                number += 1
                if not self.behave(connection, number):
                    return
        except OSError:
            pass
        finally:
            connection.close()
            self.closed += 1


def read_request(connection: socket.socket) -> bytes:
    raw = b""
    while b"\r\n\r\n" not in raw:
        part = connection.recv(65536)
        if not part:
            return b""
        raw += part
    head, _, body = raw.partition(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def sends(raw: bytes, *, keeps: bool = False) -> Behaviour:
    """Send these bytes, then close, or with `keeps` wait for the next request."""

    def behave(connection: socket.socket, _number: int) -> bool:
        connection.sendall(raw)
        return keeps

    return behave


def sends_pieces(pieces: Iterable[bytes], *, keeps: bool = False) -> Behaviour:
    """Send these bytes so that the client reads each piece separately."""

    def behave(connection: socket.socket, _number: int) -> bool:
        for piece in pieces:
            if piece:
                connection.sendall(piece)
                for _ in range(2):  # the event loop polls, so the client can read the piece
                    wait_write(connection.fileno())
        return keeps

    return behave


def stalls_after(raw: bytes) -> Behaviour:
    """Send these bytes, then nothing until the client disconnects."""

    def behave(connection: socket.socket, _number: int) -> bool:
        connection.sendall(raw)
        connection.recv(1)
        return False

    return behave


def trickles(raw: bytes, pause_s: float) -> Behaviour:
    def behave(connection: socket.socket, _number: int) -> bool:
        for position in range(len(raw)):
            connection.sendall(raw[position : position + 1])
            gevent.sleep(pause_s)
        return True

    return behave


def answers_after(pause_s: float, raw: bytes = OK) -> Behaviour:
    def behave(connection: socket.socket, _number: int) -> bool:
        gevent.sleep(pause_s)
        connection.sendall(raw)
        return True

    return behave


def resets_after(raw: bytes) -> Behaviour:
    def behave(connection: socket.socket, _number: int) -> bool:
        connection.sendall(raw)
        let_it_be_read(connection)
        reset(connection)
        return False

    return behave


def let_it_be_read(connection: socket.socket) -> None:
    """Wait until the client has read everything: a reset would discard unread data."""
    wait_for(lambda: unacknowledged(connection) == 0, "the client's system has all")
    for _ in range(2):  # the event loop polls, so the client can read what has arrived
        wait_write(connection.fileno())


def unacknowledged(connection: socket.socket) -> int:
    """Return the number of bytes sent that the peer has not acknowledged."""
    raw = fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, bytes(4))
    return int(struct.unpack("i", raw)[0])


def reset(connection: socket.socket) -> None:
    """Make closing this socket reset the connection."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def answer(status: int | str = 200, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} X", *headers, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


def address(port: int, *, answer_s: float = 5.0, tls: ssl.SSLContext | None = None) -> Address:
    return Address("127.0.0.1", port, tls, 5.0, answer_s)


def exchange(port: int, request: bytes = GET, *, answer_s: float = 5.0) -> object:
    """Return (status, headers, body) of one exchange on a new connection.

    Raises:
        Fault: the exchange failed.
    """
    connection = Connection(address(port, answer_s=answer_s))
    try:
        got = connection.exchange(request)
        return got.status, got.headers, got.body
    finally:
        connection.close()


def fault_of(port: int, *, answer_s: float = 5.0) -> str:
    """Return the name of the fault of an exchange, or the response if there was no fault."""
    try:
        return f"no fault: {exchange(port, answer_s=answer_s)}"
    except Fault as fault:
        return str(fault)


@dataclass
class Client:
    """A session and the events that it fired."""

    url: str
    settings: Settings
    fired: list[dict] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.target = Target(self.url, self.settings)
        self.session = Session(self.target, self._fire, lambda: {"user": "Kim"})

    def _fire(self, **fields: object) -> None:
        self.fired.append(fields)

    def call(
        self, method: str = "GET", target: str = "/", body: bytes | None = None
    ) -> Response | None:
        """Send a request that any 200 satisfies; return the response that listeners receive."""
        row = Endpoint(method, target, 200, None, bytes)
        self.session.send(Request(row, target, body, lambda _: None))
        return self.fired[-1]["response"] if self.fired else None

    @property
    def connections(self) -> ConnectionCounts:
        return self.target.connections

    @property
    def problems(self) -> list[str | None]:
        return [
            None if event["exception"] is None else str(event["exception"]) for event in self.fired
        ]


def wait_for(true: Callable[[], object], what: str, timeout_s: float = PATIENCE_S) -> None:
    """Let other greenlets run until `true()` holds."""
    latest = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < latest, f"not within {timeout_s} s: {what}"
        gevent.sleep(0.001)


@contextlib.contextmanager
def nobody_accepts() -> Iterator[int]:
    """Listen with a full accept queue; yield the port."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        select.select([listener], [], [], 30)  # one connection fills the queue
        yield listener.getsockname()[1]


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def wait_for_open_files(most: int, timeout_s: float = PATIENCE_S) -> int:
    """Give both sides time to close files; return the number of open files."""
    latest = time.monotonic() + timeout_s
    while (count := open_files()) > most and time.monotonic() < latest:
        gevent.sleep(0.01)
    return count


@contextlib.contextmanager
def no_more_open_files(but: int = 0):
    """Check that at most `but` more files are open at the end than at the beginning."""
    gevent.sleep(0.01)
    before = open_files()
    yield
    assert wait_for_open_files(before + but) <= before + but

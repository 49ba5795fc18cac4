"""One HTTP/1.1 connection on a non-blocking socket: sends rendered bytes, returns an answer.

Written for a generator that shares its machine with the server it measures. A plain answer costs
one `send`, one wait and one `recv_into`; llhttp (by httptools) parses it where it lies.
"""

from __future__ import annotations

import errno
import socket as patched_socket
import ssl
import zlib
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import gevent
from gevent.monkey import get_original

import httptools

READ, WRITE = 1, 2
BUFFER_BYTES = 256 * 1024
RECORD_BYTES = 20 * 1024
MAX_HEAD_BYTES = 64 * 1024
MAX_BODY_BYTES = 16 * 1024 * 1024
DNS_TTL_S = 5.0
HEAD_END = b"\r\n\r\n"

raw_socket = get_original("socket", "socket")

# Filled and parsed without a switch to another greenlet in between: one buffer serves all users.
_buffer = bytearray(BUFFER_BYTES)
_view = memoryview(_buffer)


class Fault(Exception):
    """A failed exchange; its text is constant, so that equal faults make one row.

    Attributes:
        unanswered: the server closed the connection before it sent any byte of an answer.
    """

    def __init__(self, name: str, *, unanswered: bool = False) -> None:
        """Name it."""
        super().__init__(name)
        self.unanswered = unanswered


REFUSED = "connection refused"
RESET = "connection reset"
UNREACHABLE = "host unreachable"
DNS = "DNS: host name not found"
CONNECT_TIMEOUT = "connect timeout"
ANSWER_TIMEOUT = "answer timeout"
TLS = "TLS failed"
CLOSED_BEFORE = "closed early: connection closed before an answer"
CLOSED_INSIDE = "closed early: connection closed inside an answer"
NOT_HTTP = "not HTTP"
WRONG_BODY = "not HTTP: body not as its headers say"
HEAD_TOO_LARGE = "head too large"
BODY_TOO_LARGE = "body too large"
NO_PORT = "generator: no local port left"
NO_FILE = "generator: too many open files"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a connection goes.

    Attributes:
        host: name or address, without brackets.
        port: TCP port.
        tls: context when the connection is to be encrypted.
        connect_timeout_s: for TCP and TLS together, the name's resolution included.
        answer_timeout_s: from the first byte sent to the last byte received.
    """

    host: str
    port: int
    tls: ssl.SSLContext | None
    connect_timeout_s: float
    answer_timeout_s: float


class Answer:
    """A whole answer.

    Attributes:
        status: status code.
        head: status line and headers as they came, without the empty line.
        body: decoded from chunks and from gzip or deflate.
    """

    __slots__ = ("body", "head", "status")

    def __init__(self, status: int, head: bytes, body: bytes) -> None:
        """Keep the parts."""
        self.status = status
        self.head = head
        self.body = body

    @property
    def headers(self) -> dict[str, str]:
        """Return the headers, names in lower case; a repeated one is joined with a comma."""
        headers: dict[str, str] = {}
        for line in self.head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            key, text = name.decode("latin-1").lower(), value.strip().decode("latin-1")
            headers[key] = f"{headers[key]}, {text}" if key in headers else text
        return headers


class Connection:
    """An open connection; one greenlet uses it at a time.

    Attributes:
        put_off: the kill of the greenlet that came while it waited for an answer; whoever
            called `exchange` has to raise it.
    """

    __slots__ = (
        "_complete",
        "_head",
        "_hub",
        "_keep",
        "_parser",
        "_parts",
        "_raw",
        "_reader",
        "_socket",
        "_status",
        "_timer",
        "_tls",
        "put_off",
    )

    def __init__(self, endpoint: Endpoint) -> None:
        """Connect, with TLS when the endpoint asks for it.

        Raises:
            Fault: no connection came about.
        """
        self._hub = gevent.get_hub()
        self.put_off: gevent.GreenletExit | None = None
        self._head: bytes | None = None
        self._raw = b""
        self._parts: list[bytes] = []
        self._complete = False
        self._status = 0
        self._keep = False
        self._tls: _Tls | None = None
        with gevent.Timeout(endpoint.connect_timeout_s, Fault(CONNECT_TIMEOUT)):
            self._socket = _connected(endpoint, self._hub)
            self._reader = self._hub.loop.io(self._socket.fileno(), READ)
            if endpoint.tls is not None:
                try:
                    self._tls = _Tls(endpoint, self._socket, self._hub)
                except BaseException:
                    self._socket.close()
                    raise
        limit_s = endpoint.answer_timeout_s
        self._timer = self._hub.loop.timer(limit_s, limit_s)
        self._parser = httptools.HttpResponseParser(self)

    def on_message_begin(self) -> None:
        """Notice bytes behind a whole answer: they belong to no request of ours."""
        if self._complete:
            self._keep = False

    def on_body(self, part: bytes) -> None:
        """Take a part of the body."""
        if not self._complete:
            self._parts.append(part)

    def on_message_complete(self) -> None:
        """Note the end of an answer; asked later, llhttp has forgotten whether to keep alive."""
        parser = self._parser
        status = parser.get_status_code()
        if status >= 200 and not self._complete:  # 1xx only announces the answer
            self._complete = True
            self._status = status
            self._keep = parser.should_keep_alive()

    @property
    def can_be_kept(self) -> bool:
        """Say whether the last answer left the connection fit for another request."""
        return self._keep

    def is_alive(self) -> bool:
        """Say whether the idle connection is open, and nothing unasked came on it."""
        try:
            if self._tls is not None:
                return self._tls.is_idle()
            self._socket.recv(1, patched_socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except (OSError, Fault):
            pass
        return False

    def exchange(self, request: bytes) -> Answer:
        """Send a rendered request and return the whole answer.

        Raises:
            Fault: it failed; the connection is closed then.
        """
        self._complete = False
        self._keep = False
        self._head = None
        timer = self._timer
        timer.again(_expire, gevent.getcurrent())  # start() would go on where it stopped
        try:
            self._send(request)
            return self._receive(request.startswith(b"HEAD "))
        except BaseException:
            self.close()
            raise
        finally:
            timer.stop()

    def close(self) -> None:
        """Close the socket; harmless when it is closed already."""
        self._keep = False
        self._reader.stop()
        self._timer.stop()
        self._socket.close()

    def _send(self, data: bytes) -> None:
        try:
            if self._tls is not None:
                data = self._tls.encrypted(data)
            sent = self._socket.send(data)
            if sent == len(data):
                return
        except BlockingIOError:
            sent = 0
        except OSError:
            raise Fault(RESET, unanswered=True) from None
        _send_all(self._socket, data[sent:], self._hub)

    def _receive(self, bodyless: bool) -> Answer:
        reader, hub, parser = self._reader, self._hub, self._parser
        tls = self._tls
        room = 0 if tls is None else BUFFER_BYTES - RECORD_BYTES  # a begun record comes on top
        switch = gevent.getcurrent().switch
        received = 0
        while True:
            if tls is not None and tls.ended:
                return self._ended(received)
            reader.start(switch)
            try:
                hub.switch()
            except gevent.GreenletExit as kill:
                self.put_off = kill  # what was sent is answered, and counted, before the user ends
                continue
            finally:
                reader.stop()
            try:
                size = self._socket.recv_into(_buffer, room)
            except BlockingIOError:
                continue
            except OSError:
                raise Fault(RESET, unanswered=received == 0) from None
            if size and tls is not None:
                size = tls.decrypt(size)
                if size < 0:
                    continue
            if not size:
                return self._ended(received)
            received += size
            if received > MAX_BODY_BYTES + MAX_HEAD_BYTES:
                raise Fault(BODY_TOO_LARGE)
            if self._head is None:
                self._find_head(size)
            try:
                parser.feed_data(_view[:size])
            except httptools.HttpParserUpgrade:
                raise Fault(NOT_HTTP) from None
            except httptools.HttpParserError:
                self._keep = False
                if not self._complete:
                    raise Fault(WRONG_BODY if _is_head(self._head) else NOT_HTTP) from None
            if self._complete:
                return self._answer()
            if bodyless and self._head is not None:
                self._status = parser.get_status_code()
                return self._answer()

    def _find_head(self, size: int) -> None:
        """Keep the bytes of the head for whoever asks; they come apart in any way."""
        end = _buffer.find(HEAD_END, 0, size)
        if 0 < end <= MAX_HEAD_BYTES and not self._raw and _buffer[9] != _ONE:
            self._head = bytes(_view[:end])
            return
        self._raw += _view[:size]
        while (end := self._raw.find(HEAD_END)) >= 0:
            if end > MAX_HEAD_BYTES:
                raise Fault(HEAD_TOO_LARGE)
            head, self._raw = self._raw[:end], self._raw[end + len(HEAD_END) :]
            if head[9:10] != b"1":
                self._head, self._raw = head, b""
                return
        if len(self._raw) > MAX_HEAD_BYTES:
            raise Fault(HEAD_TOO_LARGE)

    def _ended(self, received: int) -> Answer:
        """Make what can be made of an answer whose connection was closed."""
        if not received:
            raise Fault(CLOSED_BEFORE, unanswered=True)
        self._keep = False
        if self._head is None or _has_length(self._head):
            raise Fault(CLOSED_INSIDE)
        self._status = self._parser.get_status_code()
        return self._answer()

    def _answer(self) -> Answer:
        parts = self._parts
        body = parts[0] if len(parts) == 1 else b"".join(parts)
        parts.clear()
        head = self._head
        if head is None or not head.startswith(b"HTTP/1.") or self._status < 200:
            raise Fault(NOT_HTTP)
        if len(body) > MAX_BODY_BYTES:
            raise Fault(BODY_TOO_LARGE)
        answer = Answer(self._status, head, body)
        if b"\r\ncontent-encoding:" in head.lower():
            answer.body = _decoded(body, answer.headers["content-encoding"])
        return answer


_ONE = ord("1")


def _is_head(head: bytes | None) -> bool:
    """Say whether a head is right by itself, so that what follows it must be wrong."""
    if head is None:
        return False
    try:
        httptools.HttpResponseParser(object()).feed_data(head + HEAD_END)
    except httptools.HttpParserError:
        return False
    return True


def _expire(waiting: Any) -> None:
    waiting.throw(Fault(ANSWER_TIMEOUT))


def _has_length(head: bytes) -> bool:
    """Say whether a head tells where its body ends; else the end of the connection does."""
    lower = head.lower()
    return b"\r\ncontent-length:" in lower or b"\r\ntransfer-encoding:" in lower


def _decoded(body: bytes, coding: str) -> bytes:
    kinds = {"gzip": 31, "x-gzip": 31, "deflate": 15}
    coding = coding.strip().lower()
    if coding in ("", "identity") or not body:
        return body
    if coding not in kinds:
        raise Fault(WRONG_BODY)
    try:
        return _inflated(body, kinds[coding])
    except zlib.error:
        pass
    try:  # some servers send deflate without the zlib wrapper
        return _inflated(body, -15 if coding == "deflate" else kinds[coding])
    except zlib.error:
        raise Fault(WRONG_BODY) from None


def _inflated(body: bytes, window_bits: int) -> bytes:
    plain = b""
    while body:
        decoder = zlib.decompressobj(window_bits)
        plain += decoder.decompress(body, MAX_BODY_BYTES + 1 - len(plain))
        if len(plain) > MAX_BODY_BYTES:
            raise Fault(BODY_TOO_LARGE)
        if not decoder.eof:
            raise Fault(WRONG_BODY)
        body = decoder.unused_data if window_bits == 31 else b""  # RFC 1952, 2.2: members
    return plain


def _wait(hub: Any, socket: patched_socket.socket, events: int) -> None:
    """Let other greenlets run until a socket is ready."""
    watcher = hub.loop.io(socket.fileno(), events)
    watcher.start(gevent.getcurrent().switch)
    try:
        hub.switch()
    finally:
        watcher.stop()
        watcher.close()


def _send_all(socket: patched_socket.socket, data: bytes, hub: Any) -> None:
    while data:
        _wait(hub, socket, WRITE)
        try:
            data = data[socket.send(data) :]
        except BlockingIOError:
            continue
        except OSError:
            raise Fault(RESET, unanswered=True) from None


_CONNECT_FAULTS = {
    errno.ECONNREFUSED: REFUSED,
    errno.ECONNRESET: RESET,
    errno.ETIMEDOUT: CONNECT_TIMEOUT,
    errno.EADDRNOTAVAIL: NO_PORT,
}


def _connected(endpoint: Endpoint, hub: Any) -> patched_socket.socket:
    """Connect to the first address of the host that takes the connection."""
    fault = Fault(DNS)
    for family, address in _addresses(endpoint.host, endpoint.port):
        try:
            socket = raw_socket(family, patched_socket.SOCK_STREAM)
        except OSError:
            raise Fault(NO_FILE) from None
        try:
            socket.setblocking(False)
            socket.setsockopt(patched_socket.IPPROTO_TCP, patched_socket.TCP_NODELAY, 1)
            error = socket.connect_ex(address)
            if error == errno.EINPROGRESS:
                _wait(hub, socket, WRITE)
                error = socket.getsockopt(patched_socket.SOL_SOCKET, patched_socket.SO_ERROR)
        except BaseException:
            socket.close()
            raise
        if not error:
            return socket  # type: ignore[no-any-return]
        socket.close()
        fault = Fault(_CONNECT_FAULTS.get(error, UNREACHABLE))
    raise fault


_resolved: dict[tuple[str, int], tuple[float, list[tuple[int, Any]]]] = {}


def _addresses(host: str, port: int) -> list[tuple[int, Any]]:
    """Return (family, address) pairs; a name is asked for again after `DNS_TTL_S`."""
    known = _resolved.get((host, port))
    if known is not None and perf_counter() < known[0]:
        return known[1]
    try:
        found = patched_socket.getaddrinfo(host, port, type=patched_socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise Fault(DNS) from None
    addresses = [(int(family), address) for family, _, _, _, address in found]
    _resolved[host, port] = perf_counter() + DNS_TTL_S, addresses
    return addresses


class _Tls:
    """TLS between the buffer and a socket, without a socket of its own."""

    def __init__(self, endpoint: Endpoint, socket: patched_socket.socket, hub: Any) -> None:
        """Shake hands."""
        assert endpoint.tls is not None
        self._socket = socket
        self.ended = False
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._object = endpoint.tls.wrap_bio(
            self._incoming, self._outgoing, server_hostname=endpoint.host
        )
        while True:
            try:
                self._object.do_handshake()
                _send_all(socket, self._outgoing.read(), hub)
                return
            except ssl.SSLWantReadError:
                _send_all(socket, self._outgoing.read(), hub)
                _wait(hub, socket, READ)
                self._fill()
            except ssl.SSLError:
                raise Fault(TLS) from None

    def _fill(self) -> None:
        try:
            size = self._socket.recv_into(_buffer)
        except BlockingIOError:
            return
        except OSError:
            raise Fault(TLS) from None
        if size:
            self._incoming.write(_view[:size])
        else:
            self._incoming.write_eof()

    def encrypted(self, data: bytes) -> bytes:
        """Return what to send for `data`."""
        self._object.write(data)
        return self._outgoing.read()

    def decrypt(self, size: int) -> int:
        """Replace the first `size` bytes of the buffer by what they mean.

        Returns the new size, 0 at an orderly end, -1 when more bytes are needed first.
        """
        self._incoming.write(_view[:size])
        plain = bytearray()
        try:
            while part := self._object.read(BUFFER_BYTES):
                plain += part
            self.ended = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.ended = True
        except ssl.SSLError:
            raise Fault(TLS) from None
        _buffer[: len(plain)] = plain
        return len(plain) if plain else 0 if self.ended else -1

    def is_idle(self) -> bool:
        """Say whether nothing but the protocol's own messages came since the last answer."""
        while True:
            size = self._socket.recv_into(_buffer, BUFFER_BYTES - RECORD_BYTES)
            if not size or self.decrypt(size) >= 0:
                return False

"""Parse responses from bytes that may be split anywhere, in place, with llhttp (httptools).

Invariant: an incomplete or invalid response raises a Fault. Only without a length does the end of
the connection complete a response.
"""

from __future__ import annotations

import zlib
from typing import Any

import httptools

from harness.http.wire import faults
from harness.http.wire.faults import Fault

BUFFER_BYTES = 256 * 1024  # at most per read
MAX_HEAD_BYTES = 64 * 1024
MAX_BODY_BYTES = 16 * 1024 * 1024  # also after decompression: a gzip bomb is a failure
MAX_MEMBERS = 256  # of a gzip body; each costs a copy of the rest, which blocks the event loop
HEAD_END = b"\r\n\r\n"
_ONE = ord("1")  # begins the status of a 1xx response

# One buffer serves all connections: no greenlet switch happens between filling and parsing it.
buffer = bytearray(BUFFER_BYTES)
view = memoryview(buffer)


class Answer:
    """A complete response; its headers are decoded only on access.

    Attributes:
        status: status code.
        head: status line and headers as received, without the empty line.
        body: after chunked, gzip and deflate decoding.
    """

    __slots__ = ("body", "head", "status")

    def __init__(self, status: int, head: bytes, body: bytes) -> None:
        self.status = status
        self.head = head
        self.body = body

    @property
    def headers(self) -> dict[str, str]:
        """Return the headers, with names in lower case; repeated ones are joined with a comma."""
        headers: dict[str, str] = {}
        for line in self.head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            key, text = name.decode("latin-1").lower(), value.strip().decode("latin-1")
            headers[key] = f"{headers[key]}, {text}" if key in headers else text
        return headers


class AnswerParser:
    """Parses the responses of one connection, one after the other.

    Attributes:
        keep: another request may follow the last response on this connection.
    """

    __slots__ = (
        "_bodyless",
        "_complete",
        "_head",
        "_llhttp",
        "_parts",
        "_raw",
        "_received",
        "_status",
        "keep",
    )

    def __init__(self) -> None:
        self.keep = False
        self._bodyless = False
        self._complete = False
        self._head: bytes | None = None
        self._raw = b""
        self._received = 0
        self._status = 0
        self._parts: list[bytes] = []
        self._llhttp: Any = httptools.HttpResponseParser(self)

    def close(self) -> None:
        """Break the cycle with llhttp, which only the garbage collector would free."""
        self._llhttp = None

    def begin(self, bodyless: bool) -> None:
        """Expect the next response; one to a HEAD request is bodyless."""
        self.keep = False
        self._bodyless = bodyless
        self._complete = False
        self._head = None
        self._received = 0

    def feed(self, size: int) -> Answer | None:
        """Parse the first `size` bytes of `buffer`; return the response once it is complete.

        Raises:
            Fault: the response is invalid or too large.
        """
        self._received += size
        # Bounds what is kept of a response in progress, endless 1xx responses before it included.
        if self._received > MAX_BODY_BYTES + MAX_HEAD_BYTES:
            raise Fault(faults.BODY_TOO_LARGE)
        if self._head is None:
            self._find_head(size)
        try:
            self._llhttp.feed_data(view[:size])
        except httptools.HttpParserUpgrade:
            raise Fault(faults.NOT_HTTP) from None
        except httptools.HttpParserError:
            self.keep = False
            if not self._complete:  # garbage behind a complete response only ends the connection
                name = faults.WRONG_BODY if _is_head(self._head) else faults.NOT_HTTP
                raise Fault(name) from None
        if self._complete:
            return self._answer()
        # llhttp does not know about HEAD and waits for a body, so the connection is not kept.
        if self._bodyless and self._head is not None:
            self._status = self._llhttp.get_status_code()
            return self._answer()
        return None

    def end(self) -> Answer:
        """Return the response that the end of the connection completes.

        Raises:
            Fault: the connection was closed before or inside a response.
        """
        self.keep = False
        if not self._received:
            raise Fault(faults.CLOSED_BEFORE, unanswered=True)
        if self._head is None or _has_length(self._head):
            raise Fault(faults.CLOSED_INSIDE)
        self._status = self._llhttp.get_status_code()
        return self._answer()

    @property
    def has_begun(self) -> bool:
        """Return True if any byte of the response has come."""
        return self._received > 0

    def on_message_begin(self) -> None:
        """Note a message behind a complete response: it belongs to no request of ours."""
        if self._complete:
            self.keep = False

    def on_body(self, part: bytes) -> None:
        """Keep a part of the body."""
        if not self._complete:
            self._parts.append(part)

    def on_message_complete(self) -> None:
        """Note the end of a response, and whether to keep the connection: llhttp forgets that."""
        status = self._llhttp.get_status_code()
        if status >= 200 and not self._complete:  # 1xx announces the response
            self._complete = True
            self._status = status
            self.keep = self._llhttp.should_keep_alive()

    def _find_head(self, size: int) -> None:
        """Keep the bytes of the head, which may be split anywhere, and skip those of 1xx."""
        # The usual case, without a copy of the body. Byte 9 is the first digit of the status.
        end = buffer.find(HEAD_END, 0, size)
        if 0 < end <= MAX_HEAD_BYTES and not self._raw and buffer[9] != _ONE:
            self._head = bytes(view[:end])
            return
        self._raw += view[:size]
        while (end := self._raw.find(HEAD_END)) >= 0:
            if end > MAX_HEAD_BYTES:
                raise Fault(faults.HEAD_TOO_LARGE)
            head, self._raw = self._raw[:end], self._raw[end + len(HEAD_END) :]
            if head[9:10] != b"1":
                self._head, self._raw = head, b""
                return
        if len(self._raw) > MAX_HEAD_BYTES:
            raise Fault(faults.HEAD_TOO_LARGE)

    def _answer(self) -> Answer:
        parts = self._parts
        body = parts[0] if len(parts) == 1 else b"".join(parts)
        parts.clear()
        head = self._head
        if head is None or not head.startswith(b"HTTP/1.") or self._status < 200:
            raise Fault(faults.NOT_HTTP)
        if len(body) > MAX_BODY_BYTES:
            raise Fault(faults.BODY_TOO_LARGE)
        answer = Answer(self._status, head, body)
        if b"\r\ncontent-encoding:" in head.lower():
            answer.body = _decoded(body, answer.headers["content-encoding"])
        return answer


def _is_head(head: bytes | None) -> bool:
    """Return True if a head is valid by itself, so that the error is in what follows it."""
    if head is None:
        return False
    try:
        httptools.HttpResponseParser(object()).feed_data(head + HEAD_END)
    except httptools.HttpParserError:
        return False
    return True


def _has_length(head: bytes) -> bool:
    """Return True if the head delimits its body; otherwise the end of the connection does."""
    lower = head.lower()
    return b"\r\ncontent-length:" in lower or b"\r\ntransfer-encoding:" in lower


def _decoded(body: bytes, coding: str) -> bytes:
    # zlib's window bits: 31 reads the gzip format, 15 the zlib format, -15 a raw stream.
    kinds = {"gzip": 31, "x-gzip": 31, "deflate": 15}
    coding = coding.strip().lower()
    if coding in ("", "identity") or not body:
        return body
    if coding not in kinds:
        raise Fault(faults.WRONG_BODY)
    try:
        return _inflated(body, kinds[coding])
    except zlib.error:
        pass
    try:  # some servers send "deflate" without the zlib wrapper
        return _inflated(body, -15 if coding == "deflate" else kinds[coding])
    except zlib.error:
        raise Fault(faults.WRONG_BODY) from None


def _inflated(body: bytes, window_bits: int) -> bytes:
    plain = b""
    for _ in range(MAX_MEMBERS):
        if not body:
            return plain
        decoder = zlib.decompressobj(window_bits)
        # One byte over the limit shows that there is more, without decompressing all of it.
        plain += decoder.decompress(body, MAX_BODY_BYTES + 1 - len(plain))
        if len(plain) > MAX_BODY_BYTES:
            raise Fault(faults.BODY_TOO_LARGE)
        if not decoder.eof:
            raise Fault(faults.WRONG_BODY)
        body = decoder.unused_data if window_bits == 31 else b""  # RFC 1952, 2.2: several members
    raise Fault(faults.WRONG_BODY)

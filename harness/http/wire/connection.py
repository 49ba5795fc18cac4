"""One HTTP/1.1 connection: sends a rendered request, returns the response.

Written for a generator that shares its machine with the server under test. A small plain-text
response costs one `send`, one `recv_into` and one greenlet switch: the event loop calls the
connection when bytes arrive, and the connection wakes the user once the response is complete.

Invariants: one greenlet uses a connection at a time. A failed exchange closes it, and so does
anything that arrives while no response is awaited: late bytes never pass for the next response.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

import gevent

from harness.http.wire import faults, parser, sockets
from harness.http.wire.faults import Fault
from harness.http.wire.parser import Answer, AnswerParser
from harness.http.wire.tls import RECORD_BYTES, Tls


@dataclass(frozen=True, slots=True)
class Address:
    """A server to connect to, with its timeouts.

    Attributes:
        host: name or IP address, without brackets.
        port: TCP port.
        tls: TLS context, or None for plain TCP.
        connect_timeout_s: for name resolution, TCP and TLS handshake together.
        answer_timeout_s: from sending the request to the last byte of the response.
    """

    host: str
    port: int
    tls: ssl.SSLContext | None
    connect_timeout_s: float
    answer_timeout_s: float


class Connection:
    """An open connection.

    It keeps reading while idle, so that a close or unexpected bytes are seen at once.

    Attributes:
        is_open: not closed by either side, as far as the event loop has seen.
        started: when the first byte of the last request was sent, by `perf_counter`; 0 until then.
        pending_kill: a kill of the greenlet that arrived while it waited for the response; the
            caller of `exchange` must raise it.
    """

    __slots__ = (
        "_hub",
        "_outcome",
        "_parser",
        "_reader",
        "_rest",
        "_room",
        "_socket",
        "_timer",
        "_tls",
        "_wake",
        "_writer",
        "is_open",
        "pending_kill",
        "started",
    )

    def __init__(self, address: Address) -> None:
        """Connect, with TLS if the address asks for it.

        Raises:
            Fault: the connection or the handshake failed.
        """
        self._hub = gevent.get_hub()
        self._outcome: Answer | BaseException | None = None
        self._wake: Callable[[], object] | None = None
        self._rest = b""
        self._tls: Tls | None = None
        self._room = 0  # bytes per read; recv_into takes 0 for the whole buffer
        self.pending_kill: gevent.GreenletExit | None = None
        self.started = 0.0
        with gevent.Timeout(address.connect_timeout_s, Fault(faults.CONNECT_TIMEOUT)):
            self._socket = sockets.connect(address.host, address.port)
            if address.tls is not None:
                try:
                    self._tls = Tls(address.tls, address.host, self._socket)
                except BaseException:
                    self._socket.close()
                    raise
                # Decrypting may add a record of which a part came with an earlier read.
                self._room = parser.BUFFER_BYTES - RECORD_BYTES
        self.is_open = True
        self._parser = AnswerParser()
        loop, number = self._hub.loop, self._socket.fileno()
        self._reader = loop.io(number, sockets.READ)
        self._writer = loop.io(number, sockets.WRITE)
        # Repeating, since again() restarts only a repeating timer.
        self._timer = loop.timer(address.answer_timeout_s, address.answer_timeout_s)
        self._reader.start(self._on_readable)

    @property
    def can_be_kept(self) -> bool:
        """Return True if another request may follow the last response."""
        # A server may respond before it has read the whole request: the rest is still unsent.
        return self._parser.keep and self.is_open and not self._rest

    def is_alive(self) -> bool:
        """Read the idle connection; return True if it is open and nothing has arrived."""
        if self.is_open:
            self._on_readable()
        return self.is_open

    def exchange(self, request: bytes) -> Answer:
        """Send a rendered request and return the response.

        A kill of the greenlet does not interrupt the exchange; see `pending_kill`.

        Raises:
            Fault: the exchange failed; the connection is closed.
        """
        self._parser.begin(request.startswith(b"HEAD "))
        self._wake = gevent.getcurrent().switch
        self.started = 0.0
        timer = self._timer
        timer.again(self._on_timeout)  # start() would continue with the time left over
        try:
            if self._tls is None:
                _send_soon(self, request)
            else:
                self._send(self._tls.encrypt(request))
            while self._wake is not None:
                try:
                    self._hub.switch()
                except gevent.GreenletExit as kill:
                    self.pending_kill = kill  # a sent request is completed and counted first
        except BaseException:  # a timeout of the user's own, say
            self.close()
            raise
        timer.stop()
        outcome, self._outcome = self._outcome, None
        if isinstance(outcome, Answer):
            return outcome
        self.close()
        assert outcome is not None
        try:
            raise outcome
        finally:
            del outcome  # its traceback refers to this frame: a cycle

    def close(self) -> None:
        """Close the socket; does nothing if it is closed already."""
        if self.is_open:
            self.is_open = False
            self._wake = None
            # Before the socket: once closed, its file descriptor may belong to another connection.
            for watcher in (self._reader, self._writer, self._timer):
                watcher.stop()
                watcher.close()
            self._socket.close()
            self._parser.close()

    def _finish(self, outcome: Answer | BaseException) -> None:
        """Give the waiting user the response or the error; close if nobody waits."""
        wake, self._wake = self._wake, None
        if wake is None:
            self.close()
            return
        self._outcome = outcome
        wake()

    def _on_timeout(self) -> None:
        wake = self._wake
        # If the event loop was blocked, a response that came in time may still be unread. Reading
        # it wakes the user, who may have begun the next exchange: then `_wake` has changed.
        self._on_readable()
        if wake is not None and self._wake is wake:
            self._finish(Fault(faults.ANSWER_TIMEOUT))

    def _send(self, data: bytes) -> None:
        """Send what the socket takes without waiting; the event loop sends the rest."""
        self.started = perf_counter()
        try:
            self._rest = data[self._socket.send(data) :]
        except BlockingIOError:
            self._rest = data
        except OSError:
            self._finish(Fault(faults.RESET, unanswered=True))
            return
        if self._rest:
            self._writer.start(self._on_writable)

    def _on_writable(self) -> None:
        try:
            self._rest = self._rest[self._socket.send(self._rest) :]
        except BlockingIOError:
            return
        except OSError:
            self._writer.stop()
            self._finish(Fault(faults.RESET, unanswered=not self._parser.has_begun))
            return
        if not self._rest:
            self._writer.stop()

    def _on_readable(self) -> None:
        try:
            size = self._socket.recv_into(parser.buffer, self._room)
        except BlockingIOError:
            return
        except OSError:
            self._finish(Fault(faults.RESET, unanswered=not self._parser.has_begun))
            return
        try:
            answer = self._taken(size)
        except BaseException as error:  # raise it in the user's greenlet, not in the hub
            self._finish(error)
        else:
            if answer is not None:
                self._finish(answer)

    def _taken(self, size: int) -> Answer | None:
        """Process `size` bytes in the buffer; return the response once it is complete."""
        tls = self._tls
        if tls is not None and size:
            size = tls.decrypt(size)
            if size < 0:  # no data yet, or only a session ticket (TLS 1.3)
                return None
        if self._wake is None:
            self.close()
            return None
        if not size:
            return self._parser.end()
        if not self.started:  # no response to a request that is still queued
            raise Fault(faults.CLOSED_BEFORE, unanswered=True)
        answer = self._parser.feed(size)
        # The end of TLS may come in one read with the data, and the server may then wait for ours.
        if answer is None and tls is not None and tls.ended:
            return self._parser.end()
        return answer


# Requests to send in this iteration of the event loop, back to back. The first send wakes a
# sleeping server; those right behind it find it awake and cost half as much.
_unsent: list[tuple[Connection, bytes]] = []


def _send_soon(connection: Connection, request: bytes) -> None:
    if not _unsent:
        gevent.get_hub().loop.run_callback(_send_unsent)
    _unsent.append((connection, request))


def _send_unsent() -> None:
    """Send the queued requests; runs in the hub, when all greenlets wait."""
    global _unsent
    # Swapped first: a failed send wakes its user, who may queue another request.
    batch, _unsent = _unsent, []
    for connection, request in batch:
        if connection.is_open:  # its user may have been stopped meanwhile
            connection._send(request)

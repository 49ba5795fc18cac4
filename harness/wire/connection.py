"""One HTTP/1.1 connection: sends rendered bytes, returns an answer.

Written for a generator that shares its machine with the server it measures. A plain answer costs
one `send`, one `recv_into` and one switch of greenlets: the loop itself calls the connection when
bytes have come, and wakes the user once they make a whole answer.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

import gevent

from harness.wire import faults, parser, sockets
from harness.wire.faults import Fault
from harness.wire.parser import Answer, AnswerParser
from harness.wire.tls import RECORD_BYTES, Tls


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


class Connection:
    """An open connection; one greenlet uses it at a time.

    While nobody waits for an answer it listens on: whatever comes then, the end or bytes that
    nobody asked for, closes it.

    Attributes:
        is_open: not closed by either side, as far as the loop has seen.
        started: when the first byte of the last request was sent, by `perf_counter`.
        put_off: the kill of the greenlet that came while it waited for an answer; whoever
            called `exchange` has to raise it.
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
        "put_off",
        "started",
    )

    def __init__(self, endpoint: Endpoint) -> None:
        """Connect, with TLS when the endpoint asks for it, or raise a Fault."""
        self._hub = gevent.get_hub()
        self._outcome: Answer | BaseException | None = None
        self._wake: Callable[[], object] | None = None
        self._rest = b""
        self._tls: Tls | None = None
        self._room = 0
        self.put_off: gevent.GreenletExit | None = None
        self.started = 0.0
        with gevent.Timeout(endpoint.connect_timeout_s, Fault(faults.CONNECT_TIMEOUT)):
            self._socket = sockets.connected(endpoint.host, endpoint.port)
            if endpoint.tls is not None:
                try:
                    self._tls = Tls(endpoint.tls, endpoint.host, self._socket)
                except BaseException:
                    self._socket.close()
                    raise
                self._room = parser.BUFFER_BYTES - RECORD_BYTES  # a begun record comes on top
        self.is_open = True
        self._parser = AnswerParser()
        loop, number = self._hub.loop, self._socket.fileno()
        self._reader = loop.io(number, sockets.READ)
        self._writer = loop.io(number, sockets.WRITE)
        self._timer = loop.timer(endpoint.answer_timeout_s, endpoint.answer_timeout_s)
        self._reader.start(self._on_readable)

    @property
    def can_be_kept(self) -> bool:
        """Say whether the last answer left the connection fit for another request."""
        return self._parser.keep and self.is_open and not self._rest

    def is_alive(self) -> bool:
        """Look whether the idle connection is open, and nothing unasked came on it."""
        if self.is_open:
            self._on_readable()
        return self.is_open

    def exchange(self, request: bytes) -> Answer:
        """Send a rendered request and return the whole answer.

        Raises:
            Fault: it failed; the connection is closed then.
        """
        self._parser.begin(request.startswith(b"HEAD "))
        self._wake = gevent.getcurrent().switch
        self.started = 0.0
        timer = self._timer
        timer.again(self._on_timeout)  # start() would go on where it stopped
        try:
            if self._tls is None:
                _send_soon(self, request)
            else:
                self._send(self._tls.encrypted(request))
            while self._wake is not None:
                try:
                    self._hub.switch()
                except gevent.GreenletExit as kill:
                    self.put_off = kill  # what was sent is answered, and counted, before the end
        except BaseException:
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
            del outcome  # its traceback holds this frame: a cycle

    def close(self) -> None:
        """Close the socket; harmless when it is closed already."""
        if self.is_open:
            self.is_open = False
            self._wake = None
            for watcher in (self._reader, self._writer, self._timer):
                watcher.stop()
                watcher.close()
            self._socket.close()
            self._parser.close()

    def _finish(self, outcome: Answer | BaseException) -> None:
        """Wake the user who waits, with what came of the request."""
        wake, self._wake = self._wake, None
        if wake is None:
            self.close()
            return
        self._outcome = outcome
        wake()

    def _on_timeout(self) -> None:
        wake = self._wake
        self._on_readable()  # after a stop of the loop an answer may lie there that came in time
        if wake is not None and self._wake is wake:
            self._finish(Fault(faults.ANSWER_TIMEOUT))

    def _send(self, data: bytes) -> None:
        """Send what can be sent without waiting; the loop sends the rest."""
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
        except BaseException as error:  # raised where the request was made, not in the loop
            self._finish(error)
        else:
            if answer is not None:
                self._finish(answer)

    def _taken(self, size: int) -> Answer | None:
        """Take what lies in the buffer; return the answer once it is whole."""
        tls = self._tls
        if tls is not None and size:
            size = tls.decrypt(size)
            if size < 0:
                return None
        if self._wake is None:
            self.close()
            return None
        if not size:
            return self._parser.end()
        if not self.started:  # no answer to a request that waits to be sent
            raise Fault(faults.CLOSED_BEFORE, unanswered=True)
        answer = self._parser.feed(size)
        if answer is None and tls is not None and tls.ended:
            return self._parser.end()
        return answer


# What was asked to be sent in this turn of the event loop. A server that sleeps is woken by the
# first send; those right behind it find it awake, and cost half.
_unsent: list[tuple[Connection, bytes]] = []


def _send_soon(connection: Connection, request: bytes) -> None:
    if not _unsent:
        gevent.get_hub().loop.run_callback(_send_unsent)
    _unsent.append((connection, request))


def _send_unsent() -> None:
    """Run in the hub, between two turns of the loop, when all greenlets wait."""
    global _unsent
    batch, _unsent = _unsent, []
    for connection, request in batch:
        if connection.is_open:  # its user may have been stopped since
            connection._send(request)

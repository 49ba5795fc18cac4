"""The measured path of a user's requests: one kept-alive connection, and minimal work.

>>> session.send(contract.list_boards())     # sent, checked, reported to Locust's statistics

Invariants: a request that was sent is reported exactly once, as a success or as one named failure,
even if its user is killed meanwhile. Only a `gevent.Timeout` set by the task itself can drop it.
A POST is never sent twice.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter, time
from typing import Any

import gevent
from locust.exception import CatchResponseError

from harness.http.request import Request
from harness.http.response import Response, redirect_problem
from harness.http.target import Target
from harness.http.wire import Answer, Connection, Fault, faults

IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"})
"""Methods whose requests may be sent twice (RFC 9110, 9.2.2)."""
PROBE_IDLE_AFTER_S = 0.02
"""Seconds since the last request after which a kept-alive socket is read before it is used."""
POST_MAX_IDLE_S = 1.0
"""Shorter than common servers keep an idle connection; gunicorn's threads keep it for 2 s."""


def unreported(**_: object) -> None:
    """Ignore a request outside the statistics; stands in for Locust's `request` event."""


class Session:
    """The client of one user; fires Locust's `request` event once per request.

    Attributes:
        was_retried: True if the server may have seen the last request twice.
    """

    def __init__(
        self,
        target: Target,
        fire: Callable[..., None] = unreported,
        context: Callable[[], dict[str, Any]] = dict,
        can_still_send: Callable[[], bool] = lambda: True,
    ) -> None:
        """Create a session; the first request connects.

        `fire` fires Locust's `request` event, with the user's `context()`. `can_still_send` is
        called after connecting, right before the request goes out: the run may be over by then.
        """
        self.base_url = target.url
        self.was_retried = False
        self._target = target
        self._context = context
        self._fire = fire
        self._can_still_send = can_still_send
        self._connection: Connection | None = None
        self._pending_kill: BaseException | None = None

    def send(self, request: Request) -> bool:
        """Send a request, report it to Locust, and return True if the response is valid."""
        endpoint = request.endpoint
        start_time, start = time(), perf_counter()
        answer: Answer | None = None
        try:
            answer, began = self._exchange(start, request)
        except Fault as fault:
            elapsed_ms = (perf_counter() - start) * 1000
            problem: str | None = str(fault)
            length = 0
        else:
            elapsed_ms = (perf_counter() - began) * 1000  # the check is not part of it
            length = len(answer.body)
            status = answer.status
            if 300 <= status < 400 and status != 304:  # 304 is no redirect
                location = answer.headers.get("location", "")
                problem = redirect_problem(endpoint.status, status, location, self.base_url)
            else:
                problem = request.problem(status, answer.body)
        url = self.base_url + request.path
        try:
            self._fire(
                request_type=endpoint.method,
                name=endpoint.name,
                response_time=elapsed_ms,
                response_length=length,
                response=Response(answer, url, elapsed_ms),
                context=self._context(),
                exception=None if problem is None else CatchResponseError(problem),
                start_time=start_time,
                url=url,
            )
        finally:  # also if a listener raises: the kill must not be lost
            if self._pending_kill is not None:
                self._raise_pending_kill()
        return problem is None

    def exchange(self, request: Request) -> Answer:
        """Send a request outside the statistics.

        Raises:
            Fault: no complete response came.
        """
        try:
            return self._exchange(perf_counter(), request)[0]
        finally:
            if self._pending_kill is not None:
                self._raise_pending_kill()

    def try_exchange(self, request: Request) -> tuple[int, bytes]:
        """Send a request outside the statistics; return status and body, 0 and b"" on a fault."""
        try:
            answer = self.exchange(request)
        except Fault:
            return 0, b""
        return answer.status, answer.body

    def _raise_pending_kill(self) -> None:
        pending_kill, self._pending_kill = self._pending_kill, None
        assert pending_kill is not None
        raise pending_kill

    def close(self) -> None:
        """Close the connection; the next request opens a new one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _exchange(self, start: float, request: Request) -> tuple[Answer, float]:
        """Send on the kept-alive connection or on a new one; return the response and its start.

        The start is when the first byte was sent on a kept-alive connection. On a new one it is
        `start`, so the response time includes connecting and a failed first attempt.
        """
        method = request.endpoint.method
        idempotent = method in IDEMPOTENT
        wire = self._target.render(method, request.path, request.body)
        # Taken out, so that no other greenlet of this user sends on it meanwhile.
        connection, self._connection = self._connection, None
        self.was_retried = False
        if connection is not None:
            if _is_reusable(connection, start - connection.started, idempotent):
                try:
                    answer = self._answer_on(connection, wire)
                except Fault as fault:
                    if not (fault.unanswered and idempotent):
                        raise
                    self._target.connections.reconnects += 1  # RFC 9110, 9.2.2: one retry
                    self.was_retried = True
                else:
                    self._keep_or_close(connection)
                    return answer, connection.started
            else:
                connection.close()
                if idempotent:
                    self._target.connections.reconnects += 1
        while True:
            try:
                connection = Connection(self._target.address)
                break
            except gevent.GreenletExit as kill:
                if not self.was_retried:
                    raise
                self._pending_kill = kill  # the first attempt was sent: count it
        self._target.connections.opened += 1
        self._target.connections.connecting_ms += (perf_counter() - start) * 1000
        if not self._can_still_send():
            connection.close()
            raise Fault(faults.NOT_SENT)
        answer = self._answer_on(connection, wire)
        self._keep_or_close(connection)
        return answer, start

    def _keep_or_close(self, connection: Connection) -> None:
        # Another greenlet of this user may have stored its own meanwhile.
        if connection.can_be_kept and self._connection is None:
            self._connection = connection
        else:
            connection.close()

    def _answer_on(self, connection: Connection, wire: bytes) -> Answer:
        try:
            return connection.exchange(wire)
        finally:
            if connection.pending_kill is not None:
                self._pending_kill, connection.pending_kill = connection.pending_kill, None


def _is_reusable(connection: Connection, idle_s: float, idempotent: bool) -> bool:
    """Return True if a request may go out on a kept-alive connection.

    `idle_s` counts from when the last request was sent.
    """
    # The event loop has seen whatever arrived up to its last iteration; after a longer pause the
    # socket is read once more. That is not enough for a POST, which must not be sent twice: a
    # server that is about to close an idle connection may do so while the request is on its way.
    if idempotent and idle_s < PROBE_IDLE_AFTER_S:
        return connection.is_open
    return (idempotent or idle_s < POST_MAX_IDLE_S) and connection.is_alive()

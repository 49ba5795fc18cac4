"""The measured path of a user's requests: one kept connection, and no work that can be left out.

>>> session.send(contract.list_boards())     # sent, checked, reported to Locust's statistics
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter, time
from typing import Any

import gevent
from locust.exception import CatchResponseError

from harness.contract import Request
from harness.origin import Origin
from harness.response import Response, redirect_problem
from harness.wire import Answer, Connection, Fault, faults

IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"})
"""Methods whose requests may be sent twice (RFC 9110, 9.2.2)."""
LOOK_AFTER_S = 0.02
POST_IDLE_S = 1.0  # less than common servers keep an idle connection; gunicorn's threads: 2 s


def unreported(**_: object) -> None:
    """Take the place of Locust's `request` event for requests outside the statistics."""


class Session:
    """The client of one user; Locust's `request` event fires once for each request.

    Attributes:
        was_sent_again: whether the server may have seen the last request twice.
    """

    def __init__(
        self,
        origin: Origin,
        fire: Callable[..., None] = unreported,
        context: Callable[[], dict[str, Any]] = dict,
        may_send: Callable[[], bool] = lambda: True,
    ) -> None:
        """Open nothing yet: the first request connects.

        `fire` fires Locust's `request` event with the user's context; `may_send` is asked right
        before a request goes out after a wait.
        """
        self.base_url = origin.url
        self.was_sent_again = False
        self._origin = origin
        self._context = context
        self._fire = fire
        self._may_send = may_send
        self._connection: Connection | None = None
        self._put_off: BaseException | None = None

    def send(self, request: Request) -> bool:
        """Send a request of the contract and report it; return whether the answer was right."""
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
            elapsed_ms = (perf_counter() - began) * 1000
            length = len(answer.body)
            status = answer.status
            if 300 <= status < 400 and status != 304:
                location = answer.headers.get("location", "")
                problem = redirect_problem(endpoint.status, status, location, self.base_url)
            else:
                problem = request.problem(status, answer.body)
        url = self.base_url + request.target
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
        finally:
            if self._put_off is not None:
                self._raise_what_was_put_off()
        return problem is None

    def exchange(self, request: Request) -> Answer:
        """Send a request outside the statistics.

        Raises:
            Fault: no whole answer came.
        """
        try:
            return self._exchange(perf_counter(), request)[0]
        finally:
            if self._put_off is not None:
                self._raise_what_was_put_off()

    def ask(self, request: Request) -> tuple[int, bytes]:
        """Send a request outside the statistics; return status and body, 0 when none came."""
        try:
            answer = self.exchange(request)
        except Fault:
            return 0, b""
        return answer.status, answer.body

    def _raise_what_was_put_off(self) -> None:
        put_off, self._put_off = self._put_off, None
        assert put_off is not None
        raise put_off

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _exchange(self, start: float, request: Request) -> tuple[Answer, float]:
        """Send on the kept connection, or on a new one; return the answer and when that began."""
        method = request.endpoint.method
        idempotent = method in IDEMPOTENT
        wire = self._origin.render(method, request.target, request.body)
        connection, self._connection = self._connection, None
        self.was_sent_again = False
        if connection is not None:
            if _is_fit(connection, start - connection.started, idempotent):
                try:
                    answer = self._answer_on(connection, wire)
                except Fault as fault:
                    if not (fault.unanswered and idempotent):
                        raise
                    self._origin.connections.reconnects += 1  # RFC 9110, 9.2.2: sent again, once
                    self.was_sent_again = True
                else:
                    self._put_back(connection)
                    return answer, connection.started
            else:
                connection.close()
                if idempotent:
                    self._origin.connections.reconnects += 1
        while True:
            try:
                connection = Connection(self._origin.endpoint)
                break
            except gevent.GreenletExit as kill:
                if not self.was_sent_again:
                    raise
                self._put_off = kill  # the server may have seen the first try: it is counted
        self._origin.connections.opened += 1
        self._origin.connections.connecting_ms += (perf_counter() - start) * 1000
        if not self._may_send():
            connection.close()
            raise Fault(faults.NOT_SENT)
        answer = self._answer_on(connection, wire)
        self._put_back(connection)
        return answer, start

    def _put_back(self, connection: Connection) -> None:
        if connection.can_be_kept and self._connection is None:
            self._connection = connection
        else:
            connection.close()

    def _answer_on(self, connection: Connection, wire: bytes) -> Answer:
        try:
            return connection.exchange(wire)
        finally:
            if connection.put_off is not None:
                self._put_off, connection.put_off = connection.put_off, None


def _is_fit(connection: Connection, idle_s: float, idempotent: bool) -> bool:
    """Say whether a request may go out on a kept connection.

    The loop has seen what came on it up to its last turn; on one that was idle for longer it is
    looked for again. A POST must not be sent twice: one that has been idle for as long as a server
    may keep it can be closed while the request is on its way, however alive it looks.
    """
    if idempotent and idle_s < LOOK_AFTER_S:
        return connection.is_open
    return (idempotent or idle_s < POST_IDLE_S) and connection.is_alive()

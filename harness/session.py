"""The HTTP client that a user holds: one kept connection, and no work that can be left out.

>>> session.send(contract.list_boards())                   # the tasks: sent, judged, reported
>>> with session.get("/boards", catch_response=True) as answer:    # locust's own habits
...     if not answer.json():
...         answer.failure("no boards")
"""

from __future__ import annotations

import json as json_module
from collections.abc import Callable, Mapping
from time import perf_counter, time
from typing import Any, NoReturn

import gevent
from locust.exception import CatchResponseError

from harness.contract import Request
from harness.origin import Origin
from harness.response import Response, redirect_problem
from harness.wire import Answer, Connection, Fault, faults

IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"})
LOOK_AFTER_S = 0.02
POST_IDLE_S = 1.0  # less than common servers keep an idle connection; gunicorn's threads: 2 s


class Session:
    """The client of one user; locust's `request` event fires once for each request.

    Attributes:
        reconnects: idempotent requests that the server's closing of the kept connection met.
        connect_ms: time that the last request spent on a new connection, 0.0 on a kept one.
        was_sent_again: whether the server may have seen the last request twice.
    """

    def __init__(
        self,
        origin: Origin,
        fire: Callable[..., None],
        context: Callable[[], dict[str, Any]] = dict,
        may_send: Callable[[], bool] = lambda: True,
    ) -> None:
        """Open nothing yet: the first request connects.

        Args:
            origin: where the requests go.
            fire: fires locust's `request` event.
            context: the user's, for the event.
            may_send: is asked once more when a connection was awaited, right before it is used.
        """
        self.base_url = origin.url
        self.reconnects = 0
        self.connect_ms = 0.0
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
        method = endpoint.method
        wire = self._origin.render(method, request.target, request.body)
        start_time, start = time(), perf_counter()
        answer: Answer | None = None
        try:
            answer, began = self._exchange(start, wire, method != "POST")
        except Fault as fault:
            elapsed_ms = (perf_counter() - start) * 1000
            problem: str | None = str(fault)
            length = 0
        else:
            elapsed_ms = (perf_counter() - began) * 1000
            length = len(answer.body)
            status = answer.status
            if 300 <= status < 400 and status != 304:
                problem = redirect_problem(endpoint.status, answer, self.base_url)
            else:
                problem = request.problem(status, answer.body)
        try:
            self._report(request, elapsed_ms, length, answer, problem, start_time)
        finally:
            if self._put_off is not None:
                self._raise_what_was_put_off()
        return problem is None

    def _raise_what_was_put_off(self) -> NoReturn:
        put_off, self._put_off = self._put_off, None
        assert put_off is not None
        raise put_off

    def _report(
        self,
        request: Request,
        elapsed_ms: float,
        length: int,
        answer: Answer | None,
        problem: str | None,
        start_time: float,
    ) -> None:
        url = self.base_url + request.target
        self._fire(
            request_type=request.endpoint.method,
            name=request.endpoint.name,
            response_time=elapsed_ms,
            response_length=length,
            response=Response(answer, url, elapsed_ms),
            context=self._context(),
            exception=None if problem is None else CatchResponseError(problem),
            start_time=start_time,
            url=url,
        )

    def ask(self, request: Request) -> tuple[int, bytes]:
        """Send a request outside the statistics; return status and body, 0 when none came."""
        method = request.endpoint.method
        wire = self._origin.render(method, request.target, request.body)
        try:
            answer, _ = self._exchange(perf_counter(), wire, method != "POST")
            found = answer.status, answer.body
        except Fault:
            found = 0, b""
        if self._put_off is not None:
            self._raise_what_was_put_off()
        return found

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _exchange(self, start: float, wire: bytes, idempotent: bool) -> tuple[Answer, float]:
        """Send on the kept connection, or on a new one; return the answer and when that began."""
        connection, self._connection = self._connection, None
        self.connect_ms = 0.0
        self.was_sent_again = False
        if connection is not None:
            if _is_fit(connection, start - connection.started, idempotent):
                try:
                    answer = self._answer_on(connection, wire)
                except Fault as fault:
                    if not (fault.unanswered and idempotent):
                        raise
                    self._count_reconnect()  # RFC 9110, 9.2.2: sent again, once
                    self.was_sent_again = True
                else:
                    self._put_back(connection)
                    return answer, connection.started
            else:
                connection.close()
                if idempotent:
                    self._count_reconnect()
        while True:
            try:
                connection = Connection(self._origin.endpoint)
                break
            except gevent.GreenletExit as kill:
                if not self.was_sent_again:
                    raise
                self._put_off = kill  # the server may have seen the first try: it is counted
        self.connect_ms = (perf_counter() - start) * 1000
        self._origin.connections.opened += 1
        self._origin.connections.connecting_ms += self.connect_ms
        if not self._may_send():
            connection.close()
            raise Fault(faults.NOT_SENT)
        answer = self._answer_on(connection, wire)
        self._put_back(connection)
        return answer, start

    def _count_reconnect(self) -> None:
        self.reconnects += 1
        self._origin.connections.reconnects += 1

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

    def request(
        self,
        method: str,
        path: str,
        name: str | None = None,
        *,
        data: bytes | str | None = None,
        json: object = None,
        headers: Mapping[str, str] | None = None,
        catch_response: bool = False,
        context: Mapping[str, object] | None = None,
    ) -> Response:
        """Send any request, as locust's own client does, and report it unless it is to be caught.

        Args:
            method: in capitals.
            path: path and query behind the base URL, percent-encoded.
            name: statistics name; the path without it.
            data: body as it is.
            json: body to be encoded; wins over `data`.
            headers: besides, or instead of, the usual ones.
            catch_response: report at the end of a `with` block, as success() or failure() say.
            context: for the `request` event.
        """
        body = json_module.dumps(json, ensure_ascii=False) if json is not None else data
        raw = body.encode() if isinstance(body, str) else body
        wire = self._origin.render_with(method, path, raw, headers or {})
        start_time, began = time(), perf_counter()
        answer: Answer | None = None
        problem: str | None = None
        try:
            answer, began = self._exchange(began, wire, method in IDEMPOTENT)
        except Fault as fault:
            problem = str(fault)
        elapsed_ms = (perf_counter() - began) * 1000
        if answer is not None and answer.status >= 400:
            problem = f"status {answer.status}"
        elif answer is not None and 300 <= answer.status != 304:
            problem = redirect_problem(200, answer, self.base_url)
        response = Response(answer, self.base_url + path, elapsed_ms)

        def report(problem: str | None) -> None:
            self._fire(
                request_type=method,
                name=name or path,
                response_time=elapsed_ms,
                response_length=len(response.content),
                response=response,
                context={**self._context(), **(context or {})},
                exception=None if problem is None else CatchResponseError(problem),
                start_time=start_time,
                url=response.url,
            )
            if self._put_off is not None:
                self._raise_what_was_put_off()

        if catch_response:
            return response.await_verdict(problem, report)
        report(problem)
        return response

    def get(self, path: str, **options: Any) -> Response:
        """Send a GET request; see `request`."""
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> Response:
        """Send a POST request; see `request`."""
        return self.request("POST", path, **options)

    def put(self, path: str, **options: Any) -> Response:
        """Send a PUT request; see `request`."""
        return self.request("PUT", path, **options)

    def delete(self, path: str, **options: Any) -> Response:
        """Send a DELETE request; see `request`."""
        return self.request("DELETE", path, **options)


def _is_fit(connection: Connection, idle_s: float, idempotent: bool) -> bool:
    """Say whether a request may go out on a kept connection.

    The loop has seen what came on it up to its last turn; on one that was idle for longer it is
    looked for again. A POST must not be sent twice: one that has been idle for as long as a server
    may keep it can be closed while the request is on its way, however alive it looks.
    """
    if idempotent and idle_s < LOOK_AFTER_S:
        return connection.is_open
    return (idempotent or idle_s < POST_IDLE_S) and connection.is_alive()


def answers(origin: Origin, request: Request) -> None:
    """Send one request, only to see whether anything there speaks HTTP.

    Raises:
        Fault: nothing does.
    """
    wire = origin.render(request.endpoint.method, request.target, request.body)
    connection = Connection(origin.endpoint)
    connection.exchange(wire)
    connection.close()

"""The HTTP client of a user: sends a `contract.Request`, judges the answer, reports it once.

Whatever happens to a request ends as one success or one named failure in locust's statistics;
nothing is raised into a task, and no request goes missing.
"""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator

import gevent
from locust.clients import HttpSession, ResponseContextManager

import requests
from urllib3 import exceptions as urllib3

from harness.contract import Request
from harness.settings import Settings

JSON_HEADERS = {"Content-Type": "application/json"}


class AnswerTimeoutError(requests.Timeout):
    """The whole answer did not come in time, however steadily it trickled."""


class Session:
    """Sends the requests of one user over locust's own `HttpSession`.

    Redirects are not followed: the target of one may be a host that nobody allowed.
    """

    def __init__(self, client: HttpSession, settings: Settings) -> None:
        """Wrap a client; `settings` gives the timeouts."""
        self._client = client
        self._connect_timeout_s = settings.connect_timeout_s
        self._answer_timeout_s = settings.answer_timeout_s

    def send(self, request: Request) -> bool:
        """Send one request of the workload and report it; return whether the answer was right."""
        opened = self._connections_opened()
        response = self._exchange(request)
        was_kept = self._connections_opened() == opened
        if was_kept and request.endpoint.method != "POST" and _closed_unanswered(response):
            # The server closed an idle connection just as the request went out. RFC 9110, 9.2.2
            # lets an idempotent one be sent again, once, on a new connection; its time counts.
            lost_ms = response.request_meta["response_time"]
            response = self._exchange(request)
            response.request_meta["response_time"] += lost_ms  # type: ignore[index]
        with response:
            problem = judge(request, response)
            if problem is None:
                response.success()
            else:
                response.failure(problem)
        return problem is None

    def _connections_opened(self) -> int:
        manager = self._client.get_adapter(self._client.base_url).poolmanager  # type: ignore[attr-defined]
        return sum(manager.pools[key].num_connections for key in manager.pools.keys())  # noqa: SIM118

    def _exchange(self, request: Request) -> ResponseContextManager:
        overdue = AnswerTimeoutError("no whole answer in time")
        limit_s = self._connect_timeout_s + self._answer_timeout_s
        with gevent.Timeout(limit_s, overdue):
            return self._client.request(
                request.endpoint.method,
                request.target,
                name=request.endpoint.name,
                catch_response=True,
                data=request.body,
                headers=JSON_HEADERS if request.body is not None else None,
                timeout=(self._connect_timeout_s, self._answer_timeout_s),
                allow_redirects=False,
            )


def send_uncounted(
    client: requests.Session, base_url: str, request: Request, timeout_s: float
) -> int:
    """Send a request outside the statistics; return the status, or 0 when no answer came."""
    try:
        with gevent.Timeout(timeout_s, AnswerTimeoutError("no whole answer in time")):
            return requests.Session.request(
                client,
                request.endpoint.method,
                base_url + request.target,
                data=request.body,
                headers=JSON_HEADERS,
                timeout=timeout_s,
                allow_redirects=False,
            ).status_code
    except requests.RequestException:
        return 0


def judge(request: Request, response: ResponseContextManager) -> str | None:
    """Return what is wrong with a response as constant text, or None when it is right."""
    if response.error is not None:
        return fault_of(response.error)
    if response.is_redirect:
        return f"redirect: expected status {request.endpoint.status}, got {response.status_code}"
    return request.problem(response.status_code, response.content or b"")


def _closed_unanswered(response: ResponseContextManager) -> bool:
    error = response.error
    return (
        isinstance(error, requests.ConnectionError)
        and not isinstance(error, requests.Timeout)
        and any(isinstance(cause, ConnectionError) for cause in _causes(error))
    )


def fault_of(error: BaseException) -> str:
    """Name a failed exchange in constant text, from its innermost known cause.

    The order matters: a refused connection is also a connection error, a timeout also an OSError.
    """
    causes = list(_causes(error))
    if any(isinstance(c, urllib3.ProtocolError) and "ended prematurely" in str(c) for c in causes):
        return "closed early: connection closed inside an answer"
    for kind, name in _FAULTS:
        if any(isinstance(cause, kind) for cause in causes):
            return name
    return f"failed exchange: {type(error).__name__}"


_FAULTS: tuple[tuple[type[BaseException], str], ...] = (
    (AnswerTimeoutError, "answer timeout"),
    (requests.ConnectTimeout, "connect timeout"),
    (requests.exceptions.SSLError, "TLS failed"),
    (socket.gaierror, "DNS: host name not found"),
    (urllib3.NameResolutionError, "DNS: host name not found"),
    (ConnectionRefusedError, "connection refused"),
    (requests.ReadTimeout, "answer timeout"),
    (urllib3.ReadTimeoutError, "answer timeout"),
    (http.client.RemoteDisconnected, "closed early: connection closed before an answer"),
    (urllib3.InvalidChunkLength, "not HTTP: body not as its headers say"),
    (http.client.IncompleteRead, "closed early: connection closed inside an answer"),
    (http.client.HTTPException, "not HTTP"),
    (ConnectionResetError, "connection reset"),
    (BrokenPipeError, "connection reset"),
    (requests.exceptions.ContentDecodingError, "not HTTP: body not as its headers say"),
    (urllib3.ProtocolError, "not HTTP"),
)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and everything it wraps, wherever a library hid it."""
    seen: set[int] = set()
    left: list[object] = [error]
    while left:
        cause = left.pop()
        if isinstance(cause, BaseException) and id(cause) not in seen:
            seen.add(id(cause))
            yield cause
            left += [
                *cause.args,
                getattr(cause, "reason", None),
                cause.__cause__,
                cause.__context__,
            ]

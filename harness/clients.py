"""Locust's own two clients behind the calls that the tasks make: for a proxy, or for comparison.

Both send the same requests as `session.Session`, report under the same names, and judge the same
answers alike. Their response time is locust's: with the time that the client itself takes.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import gevent
from locust import User
from locust.clients import HttpSession
from locust.contrib.fasthttp import FastHttpSession, LocustBadStatusCode

import requests
from geventhttpclient.response import HTTPConnectionClosed, HTTPParseError
from geventhttpclient.useragent import RetriesExceeded
from urllib3 import exceptions as urllib3

from harness.contract import Request
from harness.response import redirect_text
from harness.settings import Settings, redacted
from harness.wire import faults as names
from harness.wire import tls

JSON_HEADERS = {"Accept": "application/json"}
BODY_HEADERS = {**JSON_HEADERS, "Content-Type": "application/json"}


class Client(Protocol):
    """What the tasks need of a client; `was_sent_again` as of `session.Session`."""

    was_sent_again: bool

    def send(self, request: Request) -> bool:
        """Send a request of the workload, report it, and return whether the answer was right."""

    def close(self) -> None:
        """Close the connections."""


class OverdueError(OSError):
    """The whole answer did not come in time, however steadily it trickled."""


class _Adapter(ABC):
    """Sends through a client of locust's, which reports as its `with` block is told to.

    Redirects are not followed: the target of one may be a host that nobody allowed.
    """

    def __init__(
        self, client: Any, settings: Settings, may_send: Callable[[], bool] = lambda: True
    ) -> None:
        self.client = client
        self.base_url = client.base_url
        self.was_sent_again = False
        self._may_send = may_send
        self._limit_s = settings.connect_timeout_s + settings.answer_timeout_s
        self._accept_encoding = "gzip" if settings.accept_gzip else "identity"

    @abstractmethod
    def _request(self, request: Request, headers: dict[str, str]) -> Any:
        """Send it, and return locust's response, to be judged in a `with` block."""

    @abstractmethod
    def _error(self, response: Any) -> BaseException | None:
        """Return why no whole answer came, or None."""

    @abstractmethod
    def _uses_kept_connection(self) -> bool:
        """Say whether a request would now go out on a connection that served another before."""

    @abstractmethod
    def _body(self, response: Any) -> bytes:
        """Return the body of a response that came."""

    def send(self, request: Request) -> bool:
        """Send a request of the workload, report it, and return whether the answer was right."""
        put_off: BaseException | None = None
        exchange = gevent.spawn(self._exchange, request)
        while not exchange.ready():
            try:
                exchange.join()
            except gevent.GreenletExit as kill:
                put_off = kill  # what was sent is answered, and counted, before the user ends
        response = exchange.get()
        with response:
            problem = self._problem(request, response)
            if problem is None:
                response.success()
            else:
                response.failure(problem)
        if put_off is not None:
            raise put_off
        return problem is None

    def _exchange(self, request: Request) -> Any:
        """Send a request; once more when the server closed the kept connection unanswered."""
        self.was_sent_again = False
        kept = self._uses_kept_connection()
        response = self._in_time(request)
        if (
            kept
            and request.endpoint.method != "POST"
            and _closed_unanswered(self._error(response))
            and self._may_send()
        ):
            # RFC 9110, 9.2.2: an idempotent request may be sent again, once; its time counts.
            self.was_sent_again = True
            lost_ms = response.request_meta["response_time"]
            response = self._in_time(request)
            response.request_meta["response_time"] += lost_ms
        return response

    def _in_time(self, request: Request) -> Any:
        headers = JSON_HEADERS if request.body is None else BODY_HEADERS
        with gevent.Timeout(self._limit_s, OverdueError("no whole answer in time")):
            return self._request(request, {**headers, "Accept-Encoding": self._accept_encoding})

    def _problem(self, request: Request, response: Any) -> str | None:
        if (error := self._error(response)) is not None:
            return fault_of(error)
        status = response.status_code
        if 300 <= status < 400 and status != 304:
            location = (response.headers or {}).get("location") or ""
            expected = request.endpoint.status
            return redirect_text(expected, status, location, redacted(self.base_url))
        return request.problem(status, self._body(response))


class RequestsClient(_Adapter):
    """Locust's `HttpSession`, on requests and urllib3."""

    def __init__(
        self, client: HttpSession, settings: Settings, may_send: Callable[[], bool] = lambda: True
    ) -> None:
        """Take over a client that locust made.

        Args:
            client: locust's.
            settings: of the run.
            may_send: is asked before a request is sent for the second time.
        """
        super().__init__(client, settings, may_send)
        client.verify = (settings.tls_ca_file or True) if settings.tls_verify else False
        self._timeout = (settings.connect_timeout_s, settings.answer_timeout_s)

    def close(self) -> None:
        """Close the connections."""
        self.client.close()

    def _request(self, request: Request, headers: dict[str, str]) -> Any:
        return self.client.request(
            request.endpoint.method,
            request.target,
            name=request.endpoint.name,
            catch_response=True,
            data=request.body,
            headers=headers,
            timeout=self._timeout,
            allow_redirects=False,
        )

    def _error(self, response: Any) -> BaseException | None:
        return response.error  # type: ignore[no-any-return]

    def _uses_kept_connection(self) -> bool:
        pools = self.client.get_adapter(self.base_url).poolmanager.pools
        queues = [pools[key].pool.queue for key in pools.keys()]  # noqa: SIM118
        return any(kept is not None and kept.is_connected for queue in queues for kept in queue)

    def _body(self, response: Any) -> bytes:
        return response.content or b""


class FastHttpClient(_Adapter):
    """Locust's `FastHttpSession`, on geventhttpclient."""

    def __init__(self, user: User, settings: Settings) -> None:
        """Make the client that a `FastHttpUser` would have."""
        client = FastHttpSession(
            base_url=user.host,
            request_event=user.environment.events.request,
            user=user,
            insecure=not settings.tls_verify,
            ssl_context_factory=lambda: tls.context(
                verify=settings.tls_verify, ca_file=settings.tls_ca_file
            ),
            connection_timeout=settings.connect_timeout_s,
            network_timeout=settings.answer_timeout_s,
            max_retries=0,
        )
        super().__init__(client, settings)

    def close(self) -> None:
        """Close the connections."""
        self.client.client.close()

    def _exchange(self, request: Request) -> Any:
        response = super()._exchange(request)
        self.was_sent_again = request.endpoint.method != "POST"  # who knows: it would not say so
        return response

    def _request(self, request: Request, headers: dict[str, str]) -> Any:
        response = self.client.request(
            request.endpoint.method,
            request.target,
            name=request.endpoint.name,
            catch_response=True,
            data=request.body,
            headers=headers,
            allow_redirects=False,
        )
        if self._error(response) is not None:
            self.close()
        return response

    def _error(self, response: Any) -> BaseException | None:
        error = response.request_meta["exception"]  # set too when the answer ended in mid-body
        return None if isinstance(error, LocustBadStatusCode) else error

    def _uses_kept_connection(self) -> bool:
        return False  # geventhttpclient itself sends an idempotent request again

    def _body(self, response: Any) -> bytes:
        return response.content or b""


def _closed_unanswered(error: BaseException | None) -> bool:
    return error is not None and fault_of(error) in (names.RESET, names.CLOSED_BEFORE)


def fault_of(error: BaseException) -> str:
    """Name a failed exchange in constant text, from its innermost known cause.

    The order matters: a refused connection is also a connection error, a timeout also an OSError.
    """
    causes = list(_causes(error))
    for kind, part, name in _FAULTS:
        if any(isinstance(cause, kind) and part in str(cause) for cause in causes):
            return name
    return f"failed exchange: {type(error).__name__}"


_FAULTS: tuple[tuple[type[BaseException], str, str], ...] = (
    (OverdueError, "", names.ANSWER_TIMEOUT),
    (requests.ConnectTimeout, "", names.CONNECT_TIMEOUT),
    (ssl.SSLError, "", names.TLS),
    (requests.exceptions.SSLError, "", names.TLS),
    (socket.gaierror, "", names.DNS),
    (urllib3.NameResolutionError, "", names.DNS),
    (ConnectionRefusedError, "", names.REFUSED),
    (urllib3.ProtocolError, "ended prematurely", names.CLOSED_INSIDE),
    (http.client.RemoteDisconnected, "", names.CLOSED_BEFORE),
    (urllib3.InvalidChunkLength, "", names.WRONG_BODY),
    (http.client.IncompleteRead, "", names.CLOSED_INSIDE),
    (ConnectionResetError, "", names.RESET),
    (BrokenPipeError, "", names.RESET),
    (requests.exceptions.ContentDecodingError, "", names.WRONG_BODY),
    (zlib.error, "", names.WRONG_BODY),
    (requests.ReadTimeout, "", names.ANSWER_TIMEOUT),
    (urllib3.ReadTimeoutError, "", names.ANSWER_TIMEOUT),
    (urllib3.ProtocolError, "", names.NOT_HTTP),
    (HTTPConnectionClosed, "", names.CLOSED_BEFORE),
    (HTTPParseError, "Incomplete", names.CLOSED_INSIDE),
    (HTTPParseError, "chunk", names.WRONG_BODY),
    (HTTPParseError, "", names.NOT_HTTP),
    (http.client.HTTPException, "", names.NOT_HTTP),
    (TimeoutError, "", names.ANSWER_TIMEOUT),
    (RetriesExceeded, "timed out", names.ANSWER_TIMEOUT),
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
            left += [*cause.args, getattr(cause, "reason", None), getattr(cause, "original", None)]
            left += [cause.__cause__, cause.__context__]

"""Locust's own `HttpSession`, for a user's `client` and for HTTP_CLIENT=requests.

Invariant: every request, redirected ones included, goes to an allowed host and has a timeout.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import zlib
from collections.abc import Callable, Iterator
from typing import Any, Protocol
from urllib.parse import urlsplit

import gevent
from locust import HttpUser
from locust.clients import HttpSession, LocustHttpAdapter

import requests
from urllib3 import PoolManager
from urllib3 import exceptions as urllib3

from harness import ConfigurationError
from harness.config.hosts import check_host
from harness.config.settings import Settings, redacted
from harness.http.request import Request
from harness.http.response import redirect_problem
from harness.http.session import IDEMPOTENT
from harness.http.wire import faults as names

JSON_HEADERS = {"Accept": "application/json"}
BODY_HEADERS = {**JSON_HEADERS, "Content-Type": "application/json"}


class Client(Protocol):
    """A client for the contract's requests; for `was_retried` see `session.Session`."""

    was_retried: bool

    def send(self, request: Request) -> bool:
        """Send a request, report it to Locust, and return True if the response is valid."""

    def close(self) -> None:
        """Close the connections."""


class HostRefusedError(requests.RequestException):
    """A redirect or an absolute URL leads to a host that may not be load-tested."""


class _CheckedAdapter(LocustHttpAdapter):
    """Locust's adapter with a host check; a session sends redirected requests through it too."""

    def __init__(self, pool_manager: PoolManager | None, settings: Settings) -> None:
        super().__init__(pool_manager=pool_manager)
        self._allowed_hosts = settings.allowed_hosts
        self._timeout = settings.connect_timeout_s, settings.answer_timeout_s

    def send(
        self, request: requests.PreparedRequest, *args: Any, **options: Any
    ) -> requests.Response:
        """Send a request to an allowed host.

        A request without a timeout gets the settings' timeouts: one that hangs is never counted.

        Raises:
            HostRefusedError: the host is not allowed; Locust counts the request as failed.
        """
        url = urlsplit(request.url or "")
        try:
            check_host(f"{url.scheme}://{url.netloc}", self._allowed_hosts)
        except ConfigurationError as error:
            raise HostRefusedError(str(error), request=request) from None
        if options.get("timeout") is None:
            options["timeout"] = self._timeout
        return super().send(request, *args, **options)


def http_session(user: HttpUser, settings: Settings) -> HttpSession:
    """Return the client that Locust would give a user, restricted by the settings."""
    session = HttpSession(
        base_url=user.host,
        request_event=user.environment.events.request,
        user=user,
        pool_manager=user.pool_manager,
    )
    session.trust_env = False  # as HttpUser sets it
    session.verify = (settings.tls_ca_file or True) if settings.tls_verify else False
    for scheme in ("http://", "https://"):
        session.mount(scheme, _CheckedAdapter(user.pool_manager, settings))
    return session


class OverdueError(OSError):
    """The response was not complete in time, although parts of it may have kept coming.

    An OSError, so that urllib3 and requests wrap it like any socket error and Locust counts it.
    """


class RequestsClient:
    """Sends the contract's requests through a user's `HttpSession`, as `session.Session` would.

    Requests, names and checks are the same. The response time is Locust's, and includes the time
    that the client takes. Redirects are not followed: no valid response of the contract is one.
    """

    def __init__(
        self,
        client: HttpSession,
        settings: Settings,
        can_still_send: Callable[[], bool] = lambda: True,
    ) -> None:
        """Wrap a client of Locust's; `can_still_send` is called before a request is sent again."""
        self.client = client
        self.base_url = client.base_url
        self.was_retried = False
        self._can_still_send = can_still_send
        self._timeout = (settings.connect_timeout_s, settings.answer_timeout_s)
        self._accept_encoding = "gzip" if settings.accept_gzip else "identity"

    def close(self) -> None:
        """Close the connections."""
        self.client.close()

    def send(self, request: Request) -> bool:
        """Send a request, report it to Locust, and return True if the response is valid."""
        pending_kill: BaseException | None = None
        # In its own greenlet, where a kill of the user does not interrupt it.
        exchange = gevent.spawn(self._exchange, request)
        while not exchange.ready():
            try:
                exchange.join()
            except gevent.GreenletExit as kill:
                pending_kill = kill  # a sent request is completed and counted before the user ends
        response = exchange.get()
        with response:
            problem = self._problem(request, response)
            if problem is None:
                response.success()
            else:
                response.failure(problem)
        if pending_kill is not None:
            raise pending_kill
        return problem is None

    def _exchange(self, request: Request) -> Any:
        """Send a request; retry it once if a kept connection ended before any response."""
        self.was_retried = False
        kept = self._uses_kept_connection()
        response = self._in_time(request)
        if (
            kept
            and request.endpoint.method in IDEMPOTENT
            and _closed_unanswered(response.error)
            and self._can_still_send()
        ):
            # RFC 9110, 9.2.2: an idempotent request may be retried. The response time includes
            # the first attempt.
            self.was_retried = True
            lost_ms = response.request_meta["response_time"]
            response = self._in_time(request)
            response.request_meta["response_time"] += lost_ms
        return response

    def _in_time(self, request: Request) -> Any:
        # The read timeout of requests is per read, and does not end a response that trickles in.
        headers = JSON_HEADERS if request.body is None else BODY_HEADERS
        with gevent.Timeout(sum(self._timeout), OverdueError("no whole answer in time")):
            return self.client.request(
                request.endpoint.method,
                request.path,
                name=request.endpoint.name,
                catch_response=True,
                data=request.body,
                headers={**headers, "Accept-Encoding": self._accept_encoding},
                timeout=self._timeout,
                allow_redirects=False,
            )

    def _problem(self, request: Request, response: Any) -> str | None:
        if response.error is not None:
            return fault_of(response.error)
        status = response.status_code
        if 300 <= status < 400 and status != 304:
            location = response.headers.get("location") or ""
            expected = request.endpoint.status
            return redirect_problem(expected, status, location, redacted(self.base_url))
        return request.problem(status, response.content or b"")

    def _uses_kept_connection(self) -> bool:
        """Return True if a request would go out on a connection that served another before."""
        adapter: Any = self.client.get_adapter(self.base_url)
        pools = adapter.poolmanager.pools
        # urllib3's container has keys() but refuses iteration; None is a free place in a pool.
        queues = [pools[key].pool.queue for key in pools.keys()]  # noqa: SIM118
        return any(kept is not None and kept.is_connected for queue in queues for kept in queue)


def _closed_unanswered(error: BaseException | None) -> bool:
    # requests raises ChunkedEncodingError for a connection that ends inside a response body.
    if error is None or isinstance(error, requests.exceptions.ChunkedEncodingError):
        return False
    return fault_of(error) in (names.RESET, names.CLOSED_BEFORE)


def fault_of(error: BaseException) -> str:
    """Return the constant name of a failed exchange: the first in `_FAULTS` that fits a cause.

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
    (http.client.HTTPException, "", names.NOT_HTTP),
    (TimeoutError, "", names.ANSWER_TIMEOUT),
)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and all that it wraps, in any attribute that libraries use for it."""
    # Exceptions may refer to each other in a cycle.
    seen: set[int] = set()
    left: list[object] = [error]
    while left:
        cause = left.pop()
        if isinstance(cause, BaseException) and id(cause) not in seen:
            seen.add(id(cause))
            yield cause
            left += [*cause.args, getattr(cause, "reason", None), getattr(cause, "original", None)]
            left += [cause.__cause__, cause.__context__]

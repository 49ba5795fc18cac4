"""Locust's own `HttpSession`: for the tasks, and for the contract's requests when it is chosen."""

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
from harness.contract import Request
from harness.guard import check_host
from harness.response import redirect_problem
from harness.settings import Settings, redacted
from harness.wire import faults as names

JSON_HEADERS = {"Accept": "application/json"}
BODY_HEADERS = {**JSON_HEADERS, "Content-Type": "application/json"}


class Client(Protocol):
    """What sends the contract's requests; `was_sent_again` as of `session.Session`."""

    was_sent_again: bool

    def send(self, request: Request) -> bool:
        """Send a request of the contract, report it, and return whether the answer was right."""

    def close(self) -> None:
        """Close the connections."""


class HostRefusedError(requests.RequestException):
    """A redirect or an absolute URL leads to a host that may not be load-tested."""


class _CheckedAdapter(LocustHttpAdapter):
    """Locust's adapter, which passes every request that a session sends, redirected ones too."""

    def __init__(self, pool_manager: PoolManager | None, settings: Settings) -> None:
        super().__init__(pool_manager=pool_manager)
        self._allowed_hosts = settings.allowed_hosts
        self._timeout = settings.connect_timeout_s, settings.answer_timeout_s

    def send(
        self, request: requests.PreparedRequest, *args: Any, **options: Any
    ) -> requests.Response:
        """Send a request to an allowed host.

        Without a timeout it has that of the settings: one that hangs would never be counted.

        Raises:
            HostRefusedError: the host is another; Locust counts the request as failed.
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
    """Return the client that Locust would give a user, bound by the settings."""
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
    """The whole answer did not come in time, however steadily it trickled."""


class RequestsClient:
    """Sends the contract's requests through a user's `HttpSession`, as `session.Session` would.

    The same requests, names and checks; the response time is Locust's, with the time that the
    client itself takes. Redirects are not followed: none of the contract's answers is one.
    """

    def __init__(
        self, client: HttpSession, settings: Settings, may_send: Callable[[], bool] = lambda: True
    ) -> None:
        """Take a client of Locust's; `may_send` is asked before a request is sent again."""
        self.client = client
        self.base_url = client.base_url
        self.was_sent_again = False
        self._may_send = may_send
        self._timeout = (settings.connect_timeout_s, settings.answer_timeout_s)
        self._accept_encoding = "gzip" if settings.accept_gzip else "identity"

    def close(self) -> None:
        """Close the connections."""
        self.client.close()

    def send(self, request: Request) -> bool:
        """Send a request of the contract, report it, and return whether the answer was right."""
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
            and _closed_unanswered(response.error)
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
        with gevent.Timeout(sum(self._timeout), OverdueError("no whole answer in time")):
            return self.client.request(
                request.endpoint.method,
                request.target,
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
        """Return whether a request would go out on a connection that served another before."""
        adapter: Any = self.client.get_adapter(self.base_url)
        pools = adapter.poolmanager.pools
        queues = [pools[key].pool.queue for key in pools.keys()]  # noqa: SIM118
        return any(kept is not None and kept.is_connected for queue in queues for kept in queue)


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
    (http.client.HTTPException, "", names.NOT_HTTP),
    (TimeoutError, "", names.ANSWER_TIMEOUT),
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

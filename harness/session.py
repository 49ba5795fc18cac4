"""The HTTP client that a user holds: one kept connection, and no work that can be left out.

>>> session.send(contract.list_boards())                   # the tasks: sent, judged, reported
>>> with session.get("/boards", catch_response=True) as answer:    # locust's own habits
...     if not answer.json():
...         answer.failure("no boards")
"""

from __future__ import annotations

import base64
import json as json_module
import ssl
from collections.abc import Callable, Mapping
from time import perf_counter, time
from types import TracebackType
from typing import Any, NoReturn
from urllib.parse import unquote, urljoin, urlsplit

from locust.exception import CatchResponseError

from harness.connection import Answer, Connection, Endpoint, Fault
from harness.contract import Request
from harness.settings import Settings, redacted

IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"})
DEFAULT_PORTS = {"http": 80, "https": 443}
TARGETS_KEPT = 4096


class Origin:
    """Where the requests of all users go, and the part of each request that never changes.

    Attributes:
        url: base URL without credentials.
        endpoint: where connections go.
    """

    def __init__(self, base_url: str, settings: Settings) -> None:
        """Take a checked base URL apart; credentials become a header and are shown nowhere."""
        url = urlsplit(base_url)
        assert url.hostname is not None
        port = url.port or DEFAULT_PORTS[url.scheme]
        self.url = redacted(base_url)
        self.endpoint = Endpoint(
            host=url.hostname,
            port=port,
            tls=tls_context(settings) if url.scheme == "https" else None,
            connect_timeout_s=settings.connect_timeout_s,
            answer_timeout_s=settings.answer_timeout_s,
        )
        self._path = url.path.rstrip("/")
        lines = [
            f"Host: {url.netloc.rpartition('@')[2]}",
            "User-Agent: notice-load",
            "Accept: application/json",
            f"Accept-Encoding: {'gzip' if settings.accept_gzip else 'identity'}",
        ]
        if url.username is not None:
            pair = f"{unquote(url.username)}:{unquote(url.password or '')}"
            lines.append(f"Authorization: Basic {base64.b64encode(pair.encode()).decode()}")
        self._headers = "".join(f"{line}\r\n" for line in lines)
        self._heads: dict[tuple[str, str], bytes] = {}

    def render(self, method: str, target: str, body: bytes | None) -> bytes:
        """Return the bytes of a request; what is the same for a target is rendered once."""
        head = self._heads.get((method, target))
        if head is None:
            head = f"{method} {self._path}{target} HTTP/1.1\r\n{self._headers}".encode()
            if len(self._heads) < TARGETS_KEPT:
                self._heads[method, target] = head
        if body is None:
            return head + b"\r\n"
        return b"%sContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (
            head,
            len(body),
            body,
        )

    def render_with(
        self, method: str, target: str, body: bytes | None, headers: Mapping[str, str]
    ) -> bytes:
        """Return the bytes of a request whose own headers replace the usual of the same name."""
        own = {name.lower() for name in headers}
        usual = self._headers.split("\r\n")[:-1]
        lines = [line for line in usual if line.partition(":")[0].lower() not in own]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if (body is not None or method in ("POST", "PUT")) and "content-length" not in own:
            lines.append(f"Content-Length: {len(body or b'')}")
        if body is not None and "content-type" not in own:
            lines.append("Content-Type: application/json")
        first = f"{method} {self._path}{target} HTTP/1.1"
        if any("\r" in line or "\n" in line for line in (first, *lines)):
            raise ValueError("a header holds a line break")
        head = "\r\n".join([first, *lines, "", ""])
        return head.encode("latin-1") + (body or b"")


def tls_context(settings: Settings) -> ssl.SSLContext:
    """Return how to encrypt: verified by the system's authorities or TLS_CA_FILE, unless told."""
    context = ssl.create_default_context(cafile=settings.tls_ca_file or None)
    if not settings.tls_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


class Session:
    """The client of one user; locust's `request` event fires once for each request.

    Attributes:
        reconnects: requests sent again because the server had closed the kept connection.
        connect_ms: time that the last request spent on a new connection, 0.0 on a kept one.
    """

    def __init__(
        self,
        origin: Origin,
        fire: Callable[..., None],
        context: Callable[[], dict[str, Any]] = dict,
    ) -> None:
        """Open nothing yet: the first request connects.

        Args:
            origin: where the requests go.
            fire: fires locust's `request` event.
            context: the user's, for the event.
        """
        self.base_url = origin.url
        self.reconnects = 0
        self.connect_ms = 0.0
        self._origin = origin
        self._context = context
        self._fire = fire
        self._connection: Connection | None = None
        self._put_off: BaseException | None = None

    def send(self, request: Request) -> bool:
        """Send a request of the contract and report it; return whether the answer was right."""
        endpoint = request.endpoint
        method = endpoint.method
        wire = self._origin.render(method, request.target, request.body)
        start_time = time()
        start = perf_counter()
        answer: Answer | None = None
        try:
            answer = self._exchange(wire, method != "POST")
        except Fault as fault:
            elapsed_ms = (perf_counter() - start) * 1000
            problem: str | None = str(fault)
            length = 0
        else:
            elapsed_ms = (perf_counter() - start) * 1000
            length = len(answer.body)
            status = answer.status
            if 300 <= status < 400 and status != 304:
                problem = redirect_problem(endpoint.status, answer, self.base_url)
            else:
                problem = request.problem(status, answer.body)
        self._report(request, elapsed_ms, length, answer, problem, start_time)
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

    def send_uncounted(self, request: Request) -> int:
        """Send a request outside the statistics; return the status, or 0 when no answer came."""
        method = request.endpoint.method
        wire = self._origin.render(method, request.target, request.body)
        try:
            status = self._exchange(wire, method != "POST").status
        except Fault:
            status = 0
        if self._put_off is not None:
            self._raise_what_was_put_off()
        return status

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _exchange(self, wire: bytes, idempotent: bool) -> Answer:
        connection, self._connection = self._connection, None
        self.connect_ms = 0.0
        if connection is not None:
            if connection.is_alive():
                try:
                    answer = self._answer_on(connection, wire)
                except Fault as fault:
                    if not (fault.unanswered and idempotent):
                        raise
                    self.reconnects += 1  # RFC 9110, 9.2.2: sent again, once
                else:
                    self._put_back(connection)
                    return answer
            else:
                connection.close()
                self.reconnects += idempotent
        start = perf_counter()
        connection = Connection(self._origin.endpoint)
        self.connect_ms = (perf_counter() - start) * 1000
        answer = self._answer_on(connection, wire)
        self._put_back(connection)
        return answer

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
        start_time, start = time(), perf_counter()
        answer, fault = None, None
        try:
            answer = self._exchange(wire, method in IDEMPOTENT)
        except Fault as error:
            fault = str(error)
        elapsed_ms = (perf_counter() - start) * 1000
        response = Response(answer, self.base_url + path, elapsed_ms)
        if answer is not None and answer.status >= 400:
            fault = f"status {answer.status}"
        elif answer is not None and 300 <= answer.status != 304:
            fault = redirect_problem(200, answer, self.base_url)
        response.prepare(self._fire, catch_response, None if fault is None else fault)
        response.meta = {
            "request_type": method,
            "name": name or path,
            "response_time": elapsed_ms,
            "response_length": len(response.content),
            "response": response,
            "context": {**self._context(), **(context or {})},
            "start_time": start_time,
            "url": response.url,
        }
        if not catch_response:
            response.report()
            if self._put_off is not None:
                self._raise_what_was_put_off()
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


class Response:
    """What locust's listeners and `catch_response` blocks get to see of an answer.

    Attributes:
        status_code: 0 when no answer came.
        content: body, b"" when no answer came.
        url: full URL without credentials.
        elapsed_ms: response time.
    """

    __slots__ = ("_answer", "_caught", "_fire", "_problem", "elapsed_ms", "meta", "url")

    def __init__(self, answer: Answer | None, url: str, elapsed_ms: float) -> None:
        """Keep what came."""
        self._answer = answer
        self.url = url
        self.elapsed_ms = elapsed_ms

    def prepare(self, fire: Any, caught: bool, problem: str | None) -> None:
        """Get ready to report."""
        self._fire, self._caught, self._problem = fire, caught, problem
        self.meta: dict[str, Any] = {}

    @property
    def status_code(self) -> int:
        """Return the status code, 0 when no answer came."""
        return self._answer.status if self._answer is not None else 0

    @property
    def ok(self) -> bool:
        """Say whether an answer came, with a status below 400."""
        return 0 < self.status_code < 400

    @property
    def content(self) -> bytes:
        """Return the body."""
        return self._answer.body if self._answer is not None else b""

    @property
    def text(self) -> str:
        """Return the body as UTF-8, with replacements for what is not."""
        return self.content.decode("utf-8", "replace")

    @property
    def headers(self) -> dict[str, str]:
        """Return the headers, names in lower case."""
        return self._answer.headers if self._answer is not None else {}

    def json(self) -> Any:
        """Decode the body.

        Raises:
            ValueError: it is not JSON.
        """
        return json_module.loads(self.content)

    def success(self) -> None:
        """Let the request count as a success, whatever its status."""
        self._problem = None

    def failure(self, problem: str | Exception) -> None:
        """Let the request count as a failure under this text."""
        self._problem = str(problem)

    def report(self) -> None:
        """Fire the `request` event."""
        problem = self._problem
        exception = None if problem is None else CatchResponseError(problem)
        self._fire(**self.meta, exception=exception)

    def __enter__(self) -> Response:
        """Begin to judge."""
        if not self._caught:
            raise ValueError("a with block needs catch_response=True")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Report once, also when the block raised: that is a failure too."""
        if error is not None and isinstance(error, Exception):
            self._problem = f"exception in the task: {type(error).__name__}"
        self.report()


def redirect_problem(expected: int, answer: Answer, base_url: str) -> str:
    """Name a redirect and whither it points in constant text."""
    return redirect_text(expected, answer.status, answer.headers.get("location", ""), base_url)


def redirect_text(expected: int, status: int, location: str, base_url: str) -> str:
    """Say whether a redirect points to the same server, to https of it, or elsewhere."""
    here = urlsplit(base_url)
    try:
        there = urlsplit(urljoin(base_url, location))
    except ValueError:
        location, there = "", here
    if not location:
        whither = "nowhere"
    elif not there.netloc or (there.scheme, there.netloc) == (here.scheme, here.netloc):
        whither = "another path of this server"
    elif there.hostname == here.hostname:
        whither = f"{there.scheme} of this host"
    else:
        whither = "another host"
    return f"redirect: expected status {expected}, got {status} to {whither}"


def answers(origin: Origin, request: Request) -> None:
    """Send one request, only to see whether anything there speaks HTTP.

    Raises:
        Fault: nothing does.
    """
    wire = origin.render(request.endpoint.method, request.target, request.body)
    connection = Connection(origin.endpoint)
    connection.exchange(wire)
    connection.close()

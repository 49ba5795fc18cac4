"""What a task, or locust's listeners, get to see of an answer."""

from __future__ import annotations

import json as json_module
from types import TracebackType
from typing import Any
from urllib.parse import urljoin, urlsplit

from locust.exception import CatchResponseError

from harness.wire import Answer


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

"""What a task, or locust's listeners, get to see of an answer."""

from __future__ import annotations

import json as json_module
from collections.abc import Callable
from types import TracebackType
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

from locust.exception import (
    InterruptTaskSet,
    RescheduleTask,
    RescheduleTaskImmediately,
    StopTest,
    StopUser,
)

from harness.settings import DEFAULT_PORTS
from harness.wire import Answer

LEAVING = (InterruptTaskSet, RescheduleTask, RescheduleTaskImmediately, StopTest, StopUser)


class Response:
    """What locust's listeners and `catch_response` blocks get to see of an answer.

    Attributes:
        status_code: 0 when no answer came.
        content: body, b"" when no answer came.
        url: full URL without credentials.
        elapsed_ms: response time.
    """

    __slots__ = ("_answer", "_judged", "_problem", "_report", "elapsed_ms", "url")

    def __init__(self, answer: Answer | None, url: str, elapsed_ms: float) -> None:
        """Keep what came."""
        self._answer = answer
        self._judged = False
        self._problem: str | None = None
        self._report: Callable[[str | None], None] | None = None
        self.url = url
        self.elapsed_ms = elapsed_ms

    def await_verdict(self, problem: str | None, report: Callable[[str | None], None]) -> Response:
        """Report at the end of a `with` block: this problem, unless the block says otherwise."""
        self._problem, self._report = problem, report
        return self

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
        """Let the request count as a success, whatever its status.

        Raises:
            ValueError: it is counted already; only a `with` block with catch_response=True judges.
        """
        self._judge(None)

    def failure(self, problem: str | Exception) -> None:
        """Let the request count as a failure under this text.

        Raises:
            ValueError: it is counted already; only a `with` block with catch_response=True judges.
        """
        self._judge(str(problem))

    def _judge(self, problem: str | None) -> None:
        if self._report is None:
            raise ValueError("only a with block with catch_response=True judges a response")
        self._judged, self._problem = True, problem

    def __enter__(self) -> Response:
        """Begin to judge.

        Raises:
            ValueError: the request was made without catch_response=True.
        """
        if self._report is None:
            raise ValueError("a with block needs catch_response=True")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Report once, however the block was left.

        An error that is none of locust's ways to leave a task is a failure, unless the block had
        come to a verdict before.
        """
        report, self._report = self._report, None
        assert report is not None
        if isinstance(error, Exception) and not isinstance(error, LEAVING) and not self._judged:
            self._problem = f"exception in the task: {type(error).__name__}"
        report(self._problem)


def redirect_problem(expected: int, answer: Answer, base_url: str) -> str:
    """Name a redirect and whither it points in constant text."""
    return redirect_text(expected, answer.status, answer.headers.get("location", ""), base_url)


def redirect_text(expected: int, status: int, location: str, base_url: str) -> str:
    """Say whether a redirect points to the same server, to another port of it, or elsewhere."""
    return f"redirect: expected status {expected}, got {status} to {_whither(location, base_url)}"


def _whither(location: str, base_url: str) -> str:
    here = urlsplit(base_url)
    try:
        there = urlsplit(urljoin(base_url, location))
    except ValueError:
        return "nowhere"
    if not location or there.scheme not in DEFAULT_PORTS:
        return "nowhere"
    if there.hostname != here.hostname:
        return "another host"
    if there.scheme == here.scheme and _port(there) == _port(here):
        return "another path of this server"
    return f"{there.scheme} of this host"


def _port(url: SplitResult) -> int | None:
    try:
        return url.port or DEFAULT_PORTS[url.scheme]
    except ValueError:
        return None

"""The response object for Locust's `request` listeners, and the failure text of redirects."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

from harness.config.settings import DEFAULT_PORTS
from harness.http.wire import Answer


class Response:
    """A response for Locust's `request` listeners, with the attribute names of `requests`."""

    __slots__ = ("_answer", "elapsed_ms", "url")

    def __init__(self, answer: Answer | None, url: str, elapsed_ms: float) -> None:
        self._answer = answer
        self.url = url
        self.elapsed_ms = elapsed_ms

    @property
    def status_code(self) -> int:
        """Return the status code, or 0 without a response."""
        return self._answer.status if self._answer is not None else 0

    @property
    def ok(self) -> bool:
        """Return True if there is a response with a status below 400."""
        return 0 < self.status_code < 400

    @property
    def content(self) -> bytes:
        """Return the body, or b"" without a response."""
        return self._answer.body if self._answer is not None else b""

    @property
    def text(self) -> str:
        """Return the body decoded as UTF-8, with replacement characters for invalid bytes."""
        return self.content.decode("utf-8", "replace")

    @property
    def headers(self) -> dict[str, str]:
        """Return the headers, with names in lower case."""
        return self._answer.headers if self._answer is not None else {}

    def json(self) -> Any:
        """Decode the body.

        Raises:
            ValueError: the body is not JSON.
        """
        return json.loads(self.content)

    def __bool__(self) -> bool:
        return self.ok


def redirect_problem(expected: int, status: int, location: str, base_url: str) -> str:
    """Return the failure text of a redirect; constant, with the kind of its target, no URL."""
    return f"redirect: expected status {expected}, got {status} to {_whither(location, base_url)}"


def _whither(location: str, base_url: str) -> str:
    here = urlsplit(base_url)
    try:
        there = urlsplit(urljoin(base_url, location))
    except ValueError:
        return "nowhere"
    # Only known schemes: the text must not repeat what the server invents.
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

"""A request, the statistics entry it counts under, and the check of its response; pure.

The API under test builds requests; nothing here knows its paths or names.

Invariant: the check depends only on status and body, and its text is constant, with no id, URL or
number that differs between responses. So equal failures share one row of the statistics.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import Struct

_POSITION = re.compile(r"\[\d+\]")  # of a list item, in an error of msgspec

Check = Callable[[Any], str | None]
"""Takes a decoded body; returns None if it is valid, else what was expected and received."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A statistics entry: a method, a constant name, and what a valid response looks like.

    `answer` is the type of the body, or None if a valid response has no body.
    """

    method: str
    name: str
    status: int
    answer: Any
    decode: Callable[[bytes], Any]


def endpoint(method: str, name: str, status: int, answer: Any) -> Endpoint:
    """Return an endpoint whose valid responses have this status and a body of this type."""
    decode = msgspec.json.Decoder(answer).decode if answer is not None else _decode_nothing
    return Endpoint(method, name, status, answer, decode)


def _decode_nothing(body: bytes) -> None:
    if body:
        raise msgspec.ValidationError("Expected no body, got one")


class Request(Struct, eq=False):
    """One request and the check of its response.

    Attributes:
        endpoint: the entry it counts under.
        path: path and query as sent, percent-encoded; appended to the base URL.
        body: JSON, or None.
        check: checks the meaning of a decoded body; pure.
        change: field and new value, if the request changes a device.
        last_valid_body: the last valid body, of a request that is sent more than once.
    """

    endpoint: Endpoint
    path: str
    body: bytes | None
    check: Check
    change: tuple[str, str | bool] | None = None
    last_valid_body: bytes | None = None

    def problem(self, status: int, body: bytes) -> str | None:
        """Return what is wrong with a response as constant text, or None if it is valid."""
        endpoint = self.endpoint
        if status != endpoint.status:
            return f"expected status {endpoint.status}, got {status}"
        # The check depends on the bytes alone: a page that has not changed is not decoded again.
        if body == self.last_valid_body:
            return None
        try:
            answer = endpoint.decode(body)
        except msgspec.ValidationError as error:
            return f"contract violation: {_POSITION.sub('[...]', str(error))}"
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):  # last: deep nesting
            return "wrong JSON: expected a JSON body, got something else"
        problem = self.check(answer)
        if problem is not None:
            return f"contract violation: {problem}"
        if self.body is None:  # a request with a body is made for one use
            self.last_valid_body = body
        return None

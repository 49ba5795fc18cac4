"""The notice API as types and checks: the only place that knows its paths, names and meaning.

A function here builds one `Request`: what is sent, under which statistics name it counts, and what
a right answer is. Building and judging are pure; nothing here opens a socket.

    >>> search(("cse", "main"), ("장학",)).target
    '/notice/all?target=cse+main&q=%EC%9E%A5%ED%95%99'
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any
from urllib.parse import quote

import msgspec
from msgspec import UNSET, Struct, UnsetType

PAGE_SIZE = 10

_POSITION = re.compile(r"\[\d+\]")

Check = Callable[[Any], str | None]
"""Takes a decoded answer; returns None when it is right, else what was expected and what came."""


class Board(Struct, frozen=True):
    """One notice board of the campus."""

    name: str
    api_url: str


class Notice(Struct, frozen=True):
    """One notice; `created_at` carries its offset from UTC."""

    id: str
    title: str
    link: str
    date: datetime.date | None
    author: str | None
    reference: str | None
    is_fixed: bool
    created_at: datetime.datetime


class Page(Struct, frozen=True):
    """At most `PAGE_SIZE` notices, and the URLs of the pages beside this one."""

    count: int
    next: str | None
    previous: str | None
    results: list[Notice]


class Device(Struct, frozen=True):
    """A registered phone; a server has `alarm_switch` or the two newer fields (ALARM_FIELDS)."""

    id: str
    id_method: str
    keywords: str
    subscriptions: str
    alarm_switch: bool | UnsetType = UNSET
    alarm_switch_sub: bool | UnsetType = UNSET
    alarm_switch_key: bool | UnsetType = UNSET


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A row of the statistics: a method, a constant name, and what a success looks like.

    `answer` is the type of the body, or None when a success has no body.
    """

    method: str
    name: str
    status: int
    answer: Any
    decode: Callable[[bytes], Any]


def _endpoint(method: str, name: str, status: int, answer: Any) -> Endpoint:
    decode = msgspec.json.Decoder(answer).decode if answer is not None else _decode_nothing
    return Endpoint(method, name, status, answer, decode)


def _decode_nothing(body: bytes) -> None:
    if body:
        raise msgspec.ValidationError("Expected no body, got one")


NOTICES = "/notice/all"
BOARDS = "/notice/list"
DEVICE = "/accounts/device"

SEARCH = _endpoint("GET", f"{NOTICES}?q", 200, Page)
BROWSE = _endpoint("GET", f"{NOTICES}?page", 200, Page)
LIST = _endpoint("GET", BOARDS, 200, list[Board])
REGISTER = _endpoint("POST", DEVICE, 201, Device)
SUBSCRIPTIONS = _endpoint("PUT", f"{DEVICE} subscriptions", 200, Device)
KEYWORDS = _endpoint("PUT", f"{DEVICE} keywords", 200, Device)
ALARM = _endpoint("PUT", f"{DEVICE} alarm", 200, Device)
UNREGISTER = _endpoint("DELETE", DEVICE, 204, None)

ENDPOINTS = (SEARCH, BROWSE, LIST, REGISTER, SUBSCRIPTIONS, KEYWORDS, ALARM)
"""Every row that a run can record. UNREGISTER is not among them: cleaning up is no workload."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request and the meaning of its answer.

    Attributes:
        endpoint: the row it counts under.
        target: path and query as sent, percent-encoded, to be put behind the base URL.
        body: JSON, or None.
        check: judges the meaning of a decoded answer.
    """

    endpoint: Endpoint
    target: str
    body: bytes | None
    check: Check

    def problem(self, status: int, body: bytes) -> str | None:
        """Return what is wrong with an answer as constant text, or None when it is right.

        The text holds no id, URL or number that differs from answer to answer, so that equal
        faults make one row in the statistics.
        """
        endpoint = self.endpoint
        if status != endpoint.status:
            return f"expected status {endpoint.status}, got {status}"
        try:
            answer = endpoint.decode(body)
        except msgspec.ValidationError as error:
            return f"contract violation: {_POSITION.sub('[...]', str(error))}"
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return "wrong JSON: expected a JSON body, got something else"
        problem = self.check(answer)
        return None if problem is None else f"contract violation: {problem}"


def search(boards: tuple[str, ...], words: tuple[str, ...]) -> Request:
    """Ask for the notices of some boards whose title contains any of the words."""
    return Request(SEARCH, _search_target(boards, words), None, _hits(words))


def browse(boards: tuple[str, ...], page: int) -> Request:
    """Ask for one page of the notices of some boards; pages count from 1."""
    return Request(BROWSE, f"{NOTICES}?target={_joined(boards)}&page={page}", None, _page)


def list_boards() -> Request:
    """Ask for all boards."""
    return _LIST


def register(device_id: str) -> Request:
    """Register a phone under an id of its own choice."""
    return _about_device(REGISTER, {"id": device_id})


def subscribe(device_id: str, boards: tuple[str, ...]) -> Request:
    """Let a phone follow some boards."""
    return _about_device(SUBSCRIPTIONS, {"id": device_id, "subscriptions": "+".join(boards)})


def set_keywords(device_id: str, keywords: tuple[str, ...]) -> Request:
    """Let a phone be told of notices that hold a keyword."""
    return _about_device(KEYWORDS, {"id": device_id, "keywords": "+".join(keywords)})


def switch_alarm(device_id: str, field: str, on: bool) -> Request:
    """Turn an alarm of a phone on or off; `field` is one that the server has (ALARM_FIELDS)."""
    return _about_device(ALARM, {"id": device_id, field: on})


def unregister(device_id: str) -> Request:
    """Delete a phone."""
    return Request(UNREGISTER, DEVICE, msgspec.json.encode({"id": device_id}), _anything)


def _about_device(endpoint: Endpoint, fields: dict[str, str | bool]) -> Request:
    return Request(endpoint, DEVICE, msgspec.json.encode(fields), _echo(fields))


@lru_cache(maxsize=4096)
def _joined(values: tuple[str, ...]) -> str:
    return "+".join(quote(value, safe="") for value in values)


@lru_cache(maxsize=4096)
def _search_target(boards: tuple[str, ...], words: tuple[str, ...]) -> str:
    return f"{NOTICES}?target={_joined(boards)}&q={_joined(words)}"


def _anything(_answer: object) -> None:
    return None


def _page(page: Page) -> str | None:
    if len(page.results) > PAGE_SIZE:
        return f"expected at most {PAGE_SIZE} notices on a page, got more"
    if page.next is not None and len(page.results) < PAGE_SIZE:
        return f"expected {PAGE_SIZE} notices on a page before the last, got fewer"
    if page.count < len(page.results):
        return "expected a count of at least the notices shown, got less"
    dates = [notice.date for notice in page.results if notice.date is not None]
    if any(newer < older for newer, older in pairwise(dates)):
        return "expected the newest date first, got another order"
    for notice in page.results:
        if notice.created_at.tzinfo is None:
            return "expected created_at with an offset from UTC, got one without"
    return None


@lru_cache(maxsize=4096)
def _hits(words: tuple[str, ...]) -> Check:
    folded = tuple(word.casefold() for word in words)

    def check(page: Page) -> str | None:
        for notice in page.results:
            title = notice.title.casefold()
            if not any(word in title for word in folded):
                return "expected every title to contain a search word, got one without"
        return _page(page)

    return check


def _boards(boards: list[Board]) -> str | None:
    return None if boards else "expected at least one board, got none"


def _echo(sent: dict[str, str | bool]) -> Check:
    def check(device: Device) -> str | None:
        for field, value in sent.items():
            echoed = getattr(device, field)
            if echoed is UNSET:
                return f"expected {field} in the answer, got none (see ALARM_FIELDS)"
            if echoed != value:
                shown = str(value).lower() if isinstance(value, bool) else "as it was sent"
                return f"expected {field} {shown}, got another value"
        return None

    return check


_LIST = Request(LIST, BOARDS, None, _boards)

"""The notice API as types and checks: the only place that knows its paths, names and meaning.

A function here builds one `Request`: what is sent, under which statistics name it counts, and what
a right answer is. Building and judging are pure; nothing here opens a socket.

    >>> search(("cse", "main"), ("장학",)).target
    '/notice/all?target=cse+main&q=%EC%9E%A5%ED%95%99'
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any
from urllib.parse import quote

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

PAGE_SIZE = 10

_POSITION = re.compile(r"\[\d+\]")

Check = Callable[[Any], str | None]
"""Takes a decoded answer; returns None when it is right, else what was expected and what came."""


class Board(Struct, frozen=True, gc=False):
    """One notice board of the campus."""

    name: str
    api_url: str


class Notice(Struct, frozen=True, gc=False):
    """One notice; `created_at` carries its offset from UTC."""

    id: str
    title: str
    link: str
    date: datetime.date | None
    author: str | None
    reference: str | None
    is_fixed: bool
    created_at: Annotated[datetime.datetime, Meta(tz=True)]


class Page(Struct, frozen=True, gc=False):
    """At most `PAGE_SIZE` notices, and the URLs of the pages beside this one."""

    count: int
    next: str | None
    previous: str | None
    results: list[Notice]


class Device(Struct, frozen=True, gc=False):
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
READ = _endpoint("GET", DEVICE, 200, Device)
UNREGISTER = _endpoint("DELETE", DEVICE, 204, None)

ENDPOINTS = (SEARCH, BROWSE, LIST, REGISTER, SUBSCRIPTIONS, KEYWORDS, ALARM)
"""Every row that a run can record. READ and UNREGISTER are no workload, but what comes after."""


class Request(Struct, eq=False):
    """One request and the meaning of its answer.

    What is judged is a function of the answer's bytes, so the bytes that were right last time are
    right again: a page that did not change since is compared, and not decoded another time.

    Attributes:
        endpoint: the row it counts under.
        target: path and query as sent, percent-encoded, to be put behind the base URL.
        body: JSON, or None.
        check: judges the meaning of a decoded answer; pure.
        change: field and value that it gives a device, if that is what it does.
        last_right: the last right body, of a request that is sent more than once.
    """

    endpoint: Endpoint
    target: str
    body: bytes | None
    check: Check
    change: tuple[str, str | bool] | None = None
    last_right: bytes | None = None

    def problem(self, status: int, body: bytes) -> str | None:
        """Return what is wrong with an answer as constant text, or None when it is right.

        The text holds no id, URL or number that differs from answer to answer, so that equal
        faults make one row in the statistics.
        """
        endpoint = self.endpoint
        if status != endpoint.status:
            return f"expected status {endpoint.status}, got {status}"
        if body == self.last_right:
            return None
        try:
            answer = endpoint.decode(body)
        except msgspec.ValidationError as error:
            return f"contract violation: {_POSITION.sub('[...]', str(error))}"
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return "wrong JSON: expected a JSON body, got something else"
        problem = self.check(answer)
        if problem is not None:
            return f"contract violation: {problem}"
        if self.body is None:
            self.last_right = body
        return None


@lru_cache(maxsize=4096)
def search(boards: tuple[str, ...], words: tuple[str, ...]) -> Request:
    """Ask for the notices of some boards whose title contains any of the words."""
    target = f"{NOTICES}?target={_joined(boards)}&q={_joined(words)}"
    return Request(SEARCH, target, None, _hits(words))


@lru_cache(maxsize=4096)
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
    return _changing(SUBSCRIPTIONS, device_id, "subscriptions", "+".join(boards))


def set_keywords(device_id: str, keywords: tuple[str, ...]) -> Request:
    """Let a phone be told of notices that hold a keyword."""
    return _changing(KEYWORDS, device_id, "keywords", "+".join(keywords))


def switch_alarm(device_id: str, field: str, on: bool) -> Request:
    """Turn an alarm of a phone on or off; `field` is one that the server has (ALARM_FIELDS)."""
    return _changing(ALARM, device_id, field, on)


def read_device(device_id: str) -> Request:
    """Ask what is known of a phone."""
    return Request(
        READ, f"{DEVICE}?id={quote(device_id, safe='')}", None, _echo({"id": device_id})
    )


def unregister(device_id: str) -> Request:
    """Delete a phone."""
    return Request(UNREGISTER, DEVICE, msgspec.json.encode({"id": device_id}), _anything)


def at_first(alarm_fields: Iterable[str]) -> dict[str, str | bool]:
    """Return what the fields that users change hold in a phone that was only registered."""
    return {"keywords": "", "subscriptions": "", **dict.fromkeys(alarm_fields, False)}


def _changing(endpoint: Endpoint, device_id: str, field: str, value: str | bool) -> Request:
    request = _about_device(endpoint, {"id": device_id, field: value})
    request.change = field, value
    return request


def _about_device(endpoint: Endpoint, fields: dict[str, str | bool]) -> Request:
    return Request(endpoint, DEVICE, msgspec.json.encode(fields), _echo(fields))


def _joined(values: tuple[str, ...]) -> str:
    return "+".join(quote(value, safe="") for value in values)


def _anything(_answer: object) -> None:
    return None


def _page(page: Page) -> str | None:
    shown = len(page.results)
    if shown > PAGE_SIZE:
        return f"expected at most {PAGE_SIZE} notices on a page, got more"
    if shown < PAGE_SIZE and page.next is not None:
        return f"expected {PAGE_SIZE} notices on a page before the last, got fewer"
    if page.count < shown:
        return "expected a count of at least the notices shown, got less"
    newer = datetime.date.max
    for notice in page.results:
        date = notice.date
        if date is not None:
            if newer < date:
                return "expected the newest date first, got another order"
            newer = date
    return None


def _hits(words: tuple[str, ...]) -> Check:
    folded = tuple(word.casefold() for word in words)

    def check(page: Page) -> str | None:
        for notice in page.results:
            title = notice.title
            for word in words:  # as it is: nearly always enough, and a tenth of the work
                if word in title:
                    break
            else:
                title = title.casefold()
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

"""The notice API as types and checks: the only module that knows its paths, names and rules.

Each function builds one `Request`: what to send, the row of the statistics that it counts in, and
the check of the response. Nothing here does I/O.

Invariants: the rows are a fixed set, `ENDPOINTS`. The text of a failed check holds no value from
the response, so that equal failures share one row.

    >>> search(("cse", "main"), ("장학",)).path
    '/notice/all?target=cse+main&q=%EC%9E%A5%ED%95%99'
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from functools import lru_cache
from typing import Annotated
from urllib.parse import quote

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from harness.http import Check, Endpoint, Request, endpoint

PAGE_SIZE = 10


# gc=False: decoded structs form no cycles, so the garbage collector does not have to track them.
class Board(Struct, frozen=True, gc=False):
    """A notice board of the campus."""

    name: str
    api_url: str


class Notice(Struct, frozen=True, gc=False):
    """A notice; `created_at` includes its UTC offset."""

    id: str
    title: str
    link: str
    date: datetime.date | None
    author: str | None
    reference: str | None
    is_fixed: bool
    created_at: Annotated[datetime.datetime, Meta(tz=True)]


class Page(Struct, frozen=True, gc=False):
    """At most `PAGE_SIZE` notices, and the URLs of the neighboring pages."""

    count: int
    next: str | None
    previous: str | None
    results: list[Notice]


class Device(Struct, frozen=True, gc=False):
    """A registered phone.

    Older servers have `alarm_switch`, newer ones the other two alarm fields. The setting
    ALARM_FIELDS names those of the server under test.
    """

    id: str
    id_method: str
    keywords: str
    subscriptions: str
    alarm_switch: bool | UnsetType = UNSET
    alarm_switch_sub: bool | UnsetType = UNSET
    alarm_switch_key: bool | UnsetType = UNSET


NOTICES = "/notice/all"
BOARDS = "/notice/list"
DEVICE = "/accounts/device"

SEARCH = endpoint("GET", f"{NOTICES}?q", 200, Page)
BROWSE = endpoint("GET", f"{NOTICES}?page", 200, Page)
LIST = endpoint("GET", BOARDS, 200, list[Board])
REGISTER = endpoint("POST", DEVICE, 201, Device)
SUBSCRIPTIONS = endpoint("PUT", f"{DEVICE} subscriptions", 200, Device)
KEYWORDS = endpoint("PUT", f"{DEVICE} keywords", 200, Device)
ALARM = endpoint("PUT", f"{DEVICE} alarm", 200, Device)
READ = endpoint("GET", DEVICE, 200, Device)
UNREGISTER = endpoint("DELETE", DEVICE, 204, None)

ENDPOINTS = (SEARCH, BROWSE, LIST, REGISTER, SUBSCRIPTIONS, KEYWORDS, ALARM)
"""Every row that a run can record. READ and UNREGISTER only follow a run."""


# Cached, because a Request keeps its last valid body: an equal request has to be the same object
# for a repeated response to be accepted without parsing. Bounded, because each keeps such a body.
@lru_cache(maxsize=4096)
def search(boards: tuple[str, ...], words: tuple[str, ...]) -> Request:
    """Request the notices of some boards whose title contains any of the words."""
    path = f"{NOTICES}?target={_joined(boards)}&q={_joined(words)}"
    return Request(SEARCH, path, None, _check_hits(words))


@lru_cache(maxsize=4096)
def browse(boards: tuple[str, ...], page: int) -> Request:
    """Request one page of the notices of some boards; the first page is 1."""
    return Request(BROWSE, f"{NOTICES}?target={_joined(boards)}&page={page}", None, _check_page)


@lru_cache(maxsize=1)
def list_boards() -> Request:
    """Request all boards."""
    return Request(LIST, BOARDS, None, _check_boards)


def register(device_id: str) -> Request:
    """Register a phone under an id that the phone chose."""
    return _about_device(REGISTER, {"id": device_id})


def subscribe(device_id: str, boards: tuple[str, ...]) -> Request:
    """Subscribe a phone to some boards."""
    return _changing(SUBSCRIPTIONS, device_id, "subscriptions", "+".join(boards))


def set_keywords(device_id: str, keywords: tuple[str, ...]) -> Request:
    """Set the keywords that a phone wants alarms for."""
    return _changing(KEYWORDS, device_id, "keywords", "+".join(keywords))


def switch_alarm(device_id: str, field: str, on: bool) -> Request:
    """Switch an alarm on or off; `field` has to be one of the server's ALARM_FIELDS."""
    return _changing(ALARM, device_id, field, on)


def read_device(device_id: str) -> Request:
    """Read the settings of a phone back."""
    return Request(
        READ, f"{DEVICE}?id={quote(device_id, safe='')}", None, _check_echo({"id": device_id})
    )


def unregister(device_id: str) -> Request:
    """Delete a phone."""
    return Request(UNREGISTER, DEVICE, msgspec.json.encode({"id": device_id}), _accept_anything)


def initial_values(alarm_fields: Iterable[str]) -> dict[str, str | bool]:
    """Return the fields that users change, with their values right after registration."""
    return {"keywords": "", "subscriptions": "", **dict.fromkeys(alarm_fields, False)}


def _changing(counts_as: Endpoint, device_id: str, field: str, value: str | bool) -> Request:
    request = _about_device(counts_as, {"id": device_id, field: value})
    request.change = field, value
    return request


def _about_device(counts_as: Endpoint, fields: dict[str, str | bool]) -> Request:
    return Request(counts_as, DEVICE, msgspec.json.encode(fields), _check_echo(fields))


def _joined(values: tuple[str, ...]) -> str:
    return "+".join(quote(value, safe="") for value in values)


def _accept_anything(_answer: object) -> None:
    return None


def _check_page(page: Page) -> str | None:
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
        if date is not None:  # the contract does not say where undated notices come
            if newer < date:
                return "expected the newest date first, got another order"
            newer = date
    return None


def _check_hits(words: tuple[str, ...]) -> Check:
    folded = tuple(word.casefold() for word in words)

    def check(page: Page) -> str | None:
        for notice in page.results:
            title = notice.title
            for word in words:  # case-sensitive first: a tenth of the work, nearly always a hit
                if word in title:
                    break
            else:
                title = title.casefold()
                if not any(word in title for word in folded):
                    return "expected every title to contain a search word, got one without"
        return _check_page(page)

    return check


def _check_boards(boards: list[Board]) -> str | None:
    return None if boards else "expected at least one board, got none"


def _check_echo(sent: dict[str, str | bool]) -> Check:
    def check(device: Device) -> str | None:
        for field, value in sent.items():
            echoed = getattr(device, field)
            if echoed is UNSET:  # the server ignored an alarm field that it does not have
                return f"expected {field} in the answer, got none (see ALARM_FIELDS)"
            if echoed != value:
                shown = str(value).lower() if isinstance(value, bool) else "as it was sent"
                return f"expected {field} {shown}, got another value"
        return None

    return check

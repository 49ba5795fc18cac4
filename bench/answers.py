"""The weighted request mix of the original test (2020-09-20), and a fixed response to each.

Invariant: every generator uses one device, `DEVICE_ID`. So a fixed body is a valid echo of a PUT,
although the server stores nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from random import Random

import msgspec

from harness.http.request import Request
from notice_api import contract

DEVICE_ID = "BENCH0DEVICE0BENCH0DEVICE0BENC"
WORDS = ("장학",)
BOARDS = ("cse", "main")
KEYWORDS = ("장학", "등록")
ALARM_FIELD = "alarm_switch"
CAMPUS = "http://campus.example"

SEARCHES, BROWSES, WRITES_OF_A_KIND, LISTS = 3, 3, 1, 1
"""Weights of the original test (2020-09-20); with three kinds of write, their sum is 10."""
LAST_PAGE = 10
LIST_REQUESTS = 5

_TITLES = (
    "2026학년도 1학기 국가장학금 2차 신청 안내",
    "교내 성적우수 장학생 선발 공고",
    "근로장학생 모집 안내 (학과 사무실, 도서관)",
    "지역인재 장학금 추천 대상자 서류 제출 기한 연장",
    "[중요] 장학금 지급 계좌 등록 및 확인 요청",
)
_BOARD_NAMES = ("컴퓨터공학과", "학교 공지", "생활관", "도서관", "취업지원센터", "학사", "장학")


def notice(number: int, date: str | None) -> dict[str, object]:
    """Return a notice of the fixed page."""
    return {
        "id": f"cse-{4096 - number:06}",
        "title": _TITLES[number % len(_TITLES)],
        "link": f"{CAMPUS}/bbs/cse/view.do?article={4096 - number}",
        "date": date,
        "author": "학생지원팀" if number % 3 else None,
        "reference": None,
        "is_fixed": number == 0,
        "created_at": f"2026-03-{28 - number:02}T09:30:00+09:00",
    }


def page() -> dict[str, object]:
    """Return the page that answers every search and every page request, about 2.8 KB."""
    dates = [f"2026-03-{28 - number:02}" for number in range(contract.PAGE_SIZE - 1)]
    return {
        "count": 412,
        "next": f"{CAMPUS}/notice/all?page=3&target=cse+main",
        "previous": f"{CAMPUS}/notice/all?page=1&target=cse+main",
        "results": [notice(number, date) for number, date in enumerate([*dates, None])],
    }


def boards() -> list[dict[str, str]]:
    """Return the list of boards, about 3 KB."""
    return [
        {
            "name": f"{_BOARD_NAMES[number % len(_BOARD_NAMES)]} {number + 1}",
            "api_url": f"{CAMPUS}/notice/all?target=board{number + 1:02}",
        }
        for number in range(33)
    ]


def device(alarm: bool = True) -> dict[str, object]:
    """Return the device after a PUT; only the alarm varies."""
    return {
        "id": DEVICE_ID,
        "id_method": "InstanceId",
        "keywords": "+".join(KEYWORDS),
        "subscriptions": "+".join(BOARDS),
        ALARM_FIELD: alarm,
    }


def new_device() -> dict[str, object]:
    """Return the device right after its POST."""
    blank = {"keywords": "", "subscriptions": "", ALARM_FIELD: False}
    return {**device(), **blank}


def encoded(answer: object) -> bytes:
    """Return the JSON body that the server sends."""
    return msgspec.json.encode(answer)


def alarm_off_lengths() -> set[int]:
    """Return the body lengths of "switch the alarm off", as compact JSON and with spaces.

    nginx does not look at bodies and recognizes this PUT by its length, which no other one has.
    """
    body = {"id": DEVICE_ID, ALARM_FIELD: False}
    return {len(encoded(body)), len(json.dumps(body))}


def search() -> Request:
    """Return the search request of the mix."""
    return contract.search(BOARDS, WORDS)


def writes() -> Iterator[Request]:
    """Yield one PUT of each kind: subscriptions, keywords, alarm on, alarm off."""
    yield contract.subscribe(DEVICE_ID, BOARDS)
    yield contract.set_keywords(DEVICE_ID, KEYWORDS)
    yield contract.switch_alarm(DEVICE_ID, ALARM_FIELD, True)
    yield contract.switch_alarm(DEVICE_ID, ALARM_FIELD, False)


def every_kind() -> list[tuple[Request, bytes]]:
    """Return one request of each kind with the body of its fixed response."""
    alarm_off = contract.switch_alarm(DEVICE_ID, ALARM_FIELD, False).body
    return [
        (contract.register(DEVICE_ID), encoded(new_device())),
        (search(), encoded(page())),
        (contract.browse(BOARDS, 2), encoded(page())),
        (contract.list_boards(), encoded(boards())),
        *((put, encoded(device(alarm=put.body != alarm_off))) for put in writes()),
    ]


def cycle(seed: int = 1) -> list[Request]:
    """Return the 82 requests of twenty tasks by weight; tasks are shuffled.

    Ten tasks would contain only one of the two alarm requests.
    """
    subscribe, keywords, alarm_on, alarm_off = writes()
    pages = [contract.browse(BOARDS, number) for number in range(1, LAST_PAGE + 1)]
    tasks = [
        *([[search()]] * (2 * SEARCHES)),
        *([pages] * (2 * BROWSES)),
        *([[subscribe], [keywords]] * (2 * WRITES_OF_A_KIND)),
        *([[alarm_on], [alarm_off]] * WRITES_OF_A_KIND),
        *([[contract.list_boards()] * LIST_REQUESTS] * (2 * LISTS)),
    ]
    Random(seed).shuffle(tasks)
    return [request for task in tasks for request in task]


def rendered(request: Request, host: str) -> bytes:
    """Return the bytes of a request for wrk; `host` is `name:port`."""
    lines = [f"{request.endpoint.method} {request.path} HTTP/1.1", f"Host: {host}"]
    if request.body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(request.body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + (request.body or b"")


def _changed(answer: dict[str, object], **fields: object) -> bytes:
    return encoded({**answer, **fields})


def _first_notice(**fields: object) -> bytes:
    first = {**notice(0, "2026-03-28"), **fields}
    return _changed(page(), results=[first, notice(1, "2026-03-27")], next=None)


def _without(answer: dict[str, object], field: str) -> dict[str, object]:
    return {name: value for name, value in answer.items() if name != field}


def wrong() -> Iterator[tuple[str, Request, int, bytes]]:
    """Yield (name, request, status, body), each violating the contract in one way.

    The suite's checks, and any equivalent ones, reject all of them.
    """
    right = encoded(page())
    eleven = [notice(number, None) for number in range(contract.PAGE_SIZE + 1)]
    older_first = [notice(1, "2026-03-01"), notice(0, "2026-03-28")]
    put = {request.endpoint: request for request in writes()}
    browse, listing = contract.browse(BOARDS, 1), contract.list_boards()
    alarm_on = contract.switch_alarm(DEVICE_ID, ALARM_FIELD, True)
    register = contract.register(DEVICE_ID)
    yield "status 500", browse, 500, right
    yield "status 200 for 201", register, 200, encoded(new_device())
    yield "an empty body", browse, 200, b""
    yield "HTML", listing, 200, b"<html>"
    yield "truncated JSON", browse, 200, right[:-9]
    yield "an array for a page", browse, 200, b"[]"
    yield "null for a page", browse, 200, b"null"
    yield "no count", browse, 200, encoded(_without(page(), "count"))
    yield "no next", browse, 200, encoded(_without(page(), "next"))
    yield "a text for the count", browse, 200, _changed(page(), count="412")
    yield "a fraction for the count", browse, 200, _changed(page(), count=412.5)
    yield "a number for next", browse, 200, _changed(page(), next=3)
    yield "null for the results", browse, 200, _changed(page(), results=None)
    yield "null for a notice", browse, 200, _changed(page(), results=[None], next=None)
    yield "eleven notices", browse, 200, _changed(page(), results=eleven)
    yield "a short page before the last", browse, 200, _changed(page(), results=[notice(0, None)])
    yield "a count below the notices shown", browse, 200, _changed(page(), count=9)
    yield "the older date first", browse, 200, _changed(page(), results=older_first, next=None)
    for field in notice(0, None):
        body = _without(notice(0, None), field)
        yield f"no {field}", browse, 200, _changed(page(), results=[body], next=None)
    for field in ("id", "title", "link", "created_at"):
        yield f"null for {field}", browse, 200, _first_notice(**{field: None})
    yield "a number for the author", browse, 200, _first_notice(author=1)
    yield "a number for the reference", browse, 200, _first_notice(reference=1)
    yield "a number for is_fixed", browse, 200, _first_notice(is_fixed=1)
    yield "a date and a time for the date", browse, 200, _first_notice(date="2026-03-28T00:00:00")
    yield "a day that is not", browse, 200, _first_notice(date="2026-02-30")
    yield "a month that is not", browse, 200, _first_notice(date="2026-13-01")
    yield "no offset", browse, 200, _first_notice(created_at="2026-03-28T09:30:00")
    yield "an hour that is not", browse, 200, _first_notice(created_at="2026-03-28T25:30:00+09:00")
    yield "a title without the word", search(), 200, _first_notice(title="기숙사 입사 신청")
    yield "an object for the boards", listing, 200, b"{}"
    yield "no boards", listing, 200, b"[]"
    yield "a board without api_url", listing, 200, b'[{"name": "cse"}]'
    yield "a number for a board's name", listing, 200, b'[{"name": 1, "api_url": "/"}]'
    yield "another device", register, 201, _changed(new_device(), id="ANOTHER")
    yield "no id_method", register, 201, encoded(_without(new_device(), "id_method"))
    yield "null for the keywords", register, 201, _changed(new_device(), keywords=None)
    yield "a text for the alarm", alarm_on, 200, _changed(device(), alarm_switch="true")
    yield "the other alarm", alarm_on, 200, encoded(device(alarm=False))
    yield "no alarm", alarm_on, 200, encoded(_without(device(), ALARM_FIELD))
    for endpoint, field in (
        (contract.SUBSCRIPTIONS, "subscriptions"),
        (contract.KEYWORDS, "keywords"),
    ):
        yield f"other {field}", put[endpoint], 200, _changed(device(), **{field: "main"})

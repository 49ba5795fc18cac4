"""What is sent, byte for byte, and which answers are right; the wrong ones matter most."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from notice_api import contract
from notice_api.contract import Request

REPEATABLE = settings(
    deadline=None, derandomize=True, max_examples=60, suppress_health_check=[HealthCheck.too_slow]
)
DEVICE_ID = "A1B2C3D4E5F6G7H8I9J0K1L2M3N4O5"

BROWSE = contract.browse(("cse", "main"), 1)
SEARCH = contract.search(("cse", "main"), ("장학", "TOEIC"))

WORDS = st.text(min_size=1, max_size=12)
TUPLES = st.lists(WORDS, min_size=1, max_size=4).map(tuple)


def notice(number: int = 1, title: str = "장학 안내", date: str | None = "2020-09-20") -> Any:
    return {
        "id": f"cse-{number}",
        "title": title,
        "link": f"https://campus.example/{number}",
        "date": date,
        "author": None,
        "reference": None,
        "is_fixed": False,
        "created_at": "2020-09-20T09:30:00+09:00",
    }


def page(*notices: Any, count: int = 500, following: str | None = None) -> Any:
    return {"count": count, "next": following, "previous": None, "results": list(notices)}


def device(**changed: object) -> Any:
    blank = {"id_method": "InstanceId", "keywords": "", "subscriptions": ""}
    return {"id": DEVICE_ID, **blank, "alarm_switch": False, **changed}


def problem(request: Request, content: object, status: int | None = None) -> str | None:
    body = json.dumps(content, ensure_ascii=False).encode()
    return request.problem(request.endpoint.status if status is None else status, body)


# What is sent.


@pytest.mark.parametrize(
    ("request_", "method", "path", "body"),
    [
        (
            contract.search(("cse", "main"), ("장학",)),
            "GET",
            "/notice/all?target=cse+main&q=%EC%9E%A5%ED%95%99",
            None,
        ),
        (
            contract.search(("cse",), ("장학", "TOEIC")),
            "GET",
            "/notice/all?target=cse&q=%EC%9E%A5%ED%95%99+TOEIC",
            None,
        ),
        (BROWSE, "GET", "/notice/all?target=cse+main&page=1", None),
        (
            contract.browse(("cse", "main"), 10),
            "GET",
            "/notice/all?target=cse+main&page=10",
            None,
        ),
        (contract.list_boards(), "GET", "/notice/list", None),
        (contract.register("ID1"), "POST", "/accounts/device", '{"id":"ID1"}'),
        (
            contract.subscribe("ID1", ("cse", "main")),
            "PUT",
            "/accounts/device",
            '{"id":"ID1","subscriptions":"cse+main"}',
        ),
        (
            contract.set_keywords("ID1", ("장학", "등록")),
            "PUT",
            "/accounts/device",
            '{"id":"ID1","keywords":"장학+등록"}',
        ),
        (
            contract.switch_alarm("ID1", "alarm_switch", True),
            "PUT",
            "/accounts/device",
            '{"id":"ID1","alarm_switch":true}',
        ),
        (
            contract.switch_alarm("ID1", "alarm_switch_key", False),
            "PUT",
            "/accounts/device",
            '{"id":"ID1","alarm_switch_key":false}',
        ),
        (contract.unregister("ID1"), "DELETE", "/accounts/device", '{"id":"ID1"}'),
    ],
)
def test_requests_are_the_contracts_to_the_byte(
    request_: Request, method: str, path: str, body: str | None
) -> None:
    assert request_.endpoint.method == method
    assert request_.path == path
    assert request_.body == (None if body is None else body.encode())


@pytest.mark.parametrize(
    ("word", "quoted"),
    [
        ("C++", "C%2B%2B"),
        ("R&D", "R%26D"),
        ("100%", "100%25"),
        ("수강 신청", "%EC%88%98%EA%B0%95%20%EC%8B%A0%EC%B2%AD"),
        ("a=b#c?d/e", "a%3Db%23c%3Fd%2Fe"),
    ],
)
def test_a_word_cannot_break_out_of_its_place(word: str, quoted: str) -> None:
    assert contract.search(("cse",), (word,)).path == f"/notice/all?target=cse&q={quoted}"
    assert contract.search((word,), ("x",)).path == f"/notice/all?target={quoted}&q=x"
    assert contract.browse((word,), 2).path == f"/notice/all?target={quoted}&page=2"


@REPEATABLE
@given(boards=TUPLES, words=TUPLES, page_number=st.integers(1, 10**6))
def test_a_server_reads_what_was_meant(
    boards: tuple[str, ...], words: tuple[str, ...], page_number: int
) -> None:
    for target, other in (
        (contract.search(boards, words).path, {"q": [" ".join(words)]}),
        (contract.browse(boards, page_number).path, {"page": [str(page_number)]}),
    ):
        url = urlsplit(target)
        assert (url.path, url.fragment) == ("/notice/all", "")
        asked = parse_qs(url.query, keep_blank_values=True)
        assert asked == {"target": [" ".join(boards)], **other}
        assert target.isascii() and not any(map(str.isspace, target))


# Which row a request counts under.


def test_the_rows_of_the_statistics() -> None:
    rows = [(endpoint.method, endpoint.name) for endpoint in contract.ENDPOINTS]
    assert rows == [
        ("GET", "/notice/all?q"),
        ("GET", "/notice/all?page"),
        ("GET", "/notice/list"),
        ("POST", "/accounts/device"),
        ("PUT", "/accounts/device subscriptions"),
        ("PUT", "/accounts/device keywords"),
        ("PUT", "/accounts/device alarm"),
    ]
    assert contract.UNREGISTER not in contract.ENDPOINTS


@REPEATABLE
@given(boards=TUPLES, words=TUPLES, device_id=WORDS, number=st.integers(), on=st.booleans())
def test_the_row_does_not_depend_on_what_is_sent(
    boards: tuple[str, ...], words: tuple[str, ...], device_id: str, number: int, on: bool
) -> None:
    sent = (
        contract.search(boards, words),
        contract.browse(boards, number),
        contract.list_boards(),
        contract.register(device_id),
        contract.subscribe(device_id, boards),
        contract.set_keywords(device_id, words),
        contract.switch_alarm(device_id, "alarm_switch", on),
    )
    assert tuple(request.endpoint for request in sent) == contract.ENDPOINTS
    assert contract.unregister(device_id).endpoint is contract.UNREGISTER


# Right answers.


@pytest.mark.parametrize(
    ("request_", "content"),
    [
        (BROWSE, page(*(notice(i) for i in range(10)), following="http://h/notice/all?page=2")),
        (BROWSE, page(notice(), count=91)),
        (BROWSE, page(count=0)),
        (BROWSE, page(notice(1), notice(2), count=2)),
        (
            BROWSE,
            page(notice(1, date="2020-09-21"), notice(2, date=None), notice(3, date="2020-09-20")),
        ),
        (BROWSE, page(notice(1, date=None), notice(2, date=None))),
        (BROWSE, page(notice(1, date="2020-09-20"), notice(2, date="2020-09-20"))),
        (
            SEARCH,
            page(notice(1, "장학금"), notice(2, "2020 토익(toeic)"), notice(3, "Toeic 장학")),
        ),
        (SEARCH, page(count=0)),
        (contract.list_boards(), [{"name": "cse", "api_url": "http://h/cse"}]),
        (contract.register(DEVICE_ID), device()),
        (
            contract.subscribe(DEVICE_ID, ("cse", "main")),
            device(subscriptions="cse+main"),
        ),
        (
            contract.set_keywords(DEVICE_ID, ("장학", "등록")),
            device(keywords="장학+등록"),
        ),
        (contract.switch_alarm(DEVICE_ID, "alarm_switch", True), device(alarm_switch=True)),
        (contract.switch_alarm(DEVICE_ID, "alarm_switch", False), device(alarm_switch=False)),
        (
            contract.switch_alarm(DEVICE_ID, "alarm_switch_sub", True),
            {
                **{name: value for name, value in device().items() if name != "alarm_switch"},
                "alarm_switch_sub": True,
                "alarm_switch_key": False,
            },
        ),
    ],
)
def test_right_answers(request_: Request, content: object) -> None:
    assert problem(request_, content) is None


def test_nothing_is_the_right_answer_to_a_delete() -> None:
    assert contract.unregister(DEVICE_ID).problem(204, b"") is None


def test_fields_that_the_contract_does_not_know_are_accepted() -> None:
    extra = {"views": 3, "attachments": [{"url": "x"}]}
    assert problem(BROWSE, {**page({**notice(), **extra}), "pages": 50}) is None
    assert problem(contract.list_boards(), [{"name": "a", "api_url": "b", **extra}]) is None
    assert problem(contract.register(DEVICE_ID), device(**extra)) is None


@REPEATABLE
@given(titles=st.lists(st.text(max_size=20), max_size=10), word=WORDS)
def test_a_title_with_the_word_inside_is_always_a_hit(titles: list[str], word: str) -> None:
    hits = [notice(i, f"{title}{word.upper()}{title}") for i, title in enumerate(titles)]
    request = contract.search(("cse",), ("no such word", word.upper()))
    assert problem(request, page(*hits)) is None


# Wrong answers.

EVERY_REQUEST = [
    BROWSE,
    SEARCH,
    contract.list_boards(),
    contract.register(DEVICE_ID),
    contract.subscribe(DEVICE_ID, ("cse",)),
    contract.set_keywords(DEVICE_ID, ("장학",)),
    contract.switch_alarm(DEVICE_ID, "alarm_switch", True),
]
ids = {"ids": lambda request: f"{request.endpoint.method} {request.endpoint.name}"}
NOT_JSON = "wrong JSON: expected a JSON body, got something else"


@pytest.mark.parametrize("request_", [*EVERY_REQUEST, contract.unregister(DEVICE_ID)], **ids)
def test_another_status_names_both(request_: Request) -> None:
    expected = request_.endpoint.status
    others = {0, 200, 201, 204, 206, 301, 400, 404, 429, 500, 502, 503} - {expected}
    for status in others:
        text = f"expected status {expected}, got {status}"
        assert problem(request_, page(), status) == text
        assert request_.problem(status, b"") == text


@pytest.mark.parametrize("request_", EVERY_REQUEST, **ids)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"<!doctype html><html><body>502 Bad Gateway</body></html>",
        b'{"count": 12, "next": "http://h/',
        b"[{",
        b"{} {}",
        b"{'id': 1}",
        b"\xff\xfe{\x00}\x00",
        "안내".encode("euc-kr"),
    ],
)
def test_what_is_not_json_says_so(request_: Request, body: bytes) -> None:
    text = request_.problem(request_.endpoint.status, body)
    assert text is not None
    if body[:1] not in (b"{", b"["):  # of those a wrong shape can show before the wrong end
        assert text == NOT_JSON


@pytest.mark.parametrize("request_", EVERY_REQUEST, **ids)
@pytest.mark.parametrize(
    "content",
    [None, 1, "text", True, [], {}, [None], {"detail": "Not found."}, {"error": "busy"}, [[]]],
    ids=repr,
)
def test_json_of_another_shape_is_wrong(request_: Request, content: object) -> None:
    text = problem(request_, content)
    assert text is not None and text.startswith("contract violation: ")


@pytest.mark.parametrize("request_", EVERY_REQUEST, **ids)
def test_json_without_end_is_wrong_however_deep(request_: Request) -> None:
    deep = b"[" * 100_000
    start = b"[" if request_.endpoint is contract.LIST else b""
    assert request_.problem(request_.endpoint.status, start + b'{"x":' + deep) is not None


def test_a_body_on_204_is_wrong() -> None:
    delete = contract.unregister(DEVICE_ID)
    assert problem(delete, device()) == "contract violation: Expected no body, got one"


@pytest.mark.parametrize("missing", list(page()))
def test_every_field_of_a_page_is_needed(missing: str) -> None:
    content = page(notice())
    del content[missing]
    expected = f"contract violation: Object missing required field `{missing}`"
    assert problem(BROWSE, content) == expected


@pytest.mark.parametrize("missing", list(notice()))
def test_every_field_of_a_notice_is_needed(missing: str) -> None:
    content = page(notice(), notice())
    del content["results"][1][missing]
    text = f"Object missing required field `{missing}` - at `$.results[...]`"
    assert problem(BROWSE, content) == f"contract violation: {text}"
    assert problem(SEARCH, content) == f"contract violation: {text}"


@pytest.mark.parametrize("missing", ["id", "id_method", "keywords", "subscriptions"])
def test_every_field_of_a_device_is_needed(missing: str) -> None:
    content = device()
    del content[missing]
    expected = f"contract violation: Object missing required field `{missing}`"
    assert problem(contract.register(DEVICE_ID), content) == expected


@pytest.mark.parametrize("missing", ["name", "api_url"])
def test_every_field_of_a_board_is_needed(missing: str) -> None:
    board = {"name": "cse", "api_url": "http://h"}
    text = problem(contract.list_boards(), [board, {k: board[k] for k in board if k != missing}])
    assert text == f"contract violation: Object missing required field `{missing}` - at `$[...]`"


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("id", 7, "Expected `str`, got `int`"),
        ("id", None, "Expected `str`, got `null`"),
        ("title", None, "Expected `str`, got `null`"),
        ("title", ["장학"], "Expected `str`, got `array`"),
        ("link", None, "Expected `str`, got `null`"),
        ("author", 1, "Expected `str | null`, got `int`"),
        ("reference", {}, "Expected `str | null`, got `object`"),
        ("is_fixed", None, "Expected `bool`, got `null`"),
        ("is_fixed", 0, "Expected `bool`, got `int`"),
        ("is_fixed", "false", "Expected `bool`, got `str`"),
        ("date", "2020-13-01", "Invalid RFC3339 encoded date"),
        ("date", "20200920", "Invalid RFC3339 encoded date"),
        ("date", "", "Invalid RFC3339 encoded date"),
        ("date", "2020-09-20T00:00:00Z", "Invalid RFC3339 encoded date"),
        ("created_at", "yesterday", "Invalid RFC3339 encoded datetime"),
        ("created_at", "2020-09-20", "Invalid RFC3339 encoded datetime"),
    ],
)
def test_wrong_types_in_a_notice(field: str, value: object, text: str) -> None:
    content = page(notice(), notice())
    content["results"][1][field] = value
    expected = f"contract violation: {text} - at `$.results[...].{field}`"
    assert problem(BROWSE, content) == expected
    assert problem(SEARCH, content) == expected


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("count", value) for value in ("500", 1.5, None)),
        ("next", 2),
        ("previous", False),
        ("results", None),
        ("results", {}),
    ],
)
def test_wrong_types_in_a_page(field: str, value: object) -> None:
    text = problem(BROWSE, {**page(), field: value})
    assert text is not None and text.endswith(f" - at `$.{field}`")


@pytest.mark.parametrize(
    ("request_", "content", "text"),
    [
        (contract.list_boards(), [], "expected at least one board, got none"),
        (
            contract.register(DEVICE_ID),
            device(id="ANOTHER"),
            "expected id as it was sent, got another value",
        ),
        (
            contract.subscribe(DEVICE_ID, ("cse", "main")),
            device(subscriptions="cse main"),
            "expected subscriptions as it was sent, got another value",
        ),
        (
            contract.subscribe(DEVICE_ID, ("cse", "main")),
            device(subscriptions=""),
            "expected subscriptions as it was sent, got another value",
        ),
        (
            contract.set_keywords(DEVICE_ID, ("장학", "등록")),
            device(keywords="등록+장학"),
            "expected keywords as it was sent, got another value",
        ),
        (
            contract.set_keywords(DEVICE_ID, ("장학",)),
            device(id="ANOTHER", keywords="장학"),
            "expected id as it was sent, got another value",
        ),
        (
            contract.switch_alarm(DEVICE_ID, "alarm_switch", True),
            device(alarm_switch=False),
            "expected alarm_switch true, got another value",
        ),
        (
            contract.switch_alarm(DEVICE_ID, "alarm_switch", False),
            device(alarm_switch=True),
            "expected alarm_switch false, got another value",
        ),
        (
            contract.switch_alarm(DEVICE_ID, "alarm_switch_sub", True),
            device(alarm_switch=True),
            "expected alarm_switch_sub in the answer, got none (see ALARM_FIELDS)",
        ),
        (
            contract.switch_alarm(DEVICE_ID, "alarm_switch_key", False),
            device(alarm_switch_sub=False),
            "expected alarm_switch_key in the answer, got none (see ALARM_FIELDS)",
        ),
    ],
)
def test_answers_of_the_right_shape_with_the_wrong_meaning(
    request_: Request, content: object, text: str
) -> None:
    assert problem(request_, content) == f"contract violation: {text}"


def test_one_hit_of_ten_without_a_word_is_wrong() -> None:
    for place in range(10):
        hits = [notice(i, "장학") for i in range(10)]
        hits[place]["title"] = "등록 안내 TOEI C"
        text = problem(SEARCH, page(*hits))
        assert text is not None and "contain a search word" in text


# One kind of fault makes one row: whatever the answer holds, the text is the same.

NAMES_AND_IDS = st.text(max_size=20)
DATES = st.dates()
STAMPS = st.datetimes().map(lambda time: f"{time.replace(microsecond=0).isoformat()}Z")


@st.composite
def right_pages(draw: st.DrawFn) -> Any:
    """Return a right, full page with notices, all of them hits of `SEARCH`."""
    dates = sorted(draw(st.lists(DATES, min_size=10, max_size=10, unique=True)), reverse=True)
    notices = [
        {
            "id": draw(NAMES_AND_IDS),
            "title": draw(NAMES_AND_IDS) + draw(st.sampled_from(["장학", "toeic", "TOEIC"])),
            "link": draw(NAMES_AND_IDS),
            "date": date.isoformat(),
            "author": draw(st.none() | NAMES_AND_IDS),
            "reference": draw(st.none() | NAMES_AND_IDS),
            "is_fixed": draw(st.booleans()),
            "created_at": draw(STAMPS),
        }
        for date in dates
    ]
    count, following = draw(st.integers(10, 10**9)), draw(st.none() | NAMES_AND_IDS)
    return page(*notices, count=count, following=following)


def _naive(content: Any, place: int) -> None:
    content["results"][place]["created_at"] = f"20{place:02}-01-01T00:00:00"


def _bad_date(content: Any, place: int) -> None:
    content["results"][place]["date"] = f"2020-02-{30 + place}"


def _eleven(content: Any, place: int) -> None:
    content["results"] += content["results"][: place + 1]


def _short(content: Any, place: int) -> None:
    content["next"] = f"http://h/notice/all?page={place}"
    del content["results"][place:]


def _small_count(content: Any, place: int) -> None:
    content["count"] = place


def _disorder(content: Any, place: int) -> None:
    results = content["results"]
    other = (place + 1) % 10
    results[place], results[other] = results[other], results[place]


def _no_hit(content: Any, place: int) -> None:
    content["results"][place]["title"] = f"No. {place}"


def _no_id(content: Any, place: int) -> None:
    del content["results"][place]["id"]


def _null_title(content: Any, place: int) -> None:
    content["results"][place]["title"] = None


def _error_body(content: Any, place: int) -> None:
    content.clear()
    content["detail"] = f"Invalid page {place}."


FAULTS: list[tuple[Callable[[Any, int], None], str]] = [
    (
        _naive,
        "Expected `datetime` with a timezone component - at `$.results[...].created_at`",
    ),
    (_bad_date, "Invalid RFC3339 encoded date - at `$.results[...].date`"),
    (_eleven, "expected at most 10 notices on a page, got more"),
    (_short, "expected 10 notices on a page before the last, got fewer"),
    (_small_count, "expected a count of at least the notices shown, got less"),
    (_disorder, "expected the newest date first, got another order"),
    (_no_hit, "expected every title to contain a search word, got one without"),
    (_no_id, "Object missing required field `id` - at `$.results[...]`"),
    (_null_title, "Expected `str`, got `null` - at `$.results[...].title`"),
    (_error_body, "Object missing required field `count`"),
]


@REPEATABLE
@given(right=right_pages(), place=st.integers(0, 9))
def test_a_kind_of_fault_has_one_text(right: Any, place: int) -> None:
    assert problem(SEARCH, right) is None
    for spoil, text in FAULTS:
        wrong = copy.deepcopy(right)
        spoil(wrong, place)
        assert problem(SEARCH, wrong) == f"contract violation: {text}"
        if spoil is not _no_hit:
            assert problem(BROWSE, wrong) == f"contract violation: {text}"


@REPEATABLE
@given(got=st.text(max_size=30), sent=st.text("AB0+", min_size=1, max_size=30), on=st.booleans())
def test_a_wrong_echo_has_one_text(got: str, sent: str, on: bool) -> None:
    if got == sent:
        return
    another = "contract violation: expected {} as it was sent, got another value"
    assert problem(contract.register(sent), device(id=got)) == another.format("id")
    asked = contract.subscribe(DEVICE_ID, (sent,))
    assert problem(asked, device(subscriptions=got)) == another.format("subscriptions")
    asked = contract.set_keywords(DEVICE_ID, (sent,))
    assert problem(asked, device(keywords=got)) == another.format("keywords")
    asked = contract.switch_alarm(DEVICE_ID, "alarm_switch", on)
    text = problem(asked, device(alarm_switch=not on, keywords=got))
    assert (
        text == f"contract violation: expected alarm_switch {str(on).lower()}, got another value"
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@REPEATABLE
@given(content=JSON, request=st.sampled_from(EVERY_REQUEST))
def test_no_answer_at_all_gets_into_a_text(content: Any, request: Request) -> None:
    text = problem(request, content)
    assert text is not None
    assert not re.search(r"\d", text.replace("RFC3339", ""))
    assert "http" not in text and len(text) < 120


@REPEATABLE
@given(body=st.binary(max_size=60), request=st.sampled_from(EVERY_REQUEST))
def test_any_bytes_are_judged(body: bytes, request: Request) -> None:
    text = request.problem(request.endpoint.status, body)
    assert text is not None
    assert text == NOT_JSON or text.startswith("contract violation: ")


# What was judged before.

BOARD = [{"name": "cse", "api_url": "https://campus.example/cse"}]


def forgetful(request: Request) -> Request:
    return msgspec.structs.replace(request, last_valid_body=None)


@REPEATABLE
@given(answers=st.lists(st.sampled_from([BOARD, BOARD * 2, [], {}, [{"name": 1}]]), max_size=12))
def test_what_was_judged_before_changes_no_verdict(answers: list[Any]) -> None:
    request = forgetful(contract.list_boards())
    for content in answers:
        assert problem(request, content) == problem(forgetful(request), content)
        assert problem(request, content, 500) == "expected status 200, got 500"


def test_an_empty_body_was_never_right() -> None:
    request = forgetful(contract.list_boards())
    assert "wrong JSON" in (request.problem(200, b"") or "")
    assert problem(request, BOARD) is None
    assert "wrong JSON" in (request.problem(200, b"") or "")


def test_only_what_was_right_for_the_same_request_is_right_unseen() -> None:
    one = forgetful(contract.search(("cse",), ("장학",)))
    other = forgetful(contract.search(("cse",), ("수강",)))
    right = page(notice(title="장학 안내"))
    assert problem(one, right) is None
    assert one.last_valid_body is not None
    assert problem(one, right) is None
    assert "search word" in (problem(other, right) or "")
    assert other.last_valid_body is None


def test_what_is_sent_once_remembers_nothing() -> None:
    request = contract.subscribe(DEVICE_ID, ("cse",))
    assert problem(request, device(subscriptions="cse")) is None
    assert request.last_valid_body is None

"""The same bytes mean the same to our client and to `requests`, however they come apart."""

from __future__ import annotations

import socket
from collections.abc import Callable
from itertools import pairwise

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.http.wire import Answer, Connection, Fault
from harness.http.wire.parser import AnswerParser
from support.commands import PATIENCE_S
from support.raw_responses import (
    JSON,
    NOT_KEPT,
    RIGHT,
    STRICTER,
    UP_TO_THE_CLOSE,
    WRONG,
    S,
    deflated,
    whole,
)
from support.raw_servers import GET, Server, address, exchange, sends, sends_pieces

Outcome = tuple[int, dict[str, str], bytes] | None
FAILS = None


def by_requests(port: int) -> Outcome:
    with requests.Session() as session:
        session.trust_env = False
        try:
            answer = session.get(
                f"http://127.0.0.1:{port}",
                headers={"Accept-Encoding": "identity"},
                timeout=PATIENCE_S,
                allow_redirects=False,
            )
        except requests.RequestException:
            return FAILS
    headers = {name.lower(): value for name, value in answer.headers.items()}
    return answer.status_code, headers, answer.content


def by_ours(port: int) -> Outcome:
    try:
        return exchange(port)
    except Fault:
        return FAILS


def cut(raw: bytes, positions: list[int]) -> list[bytes]:
    return [raw[start:end] for start, end in pairwise([0, *positions, len(raw)])]


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_answer_cut_at_every_position(name: str, serve: Callable[..., Server]) -> None:
    raw = RIGHT[name]
    server = serve(sends(raw))
    expected = by_requests(server.port)
    assert expected is not FAILS
    assert by_ours(server.port) == expected
    for position in range(1, len(raw)):
        server.behave = sends_pieces(cut(raw, [position]))
        assert by_ours(server.port) == expected, f"cut at {position}"
    server.behave = sends_pieces([bytes([byte]) for byte in raw])
    assert by_ours(server.port) == expected, "byte by byte"


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_answer_cut_at_every_position(name: str, serve: Callable[..., Server]) -> None:
    raw = WRONG[name]
    server = serve(sends(raw))
    assert by_requests(server.port) is FAILS
    assert by_ours(server.port) is FAILS
    for position in range(1, len(raw)):
        server.behave = sends_pieces(cut(raw, [position]))
        assert by_ours(server.port) is FAILS, f"cut at {position}"


@pytest.mark.parametrize("name", STRICTER)
def test_where_we_are_stricter_on_purpose(name: str, serve: Callable[..., Server]) -> None:
    raw, _reason = STRICTER[name]
    server = serve(sends(raw))
    assert by_requests(server.port) is not FAILS  # else it belongs among the wrong ones
    assert by_ours(server.port) != by_requests(server.port)


@pytest.mark.parametrize("name", [name for name in STRICTER if name != "103 before"])
def test_what_we_are_stricter_on_fails_wherever_it_is_cut(
    name: str, serve: Callable[..., Server]
) -> None:
    raw, _reason = STRICTER[name]
    server = serve(sends(raw))
    for position in range(1, len(raw)):
        server.behave = sends_pieces(cut(raw, [position]))
        assert by_ours(server.port) is FAILS, f"cut at {position}"


@pytest.mark.parametrize("statuses", [(103,), (102,), (100, 103), (103, 103, 100), (199,)])
def test_announcements_are_no_answers(
    statuses: tuple[int, ...], serve: Callable[..., Server]
) -> None:
    before = b"".join(b"HTTP/1.1 %d Soon\r\nX-Soon: 1\r\n\r\n" % status for status in statuses)
    raw = before + whole(S + b"X-A: b\r\n")
    server = serve(sends(raw, keeps=True))
    expected = (200, {"x-a": "b", "content-length": str(len(JSON))}, JSON)
    assert by_ours(server.port) == expected
    for position in range(1, len(raw)):
        server.behave = sends_pieces(cut(raw, [position]), keeps=True)
        assert by_ours(server.port) == expected, f"cut at {position}"


def test_the_pieces_are_read_one_by_one(
    serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    fed = AnswerParser.feed

    def feed(self: AnswerParser, size: int) -> Answer | None:
        seen.append(size)
        return fed(self, size)

    monkeypatch.setattr(AnswerParser, "feed", feed)
    server = serve(sends_pieces(cut(RIGHT["length"], [3, 4, 20])))
    for _ in range(10):  # a busy system may hold a piece back until the next comes
        seen.clear()
        assert by_ours(server.port) is not FAILS
        if seen[:3] == [3, 1, 16]:
            return
    pytest.fail(f"read in other pieces: {seen}")


@pytest.mark.parametrize("name", RIGHT)
def test_a_truncated_answer_never_passes_for_a_whole_one(
    name: str, serve: Callable[..., Server]
) -> None:
    raw = RIGHT[name]
    server = serve(sends(raw))
    expected = by_ours(server.port)
    for length in range(len(raw)):
        server.behave = sends(raw[:length])
        got = by_ours(server.port)
        if name in UP_TO_THE_CLOSE and got is not FAILS:
            assert got[:2] == expected[:2]
            assert expected[2].startswith(got[2])
        else:
            assert got in (FAILS, expected), f"{length} bytes"


token = st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJ-0123456789", min_size=1, max_size=12)
value = st.text("".join(map(chr, range(33, 127))) + " ", max_size=30).map(str.strip)


@st.composite
def generated_answers(draw: st.DrawFn) -> tuple[bytes, list[int]]:
    """Return a right answer and where to cut it."""
    status = draw(st.sampled_from([200, 201, 204, 302, 304, 400, 404, 500, 503]))
    version = draw(st.sampled_from(["1.1", "1.1", "1.0"]))
    own = st.tuples(token.map("X-{}".format), value)
    lines = [f"{name}: {text}" for name, text in draw(st.lists(own, max_size=5))]
    plain = draw(st.binary(max_size=200))
    body = plain
    coding = draw(st.sampled_from(["", "", "gzip", "deflate", "raw"]))
    if coding and status not in (204, 304):
        lines.append(f"Content-Encoding: {'deflate' if coding == 'raw' else coding}")
        body = deflated(plain, {"gzip": 31, "deflate": 15, "raw": -15}[coding])
    framing = draw(st.sampled_from(["length", "chunked", "close"]))
    if status in (204, 304):
        body = b""
    elif framing == "length":
        lines.append(f"Content-Length: {len(body)}")
    elif framing == "chunked" and version == "1.1":
        lines.append("Transfer-Encoding: chunked")
        sizes = draw(st.lists(st.integers(1, 60), max_size=8))
        chunks, left = [], body
        for size in sizes:
            if left:
                chunks.append(left[:size])
                left = left[size:]
        chunks += [left] if left else []
        ends = draw(st.sampled_from([b"", b"X-Sum: 1\r\n"]))
        body = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
        body += b"0\r\n" + ends + b"\r\n"
    else:
        lines.append("Connection: close")
    lines = draw(st.permutations(lines))
    before = draw(st.sampled_from([b"", b"", b"HTTP/1.1 100 Continue\r\n\r\n"]))
    head = "\r\n".join([f"HTTP/{version} {status} Reason", *lines, "", ""]).encode()
    raw = before + head + body
    cuts = draw(st.lists(st.integers(0, len(raw)), max_size=6))
    return raw, sorted(cuts)


@settings(
    max_examples=400,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(generated_answers())
def test_generated_answers_in_random_pieces(
    serve: Callable[..., Server], generated: tuple[bytes, list[int]]
) -> None:
    raw, cuts = generated
    server = serve(sends(raw))
    expected = by_requests(server.port)
    server.behave = sends_pieces(cut(raw, cuts))
    assert expected is not FAILS
    assert by_ours(server.port) == expected
    server.stop()


def test_many_answers_on_one_connection_each_get_their_own(serve: Callable[..., Server]) -> None:
    raws = [raw for name, raw in RIGHT.items() if name not in NOT_KEPT] * 2
    expected = [by_requests(serve(sends(raw)).port) for raw in raws]

    def behave(connection: socket.socket, number: int) -> bool:
        raw = raws[number - 1]
        return sends_pieces(cut(raw, [len(raw) // 2]), keeps=True)(connection, number)

    server = serve(behave)
    connection = Connection(address(server.port))
    got = []
    for _ in raws:
        answer = connection.exchange(GET)
        assert connection.can_be_kept
        got.append((answer.status, answer.headers, answer.body))
    connection.close()
    assert got == expected
    assert server.connections == 1


@pytest.mark.parametrize("name", NOT_KEPT)
def test_a_connection_that_may_not_be_kept_is_not(name: str, serve: Callable[..., Server]) -> None:
    connection = Connection(address(serve(sends(RIGHT[name])).port))
    connection.exchange(GET)
    kept = connection.can_be_kept
    connection.close()
    assert not kept


def test_the_answer_to_head_has_no_body(serve: Callable[..., Server]) -> None:
    server = serve(sends(S + b"Content-Length: 99\r\n\r\n", keeps=True))
    head = b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n"
    assert exchange(server.port, head) == (200, {"content-length": "99"}, b"")

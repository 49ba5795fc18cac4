"""The same bytes mean the same to our client and to `requests`, however they come apart."""

from __future__ import annotations

import gzip
import socket
import zlib
from collections.abc import Callable
from itertools import pairwise

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.http.wire import Answer, Connection, Fault
from harness.http.wire.parser import AnswerParser
from support.commands import PATIENCE_S
from support.raw_servers import GET, Server, address, exchange, sends, sends_pieces

UP_TO_THE_CLOSE = (
    "up to the close",
    "up to the close, unsaid",
    "up to the close, empty",
    "HTTP/1.0",
    "100 before up to the close",
    "gzip up to the close",
)
NOT_KEPT = (
    *UP_TO_THE_CLOSE,
    "chunked and closed",
    "close with a length",
    "HTTP/1.0 with a length",
    "bytes behind the answer",
    "another answer behind it",
    "half an answer behind it",
)

Outcome = tuple[int, dict[str, str], bytes] | None
FAILS = None
JSON = b'{"count": 1}'


def deflated(plain: bytes, window_bits: int) -> bytes:
    packer = zlib.compressobj(wbits=window_bits)
    return packer.compress(plain) + packer.flush()


def whole(head: bytes, body: bytes = JSON) -> bytes:
    return head + b"Content-Length: %d\r\n\r\n%s" % (len(body), body)


S = b"HTTP/1.1 200 OK\r\n"
CHUNKED = S + b"Transfer-Encoding: chunked\r\n\r\n"
GZIP = gzip.compress(JSON, mtime=0)

RIGHT = {
    "length": whole(S),
    "length 0": whole(S, b""),
    "length with zeros before": S + b"Content-Length: 0002\r\n\r\nok",
    "no reason phrase": whole(b"HTTP/1.1 200\r\n"),
    "empty reason phrase": whole(b"HTTP/1.1 200 \r\n"),
    "odd casing": b"HTTP/1.1 200 oK\r\ncOnTeNt-LeNgTh: 2\r\nCONNECTION: Keep-Alive\r\n\r\nok",
    "no space behind the colon": S + b"Content-Length:2\r\nX-A:b\r\n\r\nok",
    "much space behind the colon": S + b"Content-Length: \t 2\r\nX-A:   b\r\n\r\nok",
    "empty header": whole(S + b"X-Empty:\r\n"),
    "repeated headers": whole(S + b"Vary: a\r\nX: y\r\nVARY: b\r\nvary: c\r\n"),
    "colons in a value": whole(S + b"X-Time: 12:30:00\r\n"),
    "latin-1 in a value": whole(S + b"X-Name: J\xfcrgen\r\n"),
    "line ends in the body": whole(S, b"\r\n\r\nHTTP/1.1 500 X\r\n\r\n"),
    "a name that ends like another's": whole(S + b"X-Content-Encoding: gzip\r\n"),
    "a value that looks like a header": whole(S + b"X-Note: Content-Encoding: gzip\r\n"),
    "upgrade offered": whole(S + b"Connection: Upgrade\r\nUpgrade: h2c\r\n"),
    "chunked": CHUNKED + b'5\r\n{"a":\r\n3\r\n 1}\r\n0\r\n\r\n',
    "chunked, empty": CHUNKED + b"0\r\n\r\n",
    "chunked, capital size": CHUNKED + b"A\r\n0123456789\r\n0\r\n\r\n",
    "chunked, zeros before a size": CHUNKED + b"0002\r\nok\r\n000\r\n\r\n",
    "chunked, extensions": CHUNKED + b"2;name=value\r\nok\r\n0;last\r\n\r\n",
    "chunked, quoted extension": CHUNKED + b'2;a="b c"\r\nok\r\n0\r\n\r\n',
    "chunked, trailers": CHUNKED + b"2\r\nok\r\n0\r\nX-Sum: 1\r\nX-End: 2\r\n\r\n",
    "chunked, odd casing": S + b"TRANSFER-ENCODING: Chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "chunked and closed": S + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"2\r\nok\r\n0\r\n\r\n",
    "up to the close": S + b"Connection: close\r\n\r\nok",
    "up to the close, unsaid": S + b"\r\nok",
    "up to the close, empty": S + b"Connection: close\r\n\r\n",
    "close with a length": whole(S + b"Connection: close\r\n"),
    "HTTP/1.0": b"HTTP/1.0 200 OK\r\n\r\nold",
    "HTTP/1.0 with a length": whole(b"HTTP/1.0 200 OK\r\n"),
    "HTTP/1.0 kept alive": whole(b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n"),
    "204": b"HTTP/1.1 204 No Content\r\n\r\n",
    "204 with a length": b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
    "304": b'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\n\r\n',
    "304 with a length": b"HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n",
    "304 with gzip": b"HTTP/1.1 304 X\r\nContent-Encoding: gzip\r\n\r\n",
    "302": whole(b"HTTP/1.1 302 Found\r\nLocation: /b\r\n", b""),
    "404": whole(b"HTTP/1.1 404 Not Found\r\n"),
    "500": whole(b"HTTP/1.1 500 X\r\n"),
    "status beyond the known": whole(b"HTTP/1.1 799 X\r\n"),
    "100 before": b"HTTP/1.1 100 Continue\r\n\r\n" + whole(S),
    "100 with a header before": b"HTTP/1.1 100 Continue\r\nX-A: b\r\n\r\n"
    + whole(S + b"X-C: d\r\n"),
    "100 twice before": b"HTTP/1.1 100 Continue\r\n\r\n" * 2 + CHUNKED + b"2\r\nok\r\n0\r\n\r\n",
    "100 before up to the close": b"HTTP/1.1 100 Continue\r\n\r\n" + S + b"\r\nok",
    "gzip": whole(S + b"Content-Encoding: gzip\r\n", GZIP),
    "gzip, odd casing": whole(S + b"CONTENT-ENCODING: GZip\r\n", GZIP),
    "x-gzip": whole(S + b"Content-Encoding: x-gzip\r\n", GZIP),
    "gzip in chunks": S + b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"%x\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n" % (7, GZIP[:7], len(GZIP) - 7, GZIP[7:]),
    "gzip up to the close": S + b"Content-Encoding: gzip\r\n\r\n" + GZIP,
    "gzip of nothing": whole(S + b"Content-Encoding: gzip\r\n", gzip.compress(b"", mtime=0)),
    "gzip, but empty": whole(S + b"Content-Encoding: gzip\r\n", b""),
    "gzip in two members": whole(S + b"Content-Encoding: gzip\r\n", GZIP + GZIP),
    "deflate": whole(S + b"Content-Encoding: deflate\r\n", deflated(JSON, 15)),
    "raw deflate": whole(S + b"Content-Encoding: deflate\r\n", deflated(JSON, -15)),
    "identity": whole(S + b"Content-Encoding: identity\r\n"),
    "not UTF-8": whole(S, b"\xff\xfe\x00"),
    "bytes behind the answer": whole(S) + b"garbage",
    "another answer behind it": whole(S)
    + whole(b"HTTP/1.1 500 X\r\nX-Not: ours\r\n", b"not ours"),
    "half an answer behind it": whole(S) + b"HTTP/1.1 500 X\r\nX-N",
}
WRONG = {
    "nothing": b"",
    "an empty line": b"\r\n\r\n",
    "empty lines, then an answer": b"\r\n\r\n" + whole(S),
    "half a version": b"HTTP/1",
    "two lengths": S + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nok",
    "another protocol": b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
    "garbage": b"garbage\r\n\r\n",
    "a length that is never reached": S + b"Content-Length: 5\r\n\r\nok",
    "a chunk that is cut": CHUNKED + b"5\r\nok",
    "chunks without an end": CHUNKED + b"2\r\nok\r\n",
    "a chunk's size that is none": CHUNKED + b"zz\r\nok\r\n0\r\n\r\n",
    "no gzip": whole(S + b"Content-Encoding: gzip\r\n"),
    "no deflate": whole(S + b"Content-Encoding: deflate\r\n", b"\xff\xff\xff\xff"),
    "a status of letters": whole(b"HTTP/1.1 abc X\r\n"),
    "a status below 100": whole(b"HTTP/1.1 099 X\r\n"),
    "a status of four digits": whole(b"HTTP/1.1 2000 X\r\n"),
    "another version": whole(b"HTTP/2.0 200 OK\r\n"),
    "no version": whole(b"HTTP 200 OK\r\n"),
    "only 100": b"HTTP/1.1 100 Continue\r\n\r\n",
}
# What `requests` takes and we refuse, each because an answer like it shows a broken server.
STRICTER = {
    "bare LF": (b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok", "RFC 9112, 2.2: lines end in CRLF"),
    "a length beside chunked": (
        S + b"Content-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        "RFC 9112, 6.3: may be an attempt at smuggling",
    ),
    "a status line that is cut": (b"HTTP/1.1 200", "the headers never came"),
    "a length of letters": (S + b"Content-Length: two\r\n\r\nok", "RFC 9112, 6.3: unrecoverable"),
    "a negative length": (S + b"Content-Length: -2\r\n\r\nok", "RFC 9112, 6.3: unrecoverable"),
    "a header without a colon": (whole(S + b"X-Broken\r\n"), "no field line"),
    "a space before a colon": (whole(S + b"X-A : b\r\n"), "RFC 9112, 5.1: not allowed"),
    "a head that is cut": (S + b"X-A: b\r\n", "more headers may have followed"),
    "trailers that are cut": (CHUNKED + b"2\r\nok\r\n0\r\n", "the end of the answer never came"),
    "gzip that is cut": (
        whole(S + b"Content-Encoding: gzip\r\n", GZIP[:-9]),
        "its checksum never came",
    ),
    "an unknown coding": (
        whole(S + b"Content-Encoding: compress\r\n"),
        "nobody can judge that body",
    ),
    "103 before": (
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + whole(S),
        "http.client takes the 103 for the answer; see the test of announcements",
    ),
    "101": (
        b"HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: a\r\n\r\n",
        "nobody asked for another protocol",
    ),
}


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

"""Each failure has a constant name of its own, and the session works again right after."""

from __future__ import annotations

import gzip
import socket
from collections.abc import Callable

from gevent.monkey import get_original

import pytest

from harness.http.wire import Address, Connection, Fault, parser
from harness.http.wire import faults as names
from notice_api import contract
from support.raw_servers import (
    OK,
    Behaviour,
    Client,
    Server,
    answer,
    answers_after,
    no_more_open_files,
    nobody_accepts,
    resets_after,
    sends,
    stalls_after,
    trickles,
)

sleep_without_the_loop = get_original("time", "sleep")

BODY = b'[{"name": "cse", "api_url": "http://campus.example/cse"}]'
RIGHT = answer(200, BODY)
HEAD = b"HTTP/1.1 200 OK\r\n"
LONG = HEAD + b"Content-Length: 100\r\n\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
MANY = 17 * 1024 * 1024
REDIRECT = "redirect: expected status 200, got 302 to "


def location(text: str) -> Behaviour:
    return sends(answer(302, b"", f"Location: {text}"))


FAILURES: dict[str, tuple[Behaviour, str]] = {
    "reset before an answer": (resets_after(b""), names.RESET),
    "reset inside an answer": (resets_after(LONG + b"{"), names.RESET),
    "closed before an answer": (sends(b""), names.CLOSED_BEFORE),
    "closed inside the status line": (sends(HEAD[:5]), names.CLOSED_INSIDE),
    "closed inside the head": (sends(HEAD), names.CLOSED_INSIDE),
    "closed before the body": (sends(LONG), names.CLOSED_INSIDE),
    "closed inside the body": (sends(LONG + b"[{"), names.CLOSED_INSIDE),
    "closed inside a chunk": (sends(CHUNKED + b"a\r\n[{"), names.CLOSED_INSIDE),
    "closed between chunks": (sends(CHUNKED + b"2\r\n[{\r\n"), names.CLOSED_INSIDE),
    "stalls before an answer": (stalls_after(b""), names.ANSWER_TIMEOUT),
    "stalls inside the head": (stalls_after(HEAD), names.ANSWER_TIMEOUT),
    "stalls inside the body": (stalls_after(LONG + b"[{"), names.ANSWER_TIMEOUT),
    "trickles": (trickles(RIGHT, 0.05), names.ANSWER_TIMEOUT),
    "garbage": (sends(b"garbage\r\n\r\n"), names.NOT_HTTP),
    "binary garbage": (sends(b"\x00\xff" * 50), names.NOT_HTTP),
    "another protocol": (sends(b"SSH-2.0-OpenSSH_9.6\r\n"), names.NOT_HTTP),
    "TLS alert": (sends(b"\x15\x03\x01\x00\x02\x02\x46"), names.NOT_HTTP),
    "bad chunk": (sends(CHUNKED + b"zz\r\n"), names.WRONG_BODY),
    "no gzip": (sends(answer(200, BODY, "Content-Encoding: gzip")), names.WRONG_BODY),
    "unknown coding": (sends(answer(200, BODY, "Content-Encoding: br")), names.WRONG_BODY),
    "endless header": (sends(HEAD + b"X: " + b"x" * 300_000), names.HEAD_TOO_LARGE),
    "endless headers": (sends(HEAD + b"X-A: b\r\n" * 40_000), names.HEAD_TOO_LARGE),
    "head of 70 KB, ended": (
        sends(HEAD + b"X: " + b"x" * 70_000 + b"\r\nContent-Length: 0\r\n\r\n"),
        names.HEAD_TOO_LARGE,
    ),
    "body too large": (sends(answer(200, b" " * MANY)), names.BODY_TOO_LARGE),
    "body too large, chunked": (
        sends(CHUNKED + b"%x\r\n%s\r\n0\r\n\r\n" % (MANY, b" " * MANY)),
        names.BODY_TOO_LARGE,
    ),
    "body too large, to the close": (sends(HEAD + b"\r\n" + b" " * MANY), names.BODY_TOO_LARGE),
    "gzip bomb": (
        sends(answer(200, gzip.compress(b"\0" * 10 * MANY), "Content-Encoding: gzip")),
        names.BODY_TOO_LARGE,
    ),
    "gzip bomb of members": (
        sends(answer(200, gzip.compress(b"\0" * 6_000_000) * 3, "Content-Encoding: gzip")),
        names.BODY_TOO_LARGE,
    ),
    "redirect to a path": (location("/b?id=7"), REDIRECT + "another path of this server"),
    "redirect to https": (location("https://127.0.0.1/b"), REDIRECT + "https of this host"),
    "redirect to this host": (location("//127.0.0.1:1/b"), REDIRECT + "http of this host"),
    "redirect to another host": (location("http://x.example/"), REDIRECT + "another host"),
    "redirect to another host, //": (location("//x.example/"), REDIRECT + "another host"),
    "redirect to no URL": (location("http://[/"), REDIRECT + "nowhere"),
    "redirect to nowhere": (sends(answer(302)), REDIRECT + "nowhere"),
    "304": (sends(b"HTTP/1.1 304 X\r\n\r\n"), "expected status 200, got 304"),
    "another status": (sends(answer(503, BODY)), "expected status 200, got 503"),
    "no JSON": (
        sends(answer(200, b"<html>")),
        "wrong JSON: expected a JSON body, got something else",
    ),
    "wrong shape": (
        sends(answer(200, b"{}")),
        "contract violation: Expected `array`, got `object`",
    ),
}


def patience_s(expected: str) -> float:
    """Return a short time for a server that stalls, and for others one that no noise exceeds."""
    return 0.5 if expected == names.ANSWER_TIMEOUT else 30.0


@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_has_its_name_and_the_next_request_works(
    name: str, serve: Callable[..., Server], connect: Callable[..., Client]
) -> None:
    behave, expected = FAILURES[name]
    server = serve(behave)
    client = connect(server.url, answer_timeout_s=patience_s(expected))
    assert not client.session.send(contract.list_boards())
    server.behave = sends(RIGHT)
    assert client.session.send(contract.list_boards())
    assert client.problems == [expected, None]
    assert len(server.requests) == 2


@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_on_a_kept_connection_has_the_same_name(
    name: str, serve: Callable[..., Server], connect: Callable[..., Client]
) -> None:
    behave, expected = FAILURES[name]
    server = serve(sends(RIGHT, keeps=True))
    client = connect(server.url, answer_timeout_s=patience_s(expected))
    assert client.session.send(contract.list_boards())
    server.behave = behave
    assert not client.session.send(contract.list_boards())
    server.behave = sends(RIGHT, keeps=True)
    assert client.session.send(contract.list_boards())
    assert client.problems == [None, expected, None]


def test_nobody_listens(connect: Callable[..., Client]) -> None:
    with socket.socket() as silent, no_more_open_files():
        silent.bind(("127.0.0.1", 0))  # so that nobody else gets the port meanwhile
        client = connect(f"http://127.0.0.1:{silent.getsockname()[1]}")
        assert not client.session.send(contract.list_boards())
    assert client.problems == [names.REFUSED]


def test_a_name_that_no_one_has(connect: Callable[..., Client]) -> None:
    client = connect("http://no-such-host.invalid")
    assert not client.session.send(contract.list_boards())
    assert client.problems == [names.DNS]


@pytest.mark.parametrize("host", ["a..b.example", "x" * 70 + ".example"])
def test_a_name_that_is_none(host: str) -> None:
    with pytest.raises(Fault, match=names.DNS):
        Connection(Address(host, 80, None, 1.0, 1.0))


def test_a_connect_timeout(connect: Callable[..., Client]) -> None:
    with nobody_accepts() as port, no_more_open_files():
        client = connect(f"http://127.0.0.1:{port}", connect_timeout_s=0.3)
        assert not client.session.send(contract.list_boards())
    assert client.problems == [names.CONNECT_TIMEOUT]
    assert client.fired[0]["response_time"] > 150


def test_the_answer_timeout_is_for_each_request_anew(
    serve: Callable[..., Server], connect: Callable[..., Client]
) -> None:
    server = serve(answers_after(0.3))
    client = connect(server.url, answer_timeout_s=1.0)
    for _ in range(5):
        client.call()
    assert client.problems == [None] * 5
    assert server.connections == 1


def test_the_answer_timeout_still_holds_on_the_hundredth_request(
    serve: Callable[..., Server], connect: Callable[..., Client]
) -> None:
    server = serve(sends(OK, keeps=True))
    client = connect(server.url, answer_timeout_s=0.5)
    for _ in range(100):
        client.call()
    server.behave = stalls_after(b"")
    client.call()
    assert client.problems == [None] * 100 + [names.ANSWER_TIMEOUT]
    assert client.fired[-1]["response_time"] > 400


def test_a_body_of_just_the_limit_is_right(
    serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    body = bytes(parser.MAX_BODY_BYTES)
    for raw in (
        answer(200, body),
        answer(200, gzip.compress(body, 1), "Content-Encoding: gzip"),
    ):
        connection = Connection(Address("127.0.0.1", serve(sends(raw)).port, None, 5.0, 20.0))
        assert connection.exchange(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").body == body
        connection.close()


def test_one_byte_over_the_limit_is_not(serve: Callable[..., Server]) -> None:
    body = bytes(parser.MAX_BODY_BYTES + 1)
    for raw in (
        answer(200, body),
        answer(200, gzip.compress(body, 1), "Content-Encoding: gzip"),
    ):
        connection = Connection(Address("127.0.0.1", serve(sends(raw)).port, None, 5.0, 20.0))
        with pytest.raises(Fault, match=names.BODY_TOO_LARGE):
            connection.exchange(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")


def test_a_large_request_is_sent_whole(
    serve: Callable[..., Server], connect: Callable[..., Client]
) -> None:
    server = serve(sends(OK, keeps=True))
    client = connect(server.url)
    body = b"0123456789abcdef" * 500_000
    client.call("PUT", body=body)
    assert server.bodies == [body]
    assert client.problems == [None]


def test_all_names_differ() -> None:
    texts = [
        value
        for name, value in vars(names).items()
        if name.isupper() and isinstance(value, str) and not name.startswith("_")
    ]
    assert len(texts) >= 15
    assert len(set(texts)) == len(texts)


def test_an_answer_that_came_in_time_counts_however_late_it_is_read(
    serve: Callable[..., Server], connect: Callable[..., Client]
) -> None:
    """The loop stood still: its timer and the answer are due in the same turn."""

    def behave(connection: socket.socket, _number: int) -> bool:
        connection.sendall(OK)
        sleep_without_the_loop(0.4)
        return True

    client = connect(serve(behave).url, answer_timeout_s=0.3)
    client.call()
    assert client.problems == [None]


def test_a_body_of_many_empty_members_is_refused_at_once(
    serve: Callable[..., Server], connect: Callable[..., Client]
) -> None:
    """Each costs a copy of the rest: they would stop the loop of all users for seconds."""
    body = gzip.compress(b"") * 100_000
    client = connect(serve(sends(answer(200, body, "Content-Encoding: gzip"))).url)
    client.call()
    assert client.problems == [names.WRONG_BODY]

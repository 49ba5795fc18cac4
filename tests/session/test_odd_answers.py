"""Answers that are right but unusual: redirects to odd places, and answers without a body."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.http.response import redirect_problem
from notice_api import contract
from support.raw_servers import OK, Client, Server, answer, sends

REDIRECT = "redirect: expected status 200, got 302 to "
HERE, HOST, ELSEWHERE = "another path of this server", "http of this host", "another host"

LOCATIONS = {
    "an absolute path": (b"/b", HERE),
    "a relative path": (b"b/c", HERE),
    "a path above": (b"../b", HERE),
    "only a query": (b"?page=2", HERE),
    "only a fragment": (b"#top", HERE),
    "this very server": (b"http://127.0.0.1:%d/b", HERE),
    "this server in capitals": (b"HTTP://127.0.0.1:%d/b", HERE),
    "this server without a scheme": (b"//127.0.0.1:%d/b", HERE),
    "https of this host": (b"https://127.0.0.1/b", "https of this host"),
    "https of the same port": (b"https://127.0.0.1:%d/b", "https of this host"),
    "another port": (b"http://127.0.0.1:1/b", HOST),
    "the usual port": (b"http://127.0.0.1/b", HOST),
    "another port without a scheme": (b"//127.0.0.1:1/b", HOST),
    "another host": (b"http://x.example/b", ELSEWHERE),
    "another host that begins alike": (b"http://127.0.0.1.x.example:%d/b", ELSEWHERE),
    "another host behind this one's name": (b"http://127.0.0.1:%d@x.example/b", ELSEWHERE),
    "backslashes": (b"\\\\x.example\\b", HERE),
    "latin-1": (b"/J\xfcrgen", HERE),
    "not UTF-8": (b"/\xff\xfe\x80", HERE),
    "UTF-8": ("/장학".encode(), HERE),
    "spaces": (b"/a b  c", HERE),
    "a bracket that is never closed": (b"http://[::1/b", "nowhere"),
    "no address in brackets": (b"http://[x]/b", "nowhere"),
    "a port that is none": (b"http://127.0.0.1:port/b", HOST),
    "very long": (b"/" + b"x" * 30_000, HERE),
    "empty": (b"", "nowhere"),
    "only spaces": (b"   ", "nowhere"),
}


def redirect(location: bytes, port: int) -> bytes:
    location = location.replace(b"%d", b"%d" % port)
    return b"HTTP/1.1 302 Found\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n" % location


@pytest.mark.parametrize("name", LOCATIONS)
def test_a_redirect_says_whither_in_constant_text(
    name: str, serve: Callable[..., Server], connect: Callable[..., Client]
) -> None:
    location, whither = LOCATIONS[name]
    server = serve(sends(OK, keeps=True))
    server.behave = sends(redirect(location, server.port), keeps=True)
    client = connect(server.url)
    assert not client.session.send(contract.list_boards())
    client.call(target="/a")
    assert client.problems == [REDIRECT + whither] * 2
    assert len(server.requests) == 2, "it is not followed"
    assert server.connections == 1


@pytest.mark.parametrize("status", [300, 301, 302, 303, 305, 307, 308, 399])
def test_the_status_of_a_redirect_is_named(
    status: int, serve: Callable[..., Server], connect: Callable[..., Client]
) -> None:
    client = connect(serve(sends(answer(status, b"", "Location: /b"))).url)
    client.session.send(contract.list_boards())
    client.session.send(contract.register("a"))
    assert client.problems == [
        f"redirect: expected status 200, got {status} to another path of this server",
        f"redirect: expected status 201, got {status} to another path of this server",
    ]


def test_two_locations_are_one_that_leads_nowhere_else(
    serve: Callable[..., Server], connect: Callable[..., Client]
) -> None:
    raw = answer(302, b"", "Location: /b", "Location: /c")
    client = connect(serve(sends(raw)).url)
    client.session.send(contract.list_boards())
    assert client.problems == [REDIRECT + HERE]


WITHOUT_A_BODY = {
    "304": b'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\n\r\n',
    "304 with the length of what it saves": b"HTTP/1.1 304 X\r\nContent-Length: 99\r\n\r\n",
    "304 with chunked": b"HTTP/1.1 304 X\r\nTransfer-Encoding: chunked\r\n\r\n",
    "204": b"HTTP/1.1 204 No Content\r\n\r\n",
    "204 with Content-Length: 0": b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
    "205 with Content-Length: 0": b"HTTP/1.1 205 Reset\r\nContent-Length: 0\r\n\r\n",
}


@pytest.mark.parametrize("method", ["GET", "PUT", "POST", "DELETE"])
@pytest.mark.parametrize("name", WITHOUT_A_BODY)
def test_an_answer_without_a_body_leaves_the_connection_fit_for_the_next(
    name: str, method: str, serve: Callable[..., Server], connect: Callable[..., Client]
) -> None:
    def behave(connection: object, number: int) -> bool:
        connection.sendall(OK if number == 2 else WITHOUT_A_BODY[name])
        return True

    server = serve(behave)
    client = connect(server.url)
    got = [client.call(method) for _ in range(3)]
    status = int(name[:3])
    assert [response.status_code for response in got] == [status, 200, status]
    assert [response.content for response in got] == [b"", b"ok", b""]
    named = f"expected status 200, got {status}"
    assert client.problems == [named, None, named]
    assert server.connections == 1


@pytest.mark.parametrize("name", ["204", "204 with Content-Length: 0"])
def test_a_deletion_is_done_with_a_204(
    name: str, serve: Callable[..., Server], connect: Callable[..., Client]
) -> None:
    client = connect(serve(sends(WITHOUT_A_BODY[name], keeps=True)).url)
    assert client.session.send(contract.unregister("a"))
    assert client.problems == [None]


HEADS = {
    "a length": b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n",
    "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    "neither": b"HTTP/1.1 200 OK\r\n\r\n",
    "an error": b"HTTP/1.1 404 Not Found\r\nContent-Length: 99\r\n\r\n",
    "gzip": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 99\r\n\r\n",
    "announced": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n",
}


@pytest.mark.parametrize("name", HEADS)
def test_the_answer_to_head_ends_with_its_head(
    name: str, serve: Callable[..., Server], connect: Callable[..., Client]
) -> None:
    server = serve(sends(HEADS[name], keeps=True))
    client = connect(server.url)
    got = client.call("HEAD")
    status = 404 if name == "an error" else 200
    assert (got.status_code, got.content) == (status, b"")
    server.behave = sends(OK, keeps=True)
    assert client.call().content == b"ok"
    assert client.problems == [None if status == 200 else "expected status 200, got 404", None]


@pytest.mark.parametrize(
    ("base_url", "location", "whither"),
    [
        ("http://a.example", "http://a.example:80/b", HERE),
        ("https://a.example:443", "https://a.example/b", HERE),
        ("http://a.example:8000", "HTTP://A.Example:8000/b", HERE),
        ("http://a.example:8000", "http://a.example:port/b", HOST),
        ("http://a.example", "x-7f3a://a.example/b", "nowhere"),
        ("http://a.example", "mailto:kim@a.example", "nowhere"),
    ],
)
def test_one_address_in_two_spellings_is_one(base_url: str, location: str, whither: str) -> None:
    """And no scheme of the server's invention gets into the text."""
    assert redirect_problem(200, 302, location, base_url) == REDIRECT + whither

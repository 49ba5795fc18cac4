"""Whatever a server sends: the exchange ends in time, as a named fault, with its socket closed."""

from __future__ import annotations

import gc
import socket
from collections.abc import Callable
from random import Random

import gevent

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.http.wire.parser import AnswerParser
from notice_api import contract
from support.commands import PATIENCE_S
from support.raw_responses import RIGHT, STRICTER, WRONG
from support.raw_servers import (
    OK,
    Behaviour,
    Client,
    Server,
    fault_of,
    no_more_open_files,
    sends,
    sends_pieces,
)

SEEDS = [*RIGHT.values(), *WRONG.values(), *(raw for raw, _ in STRICTER.values())]
SNIPPETS = (
    b"\r\n",
    b"\n",
    b"\r",
    b"\r\n\r\n",
    b"\x00",
    b"\xff",
    b":",
    b" ",
    b"0",
    b"-1",
    b";",
    b"HTTP/1.1 ",
    b"HTTP/1.1 200 OK\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"101",
    b"204",
    b"Content-Length: 5\r\n",
    b"Content-Length: 99999999999999999999\r\n",
    b"Upgrade: a\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Connection: upgrade\r\n",
    b"ffffffffffffffff\r\n",
    b"Content-Encoding: gzip\r\n",
    b"Content-Encoding:\r\n",
    b"Location: http://[\r\n",
    b"Connection: close\r\n",
    b"Connection: keep-alive\r\n",
    b" folded\r\n",
    b"\x1f\x8b\x08",
)


def garbage(random: Random) -> bytes:
    """Return a right or wrong answer with a few changes, or nothing but noise."""
    if random.random() < 0.1:
        return random.randbytes(random.randrange(200))
    if random.random() < 0.2:
        return b"".join(random.choices(SNIPPETS, k=random.randrange(1, 12)))
    raw = bytearray(random.choice(SEEDS))
    for _ in range(random.randrange(1, 5)):
        start = random.randrange(len(raw) + 1)
        end = min(len(raw), start + random.randrange(8))
        match random.randrange(5):
            case 0:
                raw[start:end] = random.randbytes(end - start)
            case 1:
                del raw[start:end]
            case 2:
                raw[start:start] = raw[start:end]
            case 3:
                raw[start:start] = random.choice(SNIPPETS)
            case _:
                raw[start:] = random.choice(SEEDS)[start:]
    return bytes(raw)


def test_ten_thousand_wrong_answers_leave_no_socket(
    serve: Callable[..., Server], connect: Callable[..., Client]
) -> None:
    random = Random(1)

    def behave(connection: socket.socket, _number: int) -> bool:
        connection.sendall(garbage(random))
        return random.random() < 0.05  # now and then it waits for more, or the client does

    server = serve(behave)
    client = connect(server.url, answer_timeout_s=0.05)
    requests = (contract.list_boards(), contract.browse(("cse",), 1), contract.register("a"))
    with no_more_open_files(but=2):  # one kept connection has two ends here
        for number in range(10_000):
            client.session.send(requests[number % 3])
    assert len(client.fired) == 10_000
    assert None not in client.problems
    assert len(set(client.problems)) < 60  # constant texts
    client.session.close()


@settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.lists(st.one_of(st.sampled_from(SNIPPETS + tuple(SEEDS)), st.binary(max_size=20))),
    st.booleans(),
)
def test_an_exchange_ends_in_time(
    serve: Callable[..., Server], parts: list[bytes], keeps: bool
) -> None:
    server = serve(sends_pieces(parts, keeps=keeps))
    with gevent.Timeout(PATIENCE_S):
        fault_of(server.port, answer_s=0.1)  # raises whatever is not a Fault
    server.stop()


def test_a_right_answer_is_told_from_garbage(
    serve: Callable[..., Server], connect: Callable[..., Client]
) -> None:
    server = serve(sends(b"garbage\r\n\r\n"))
    client = connect(server.url)
    assert not client.session.send(contract.list_boards())
    body = b'[{"name": "cse", "api_url": "http://campus.example/cse"}]'
    raw = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    server.behave = sends(raw, keeps=True)
    assert client.session.send(contract.list_boards())
    assert client.problems == ["not HTTP", None]


def test_endless_announcements_end(serve: Callable[..., Server]) -> None:
    def behave(connection: socket.socket, _number: int) -> bool:
        while True:
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)

    server = serve(behave)
    assert fault_of(server.port, answer_s=1.0) in ("answer timeout", "body too large")


@pytest.mark.parametrize("behave", [sends(OK), sends(b""), sends(b"garbage")])
def test_a_closed_connection_is_freed_without_the_garbage_collector(
    behave: Behaviour, serve: Callable[..., Server], connect: Callable[..., Client]
) -> None:
    """A run keeps the collector from running often."""
    client = connect(serve(behave).url)
    client.session._fire = lambda **_: None
    client.call()
    gc.collect()
    before = sum(isinstance(thing, AnswerParser) for thing in gc.get_objects())
    gc.disable()
    try:
        for _ in range(20):
            client.call()
        after = sum(isinstance(thing, AnswerParser) for thing in gc.get_objects())
        assert after == before
    finally:
        gc.enable()

"""A `with` block counts its request once, whatever happens in it, as locust's own clients do."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import gevent
from locust.clients import HttpSession
from locust.event import EventHook
from locust.exception import (
    InterruptTaskSet,
    RescheduleTask,
    RescheduleTaskImmediately,
    StopTest,
    StopUser,
)

import pytest
from session.raw_servers import OK, Client, Server, sends, wait_for

LEAVES = [
    *(RescheduleTask, RescheduleTaskImmediately, InterruptTaskSet, StopUser, StopTest),
    gevent.GreenletExit,
]
"""Locust's own ways to leave a task: none of them says anything about an answer."""


@pytest.fixture
def server(serve: Callable[..., Server]) -> Server:
    return serve(sends(OK, keeps=True))


@pytest.fixture
def locusts(server: Server) -> Iterator[tuple[HttpSession, list[str | None]]]:
    """Yield locust's own client, and what it reports."""
    reported: list[str | None] = []
    hook = EventHook()
    hook.add_listener(lambda exception, **_: reported.append(exception and str(exception)))
    session = HttpSession(base_url=server.url, request_event=hook, user=None)
    session.trust_env = False
    yield session, reported
    session.close()


@pytest.mark.parametrize("leave", LEAVES)
@pytest.mark.parametrize("verdict", ["success", "failure"])
def test_how_locusts_own_client_counts_a_block_that_is_left(
    leave: type[BaseException], verdict: str, locusts: tuple[HttpSession, list[str | None]]
) -> None:
    """What the tests of ours below go by."""
    session, reported = locusts
    with pytest.raises(leave), session.get("/", catch_response=True) as response:
        response.failure("no boards") if verdict == "failure" else response.success()
        raise leave
    assert reported == ["no boards" if verdict == "failure" else None]


def test_a_block_that_is_left_by_a_kill_keeps_what_was_said(
    server: Server, connect: Callable[..., Client]
) -> None:
    client = connect(server.url)
    with (
        pytest.raises(gevent.GreenletExit),
        client.session.get("/", catch_response=True) as response,
    ):
        response.failure("no boards")
        raise gevent.GreenletExit
    with pytest.raises(gevent.GreenletExit), client.session.get("/", catch_response=True):
        raise gevent.GreenletExit
    assert client.problems == ["no boards", None]


def test_a_user_that_is_killed_in_a_block_is_counted_once(
    server: Server, connect: Callable[..., Client]
) -> None:
    client = connect(server.url)

    def act() -> None:
        with client.session.get("/", catch_response=True) as response:
            response.failure("no boards")
            gevent.sleep(60)

    user = gevent.spawn(act)
    wait_for(lambda: server.requests, "it is sent")
    gevent.sleep(0.1)
    user.kill()
    assert client.problems == ["no boards"]


def test_the_last_word_counts(server: Server, connect: Callable[..., Client]) -> None:
    client = connect(server.url)
    with client.session.get("/", catch_response=True) as response:
        response.failure("no boards")
        response.success()
    with client.session.get("/", catch_response=True) as response:
        response.success()
        response.failure("no boards")
    assert client.problems == [None, "no boards"]

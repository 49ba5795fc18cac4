"""A `with` block counts its request once, whatever happens in it, as locust's own clients do."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import gevent
from gevent.event import Event
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
from session.raw_servers import OK, Client, Server, answer, sends, wait_for

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


@pytest.mark.parametrize("leave", LEAVES)
@pytest.mark.parametrize("verdict", ["success", "failure"])
def test_a_block_that_is_left_keeps_what_was_said(
    leave: type[BaseException],
    verdict: str,
    server: Server,
    connect: Callable[..., Client],
) -> None:
    client = connect(server.url)
    with pytest.raises(leave), client.session.get("/", catch_response=True) as response:
        response.failure("no boards") if verdict == "failure" else response.success()
        raise leave
    assert client.problems == ["no boards" if verdict == "failure" else None]


@pytest.mark.parametrize("status", [200, 404])
@pytest.mark.parametrize("leave", LEAVES)
def test_a_block_that_is_left_without_a_word_counts_by_its_status(
    leave: type[BaseException],
    status: int,
    serve: Callable[..., Server],
    connect: Callable[..., Client],
) -> None:
    """Locust itself loses such a request; it was answered, so ours is counted."""
    client = connect(serve(sends(answer(status))).url)
    with pytest.raises(leave), client.session.get("/", catch_response=True):
        raise leave
    assert client.problems == [None if status == 200 else "status 404"]


def test_an_exception_after_a_verdict_does_not_replace_it(
    server: Server, connect: Callable[..., Client]
) -> None:
    client = connect(server.url)
    with pytest.raises(KeyError), client.session.get("/", catch_response=True) as response:
        response.failure("no boards")
        raise KeyError("id 7")
    assert client.problems == ["no boards"]


@pytest.mark.parametrize("judge", ["success", "failure"])
def test_a_verdict_outside_of_a_block_is_refused(
    judge: str, server: Server, connect: Callable[..., Client]
) -> None:
    """It would change nothing: the request is counted already."""
    response = connect(server.url).session.get("/")
    with pytest.raises(ValueError, match="with block"):
        response.failure("no boards") if judge == "failure" else response.success()


@pytest.mark.parametrize("fails", [False, True])
def test_a_user_that_was_killed_before_the_block_ends_behind_it(
    fails: bool, serve: Callable[..., Server], connect: Callable[..., Client]
) -> None:
    """The kill waits for the answer, and for the report of it, and for nothing else."""
    over, came_to = Event(), []

    def behave(connection: object, _number: int) -> bool:
        over.wait()
        if not fails:
            connection.sendall(OK)
        return not fails

    server = serve(behave)
    client = connect(server.url)

    def act() -> None:
        with client.session.get("/", catch_response=True) as response:
            came_to.append("block")
            response.failure("no boards")
        came_to.append("behind the block")

    user = gevent.spawn(act)
    wait_for(lambda: server.requests, "it is sent")
    user.kill(block=False)
    gevent.sleep(0)
    over.set()
    user.join()
    assert came_to == ["block"]
    assert isinstance(user.value, gevent.GreenletExit)
    assert client.problems == ["no boards"]


def test_a_kill_wins_over_what_is_raised_in_the_block(
    serve: Callable[..., Server], connect: Callable[..., Client]
) -> None:
    over = Event()

    def behave(connection: object, _number: int) -> bool:
        over.wait()
        connection.sendall(OK)
        return True

    server = serve(behave)
    client = connect(server.url)

    def act() -> None:
        with client.session.get("/", catch_response=True) as response:
            response.success()
            raise RescheduleTask

    user = gevent.spawn(act)
    wait_for(lambda: server.requests, "it is sent")
    user.kill(block=False)
    gevent.sleep(0)
    over.set()
    user.join()
    assert isinstance(user.value, gevent.GreenletExit)
    assert client.problems == [None]

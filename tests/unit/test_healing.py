"""A worker that the master had given up comes back with its users, and they are there once."""

from __future__ import annotations

from collections.abc import Iterator

import locust
from locust.env import Environment
from locust.rpc import Message
from locust.runners import (
    HEARTBEAT_DEAD_INTERNAL,
    STATE_MISSING,
    STATE_RUNNING,
    STATE_SPAWNING,
    MasterRunner,
    WorkerNode,
)

import pytest

from harness.healing import forget_the_dead, heal_by_heartbeats, wait_longer

ONE, TWO = "host_one", "host_two"
HEARTBEAT = {"state": STATE_RUNNING, "current_cpu_usage": 1.0}
SPAWNED = {"user_classes_count": {"Somebody": 5}, "user_count": 5}


class Somebody(locust.User):
    """Nobody asks what it does."""


@pytest.fixture
def runner() -> Iterator[MasterRunner]:
    """Yield a master that ramps up to 10 users, and has given up one of its two workers."""
    environment = Environment(user_classes=[Somebody])
    runner = environment.create_master_runner("127.0.0.1", 0)
    for name in (ONE, TWO):
        runner.clients[name] = WorkerNode(name, state=STATE_RUNNING)
    runner._users_dispatcher = environment.dispatcher_class(
        runner.clients.running, environment.user_classes
    )
    runner._users_dispatcher.new_dispatch(10, 5)
    next(runner._users_dispatcher)
    runner.update_state(STATE_SPAWNING)
    runner.clients[ONE].state = STATE_MISSING
    runner._users_dispatcher.remove_worker(runner.clients[ONE])
    heal_by_heartbeats(runner)
    yield runner
    runner.greenlet.kill(block=True)
    context = runner.server.socket.context
    runner.server.close(linger=0)
    context.term()


def hear(runner: MasterRunner, kind: str, data: dict[str, object] | None) -> None:
    runner.handle_message(ONE, Message(kind, data, ONE))


def users(dispatched: dict[str, dict[str, int]]) -> dict[str, int]:
    return {worker: count["Somebody"] for worker, count in dispatched.items()}


def test_late_words_of_spawning_do_not_heal(runner: MasterRunner) -> None:
    """Locust's heartbeat would find nothing to heal behind them."""
    hear(runner, "spawning", None)
    hear(runner, "spawning_complete", SPAWNED)
    assert runner.clients[ONE].state == STATE_MISSING
    assert users(next(runner._users_dispatcher)) == {TWO: 5}
    hear(runner, "heartbeat", HEARTBEAT)
    assert runner.clients[ONE].state == STATE_RUNNING
    *_, all_of_them = runner._users_dispatcher
    assert users(all_of_them) == {ONE: 5, TWO: 5}
    hear(runner, "spawning_complete", SPAWNED)
    assert runner.clients[ONE].user_count == 5


def test_between_a_ramp_up_and_its_end_the_next_heartbeat_heals(runner: MasterRunner) -> None:
    list(runner._users_dispatcher)
    hear(runner, "heartbeat", HEARTBEAT)
    assert runner.clients[ONE].state == STATE_MISSING
    runner.update_state(STATE_RUNNING)
    started = []
    runner.start = lambda *arguments: started.append(arguments)
    hear(runner, "heartbeat", HEARTBEAT)
    assert runner.clients[ONE].state == STATE_RUNNING
    assert len(started) == 1, "the users are spread anew"


def test_what_others_say_is_heard(runner: MasterRunner) -> None:
    runner.handle_message(TWO, Message("spawning_complete", SPAWNED, TWO))
    assert runner.clients[TWO].user_count == 5


def test_a_worker_may_be_silent_for_as_long_as_it_is_told(runner: MasterRunner) -> None:
    wait_longer(runner, 18.0)
    runner.handle_message(TWO, Message("spawning_complete", SPAWNED, TWO))
    assert runner.clients[TWO].heartbeat < 18
    runner.handle_message(TWO, Message("heartbeat", HEARTBEAT, TWO))
    assert runner.clients[TWO].heartbeat == 18
    runner.handle_message("new", Message("client_ready", locust.__version__, "new"))
    assert runner.clients["new"].heartbeat == 18
    runner.handle_message("unknown", Message("heartbeat", HEARTBEAT, "unknown"))
    assert "unknown" not in runner.clients


def test_the_dead_are_forgotten_before_locust_begins_anew_without_them(
    runner: MasterRunner,
) -> None:
    dispatcher = runner._users_dispatcher
    runner.clients[ONE].heartbeat = HEARTBEAT_DEAD_INTERNAL + 11
    forget_the_dead(runner)
    assert {*runner.clients} == {ONE, TWO}
    runner.clients[ONE].heartbeat = runner.clients[TWO].heartbeat = HEARTBEAT_DEAD_INTERNAL + 10
    forget_the_dead(runner)
    assert {*runner.clients} == {TWO}, "one that is not missing is not dead"
    assert runner._users_dispatcher is dispatcher
    assert users(next(dispatcher)) == {TWO: 5}

"""Each patch on Locust: what Locust does without it, and what it does with it.

A test that fails after an upgrade says which patch has to be looked at again.
"""

from __future__ import annotations

import inspect
import logging
import random
import re
from collections.abc import Iterator
from random import Random
from types import SimpleNamespace
from typing import Any

import gevent
import gevent.pool
import locust
from locust.argument_parser import get_parser
from locust.dispatch import UsersDispatcher
from locust.env import Environment
from locust.log import setup_logging
from locust.rpc import Message
from locust.runners import (
    HEARTBEAT_DEAD_INTERNAL,
    STATE_INIT,
    STATE_MISSING,
    STATE_RUNNING,
    STATE_SPAWNING,
    MasterRunner,
    WorkerNode,
    WorkerRunner,
)
from locust.user.users import DefaultTaskSet

import pytest

from harness.config.settings import PROJECT_DIR
from harness.patches import TESTED_VERSION, locust_internals, newer_version_warning
from harness.patches.locust_internals import (
    rejoin_by_heartbeat_only,
    remove_dead_workers,
    set_worker_timeout,
)

ONE, TWO = "host_one", "host_two"
HEARTBEAT = {"state": STATE_RUNNING, "current_cpu_usage": 1.0}
SPAWNED = {"user_classes_count": {"Somebody": 5}, "user_count": 5}


class Somebody(locust.User):
    """Nobody asks what it does."""


class Waiting(locust.User):
    """Its task takes longer than any test."""

    @locust.task
    def wait(self) -> None:
        gevent.sleep(60)


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
    rejoin_by_heartbeat_only(runner)
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
    set_worker_timeout(runner, 18.0)
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
    remove_dead_workers(runner)
    assert {*runner.clients} == {ONE, TWO}
    runner.clients[ONE].heartbeat = runner.clients[TWO].heartbeat = HEARTBEAT_DEAD_INTERNAL + 10
    remove_dead_workers(runner)
    assert {*runner.clients} == {TWO}, "one that is not missing is not dead"
    assert runner._users_dispatcher is dispatcher
    assert users(next(dispatcher)) == {TWO: 5}


def test_the_listener_by_which_locust_counts_is_found() -> None:
    environment = Environment(user_classes=[Somebody])
    assert locust_internals.request_listener(environment) is None, "nobody counts"
    environment.create_local_runner()
    count = locust_internals.request_listener(environment)
    assert count is not None and environment.runner is not None
    count("GET", "/x", 12.0, 3)
    assert environment.stats.total.num_requests == 1
    environment.events.request.remove_listener(count)
    environment.events.request.fire(
        request_type="GET", name="/x", response_time=1.0, response_length=1
    )
    assert environment.stats.total.num_requests == 1, "no other listener counts"
    environment.runner.quit()


def test_a_user_that_is_told_to_stop_is_known() -> None:
    environment, group = Environment(user_classes=[Waiting]), gevent.pool.Group()
    user = Waiting(environment)
    user.start(group)
    gevent.sleep(0.01)
    assert not locust_internals.is_stopping(user)
    user.stop(force=False)
    assert locust_internals.is_stopping(user)
    group.kill()


def choices(seed: int, other_draws: int) -> list[str]:
    """Return the tasks that Locust picks for a user, among other draws of the same generator."""
    user = Waiting(Environment(user_classes=[Waiting]))
    names = "abcdefgh"
    user.tasks = locust_internals.RepeatableTasks(list(names), Random(seed))
    chosen = []
    for _ in range(50):
        for _ in range(other_draws):
            random.random()
        chosen.append(DefaultTaskSet(user).get_next_task())
    return chosen


def test_which_task_is_next_follows_from_the_users_own_generator() -> None:
    assert choices(1, 0) == choices(1, 3), "whatever others draw"
    assert choices(1, 0) != choices(2, 0)
    assert set(choices(1, 0)) == set("abcdefgh"), "one draw a choice"
    own = Random(1)
    assert choices(1, 0) == ["abcdefgh"[int(own.random() * 8)] for _ in range(50)]


def test_locusts_tables_go_where_its_log_goes(tmp_path: Any) -> None:
    tables, root = logging.getLogger("locust.stats_logger"), logging.getLogger()
    before, handlers = tables.handlers, root.handlers
    try:
        setup_logging("INFO", str(tmp_path / "locust.log"))
        assert tables.handlers, "Locust prints them on its own"
        locust_internals.print_one_table()
        assert tables.handlers == root.handlers
        tables.info("three tables")
        for handler in root.handlers:
            handler.flush()
        assert "three tables" in (tmp_path / "locust.log").read_text()
    finally:
        tables.handlers, root.handlers = before, handlers


def test_a_message_that_comes_early_is_no_warning(
    runner: MasterRunner, caplog: pytest.LogCaptureFixture
) -> None:
    logger = logging.getLogger("locust.runners")
    before, logger.propagate = list(logger.filters), True
    try:
        hear(runner, "suite.early", None)
        assert "suite.early" in caplog.text, "Locust warns"
        caplog.clear()
        locust_internals.allow_early_messages("suite.early")
        hear(runner, "suite.early", None)
        hear(runner, "suite.other", None)
        assert "suite.early" not in caplog.text
        assert "suite.other" in caplog.text
    finally:
        logger.filters[:] = before


def test_the_dispatcher_ends_when_the_run_is_stopping() -> None:
    is_stopping, told = [False], []
    kinds: list[type[UsersDispatcher]] = [
        UsersDispatcher,
        locust_internals.stoppable_dispatcher(lambda: is_stopping[0], told.append),
    ]
    steps = []
    for kind in kinds:
        is_stopping[0] = False
        dispatcher = kind([WorkerNode(ONE, state=STATE_RUNNING)], [Somebody])
        dispatcher._wait_between_dispatch = 0
        dispatcher.new_dispatch(5, 1)
        dispatcher._wait_between_dispatch = 0
        next(dispatcher)
        is_stopping[0] = True
        steps.append(len(list(dispatcher)))
    assert steps == [4, 0], "Locust's own goes on to the end of the ramp-up"
    assert told == [{ONE: {"Somebody": 1}}]


@pytest.mark.parametrize("is_stopping", [False, True])
def test_users_of_a_worker_that_leaves_are_not_replaced_at_the_end(
    runner: MasterRunner, is_stopping: bool
) -> None:
    list(runner._users_dispatcher)
    runner.update_state(STATE_RUNNING)
    started: list[tuple[Any, ...]] = []
    runner.start = lambda *arguments, **options: started.append(arguments)
    locust_internals.refuse_starts(runner, lambda: is_stopping)
    runner.handle_message(TWO, Message("client_stopped", None, TWO))
    assert bool(started) == (not is_stopping)


def test_a_worker_stops_once_at_a_time() -> None:
    class Runner:
        running, most = 0, 0

        def stop(self) -> None:
            self.running += 1
            self.most = max(self.most, self.running)
            gevent.sleep(0.01)
            self.running -= 1

    for patch, most in ((lambda _: None, 2), (locust_internals.stop_one_at_a_time, 1)):
        runner: Any = Runner()
        patch(runner)
        gevent.joinall([gevent.spawn(lambda runner=runner: runner.stop()) for _ in range(2)])
        assert runner.most == most


@pytest.mark.parametrize("is_over", [False, True])
def test_a_worker_gets_no_users_of_a_run_that_is_over(is_over: bool) -> None:
    class Runner:
        def start_worker(self, counts: dict[str, int], **_: object) -> None:
            started.append(counts)

    started: list[dict[str, int]] = []
    runner: Any = Runner()
    locust_internals.refuse_users(runner, lambda: is_over)
    runner.start_worker({"Somebody": 1})
    assert bool(started) == (not is_over)
    assert callable(locust.runners.WorkerRunner.start_worker), "Locust calls it by this name"


def test_the_command_line_is_seen_as_soon_as_it_is_parsed() -> None:
    parser = get_parser(default_config_files=[])
    seen: list[object] = []
    locust_internals.call_when_parsed(parser, seen.append)
    options = parser.parse_args(["--headless", "--users", "3"])
    assert seen == [options] and options.num_users == 3


def test_a_worker_that_has_finished_fires_test_start_for_its_next_run() -> None:
    """Locust fires it unless the worker's own state says that it is still running."""
    source = inspect.getsource(WorkerRunner)
    assert re.search(
        r"if self\.worker_state != STATE_RUNNING.*?test_start\.fire", source, re.DOTALL
    )
    runner = SimpleNamespace(worker_state=STATE_RUNNING)
    locust_internals.forget_run(runner)
    assert runner.worker_state == STATE_INIT


def test_several_handlers_add_up(runner: MasterRunner) -> None:
    heard: list[str] = []

    def handler(name: str) -> None:
        def handle(client_id: str, msg: Message) -> None:
            heard.append(name)
            original(client_id, msg)

        original = locust_internals.intercept_messages(runner, handle)

    handler("first")
    handler("second")
    runner.handle_message(TWO, Message("spawning_complete", SPAWNED, TWO))
    assert heard == ["second", "first"]
    assert runner.clients[TWO].user_count == 5, "and Locust's own comes last"


def test_the_tested_version_is_the_pinned_one() -> None:
    requirements = (PROJECT_DIR / "requirements.txt").read_text()
    assert re.search(r"^locust==(.*)$", requirements, re.MULTILINE)[1] == TESTED_VERSION


@pytest.mark.parametrize(
    ("installed", "is_warned_of"),
    [
        (TESTED_VERSION, False),
        ("2.9.0", False),
        ("1.99.99", False),
        (f"{TESTED_VERSION}.dev7", False),
        ("2.47.1", True),
        ("2.100.0", True),
        ("3.0.0", True),
    ],
)
def test_a_newer_locust_is_warned_of_in_one_line(installed: str, is_warned_of: bool) -> None:
    warning = newer_version_warning(installed)
    assert (warning is not None) == is_warned_of
    if warning is not None:
        assert f"Locust {installed} is newer than {TESTED_VERSION}" in warning
        assert "\n" not in warning

"""What a process tells of its requests: all of them, each in its second."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import gevent
from locust.env import Environment
from locust.event import Events

import pytest

from harness.recording.collector import Collector
from support.commands import PATIENCE_S

START = 1_600_000_000.0


@pytest.fixture
def environment() -> Environment:
    return Environment(user_classes=[], events=Events())


@pytest.fixture
def collector(environment: Environment) -> Iterator[Collector]:
    collector = Collector(environment)
    yield collector
    collector.stop()


def answered(
    environment: Environment,
    at_s: float,
    time_ms: float = 10.0,
    name: str = "/notice/list",
    problem: str | None = None,
) -> None:
    """Fire the event of a request whose answer came at a moment."""
    environment.events.request.fire(
        request_type="GET",
        name=name,
        response_time=time_ms,
        response_length=1,
        response=None,
        context={},
        exception=None if problem is None else ValueError(problem),
        start_time=START + at_s - time_ms / 1000,
        url="http://127.0.0.1/",
    )


def told(collector: Collector) -> dict[tuple[int, str], tuple[int, int]]:
    """Return (requests, failures) by second and name."""
    report = collector.take_report()
    counts = {}
    for interval in report.intervals:
        all_of = interval.histogram.get_total_count()
        failed = interval.failed and interval.failed.get_total_count()
        counts[interval.second - int(START), interval.name] = (all_of, failed or 0)
    return counts


def test_a_request_counts_in_the_second_of_its_answer(
    environment: Environment, collector: Collector
) -> None:
    for at_s, time_ms in ((0.1, 50.0), (0.9, 5.0), (1.2, 900.0), (3.0, 2500.0)):
        answered(environment, at_s, time_ms)
    collector.stop()
    name = "/notice/list"
    assert told(collector) == {(0, name): (2, 0), (1, name): (1, 0), (3, name): (1, 0)}


def test_endpoints_and_failures_are_kept_apart(
    environment: Environment, collector: Collector
) -> None:
    answered(environment, 0.1, name="/a")
    answered(environment, 0.2, name="/b", problem="connection reset")
    answered(environment, 0.3, name="/b", problem="connection reset")
    answered(environment, 0.4, name="/b")
    collector.stop()
    report = collector.take_report()
    assert {interval.name: interval.failed is None for interval in report.intervals} == {
        "/a": True,
        "/b": False,
    }
    (failure,) = report.failures
    assert (failure.name, failure.error, failure.count) == ("/b", "connection reset", 2)
    assert failure.first_seen_s == pytest.approx(START + 0.2)
    assert failure.last_seen_s == pytest.approx(START + 0.3)


def test_a_failure_that_was_not_timed_is_one(environment: Environment) -> None:
    """A custom task may fire it; the run may not pass for it. Locust counts it once, as ever."""
    runner = environment.create_local_runner()
    collector = Collector(environment)
    answered(environment, 0.5, name="/x")
    for problem in (None, ValueError("down")):
        environment.events.request.fire(
            request_type="GET",
            name="/x",
            response_time=None,
            response_length=0,
            exception=problem,
            context={},
        )
    collector.stop()
    report = collector.take_report()
    total, failed = 0, 0
    for interval in report.intervals:
        total += interval.histogram.get_total_count()
        if interval.failed is not None:
            failed += interval.failed.get_total_count()
    assert (total, failed) == (2, 1)
    assert [(failure.error, failure.count) for failure in report.failures] == [("down", 1)]
    of_locust = environment.stats.total
    assert (of_locust.num_requests, of_locust.num_failures) == (3, 1)
    runner.quit()


def test_nothing_is_told_twice_and_nothing_is_lost(
    environment: Environment, collector: Collector
) -> None:
    """However often it is asked, and whatever it is doing then."""
    total = 0
    for number in range(400):
        answered(environment, number / 20, time_ms=1 + number % 7, name=f"/{number % 3}")
        if number % 9 == 0:
            gevent.sleep(0)
            total += sum(requests for requests, _ in told(collector).values())
    collector.stop()
    total += sum(requests for requests, _ in told(collector).values())
    assert total == 400
    assert collector.take_report().intervals == []


def test_a_second_is_told_without_a_request_after_it(
    environment: Environment, collector: Collector
) -> None:
    answered(environment, 0.5)
    latest = gevent.Timeout.start_new(10)
    while not (counts := told(collector)):
        gevent.sleep(0.05)
    latest.cancel()
    assert counts == {(0, "/notice/list"): (1, 0)}


def test_after_it_was_stopped_it_listens_no_more(
    environment: Environment, collector: Collector
) -> None:
    collector.stop()
    collector.stop()
    answered(environment, 0.5)
    assert told(collector) == {}


def test_it_tells_how_the_process_did(collector: Collector) -> None:
    collector._environment.runner = SimpleNamespace(user_count=7)
    health: list = []
    with gevent.Timeout(PATIENCE_S):
        while len(health) < 2:
            gevent.sleep(0.2)
            health += collector.take_report().process_samples
    one, two = health[:2]
    assert two.second == one.second + 1
    assert all(each.cpu_percent >= 0 and each.lag_ms >= 0 for each in health)
    assert two.users == 7

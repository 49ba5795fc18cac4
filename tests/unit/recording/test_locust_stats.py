"""Locust's statistics, fed by the meter, beside those that locust makes of the same requests."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

from locust.env import Environment
from locust.event import Events
from locust.stats import RequestStats, StatsEntry

import pytest

from harness.recording.collector import Collector

FIELDS = (
    "num_requests",
    "num_failures",
    "num_none_requests",
    "total_content_length",
    "min_response_time",
    "max_response_time",
    "response_times",
)
REQUESTS = [("GET", "/notice/list"), ("GET", "/notice/all?q"), ("PUT", "/device")]


@pytest.fixture
def environment() -> Iterator[Environment]:
    environment = Environment(user_classes=[], events=Events(), catch_exceptions=False)
    environment.create_local_runner()
    yield environment
    assert environment.runner is not None
    environment.runner.quit()


def fire(environment: Environment, **changed: Any) -> None:
    meta: dict[str, Any] = {
        "request_type": "GET",
        "name": "/notice/list",
        "response_time": 12.5,
        "response_length": 100,
        "exception": None,
    }
    environment.events.request.fire(**meta | changed)


def same(ours: StatsEntry, locusts: StatsEntry) -> None:
    for field in FIELDS:
        assert getattr(ours, field) == getattr(locusts, field), field
    assert ours.total_response_time == pytest.approx(locusts.total_response_time)
    assert sum(ours.num_reqs_per_sec.values()) == sum(locusts.num_reqs_per_sec.values())
    assert sum(ours.num_fail_per_sec.values()) == sum(locusts.num_fail_per_sec.values())
    assert ours.last_request_timestamp == pytest.approx(locusts.last_request_timestamp, abs=2)


def test_they_are_what_locust_counts_of_the_same_requests(environment: Environment) -> None:
    random, expected = Random(1), RequestStats()
    collector = Collector(environment)
    for number in range(5000):
        method, name = random.choice(REQUESTS)
        time_ms, length = random.lognormvariate(4, 2), random.randrange(5000)
        error = ValueError(f"kind {random.randrange(3)}") if random.random() < 0.1 else None
        expected.log_request(method, name, time_ms, length)  # type: ignore[arg-type]
        if error:
            expected.log_error(method, name, error)
        fire(
            environment,
            request_type=method,
            name=name,
            response_time=time_ms,
            response_length=length,
            exception=error,
        )
        if number % 700 == 0:
            collector.take_report()
    collector.stop()
    ours = environment.stats
    same(ours.total, expected.total)
    assert ours.entries.keys() == expected.entries.keys()
    for key, entry in expected.entries.items():
        same(ours.entries[key], entry)
    assert {key: error.occurrences for key, error in ours.errors.items()} == {
        key: error.occurrences for key, error in expected.errors.items()
    }


def test_a_request_counts_once_during_and_after_the_meter(environment: Environment) -> None:
    fire(environment)
    collector = Collector(environment)
    fire(environment)
    fire(environment)
    collector.take_report()
    assert environment.stats.total.num_requests == 3
    fire(environment)
    collector.stop()
    fire(environment)
    collector.stop()
    assert environment.stats.total.num_requests == 5
    assert environment.stats.get("/notice/list", "GET").num_requests == 5


def test_there_are_never_more_failures_than_requests(environment: Environment) -> None:
    collector = Collector(environment)
    fire(environment)
    fire(environment, exception=ValueError("kind"))
    total = environment.stats.total
    assert (total.num_requests, total.num_failures) == (2, 1)
    collector.stop()


def test_locusts_own_rounding_can_still_be_replaced(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("locust.stats.bucket_response_time", lambda time_ms: 7)
    collector = Collector(environment)
    fire(environment)
    collector.stop()
    assert dict(environment.stats.total.response_times) == {7: 1}


@pytest.mark.parametrize("error", [None, ValueError("kind")])
def test_a_request_without_a_time_is_left_to_locust(
    environment: Environment, error: Exception | None
) -> None:
    collector = Collector(environment)
    fire(environment, response_time=None, exception=error)
    fire(environment)
    collector.stop()
    total = environment.stats.total
    assert (total.num_requests, total.num_none_requests) == (2, 1)
    assert total.num_failures == (error is not None)
    assert len(collector.take_report().intervals) == 1


def test_a_request_without_a_length_counts(environment: Environment) -> None:
    collector = Collector(environment)
    fire(environment, response_length=None)
    collector.stop()
    total = environment.stats.total
    assert (total.num_requests, total.total_content_length) == (1, 0)


def test_without_a_runner_nobody_counts() -> None:
    environment = Environment(user_classes=[], events=Events())
    collector = Collector(environment)
    fire(environment, exception=ValueError("kind"))
    collector.stop()
    assert environment.stats.total.num_requests == 0

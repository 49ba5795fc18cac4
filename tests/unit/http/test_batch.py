"""Many requests outside the statistics: each item once, bounded in time; no timeout is lost."""

from __future__ import annotations

import gevent

import pytest

from harness.config.settings import Settings
from harness.http import batch
from harness.http.session import Session
from harness.http.target import Target

TARGET = Target("http://127.0.0.1:1", Settings())


def test_each_item_is_taken_once() -> None:
    seen: list[int] = []
    batch.run(TARGET, range(100), lambda _, item: seen.append(item), per_s=100_000, timeout_s=60.0)
    assert sorted(seen) == list(range(100))


def wait(_session: Session, _item: int) -> None:
    gevent.sleep(60)


def test_its_own_timeout_ends_it_without_an_error() -> None:
    batch.run(TARGET, range(100), wait, per_s=100_000, timeout_s=0.05)


def test_a_timeout_of_the_caller_is_the_callers() -> None:
    with pytest.raises(gevent.Timeout) as timeout, gevent.Timeout(0.05) as own:
        batch.run(TARGET, range(100), wait, per_s=100_000, timeout_s=60.0)
    assert timeout.value is own

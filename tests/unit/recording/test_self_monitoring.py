"""What the watch over a process tells of each second, on a clock that the test drives."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from harness.recording import self_monitoring
from harness.recording.samples import ProcessSample

START_S = 1_600_000_000.3


class Stop(BaseException):
    """Ends the watch."""


def told(
    monkeypatch: pytest.MonkeyPatch, lags_s: Iterator[float], seconds: int
) -> list[ProcessSample]:
    """Return what is told of so many seconds by a process that wakes so late from its sleeps."""
    clock = SimpleNamespace(now_s=START_S)
    found: list[ProcessSample] = []

    def sleep(for_s: float) -> None:
        clock.now_s += for_s + next(lags_s)

    def tell(each: ProcessSample) -> None:
        found.append(each)
        if len(found) == seconds:
            raise Stop

    def now_s() -> float:
        return clock.now_s

    monkeypatch.setattr(self_monitoring, "time", SimpleNamespace(time=now_s, perf_counter=now_s))
    monkeypatch.setattr(
        self_monitoring, "gevent", SimpleNamespace(sleep=sleep, spawn=lambda run: run)
    )
    with pytest.raises(Stop):
        self_monitoring.SelfMonitor(tell)._watch()
    assert [each.second - int(START_S) for each in found] == list(range(seconds))
    return found


def test_each_second_has_its_worst_lag(monkeypatch: pytest.MonkeyPatch) -> None:
    lags_s = itertools.chain([0.001] * 40, [0.030], itertools.repeat(0.002))
    assert [each.lag_ms for each in told(monkeypatch, lags_s, 4)] == [1.0, 30.0, 2.0, 2.0]


def test_a_process_that_stands_still_is_late_in_every_second_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lags_s = itertools.chain([0.001] * 10, [12.0], itertools.repeat(0.001))
    lags_ms = [each.lag_ms for each in told(monkeypatch, lags_s, 15)]
    assert lags_ms[:12] == [12_000.0] * 12
    assert 500 < lags_ms[12] < 600, "it woke in mid-second"
    assert lags_ms[13:] == [1.0, 1.0]

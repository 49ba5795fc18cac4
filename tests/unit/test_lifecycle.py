"""Whose word the end of a run waits for."""

from __future__ import annotations

from types import SimpleNamespace

import msgspec
import pytest

from harness import histograms, settings
from harness.lifecycle import REPORT, Lifecycle
from harness.timeseries import Health, Interval, Report

IDLE = Report(health=[Health(1_600_000_000, 1.0, 1.0)])
BUSY = Report([Interval(1_600_000_000, "GET", "/x", histograms.of([5.0]).encode(), None)])


@pytest.fixture
def lifecycle() -> Lifecycle:
    lifecycle = Lifecycle(settings.load())
    lifecycle.recorder = SimpleNamespace(take=lambda report, worker: True)  # type: ignore[assignment]
    lifecycle.took_part = {"one"}
    return lifecycle


def report(lifecycle: Lifecycle, told: Report) -> None:
    data = {REPORT: msgspec.to_builtins(told, builtin_types=(bytes,))}
    lifecycle.on_worker_report(client_id="two", data=data)


def test_a_worker_that_was_missing_at_the_start_takes_part_with_its_first_requests(
    lifecycle: Lifecycle,
) -> None:
    """Its heartbeat comes back after a while; locust then gives it users, and says nothing."""
    report(lifecycle, IDLE)
    assert lifecycle.took_part == {"one"}
    report(lifecycle, BUSY)
    assert lifecycle.took_part == {"one", "two"}


def test_a_report_at_the_end_adds_nobody_to_wait_for(lifecycle: Lifecycle) -> None:
    lifecycle.stopping = True
    report(lifecycle, BUSY)
    assert lifecycle.took_part == {"one"}

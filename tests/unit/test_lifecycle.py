"""Whose word the end of a run waits for."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from harness import histograms, settings
from harness.lifecycle import REPORT, Finished, Lifecycle
from harness.timeseries import Health, Interval, Report

RUN = "now"
ENDED: list[tuple[str, str, int]] = []
IDLE = Report(run=RUN, health=[Health(1_600_000_000, 1.0, 1.0)])
ANSWERED = Interval(1_600_000_000, "GET", "/x", histograms.of([5.0]).encode(), None)
BUSY = Report([ANSWERED], run=RUN)


@pytest.fixture
def lifecycle() -> Lifecycle:
    lifecycle = Lifecycle(settings.load())
    lifecycle.recorder = SimpleNamespace(  # type: ignore[assignment]
        take=lambda report, worker: report.run == RUN,
        end=lambda worker, run, reports: ENDED.append((worker, run, reports)),
        folder=Path(RUN),
    )
    ENDED.clear()
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


def finished(lifecycle: Lifecycle, said: Finished) -> None:
    message = SimpleNamespace(node_id="two", data=msgspec.to_builtins(said))
    lifecycle.on_finished_message(message)


def test_what_a_worker_tells_of_an_earlier_run_says_nothing_of_this_one(
    lifecycle: Lifecycle,
) -> None:
    """That run had lost it; the network is back in the middle of this one."""
    report(lifecycle, Report([ANSWERED], run="before"))
    finished(lifecycle, Finished(run="before", reports=9))
    assert (lifecycle.took_part, lifecycle.reported, ENDED) == ({"one"}, {}, [])


def test_a_last_word_says_how_many_reports_there_were(lifecycle: Lifecycle) -> None:
    report(lifecycle, BUSY)
    finished(lifecycle, Finished(run=RUN, reports=9))
    assert (set(lifecycle.reported), ENDED) == ({"two"}, [("two", RUN, 9)])


def test_the_last_word_of_a_worker_without_users_is_heard(lifecycle: Lifecycle) -> None:
    finished(lifecycle, Finished())
    assert set(lifecycle.reported) == {"two"}

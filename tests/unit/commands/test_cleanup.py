"""From when on nothing of a run that died can be under way any more."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from harness.commands import cleanup
from harness.config.settings import Settings
from harness.devices.ledger import LEDGER, Ledger
from harness.distributed.master import LEASE_ENDED_AFTER_S
from harness.results.run_folder import read_manifest
from support.run_folders import write_run

TOLD = Settings(connect_timeout_s=5.0, answer_timeout_s=10.0)
EPOCH_S, UPTIME_S = 1_900_000_000.0, 5_000.0


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Keep two clocks, which go on only with what is slept."""
    slept: list[float] = []
    monkeypatch.setattr(time, "time", lambda: EPOCH_S + sum(slept))
    monkeypatch.setattr(time, "monotonic", lambda: UPTIME_S + sum(slept))
    monkeypatch.setattr(cleanup.time, "sleep", slept.append)
    return slept


def settled_s(folder: Path, seconds_ago: float, ended: bool, workers: int | None) -> float:
    """Return when, for a run of which there was a sign of life so many seconds ago."""
    write_run(folder, ended=ended, workers=workers)
    with Ledger(folder) as ledger:
        ledger.reserve(0, 0, 199)
    for path in folder.iterdir():
        os.utime(path, (EPOCH_S - seconds_ago, EPOCH_S - seconds_ago))
    return cleanup._ended_s(folder, read_manifest(folder), TOLD)


def test_the_sign_of_life_is_the_ledgers_time(tmp_path: Path, slept: list[float]) -> None:
    """Other files are written late when a worker is silent."""
    folder = tmp_path / "run"
    settled_s(folder, 3600.0, ended=False, workers=2)
    (folder / "timeline.csv").touch()
    cleanup._ended_s(folder, read_manifest(folder), TOLD)
    assert slept == []
    with Ledger(folder) as ledger:
        ledger.touch()
    assert (folder / LEDGER).stat().st_mtime != EPOCH_S - 3600.0


def test_of_a_run_that_ended_long_ago_all_is_settled(tmp_path: Path, slept: list[float]) -> None:
    assert settled_s(tmp_path / "run", 60.0, ended=True, workers=3) < UPTIME_S
    assert slept == []


def test_of_one_that_has_just_ended_the_server_may_still_be_at_work(
    tmp_path: Path, slept: list[float]
) -> None:
    """With KEEP_DEVICES=1 nothing was awaited at its end."""
    assert settled_s(tmp_path / "run", 1.0, ended=True, workers=3) == UPTIME_S - 1 + 10
    assert slept == []


def test_of_one_that_was_killed_the_server_may_still_be_at_work(
    tmp_path: Path, slept: list[float]
) -> None:
    assert settled_s(tmp_path / "run", 1.0, ended=False, workers=None) == UPTIME_S - 1 + 10
    assert slept == []


def test_workers_that_may_go_on_are_waited_for(tmp_path: Path, slept: list[float]) -> None:
    wait_s = LEASE_ENDED_AFTER_S - 1.0
    assert settled_s(tmp_path / "run", 1.0, ended=False, workers=2) == pytest.approx(
        UPTIME_S + wait_s - LEASE_ENDED_AFTER_S + 10
    )
    assert slept == [pytest.approx(wait_s)]


def test_workers_that_have_stopped_long_ago_are_not(tmp_path: Path, slept: list[float]) -> None:
    found_s = settled_s(tmp_path / "run", 3600.0, ended=False, workers=2)
    assert found_s < UPTIME_S
    assert slept == []


def test_a_clock_that_was_set_back_costs_no_more_than_any_other(
    tmp_path: Path, slept: list[float]
) -> None:
    found_s = settled_s(tmp_path / "run", -1e6, ended=False, workers=2)
    assert slept == [LEASE_ENDED_AFTER_S]
    assert found_s == UPTIME_S + LEASE_ENDED_AFTER_S - LEASE_ENDED_AFTER_S + 10
    ended_s = settled_s(tmp_path / "another", -1e6, ended=True, workers=2)
    assert ended_s == time.monotonic() + 10

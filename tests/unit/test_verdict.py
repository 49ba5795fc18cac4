"""The exit code of a run."""

from __future__ import annotations

import itertools

import pytest

from harness.runfolder import DeviceCounts
from harness.verdict import judge

CLEAN = DeviceCounts(registered=5, deleted=5)
LEFT = DeviceCounts(registered=5, deleted=3, left_behind=2)
NOTHING = "invalid: no request was made"


def test_a_clean_run_passes_without_a_word() -> None:
    assert judge(100, 0, 0, CLEAN) == (0, [])


def test_one_failure_of_many_misses() -> None:
    text = "1 of 100000 requests failed, see failures.csv"
    assert judge(100000, 1, 0, CLEAN) == (1, [text])


def test_devices_left_behind_are_told_and_do_not_decide() -> None:
    told = "2 devices may still be on the server"
    assert judge(100, 0, 0, LEFT) == (0, [told])
    code, reasons = judge(100, 3, 0, LEFT)
    assert code == 1
    assert reasons == ["3 of 100 requests failed, see failures.csv", told]


def test_no_request_is_no_measurement() -> None:
    assert judge(0, 0, 0, CLEAN) == (3, [NOTHING])


def test_the_suites_own_exceptions_are_no_measurement() -> None:
    text = "invalid: 2 exceptions in users, see locust_exceptions.csv"
    assert judge(100, 0, 2, CLEAN) == (3, [text])
    assert judge(0, 0, 2, CLEAN) == (3, [NOTHING, text])


@pytest.mark.parametrize(
    ("requests", "failures", "exceptions", "devices"),
    [*itertools.product((0, 100), (0, 100), (0, 1), (CLEAN, LEFT))],
)
def test_invalid_outranks_missed_outranks_passed(
    requests: int, failures: int, exceptions: int, devices: DeviceCounts
) -> None:
    code, reasons = judge(requests, failures, exceptions, devices)
    invalid = requests == 0 or exceptions > 0
    assert code == (3 if invalid else 1 if failures else 0)
    assert all(reason.startswith("invalid: ") for reason in reasons) or not invalid
    assert bool(reasons) == (code != 0 or devices is LEFT)

"""Which number of users comes next, and how many were carried."""

from __future__ import annotations

import math
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.experiments.compare import step_search
from harness.experiments.compare.files import Plan
from harness.results.run_folder import Objective
from support.compare_plans import plan

REPEATABLE = settings(deadline=None, derandomize=True, max_examples=200)


def steps_met(plan: Plan, holds: Callable[[int], bool | None]) -> list[int]:
    """Return the steps in order, when each ends as `holds` says."""
    held: dict[int, bool | None] = {}
    order = []
    while (users := step_search.next_users(plan, held)) is not None:
        assert users not in held
        held[users] = holds(users)
        order.append(users)
    return order


def objective(value: float | None, limit: float, key: str = "p95_ms") -> Objective:
    met = value is not None and value <= limit
    return Objective(
        scope="total", key=key, limit=limit, value=value, samples=9, met=met, sentence=""
    )


@pytest.mark.parametrize(
    ("carries", "expected"),
    [
        (330, [100, 200, 400, 283, 336]),  # 200 * sqrt 2, then the middle of 283 and 400
        (250, [100, 200, 400, 283, 238]),
        (99, [100, 50, 71, 84]),
        (7, [100, 50, 25, 12, 6, 8, 7]),
        (4, [100, 50, 25, 12, 6]),  # below 5 no step is tried
        (10_000, [100, 200, 400, 800, 1600, 3200]),
    ],
)
def test_users_are_doubled_and_the_gap_is_halved(carries: int, expected: list[int]) -> None:
    assert steps_met(plan(), lambda users: users <= carries) == expected


def test_given_steps_are_all_met() -> None:
    given_steps = plan(steps=[10, 20, 40])
    assert steps_met(given_steps, lambda users: users < 15) == [10, 20, 40]
    assert steps_met(given_steps, lambda _: None) == [10, 20, 40]


def test_behind_a_step_that_cannot_be_measured_nothing_is_tried() -> None:
    assert steps_met(plan(), lambda users: True if users < 400 else None) == [100, 200, 400]
    met = steps_met(plan(), lambda users: None if users == 283 else users < 300)
    assert met == [100, 200, 400, 283]


@REPEATABLE
@given(st.integers(6, 5000), st.integers(0, 4))
def test_the_gap_closes_as_often_as_told(carries: int, refinements: int) -> None:
    told = msgspec.structs.replace(plan(), refinements=refinements, most_users=100_000)
    held = {users: users <= carries for users in steps_met(told, lambda each: each <= carries)}
    found = step_search.carried(1, held, {})
    assert found.held is not None and found.missed is not None
    assert found.held <= carries < found.missed
    # Whole users: the ratio of a gap of few of them can only be about a root of 2.
    assert found.missed <= math.ceil(found.held * (2.2 ** (1 / 2**refinements)) + 1)


def test_between_two_steps_a_time_is_followed_in_its_logarithm() -> None:
    objectives = {100: [objective(50, 500)], 200: [objective(5000, 500)]}
    found = step_search.carried(2, {100: True, 200: False}, objectives)
    assert (found.round, found.held, found.missed) == (2, 100, 200)
    assert found.users == pytest.approx(141.4)  # 500 is halfway from 50 to 5000 in factors


def test_the_first_objective_to_be_missed_decides() -> None:
    found = step_search.carried(
        1,
        {100: True, 200: False},
        {
            100: [objective(50, 500), objective(0.0, 0.01, "fail_ratio")],
            200: [objective(600, 500), objective(0.04, 0.01, "fail_ratio")],
        },
    )
    assert found.users == pytest.approx(100 * 2**0.25, abs=0.06)  # a straight line from 0 to 0.04


def test_an_objective_without_failures_gives_no_users_beyond_the_step_that_held() -> None:
    objectives = {
        100: [objective(0.0, 0.0, "fail_ratio")],
        200: [objective(0.1, 0.0, "fail_ratio")],
    }
    assert step_search.carried(1, {100: True, 200: False}, objectives).users == 100
    without = {100: [objective(5, 9)], 200: [objective(None, 9)]}
    assert step_search.carried(1, {100: True, 200: False}, without).users == 100


def test_a_step_that_holds_above_one_that_missed_does_not_count() -> None:
    found = step_search.carried(1, {100: True, 200: False, 400: True}, {})
    assert (found.held, found.missed) == (100, 200)


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        ({}, (None, None, None)),
        ({100: True, 200: True}, (200, None, None)),
        ({100: False, 50: False}, (None, 50, None)),
        ({100: True, 200: None}, (100, None, None)),
    ],
)
def test_without_both_steps_there_is_no_number(
    held: dict[int, bool | None], expected: tuple[int | None, int | None, float | None]
) -> None:
    found = step_search.carried(1, held, {})
    assert (found.held, found.missed, found.users) == expected

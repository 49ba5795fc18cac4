"""Chooses the users of a variant's next step, and computes how many it carried; pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from harness.experiments.compare.files import CarriedInRound, Plan
from harness.results.run_folder import Objective

MIN_USERS = 5
"""With fewer, a step has too few requests to be judged."""

Held = Mapping[int, bool | None]
"""Users of a step -> whether it met the objectives; None if it has no valid run."""


def next_users(plan: Plan, held: Held) -> int | None:
    """Return the users of the next step of a variant in a round; None if it has made all.

    If the plan names no steps, users are doubled until the objectives are missed, or halved until
    they are met. Then the gap is bisected at its geometric mean, `refinements` times. A step
    without a valid run ends the search: what lies beyond could not be measured either.
    """
    if plan.steps is not None:
        return next((users for users in plan.steps if users not in held), None)
    for users in _search(plan, held):
        if users not in held:
            return users
        if held[users] is None:
            return None
    return None


def _search(plan: Plan, held: Held) -> Iterator[int]:
    """Yield the steps in order, each chosen by the results of those before it.

    The caller goes on only when the step that was yielded is in `held`.
    """
    users = plan.first_users
    yield users
    while held[users]:
        users *= 2
        if users > plan.most_users:
            return
        yield users
    met, missed = users // 2, users
    while met >= MIN_USERS:
        yield met
        if held[met]:
            break
        met, missed = met // 2, met
    else:
        return
    for _ in range(plan.refinements):
        middle = round(math.sqrt(met * missed))
        if middle in (met, missed):
            return
        yield middle
        met, missed = (middle, missed) if held[middle] else (met, middle)


def carried(number: int, held: Held, judged: Mapping[int, Sequence[Objective]]) -> CarriedInRound:
    """Return how many users a variant carried; `judged` are the objectives of each step.

    The number is between the highest step that held and the lowest that missed. Each missed
    objective is interpolated between the two, and the first to reach its limit decides.
    """
    missed = min((users for users, is_met in held.items() if is_met is False), default=None)
    below = [users for users, is_met in held.items() if is_met and users < (missed or math.inf)]
    met = max(below, default=None)
    between = None
    if met is not None and missed is not None:
        before = {(each.scope, each.key): each.value for each in judged.get(met, ())}
        shares = [
            _crossing(before.get((each.scope, each.key)), each.limit, each.value)
            for each in judged.get(missed, ())
            if not each.met
        ]
        between = round(met * (missed / met) ** min(shares, default=0.0), 1)
    return CarriedInRound(round=number, held=met, missed=missed, users=between)


def _crossing(low: float | None, limit: float, high: float | None) -> float:
    """Return how far the limit is from one value to the next, 0 to 1."""
    if low is None or high is None or low == high:
        return 0.0
    # A rising value above 0, such as a time when a queue grows, changes by factors: interpolate
    # its logarithm. Anything else is taken as linear.
    if 0 < low <= limit < high:
        low, limit, high = math.log(low), math.log(limit), math.log(high)
    return min(max((limit - low) / (high - low), 0.0), 1.0)

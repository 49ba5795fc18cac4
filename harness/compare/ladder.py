"""Which number of users a variant meets next, and how many it carried; pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from harness.compare.files import CarriedInRound, Plan
from harness.runfolder import Objective

FEWEST_USERS = 5
"""Below it a step has too few requests to be judged."""

Held = Mapping[int, bool | None]
"""By users: whether a step met the objectives; None when nothing valid is known of it."""


def next_users(plan: Plan, held: Held) -> int | None:
    """Return the next step of a variant in a round; None when it has met all.

    Without given steps users are doubled until the objectives are missed (or halved until they
    are met), and then the gap is closed from its geometric middle, `refinements` times. A step of
    which nothing valid is known ends the search: what lies beyond could not be measured either.
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
    """Yield the steps in order, of which each depends on how those before it ended."""
    users = plan.first_users
    yield users
    while held[users]:
        users *= 2
        if users > plan.most_users:
            return
        yield users
    met, missed = users // 2, users
    while met >= FEWEST_USERS:
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
    """Return how many users a variant carried.

    Those of the highest step up to which every step met the objectives, and beyond it up to the
    first that missed: there each missed objective is followed from one step to the other, times
    in the logarithm (a queue grows by factors), all else in a straight line. The first to reach
    its limit decides. `judged` are the objectives of each step.
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
    """Return how far from one value to the next the limit is, 0 to 1."""
    if low is None or high is None or low == high:
        return 0.0
    if 0 < low <= limit < high:
        low, limit, high = math.log(low), math.log(limit), math.log(high)
    return min(max((limit - low) / (high - low), 0.0), 1.0)

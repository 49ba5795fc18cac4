"""Which number of users a variant meets next, and how many it carried; pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

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
    users = plan.first_users
    while users in held:
        if held[users] is None:
            return None
        if not held[users]:
            return _below(plan, held, users)
        users *= 2
        if users > plan.most_users:
            return None
    return users


def _below(plan: Plan, held: Held, missed: int) -> int | None:
    met = missed // 2
    while met >= FEWEST_USERS:
        if met not in held:
            return met
        if held[met] is None:
            return None
        if held[met]:
            return _between(plan, held, met, missed)
        met, missed = met // 2, met
    return None


def _between(plan: Plan, held: Held, met: int, missed: int) -> int | None:
    for _ in range(plan.refinements):
        middle = round(math.sqrt(met * missed))
        if middle in (met, missed):
            return None
        if middle not in held:
            return middle
        if held[middle] is None:
            return None
        met, missed = (middle, missed) if held[middle] else (met, middle)
    return None


def carried(
    number: int, held: Held, objectives_of: Mapping[int, Sequence[Objective]]
) -> CarriedInRound:
    """Return how many users a variant carried.

    Those of the highest step up to which every step met the objectives, and beyond it up to the
    first that missed: there each missed objective is followed from one step to the other, times
    in the logarithm (a queue grows by factors), all else in a straight line. The first to reach
    its limit decides.

    Args:
        number: of the round.
        held: each step's outcome.
        objectives_of: what each of these steps was judged by.
    """
    missed = min((users for users, is_met in held.items() if is_met is False), default=None)
    met = max(
        (users for users, is_met in held.items() if is_met and users < (missed or math.inf)),
        default=None,
    )
    between = None
    if met is not None and missed is not None:
        share = _share(objectives_of.get(met, ()), objectives_of.get(missed, ()))
        between = round(met * (missed / met) ** share, 1)
    return CarriedInRound(round=number, held=met, missed=missed, users=between)


def _share(met: Sequence[Objective], missed: Sequence[Objective]) -> float:
    """Return how far from one step to the next the first objective reaches its limit, 0 to 1."""
    before = {(each.scope, each.key): each.value for each in met}
    shares = [
        _crossing(before.get((each.scope, each.key)), each.limit, each.value)
        for each in missed
        if not each.met
    ]
    return min(shares, default=0.0)


def _crossing(low: float | None, limit: float, high: float | None) -> float:
    if low is None or high is None or low == high:
        return 0.0
    if 0 < low <= limit < high:
        low, limit, high = math.log(low), math.log(limit), math.log(high)
    return min(max((limit - low) / (high - low), 0.0), 1.0)

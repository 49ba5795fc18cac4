"""How intervals, ratios and carried users are written, everywhere alike; pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

from harness.compare.files import CarriedInRound, Interval, Metric, Ratio, VariantResult
from harness.report.wording import NONE, count, number

METRICS: dict[Metric, str] = {
    "carried_users": "carried users",
    "most_requests_per_s": "most requests/s",
    "p95_ms": "p95 response time",
    "cpu_ms_per_request": "CPU time a request",
}
Spread = tuple[float, float, float]
"""The median and the extremes, in any order."""


def interval(found: Interval | None) -> str:
    """Write an estimate such as "76 (61 to 95)", with as many digits as its interval allows."""
    if found is None:
        return NONE
    if found.low is None or found.high is None:
        return number(float(f"{found.estimate:.3g}"))
    return _with_decimals(found, _decimals(found.high - found.low))


def ratio(found: Interval) -> str:
    """Write a ratio such as "1.6 (1.4 to 1.8)"; a bound looks like 1 only when it is."""
    if found.low is None or found.high is None:
        return f"{found.estimate:.3g}"
    decimals = max(_decimals(found.high - found.low), 1)
    bounds = (found.low, found.high)
    while decimals < 6 and any(round(each, decimals) == 1 != each for each in bounds):
        decimals += 1
    return _with_decimals(found, decimals)


def metric(found: Ratio) -> str:
    """Write what a ratio is of, such as "p95 response time at 100 users"."""
    at = "" if found.at_users is None else f" at {count(found.at_users)} users"
    return METRICS[found.metric] + at


def shown(found: Ratio) -> str:
    """Say whether the rounds show a difference."""
    return "shown" if found.is_shown else "not shown"


def in_round(found: CarriedInRound) -> str:
    """Write between which steps the carried users of a round are: "100 to 200", "≥ 400"."""
    if found.held is not None and found.missed is not None:
        return f"{count(found.held)} to {count(found.missed)}"
    if found.held is not None:
        return f"≥ {count(found.held)}"
    return NONE if found.missed is None else f"< {count(found.missed)}"


def carried(found: VariantResult) -> str:
    """Write how many users a variant carried, or what can be said without a number."""
    if found.carried_users is not None:
        return interval(found.carried_users)
    if found.at_least is not None:
        return f"at least {count(found.at_least)}"
    missed = [each.missed for each in found.by_round if each.held is None and each.missed]
    return f"fewer than {count(min(missed))}, the first step" if missed else "not known"


def spread(found: Spread | None) -> str:
    """Write a median with its extremes, such as "38 (36 to 41)"; alone where all are equal."""
    if found is None:
        return NONE
    low, middle, high = sorted(found)
    texts = [_three_digits(value) for value in (low, middle, high)]
    return texts[1] if len(set(texts)) == 1 else f"{texts[1]} ({texts[0]} to {texts[2]})"


def listed(words: Sequence[str]) -> str:
    """Write "a", "a and b" or "a, b and c"."""
    return " and ".join(part for part in (", ".join(words[:-1]), *words[-1:]) if part)


def _three_digits(value: float) -> str:
    return number(float(f"{value:.3g}"))


def _decimals(width: float) -> int:
    """Return the decimals that a value needs of whose interval the width is known."""
    return min(max(-math.floor(math.log10(width)), 0), 6) if width > 0 else 2


def _with_decimals(found: Interval, decimals: int) -> str:
    assert found.low is not None and found.high is not None
    middle, low, high = (
        f"{value:,.{decimals}f}".replace(",", "\N{NARROW NO-BREAK SPACE}")
        for value in (found.estimate, found.low, found.high)
    )
    return f"{middle} ({low} to {high})"

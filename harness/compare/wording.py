"""How intervals, ratios and carried users are written, everywhere alike; pure."""

from __future__ import annotations

from collections.abc import Sequence

from harness.compare import findings
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
    """Write an estimate as the sentences do, such as "310 (296 to 324)"."""
    return NONE if found is None else findings.measured(found)


def ratio(found: Interval) -> str:
    """Write a ratio as the sentences do, such as "1.62 (1.41 to 1.84)"."""
    return findings.factors(found)


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
        return findings.users_of(found.carried_users)
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

"""Means, ratios and what they can show, from few rounds; pure.

Rates, times and users are positive and vary by factors, so all of it is done on their logarithms:
the mean is geometric, and a ratio and its reciprocal are equally sure.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import optimize, stats

from harness.compare.files import Interval

CONFIDENCE = 0.95
POWER = 0.80


def mean_of(values: Sequence[float]) -> Interval:
    """Return the geometric mean with Student's t interval of the logarithms (n - 1 degrees).

    Args:
        values: one a round, above 0; there must be one at least.
    """
    logs = np.log(np.asarray(values, dtype=float))
    mean = float(logs.mean())
    if len(logs) < 2:
        return Interval(estimate=float(np.exp(mean)), low=None, high=None)
    quantile = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(logs) - 1))
    half = quantile * float(logs.std(ddof=1)) / len(logs) ** 0.5
    low, middle, high = (float(np.exp(mean + shift)) for shift in (-half, 0.0, half))
    return Interval(estimate=middle, low=low, high=high)


def ratio_of(values: Sequence[float], by: Sequence[float]) -> Interval:
    """Return the geometric mean of the ratios within the rounds, with its interval.

    It is the interval of the paired t test on logarithms: what a round does to both (a warm
    machine, a busy neighbour) cancels.

    Args:
        values: one a round, above 0.
        by: likewise, of the same rounds.
    """
    return mean_of([value / other for value, other in zip(values, by, strict=True)])


def is_shown(ratio: Interval) -> bool:
    """Say whether the interval leaves out 1."""
    return ratio.low is not None and ratio.high is not None and not ratio.low <= 1 <= ratio.high


def smallest_shown(values: Sequence[float], by: Sequence[float]) -> float | None:
    """Return the ratio above 1 that so many rounds of such spread show in 80 % of comparisons.

    From the power of the two-sided paired t test at 5 %, by the noncentral t distribution
    (Cohen, Statistical Power Analysis for the Behavioral Sciences, 1988, chapter 2).

    Returns:
        None for less than two rounds.
    """
    rounds = len(values)
    if rounds < 2:
        return None
    logs = np.log(np.asarray(values, dtype=float) / np.asarray(by, dtype=float))
    error = float(logs.std(ddof=1)) / rounds**0.5
    return float(np.exp(_noncentrality(rounds - 1) * error))


def _noncentrality(degrees: int) -> float:
    """Return how many standard errors from 0 a mean must be to be shown in 80 % of tests."""
    critical = float(stats.t.ppf((1 + CONFIDENCE) / 2, degrees))

    def missing_power(shift: float) -> float:
        # The other tail adds nothing worth a digit at this power.
        return float(stats.nct.sf(critical, degrees, shift)) - POWER

    return float(optimize.brentq(missing_power, 0.0, critical * 4 + 10))

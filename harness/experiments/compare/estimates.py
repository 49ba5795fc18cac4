"""Means and ratios of a few rounds, with confidence intervals and power; pure.

Rates, times and numbers of users are positive and vary by factors, so everything is computed on
their logarithms: means are geometric, and a ratio and its reciprocal are equally certain.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import optimize, stats

from harness.experiments.compare.files import Interval

CONFIDENCE = 0.95
POWER = 0.80


def mean_of(values: Sequence[float]) -> Interval:
    """Return the geometric mean with Student's t interval of the logarithms (n - 1 degrees).

    Values are above 0, one per round. A single one has no interval.
    """
    logs = np.log(np.asarray(values, dtype=float))
    mean = float(logs.mean())
    if len(logs) < 2:
        return Interval(estimate=float(np.exp(mean)), low=None, high=None)
    quantile = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(logs) - 1))
    half = quantile * float(logs.std(ddof=1)) / len(logs) ** 0.5
    estimate, low, high = (float(np.exp(mean + shift)) for shift in (0.0, -half, half))
    return Interval(estimate=estimate, low=low, high=high)


def ratio_of(values: Sequence[float], by: Sequence[float]) -> Interval:
    """Return the geometric mean of the ratios within the rounds, with its interval.

    The interval is that of the paired t test on logarithms: what affects both values of a round (a
    warm machine, a busy neighbour) cancels out. `values` and `by` are of the same rounds.
    """
    return mean_of([value / other for value, other in zip(values, by, strict=True)])


def is_shown(ratio: Interval) -> bool:
    """Return True if the interval does not include 1."""
    return ratio.ends is not None and not ratio.ends[0] <= 1 <= ratio.ends[1]


def smallest_shown(values: Sequence[float], by: Sequence[float]) -> float | None:
    """Return the ratio above 1 that as many rounds with this spread show with a power of 80 %.

    It follows from the power of the two-sided paired t test at 5 %, by the noncentral t
    distribution (Cohen, Statistical Power Analysis for the Behavioral Sciences, 1988, chapter 2).
    None for fewer than two rounds.
    """
    rounds = len(values)
    if rounds < 2:
        return None
    logs = np.log(np.asarray(values, dtype=float) / np.asarray(by, dtype=float))
    error = float(logs.std(ddof=1)) / rounds**0.5
    critical = float(stats.t.ppf((1 + CONFIDENCE) / 2, rounds - 1))

    def missing_power(shift: float) -> float:
        # The other tail is negligible at this power.
        return float(stats.nct.sf(critical, rounds - 1, shift)) - POWER

    # The power is 2.5 % at 0, and above 80 % at the other end for any number of rounds.
    errors = float(optimize.brentq(missing_power, 0.0, critical * 4 + 10))
    return float(np.exp(errors * error))

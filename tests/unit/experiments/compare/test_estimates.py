"""Means and ratios of few rounds: against scipy, by hand, and where there is no difference."""

from __future__ import annotations

import math
from random import Random

import numpy as np
import pytest
from scipy import stats

from harness.experiments.compare import estimates
from harness.experiments.compare.files import Interval

OURS = [310.0, 290.0, 305.0, 322.0]
THEIRS = [200.0, 188.0, 190.0, 210.0]


def test_the_mean_is_geometric_with_a_t_interval() -> None:
    found = estimates.mean_of(OURS)
    assert found.estimate == pytest.approx(stats.gmean(OURS))
    low, high = stats.t.interval(
        0.95, len(OURS) - 1, loc=np.mean(np.log(OURS)), scale=stats.sem(np.log(OURS))
    )
    assert (found.low, found.high) == pytest.approx((math.exp(low), math.exp(high)))


def test_by_hand() -> None:
    # Logarithms 0 and 2: mean 1, standard error 1; Student's t for 95 % and 1 degree is 12.706.
    found = estimates.mean_of([1.0, math.exp(2)])
    assert found.estimate == pytest.approx(math.e)
    assert math.log(found.high or 0) == pytest.approx(1 + 12.7062, abs=1e-4)
    assert math.log(found.low or 0) == pytest.approx(1 - 12.7062, abs=1e-4)


def test_a_ratio_is_the_paired_t_test_on_logarithms() -> None:
    found = estimates.ratio_of(OURS, THEIRS)
    test = stats.ttest_rel(np.log(OURS), np.log(THEIRS))
    interval = test.confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx(
        (math.exp(interval.low), math.exp(interval.high))
    )
    assert estimates.is_shown(found)
    assert test.pvalue < 0.05


def test_pairing_takes_out_what_a_round_does_to_both() -> None:
    rounds = [1.0, 3.0, 0.4]
    values, others = [120 * each for each in rounds], [100 * each for each in rounds]
    found = estimates.ratio_of(values, others)
    assert (found.low, found.estimate, found.high) == pytest.approx((1.2, 1.2, 1.2))


def test_a_ratio_and_its_reciprocal_are_equally_sure() -> None:
    one, other = estimates.ratio_of(OURS, THEIRS), estimates.ratio_of(THEIRS, OURS)
    assert one.low and one.high and other.low and other.high
    assert (one.low, one.high) == pytest.approx((1 / other.high, 1 / other.low))


def test_one_round_has_no_interval_and_shows_nothing() -> None:
    found = estimates.ratio_of([300.0], [100.0])
    assert found == Interval(estimate=pytest.approx(3.0), low=None, high=None)
    assert not estimates.is_shown(found)
    assert estimates.smallest_shown([300.0], [100.0]) is None


def test_the_smallest_difference_has_the_power_of_its_name() -> None:
    # Tables give a standardized effect of 0.996 for 10 pairs, 80 % power, two sides at 5 %.
    random = Random(3)
    values = [random.lognormvariate(0, 0.1) for _ in range(10)]
    smallest = estimates.smallest_shown(values, [1.0] * 10)
    assert smallest is not None
    spread = float(np.std(np.log(values), ddof=1))
    assert math.log(smallest) / spread == pytest.approx(0.996, abs=0.002)


def test_that_power_by_simulation_with_three_rounds() -> None:
    random = np.random.default_rng(5)
    spread, rounds = 0.05, 3
    shift = math.log(estimates.smallest_shown(np.exp([-spread, 0, spread]), [1.0] * 3) or 0)
    logs = random.normal(shift, spread, (4000, rounds))
    shown = stats.ttest_1samp(logs, 0, axis=1).pvalue < 0.05
    assert shown.mean() == pytest.approx(0.80, abs=0.03)


def test_of_pairs_that_do_not_differ_one_in_twenty_is_called() -> None:
    random = np.random.default_rng(11)
    values = np.exp(random.normal(0, 0.04, (2000, 2, 3)))
    called = [estimates.is_shown(estimates.ratio_of(*pair)) for pair in values]
    assert np.mean(called) == pytest.approx(0.05, abs=0.015)

"""Intervals by blocks of consecutive seconds."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from harness.experiments.regression import bootstrap
from harness.experiments.regression.bootstrap import Buckets
from harness.recording import histograms

ONE = (0,) * 200


def autoregressive(n: int, correlation: float, seed: int) -> NDArray[np.float64]:
    """Return a series of mean 0 each of whose values follows the one before."""
    shocks = np.random.default_rng(seed).standard_normal(n + 50)
    values = np.zeros(n + 50)
    for place in range(1, n + 50):
        values[place] = correlation * values[place - 1] + shocks[place]
    return values[50:]


def test_a_resample_has_as_many_slices_as_the_run_in_each_step() -> None:
    strata = [10] * 7 + [20] * 5 + [10] * 4
    drawn = bootstrap.draw(strata, block=3, seed=1, resamples=50)
    in_first = np.array(strata) == 10
    assert drawn.shape == (50, 16)
    assert (drawn[:, in_first].sum(axis=1) == 11).all()
    assert (drawn[:, ~in_first].sum(axis=1) == 5).all()


def test_slices_of_a_block_are_drawn_together_and_the_last_is_followed_by_the_first() -> None:
    drawn = bootstrap.draw([0] * 4, block=4, seed=1, resamples=20)
    assert (drawn == 1).all()  # four in a row of four, wherever they begin
    drawn = bootstrap.draw([0] * 6, block=3, seed=1, resamples=200)
    twice_the_same = {tuple(row) for row in drawn if sorted(row) == [0, 0, 0, 2, 2, 2]}
    assert twice_the_same == {tuple(np.roll([2, 2, 2, 0, 0, 0], by)) for by in range(6)}


def test_the_same_seed_draws_the_same_and_another_does_not() -> None:
    first, again, other = (bootstrap.draw(ONE, block=5, seed=seed) for seed in (1, 1, 2))
    assert (first == again).all() and not (first == other).all()
    assert len(first) == bootstrap.RESAMPLES


def test_single_seconds_are_drawn_as_scipy_does() -> None:
    values = np.random.default_rng(3).lognormal(2, 0.5, len(ONE))
    means = bootstrap.draw(ONE, block=1, seed=1) @ values / len(ONE)
    ours = bootstrap.interval(means, blocks=1e9)  # of so many, nothing is expanded
    theirs = stats.bootstrap(
        (values,), np.mean, n_resamples=5000, method="percentile", rng=np.random.default_rng(1)
    ).confidence_interval
    width = theirs.high - theirs.low
    assert ours == pytest.approx((theirs.low, theirs.high), abs=0.06 * width)


def test_an_interval_of_few_blocks_is_wider() -> None:
    values = np.arange(1, 10_001) / 10_000
    assert bootstrap.interval(values, blocks=1e9) == pytest.approx((0.025, 0.975), abs=1e-3)
    # of 10 blocks: t = 2.2622, times sqrt(10 / 9) is 2.3845, beyond which 0.855 % lie
    assert bootstrap.interval(values, blocks=10) == pytest.approx((0.00855, 0.99145), abs=1e-3)


def test_resamples_without_requests_are_left_out() -> None:
    assert bootstrap.interval(np.array([np.nan, 2.0, 2.0]), blocks=9) == (2.0, 2.0)


def test_times_by_hand() -> None:
    # two seconds; requests of 1 ms, 2 ms and 10 ms
    buckets = Buckets(
        np.array([[3.0, 1.0, 0.0], [0.0, 4.0, 2.0]]),
        np.array([1.0, 2.0, 10.0]),
        np.array([1.0, 2.0, 10.0]),
    )
    found = bootstrap.times_ms(np.array([[1.0, 1.0], [2.0, 0.0], [0.0, 0.0]]), buckets)
    assert found[0] == pytest.approx([2, 10, 10, (3 + 10 + 20) / 10])
    assert found[1] == pytest.approx([1, 2, 2, (6 + 4) / 8])
    assert np.isnan(found[2]).all()


@pytest.mark.parametrize("requests", [1, 2, 3, 10, 99, 100, 101, 1000])
def test_percentiles_are_those_of_the_histograms(requests: int) -> None:
    times = np.random.default_rng(requests).lognormal(3, 1, requests)
    histogram = histograms.from_ms(times)
    counts = np.frombuffer(histogram.counts, dtype=np.int64)
    used = np.flatnonzero(counts)
    highest_ms = np.array(
        [
            histogram.get_highest_equivalent_value(histogram.get_value_from_index(int(index)))
            for index in used
        ]
    )
    buckets = Buckets(counts[used][None, :].astype(float), highest_ms / 1000, highest_ms / 1000)
    found = bootstrap.times_ms(np.ones((1, 1)), buckets)[0]
    assert tuple(found[:3]) == histograms.percentiles_ms(histogram, (0.5, 0.95, 0.99))
    assert found[3] == pytest.approx(times.mean(), rel=0.002)


def test_a_series_that_resembles_itself_longer_has_longer_blocks() -> None:
    lengths = [
        np.mean([bootstrap.block_length(autoregressive(300, by, seed)) for seed in range(20)])
        for by in (0.0, 0.5, 0.8)
    ]
    assert 1 <= lengths[0] < 4 < lengths[1] < 12 < lengths[2] <= 52


@pytest.mark.parametrize("series", [[], [1.0], [1.0, 2.0], [5.0] * 100])
def test_a_series_that_says_nothing_has_blocks_of_one(series: list[float]) -> None:
    assert bootstrap.block_length(np.array(series)) == 1


def test_the_longest_block_leaves_three_of_them() -> None:
    for n in (20, 60, 90):
        length = bootstrap.block_length(np.arange(float(n)))
        assert 4 < length <= min(3 * n**0.5, n / 3) + 1


def test_blocks_hold_the_truth_where_single_seconds_do_not() -> None:
    n, held = 200, {"blocks": 0, "seconds": 0}
    for seed in range(200):
        series = autoregressive(n, 0.5, seed)
        for name, block in (("blocks", bootstrap.block_length(series)), ("seconds", 1)):
            means = bootstrap.draw([0] * n, block, seed, 400) @ series / n
            low, high = bootstrap.interval(means, n / block)
            held[name] += low <= 0 <= high
    assert held["blocks"] >= 0.86 * 200  # 91 % of many
    assert held["seconds"] <= 0.80 * 200  # 74 % of many

"""How sure the figures of one run are: a block bootstrap over time; pure, by NumPy.

Response times of one second resemble those of the next: a queue, a slow query, a busy disk last.
Requests drawn one by one would feign a certainty that is not there, so blocks of consecutive
seconds are drawn: the circular block bootstrap (D. N. Politis, J. P. Romano: A circular
block-resampling procedure for stationary data, in: Exploring the Limits of Bootstrap, 1992).

An interval is the percentile interval of the resampled ratios. It is the same for a ratio and for
its logarithm, and for percentiles it is close to the exact one of order statistics. The basic
interval mirrors it, which is wrong where the distribution is skewed, as that of a p95 is; BCa
needs the acceleration of a percentile, which a jackknife does not estimate. Percentile intervals
are too narrow when there is little to draw from, and a run of a minute has few blocks: so they are
expanded as Student's t is beside the normal distribution (T. C. Hesterberg: What teachers should
know about the bootstrap, The American Statistician 69 (2015) 371-386).

In 1 000 simulated series each of 55, 200 and 600 s, whose values have a correlation of 0.5 with
the one before, an interval of 95 % held the true mean in 86, 91 and 94 % (at 0.8: 78, 90 and
92 %): a short run is told a little too sure. Seconds drawn one by one came to 73 % (and 47 %), at
any length.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]

CONFIDENCE = 0.95
RESAMPLES = 2000
PERCENTS = (50, 95, 99)
CHUNK = 200
"""So many resamples are held at once, with all their buckets."""


class Buckets(Struct, frozen=True):
    """Requests by slice of time and by response time.

    Attributes:
        counts: a row a slice, a column a bucket of the histogram, from the fastest.
        highest_ms: of each bucket, which stands for it in a percentile.
        middle_ms: of each bucket, which stands for it in a mean.
    """

    counts: Floats
    highest_ms: Floats
    middle_ms: Floats


def block_length(series: Floats) -> int:
    """Return how many consecutive values make a block, from how long they resemble each other.

    The automatic choice for the circular bootstrap: D. N. Politis, H. White: Automatic
    block-length selection for the dependent bootstrap, Econometric Reviews 23 (2004) 53-70, as
    corrected with A. Patton in 28 (2009) 372-375; at most 3 sqrt(n) and n / 3, rounded up.

    Args:
        series: of equal mean throughout, in order of time.
    """
    n = series.size
    if n < 4 or np.ptp(series) == 0:
        return 1
    deviations = series - series.mean()
    tested = max(5, math.ceil(math.sqrt(math.log10(n))))
    most_lags = min(math.ceil(math.sqrt(n)) + tested, n - 1)
    covariances = np.array(
        [deviations[lag:] @ deviations[: n - lag] for lag in range(most_lags + 1)]
    )
    covariances /= n
    bound = 2 * math.sqrt(math.log10(n) / n)
    is_large = np.abs(covariances / covariances[0]) >= bound
    last = next(
        (lag for lag in range(most_lags) if not is_large[lag + 1 : lag + 1 + tested].any()),
        most_lags,
    )
    width = min(2 * max(last, 1), most_lags)
    lags = np.arange(1, width + 1)
    tapered = np.minimum(1.0, 2 * (1 - lags / width)) * covariances[1 : width + 1]  # flat top
    slope, spectrum = 2 * (lags * tapered).sum(), covariances[0] + 2 * tapered.sum()
    longest: int = math.ceil(min(3 * math.sqrt(n), n / 3))
    if spectrum <= 0:
        return longest
    best: float = (2 * slope**2 / (4 / 3 * spectrum**2)) ** (1 / 3) * n ** (1 / 3)
    return min(max(math.ceil(best), 1), longest)


def draw(strata: Sequence[int], block: int, seed: int, resamples: int = RESAMPLES) -> Floats:
    """Return how often each slice is in each resample: a row a resample, a column a slice.

    Args:
        strata: which one a slice belongs to. Each is drawn from by itself and keeps its size: the
            steps of a run were planned, and are no chance.
        block: slices that are drawn together; behind the last of a stratum comes its first.
        seed: the same gives the same again.
        resamples: how many.
    """
    random = np.random.default_rng(seed)
    drawn = np.zeros((resamples, len(strata)))
    belongs_to = np.asarray(strata)
    for stratum in np.unique(belongs_to):
        places = np.flatnonzero(belongs_to == stratum)
        n, length = places.size, min(block, places.size)
        starts = random.integers(0, n, size=(resamples, math.ceil(n / length), 1))
        picked = ((starts + np.arange(length)) % n).reshape(resamples, -1)[:, :n]
        flat = (picked + np.arange(resamples)[:, None] * n).ravel()
        drawn[:, places] = np.bincount(flat, minlength=resamples * n).reshape(resamples, n)
    return drawn


def times_ms(drawn: Floats, buckets: Buckets) -> Floats:
    """Return p50, p95, p99 and the mean of each resample: a row each; NaN without requests.

    Percentiles are by nearest rank on the buckets, exactly as `harness.histograms` has them.
    """
    rows = [
        _times_ms(drawn[first : first + CHUNK] @ buckets.counts, buckets)
        for first in range(0, len(drawn), CHUNK)
    ]
    return np.concatenate(rows)


def interval(ratios: Floats, blocks: float) -> tuple[float, float]:
    """Return the expanded percentile interval; resamples without a ratio are left out.

    Args:
        ratios: or another figure of each resample.
        blocks: that a resample is made of, 2 or more.
    """
    deviation = stats.t.ppf((1 + CONFIDENCE) / 2, blocks - 1) * math.sqrt(blocks / (blocks - 1))
    tail = float(stats.norm.cdf(-deviation))
    low, high = np.nanquantile(ratios, (tail, 1 - tail))
    return float(low), float(high)


def _times_ms(counts: Floats, buckets: Buckets) -> Floats:
    upto = counts.cumsum(axis=1)
    totals = counts.sum(axis=1)
    found = np.full((len(counts), len(PERCENTS) + 1), np.nan)
    some = totals > 0
    for place, percent in enumerate(PERCENTS):
        ranks = np.maximum(np.ceil(np.round(percent * totals / 100, 6)), 1)
        index = np.count_nonzero(upto < ranks[:, None], axis=1)
        found[some, place] = buckets.highest_ms[index[some]]
    found[some, -1] = (counts[some] @ buckets.middle_ms) / totals[some]
    return found

"""Response times as HDR histograms: exact to three significant digits, and they add up.

Values are whole microseconds. Locust keeps two digits (1,049 ms becomes 1,000 ms), and percentiles
of percentiles mean nothing; histograms of seconds, endpoints and workers are merged without loss.
"""

from __future__ import annotations

import math
import weakref
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence

from hdrh.codec import HdrCookieException, HdrLengthException
from hdrh.histogram import HdrHistogram

LOWEST_US = 1
HIGHEST_US = 3_600_000_000
DIGITS = 3
BLOCK = 128
"""So many counts are added up at once: the library looks at each of 20,000, for a millisecond."""


def empty() -> HdrHistogram:
    """Return a histogram that takes 1 µs to an hour."""
    return freed_at_once(HdrHistogram(LOWEST_US, HIGHEST_US, DIGITS))


def decoded(encoded: bytes) -> HdrHistogram:
    """Return the histogram that `encode` was asked of.

    Raises:
        ValueError: it is none.
    """
    try:
        return freed_at_once(HdrHistogram.decode(encoded))
    except (HdrLengthException, HdrCookieException, zlib.error) as error:
        raise ValueError(f"not a histogram: {error}") from None


def freed_at_once(histogram: HdrHistogram) -> HdrHistogram:
    """Break the circle of a histogram and its encoder: its 180 KB would wait for the collector."""
    histogram.encoder.histogram = weakref.proxy(histogram)
    return histogram


def of(times_ms: Iterable[float]) -> HdrHistogram:
    """Return the histogram of some response times; what is out of range counts as its end."""
    histogram = empty()
    for time_us, count in Counter([int(time_ms * 1000 + 0.5) for time_ms in times_ms]).items():
        histogram.record_value(min(max(time_us, LOWEST_US), HIGHEST_US), count)
    return histogram


_EMPTY = empty()


def rank(share: float, total: int) -> int:
    """Return how many of so many values it takes to make up this share (nearest-rank method).

    That is the least number which is not less: rounding to the nearest, as HdrHistogram does,
    calls a time p95 within which less than 95 % were answered. The product is rounded first,
    since 0.07 * 100 is more than 7 in binary.
    """
    return max(math.ceil(round(share * total, 6)), 1)


def nearest_rank(ordered: Sequence[float], share: float) -> float | None:
    """Return the least of some ordered values that this share of them does not exceed."""
    return ordered[rank(share, len(ordered)) - 1] if ordered else None


def percentiles_ms(
    histogram: HdrHistogram, shares: Sequence[float]
) -> tuple[float, ...] | tuple[None, ...]:
    """Return the least times within which these shares (0 to 1) of the requests were answered.

    Each is the time at the share's `rank`, as the highest value of its bucket: at most 0.1 % above
    the exact one. Of none: None.
    """
    total = histogram.get_total_count()
    if not total:
        return (None,) * len(shares)
    counts = memoryview(histogram.counts).cast("B").cast("Q")
    found: dict[float, float] = {}
    block, before = 0, 0
    for share in sorted(shares):
        wanted = rank(share, total)
        while before + (inside := sum(counts[block : block + BLOCK])) < wanted:
            block, before = block + BLOCK, before + inside
        index, so_far = block, before + counts[block]
        while so_far < wanted:
            index += 1
            so_far += counts[index]
        highest_us = histogram.get_highest_equivalent_value(histogram.get_value_from_index(index))
        found[share] = highest_us / 1000
    return tuple(found[share] for share in shares)


def highest_equal_ms(time_ms: float) -> float:
    """Return the longest time that a histogram cannot tell from this one."""
    time_us = min(max(int(time_ms * 1000 + 0.5), LOWEST_US), HIGHEST_US)
    return float(_EMPTY.get_highest_equivalent_value(time_us)) / 1000


def max_ms(histogram: HdrHistogram) -> float | None:
    """Return the longest time, or None of no requests."""
    return histogram.get_max_value() / 1000 if histogram.get_total_count() else None

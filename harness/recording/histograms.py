"""Response times as HDR histograms, exact to three significant digits and mergeable.

Values are whole microseconds. Locust keeps two digits (1,049 ms becomes 1,000 ms), and percentiles
of percentiles mean nothing; histograms of seconds, endpoints and workers merge without loss.

Invariant: no histogram here waits for the garbage collector, which seldom runs during a run.
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
HIGHEST_US = 3_600_000_000  # one hour
DIGITS = 3
BLOCK = 128
"""Counts summed per step; the library visits each of 20,000, which takes a millisecond."""


def empty() -> HdrHistogram:
    """Return an empty histogram for 1 µs to one hour."""
    return break_cycle(HdrHistogram(LOWEST_US, HIGHEST_US, DIGITS))


def decoded(encoded: bytes) -> HdrHistogram:
    """Return the histogram that `HdrHistogram.encode` encoded.

    Raises:
        ValueError: the bytes are not an encoded histogram.
    """
    try:
        return break_cycle(HdrHistogram.decode(encoded))
    except (HdrLengthException, HdrCookieException, zlib.error) as error:
        raise ValueError(f"not a histogram: {error}") from None


def break_cycle(histogram: HdrHistogram) -> HdrHistogram:
    """Break the cycle of a histogram and its encoder, so that its 180 KB are freed at once."""
    histogram.encoder.histogram = weakref.proxy(histogram)
    return histogram


def from_ms(times_ms: Iterable[float]) -> HdrHistogram:
    """Return the histogram of response times; those out of range count as the nearest bound."""
    histogram = empty()
    # To record a value takes 0.7 µs, so equal values are recorded together.
    for time_us, count in Counter([int(time_ms * 1000 + 0.5) for time_ms in times_ms]).items():
        histogram.record_value(min(max(time_us, LOWEST_US), HIGHEST_US), count)
    return histogram


_EMPTY = empty()


def rank(share: float, total: int) -> int:
    """Return the rank of a percentile among `total` values: ceil(share * total), at least 1.

    This is the nearest-rank method. HdrHistogram rounds to the nearest integer instead, and so may
    report a p95 within which fewer than 95 % of the requests completed.
    """
    # The product is rounded first, since 0.07 * 100 is more than 7 in binary.
    return max(math.ceil(round(share * total, 6)), 1)


def nearest_rank(ordered: Sequence[float], share: float) -> float | None:
    """Return the percentile of ascending values at `share` (0 to 1), or None if there are none."""
    return ordered[rank(share, len(ordered)) - 1] if ordered else None


def percentiles_ms(
    histogram: HdrHistogram, shares: Sequence[float]
) -> tuple[float, ...] | tuple[None, ...]:
    """Return the percentiles at these shares (0 to 1) in ms, or None for each without requests.

    Each is the value at the share's `rank`, as the highest value of its bucket: at most 0.1 %
    above the exact one.
    """
    total = histogram.get_total_count()
    if not total:
        return (None,) * len(shares)
    # Cast, since a memoryview cannot read the number format of a ctypes array.
    counts = memoryview(histogram.counts).cast("B").cast("Q")
    found: dict[float, float] = {}
    block, before = 0, 0
    for share in sorted(shares):  # one pass serves them all
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


def bucket_upper_bound_ms(time_ms: float) -> float:
    """Return the longest time in the same bucket: a histogram cannot tell the two apart."""
    time_us = min(max(int(time_ms * 1000 + 0.5), LOWEST_US), HIGHEST_US)
    return float(_EMPTY.get_highest_equivalent_value(time_us)) / 1000


def max_ms(histogram: HdrHistogram) -> float | None:
    """Return the longest time, or None without requests."""
    return histogram.get_max_value() / 1000 if histogram.get_total_count() else None

"""Histograms add up, and their percentiles are those of the requests."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from fractions import Fraction

import pytest
from hdrh.histogram import HdrHistogram
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.recording import histograms

TIMES_MS = st.lists(st.floats(0.001, 3_600_000.0), min_size=1, max_size=300)
REPEATABLE = settings(deadline=None, derandomize=True, max_examples=50)
SHARES = (0.5, 0.95, 0.99, 0.999)


def exact_ms(times_ms: list[float], share: Fraction) -> float:
    """Return the least of the times within which at least this share of them lies."""
    return next(
        time_ms
        for number, time_ms in enumerate(sorted(times_ms), 1)
        if Fraction(number, len(times_ms)) >= share
    )


@REPEATABLE
@given(TIMES_MS, st.permutations([0, *SHARES, 1.0]))
def test_percentiles_are_exact_to_three_digits(times_ms: list[float], shares: list[float]) -> None:
    """However many there are, and in whichever order they are asked for."""
    found = histograms.percentiles_ms(histograms.from_ms(times_ms), shares)
    for share, value_ms in zip(shares, found, strict=True):
        expected_ms = exact_ms(times_ms, Fraction(str(share)))
        assert value_ms == pytest.approx(expected_ms, rel=0.001, abs=0.0005001)


@pytest.mark.parametrize(
    ("share", "total", "rank"),
    [
        (0.95, 20, 19),
        (0.95, 21, 20),  # 19.95; within the 20th are 95.2 %
        (0.95, 29, 28),  # 27.55; within the 27th would be 93.1 %
        (0.95, 31, 30),  # 29.45, which the nearest whole one would make 29
        (0.99, 151, 150),
        (0.5, 3, 2),
        (0.07, 100, 7),  # 7.000000000000001 in binary
        (0.95, 10**9, 950_000_000),
        (0.0, 5, 1),
        (1.0, 5, 5),
    ],
)
def test_a_rank_is_never_short_of_its_share(share: float, total: int, rank: int) -> None:
    assert histograms.rank(share, total) == rank


def test_p95_is_slow_when_more_than_one_in_twenty_is() -> None:
    histogram = histograms.from_ms([1.0] * 29 + [5000.0] * 2)
    p95_ms, p93_ms = histograms.percentiles_ms(histogram, (0.95, 0.93))
    assert p95_ms == pytest.approx(5000, rel=0.001)
    assert p93_ms == pytest.approx(1, rel=0.001)


@REPEATABLE
@given(TIMES_MS, TIMES_MS)
def test_the_sum_of_two_is_the_histogram_of_both(one: list[float], two: list[float]) -> None:
    together = histograms.from_ms(one)
    together.add(histograms.from_ms(two))
    assert together.equals(histograms.from_ms([*one, *two]))


@REPEATABLE
@given(TIMES_MS)
def test_encoding_loses_nothing(times_ms: list[float]) -> None:
    histogram = histograms.from_ms(times_ms)
    again = HdrHistogram.decode(histogram.encode())
    assert again.get_total_count() == len(times_ms)
    assert histograms.percentiles_ms(again, SHARES) == histograms.percentiles_ms(histogram, SHARES)


@pytest.mark.parametrize(
    "text",
    [b"", b"HISTFAAA", b"AAAAAAAA", b"x", histograms.from_ms([1.0]).encode()[:-8] + b"AAAAAAAA"],
)
def test_what_is_no_histogram_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"not a histogram|base64|padding"):
        histograms.decoded(text)


@pytest.mark.parametrize(
    ("time_ms", "found_ms"), [(0.0, 0.001), (-1.0, 0.001), (0.0004, 0.001), (1e12, 3_600_000.0)]
)
def test_what_is_out_of_range_counts_as_its_end(time_ms: float, found_ms: float) -> None:
    histogram = histograms.from_ms([time_ms])
    assert histogram.get_total_count() == 1
    assert histograms.max_ms(histogram) == pytest.approx(found_ms, rel=0.001)


@pytest.mark.parametrize("made", [histograms.empty, lambda: histograms.from_ms([1.0])])
def test_a_histogram_is_freed_without_the_garbage_collector(
    made: Callable[[], HdrHistogram],
) -> None:
    """A run keeps the collector from running often, and each holds 180 KB."""
    gc.disable()
    try:
        histogram = made()
        for each in (histogram, histograms.decoded(histogram.encode())):
            assert each.encode()
        alive = [weakref.ref(histogram), weakref.ref(each)]
        del histogram, each
        assert [reference() for reference in alive] == [None, None]
    finally:
        gc.enable()


def test_of_no_requests_there_is_no_percentile() -> None:
    assert histograms.percentiles_ms(histograms.empty(), SHARES) == (None,) * len(SHARES)
    assert histograms.max_ms(histograms.empty()) is None

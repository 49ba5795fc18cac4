"""Histograms add up, and their percentiles are those of the requests."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable

import pytest
from hdrh.histogram import HdrHistogram
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import histograms

TIMES_MS = st.lists(st.floats(0.001, 3_600_000.0), min_size=1, max_size=300)
REPEATABLE = settings(deadline=None, derandomize=True, max_examples=50)
SHARES = (0.5, 0.95, 0.99, 0.999)


def exact_ms(times_ms: list[float], share: float) -> float:
    """Return the time of the request at the share's rank, as HdrHistogram counts ranks."""
    rank = max(1, int(share * len(times_ms) + 0.5))
    return sorted(times_ms)[rank - 1]


@REPEATABLE
@given(TIMES_MS)
def test_percentiles_are_exact_to_three_digits(times_ms: list[float]) -> None:
    found = histograms.percentiles_ms(histograms.of(times_ms), SHARES)
    for share, value_ms in zip(SHARES, found, strict=True):
        assert value_ms == pytest.approx(exact_ms(times_ms, share), rel=0.001, abs=0.0005001)


@REPEATABLE
@given(TIMES_MS, st.permutations([0.0, *SHARES, 1.0]))
def test_they_are_those_that_the_library_finds(times_ms: list[float], shares: list[float]) -> None:
    histogram = histograms.of(times_ms)
    for share, value_ms in zip(shares, histograms.percentiles_ms(histogram, shares), strict=True):
        if share:  # of 0 the library returns the lower end of the bucket
            assert value_ms == histogram.get_value_at_percentile(share * 100) / 1000
        else:
            assert value_ms == pytest.approx(min(times_ms), rel=0.001, abs=0.0005001)


@REPEATABLE
@given(TIMES_MS, TIMES_MS)
def test_the_sum_of_two_is_the_histogram_of_both(one: list[float], two: list[float]) -> None:
    together = histograms.of(one)
    together.add(histograms.of(two))
    assert together.equals(histograms.of([*one, *two]))


@REPEATABLE
@given(TIMES_MS)
def test_encoding_loses_nothing(times_ms: list[float]) -> None:
    histogram = histograms.of(times_ms)
    again = HdrHistogram.decode(histogram.encode())
    assert again.get_total_count() == len(times_ms)
    assert histograms.percentiles_ms(again, SHARES) == histograms.percentiles_ms(histogram, SHARES)


@pytest.mark.parametrize(
    ("time_ms", "found_ms"), [(0.0, 0.001), (-1.0, 0.001), (0.0004, 0.001), (1e12, 3_600_000.0)]
)
def test_what_is_out_of_range_counts_as_its_end(time_ms: float, found_ms: float) -> None:
    histogram = histograms.of([time_ms])
    assert histogram.get_total_count() == 1
    assert histograms.max_ms(histogram) == pytest.approx(found_ms, rel=0.001)


@pytest.mark.parametrize("made", [histograms.empty, lambda: histograms.of([1.0])])
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

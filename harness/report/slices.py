"""The seconds of a run, of any length, as a bounded number of points; pure.

A run of up to 2 000 s is shown second by second. A longer one is cut into slices of equal width.
Percentiles of a slice are those of all its requests, from their histograms: neither a mean nor a
maximum of other percentiles.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from hdrh.histogram import HdrHistogram
from msgspec import Struct
from numpy.typing import NDArray

from harness import histograms
from harness.figures import Sums
from harness.timeseries import Second

MOST_POINTS = 2000
MOST_COLUMNS = 240
WIDTHS_S = (1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 43_200)
BINS_PER_DECADE = 20
FINEST = 4.0
"""Percentiles are drawn up to 99.99: one in 10**4 is above."""
SHARES = (0.50, 0.95, 0.99)

Counts = NDArray[np.int64]


class Point(Struct, frozen=True, kw_only=True):
    """A slice of the run.

    Attributes:
        at_s: its begin, in seconds since the run's.
        requests_per_s: mean; likewise `failures_per_s`.
        p50_ms: of all its requests; likewise `p95_ms`, `p99_ms`; None when there were none.
        users: at its end.
        cpu_percent: the most, of the busiest process; None when nothing is known.
        lag_ms: the worst; None when nothing is known.
    """

    at_s: int
    requests_per_s: float
    failures_per_s: float
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    users: int
    cpu_percent: float | None
    lag_ms: float | None


class HeatMap(Struct, frozen=True, kw_only=True):
    """How many requests took how long, when.

    Attributes:
        width_s: of a column.
        edges_ms: of the rows, one more than there are; each 12 % above the one before.
        counts: by row, from the fastest; in it by column. No rows when there were no requests.
    """

    width_s: int
    edges_ms: list[float]
    counts: list[list[int]]


class Scale:
    """The values that the counters of a histogram stand for; equal for all of ours."""

    def __init__(self) -> None:
        """Compute them once."""
        empty = histograms.empty()
        values = [empty.get_value_from_index(index) for index in range(empty.counts_len + 1)]
        self.lowest_us = np.array(values[:-1])
        self.highest_us = np.array(values[1:]) - 1
        decades = math.ceil(math.log10(histograms.HIGHEST_US))
        steps = np.arange(decades * BINS_PER_DECADE + 1) / BINS_PER_DECADE
        self.edges_ms = 10**steps / 1000
        self._bounds = np.searchsorted(self.lowest_us, 10**steps)

    def percentiles_ms(self, counts: Counts, shares: Sequence[float]) -> list[float | None]:
        """Return the times within which these shares were answered, as the histograms do."""
        upto = np.cumsum(counts)
        total = int(upto[-1])
        if not total:
            return [None] * len(shares)
        ranks = [histograms.rank(share, total) for share in shares]
        return [float(self.highest_us[index]) / 1000 for index in np.searchsorted(upto, ranks)]

    def binned(self, counts: Counts) -> Counts:
        """Return the counts by the rows of a heat map; what is below the first is in the first."""
        upto = np.concatenate(([0], np.cumsum(counts)))[self._bounds]
        upto[0] = 0
        return np.diff(upto)


def counts_of(histogram: HdrHistogram) -> Counts:
    """Return the counters of a histogram, not copied."""
    return np.frombuffer(histogram.counts, dtype=np.int64)


def curve(scale: Scale, counts: Counts) -> list[tuple[float, float]]:
    """Return (share, ms) pairs of a distribution, up to 99.99 % or as far as the samples tell.

    They are even on an axis of 1 / (1 - share). Beyond 1 - 1/n there is no sample left to tell.
    """
    total = int(counts.sum())
    if not total:
        return []
    last = min(FINEST, math.log10(total))
    depths = np.linspace(0.0, last, max(2, math.ceil(last * 40) + 1))
    shares = [float(share) for share in 1 - 10**-depths]
    times = scale.percentiles_ms(counts, shares)
    return [(share, time) for share, time in zip(shares, times, strict=True) if time is not None]


def width_for(seconds: int, most: int, multiple_of: int = 1) -> int:
    """Return the least round width in which so many seconds make at most so many slices."""
    fitting = [width for width in WIDTHS_S if width % multiple_of == 0]
    for width in fitting:
        if seconds <= width * most:
            return width
    return math.ceil(seconds / most / multiple_of) * multiple_of


class Slices:
    """Collects a run, second by second; of a slice that is over only its numbers are kept."""

    def __init__(self, seconds: int) -> None:
        """Begin a run that has about so many seconds."""
        self.width_s = width_for(seconds, MOST_POINTS)
        self.column_s = width_for(seconds, MOST_COLUMNS, self.width_s)
        self.scale = Scale()
        self.start = 0
        self.points: list[Point] = []
        self._columns: list[Counts] = []
        self._number = -1
        self._rows: list[Second] = []
        self._counts: Counts = np.zeros(self.scale.lowest_us.size, dtype=np.int64)

    def add(self, row: Second, sums: Sums) -> None:
        """Add the next second."""
        self.start = self.start or row.second
        number = (row.second - self.start) // self.width_s
        if number != self._number:
            self._end_slice()
            self._number = number
        self._rows.append(row)
        for histogram in sums.all_of.values():
            self._counts += counts_of(histogram)

    def end(self, seconds: float) -> None:
        """Close the last slice; drop those after so many seconds: the run was over by then."""
        self._end_slice()
        self.points = [point for point in self.points if point.at_s < seconds]

    def heat_map(self) -> HeatMap:
        """Return the heat map of the points, between the fastest request and the slowest."""
        columns = (self.points[-1].at_s // self.column_s + 1) if self.points else 0
        grid = np.array(self._columns[:columns]).T
        rows = np.flatnonzero(grid.any(axis=1)) if columns else np.array([], dtype=int)
        if not rows.size:
            return HeatMap(width_s=self.column_s, edges_ms=[], counts=[])
        first, last = int(rows[0]), int(rows[-1])
        return HeatMap(
            width_s=self.column_s,
            edges_ms=[float(edge) for edge in self.scale.edges_ms[first : last + 2]],
            counts=[[int(count) for count in row] for row in grid[first : last + 1]],
        )

    def _end_slice(self) -> None:
        rows, self._rows = self._rows, []
        if not rows:
            return
        at_s = self._number * self.width_s
        p50_ms, p95_ms, p99_ms = self.scale.percentiles_ms(self._counts, SHARES)
        self.points.append(
            Point(
                at_s=at_s,
                requests_per_s=sum(row.requests for row in rows) / len(rows),
                failures_per_s=sum(row.failures for row in rows) / len(rows),
                p50_ms=p50_ms,
                p95_ms=p95_ms,
                p99_ms=p99_ms,
                users=rows[-1].users,
                cpu_percent=_most(row.cpu_percent for row in rows),
                lag_ms=_most(row.lag_ms for row in rows),
            )
        )
        column = at_s // self.column_s
        while len(self._columns) <= column:
            self._columns.append(np.zeros(self.scale.edges_ms.size - 1, dtype=np.int64))
        self._columns[column] += self.scale.binned(self._counts)
        self._counts[:] = 0


def _most(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)

"""Gathers everything that a report shows, reading the folder of a run once.

A run of up to 2,000 s is shown second by second, a longer one in time buckets of equal width.

Invariant: the percentiles of a time bucket are those of all its requests, from their histograms,
never a mean or a maximum of other percentiles.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from hdrh.histogram import HdrHistogram
from msgspec import Struct
from numpy.typing import NDArray

from harness.recording import histograms
from harness.recording.samples import Failure
from harness.results import judging, timeline
from harness.results.figures import SHARES, EndpointHistograms
from harness.results.objectives import TOTAL
from harness.results.run_folder import Figures, Manifest, RunEnd, Summary
from harness.results.timeline import Second

MAX_POINTS = 2000
MAX_COLUMNS = 240
"""Time buckets of a line chart and columns of a heat map, at most."""
WIDTHS_S = (1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 43_200)
BINS_PER_DECADE = 20
"""Rows of the heat map for a factor of ten in response time."""
MAX_NINES = 4.0
"""The decimal logarithm of 1 / (1 - share) at the last percentile drawn, the 99.99th."""

Counts = NDArray[np.int64]


class Point(Struct, frozen=True, kw_only=True):
    """A time bucket: mean rates, percentiles of all its requests, the highest CPU and lag.

    `at_s` is its start, counted from that of the run; `users` are those at its end. None means
    not known.
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
    """How many requests took how long, over time.

    `counts` has a row for each range of response times, the fastest first, and a column for every
    `width_s`; it is empty without requests. `edges_ms` has one entry more than there are rows.
    """

    width_s: int
    edges_ms: list[float]
    counts: list[list[int]]

    @property
    def columns_s(self) -> list[int]:
        """Return the edges of the columns, one more than there are columns."""
        return [place * self.width_s for place in range(len(self.counts[0]) + 1)]


class RunData(Struct, frozen=True, kw_only=True):
    """What a report shows of a run.

    Attributes:
        start_s: the first second, since the epoch.
        width_s: how many seconds a point stands for.
        bands: start and end of each step, in s since the start of the run.
        distributions: (share, ms) pairs by scope, "total" first, then each endpoint called; of
            the steady state, or of the whole run if there was none.
    """

    manifest: Manifest
    ending: RunEnd | None
    summary: Summary
    failures: list[Failure]
    start_s: int
    width_s: int
    points: list[Point]
    heat_map: HeatMap
    bands: list[tuple[int, int]]
    distributions: dict[str, list[tuple[float, float]]]

    @property
    def is_steady(self) -> bool:
        """Return True if there was a steady state."""
        return self.summary.total.steady is not None

    @property
    def stretch(self) -> str:
        """Return the name of the part of the run that is shown."""
        return "steady state" if self.is_steady else "whole run"

    def figures(self, is_steady: bool) -> list[tuple[str, Figures | None]]:
        """Return (scope, figures) of all requests, then of each endpoint called."""
        found = [(TOTAL, self.summary.total.steady, self.summary.total.whole_run)]
        found += [(each.scope, each.steady, each.whole_run) for each in self.summary.endpoints]
        return [(scope, steady if is_steady else whole_run) for scope, steady, whole_run in found]


def gather(folder: Path) -> RunData:
    """Read a run.

    Raises:
        ConfigurationError: there is no run, or one of its files is missing or broken; names it.
    """
    judging.checked_manifest(folder)
    # The width of a time bucket depends on the number of rows, without the heading.
    with judging.readable(folder, timeline.TIMELINE):
        time_buckets = TimeBuckets((folder / timeline.TIMELINE).read_bytes().count(b"\n") - 1)
    judged = judging.judge(folder, time_buckets.add)
    with judging.readable(folder, timeline.FAILURES):
        failures = timeline.read_failures(folder)
    summary = judged.summary
    time_buckets.end(summary.duration_s)
    sums = judged.running.steady() if summary.total.steady else judged.running.whole()
    by_scope = {TOTAL: sums.together()}
    by_scope |= {" ".join(key): sums.all_of[key] for key in sums.endpoints()}
    return RunData(
        manifest=judged.manifest,
        ending=judged.ending,
        summary=summary,
        failures=failures,
        start_s=time_buckets.start,
        width_s=time_buckets.width_s,
        points=time_buckets.points,
        heat_map=time_buckets.heat_map(),
        bands=[
            (step.first_second - time_buckets.start, step.last_second - time_buckets.start + 1)
            for step in summary.steps
        ],
        distributions={
            scope: points for scope, histogram in by_scope.items() if (points := curve(histogram))
        },
    )


def counts_of(histogram: HdrHistogram) -> Counts:
    """Return the counters of a histogram as an array that shares their memory."""
    return np.frombuffer(histogram.counts, dtype=np.int64)


def curve(histogram: HdrHistogram) -> list[tuple[float, float]]:
    """Return (share, ms) pairs of a distribution, up to 99.99 % or as far as the samples reach.

    They are evenly spaced on a logarithmic axis of 1 / (1 - share). Of n samples, none is above
    the share 1 - 1/n.
    """
    total = histogram.get_total_count()
    if not total:
        return []
    last = min(MAX_NINES, math.log10(total))
    depths = np.linspace(0.0, last, max(2, math.ceil(last * 40) + 1))
    shares = [float(share) for share in 1 - 10**-depths]
    times_ms = histograms.percentiles_ms(histogram, shares)
    return [(share, ms) for share, ms in zip(shares, times_ms, strict=True) if ms is not None]


def width_for(seconds: int, most: int, multiple_of: int = 1) -> int:
    """Return the least round width in s that cuts `seconds` into at most `most` buckets."""
    fitting = (each for each in WIDTHS_S if each % multiple_of == 0 and seconds <= each * most)
    return next(fitting, math.ceil(seconds / most / multiple_of) * multiple_of)


class TimeBuckets:
    """Collects a run of about this many seconds; keeps only the figures of finished buckets."""

    def __init__(self, seconds: int) -> None:
        self.width_s = width_for(seconds, MAX_POINTS)
        # A multiple of the width of a bucket, so that none falls into two columns.
        self.column_s = width_for(seconds, MAX_COLUMNS, self.width_s)
        self.start = 0
        self.points: list[Point] = []
        self._columns: list[Counts] = []
        self._number = -1
        self._rows: list[Second] = []
        self._histogram = histograms.empty()
        self._counts = counts_of(self._histogram)  # the same memory: NumPy adds it up faster
        # The rows of the heat map, and the first counter that belongs to each.
        steps = np.arange(math.ceil(math.log10(histograms.HIGHEST_US)) * BINS_PER_DECADE + 1)
        edges_us = 10 ** (steps / BINS_PER_DECADE)
        value_of, counters = self._histogram.get_value_from_index, self._histogram.counts_len
        self._edges_ms = edges_us / 1000
        self._bounds = np.searchsorted([value_of(n) for n in range(counters)], edges_us)
        self._bounds[0] = 0  # counters below the first edge belong to the first row

    def add(self, row: Second, sums: EndpointHistograms) -> None:
        """Add the next second."""
        self.start = self.start or row.second
        number = (row.second - self.start) // self.width_s
        if number != self._number:
            self._end_bucket()
            self._number = number
        self._rows.append(row)
        for histogram in sums.all_of.values():
            self._counts += counts_of(histogram)

    def end(self, seconds: float) -> None:
        """Close the last bucket; drop those after the run's end, `seconds` after its start."""
        self._end_bucket()
        self.points = [point for point in self.points if point.at_s < seconds]

    def heat_map(self) -> HeatMap:
        """Return the heat map, with rows from the fastest request to the slowest."""
        columns = (self.points[-1].at_s // self.column_s + 1) if self.points else 0
        grid = np.array(self._columns[:columns]).T
        rows = np.flatnonzero(grid.any(axis=1)) if columns else np.array([], dtype=int)
        if not rows.size:
            return HeatMap(width_s=self.column_s, edges_ms=[], counts=[])
        first, last = int(rows[0]), int(rows[-1])
        return HeatMap(
            width_s=self.column_s,
            edges_ms=self._edges_ms[first : last + 2].tolist(),
            counts=grid[first : last + 1].tolist(),
        )

    def _end_bucket(self) -> None:
        rows, self._rows = self._rows, []
        if not rows:
            return
        at_s = self._number * self.width_s
        # The counters changed without the histogram noticing.
        self._histogram.total_count = int(self._counts.sum())
        p50_ms, p95_ms, p99_ms = histograms.percentiles_ms(self._histogram, SHARES)
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
            self._columns.append(np.zeros(self._edges_ms.size - 1, dtype=np.int64))
        upto = np.concatenate(([0], np.cumsum(self._counts)))
        self._columns[column] += np.diff(upto[self._bounds])
        self._counts[:] = 0


def _most(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)

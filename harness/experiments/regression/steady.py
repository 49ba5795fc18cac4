"""The steady state of a run in time buckets, each with its response times by endpoint."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from harness.experiments.regression.bootstrap import Buckets, Floats, block_length
from harness.recording import histograms
from harness.results.figures import EndpointHistograms
from harness.results.objectives import TOTAL
from harness.results.timeline import Second

MAX_TIME_BUCKETS = 1000
"""A longer run gets buckets of several seconds: the same interval in bounded time and memory."""
SHARES = (0.50, 0.95)

Counted = tuple[int, NDArray[np.intp], NDArray[np.int64]]
"""Requests to an endpoint: number of the time bucket, histogram buckets, and counts in these."""


def order(scope: str) -> tuple[bool, list[str]]:
    """Return a sort key: "total" first, then endpoints in the order of the summary."""
    return scope != TOTAL, scope.split(" ", 1)[::-1]


class Steady:
    """Collects the steady state of a run, second by second.

    `steps` has the users and the seconds of each step.

    Attributes:
        width_s: seconds in a time bucket; the last one of a step may have fewer.
        users: of each bucket, by which the bootstrap keeps steps apart.
        seconds: of each bucket.
    """

    def __init__(self, steps: Sequence[tuple[int, Sequence[int]]]) -> None:
        self.width_s = math.ceil(sum(len(seconds) for _, seconds in steps) / MAX_TIME_BUCKETS) or 1
        self.users: list[int] = []
        self.seconds: list[int] = []
        self._slice_of: dict[int, int] = {}
        for users, seconds in steps:
            for place, second in enumerate(seconds):
                if place % self.width_s == 0:
                    self.users.append(users)
                    self.seconds.append(0)
                self.seconds[-1] += 1
                self._slice_of[second] = len(self.seconds) - 1
        self._counted: dict[str, list[Counted]] = {}

    def add(self, row: Second, sums: EndpointHistograms) -> None:
        """Add a second if it is part of the steady state."""
        number = self._slice_of.get(row.second)
        if number is None:
            return
        for key, histogram in sums.all_of.items():
            counts = np.frombuffer(histogram.counts, dtype=np.int64)
            used = np.flatnonzero(counts)
            # Indexing with an array copies: a view would keep the whole histogram in memory.
            self._counted.setdefault(" ".join(key), []).append((number, used, counts[used]))

    @property
    def scopes(self) -> set[str]:
        """Return "total" and the endpoints that were called."""
        return {TOTAL, *self._counted}

    def buckets(self, scope: str) -> Buckets:
        """Return the requests of a scope by time bucket and histogram bucket."""
        if scope == TOTAL:
            return self._dense(each for counted in self._counted.values() for each in counted)
        return self._dense(self._counted.get(scope, ()))

    def block_buckets(self) -> int:
        """Return the block length of the bootstrap, in time buckets.

        It is the longest that three series need: the mean response time of a bucket, and its
        shares of requests above the run's p50 and p95, which determine how these vary. Each step
        is measured from its own mean, because it was planned to differ from the others.
        """
        total = self.buckets(TOTAL)
        requests = total.counts.sum(axis=1)
        upto = total.counts.sum(axis=0).cumsum()
        if not upto.size:
            return 1
        above = np.array([upto > share * upto[-1] for share in SHARES], dtype=np.float64)
        sums = total.counts @ np.vstack([total.middle_ms, above]).T
        return max(block_length(self._around_steps(column, requests)) for column in sums.T)

    def _around_steps(self, sums: Floats, requests: Floats) -> Floats:
        """Return the mean of each bucket, less that of its step; 0 if it has no requests."""
        deviations = np.zeros(len(sums))
        users = np.asarray(self.users)
        for each in np.unique(users):
            here = (users == each) & (requests > 0)
            means = sums[here] / requests[here]
            deviations[here] = means - means.mean() if means.size else 0.0
        return deviations

    def _dense(self, counted: Iterable[Counted]) -> Buckets:
        # An empty entry, since without one zip and concatenate have nothing to work on.
        nothing: Counted = 0, np.zeros(0, dtype=np.intp), np.zeros(0, dtype=np.int64)
        places, buckets, values = zip(*counted, nothing, strict=True)
        time_buckets = np.repeat(places, [each.size for each in buckets])
        used, columns = np.unique(np.concatenate(buckets), return_inverse=True)
        counts = np.zeros((len(self.seconds), used.size))
        # `counts[...] += values` would count a bucket once that several endpoints have.
        np.add.at(counts, (time_buckets, columns), np.concatenate(values))
        scale = histograms.empty()
        lowest_us = [scale.get_value_from_index(int(index)) for index in used]
        highest_us = [scale.get_highest_equivalent_value(lowest) for lowest in lowest_us]
        highest_ms, lowest_ms = (np.array(ends) / 1000 for ends in (highest_us, lowest_us))
        return Buckets(counts, highest_ms, (lowest_ms + highest_ms) / 2)

"""The steady state of a run as slices of time, each with its response times by endpoint."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from harness import histograms
from harness.figures import Sums
from harness.objectives import TOTAL
from harness.timeseries import Second
from harness.two_runs.bootstrap import Buckets, Floats, block_length

MOST_SLICES = 1000
"""A longer run has slices of several seconds: the same interval, in bounded time and memory."""
SHARES = (0.50, 0.95)

Counted = tuple[int, NDArray[np.intp], NDArray[np.int64]]
"""The requests of a slice to an endpoint: its place, which buckets, and how many in each."""


def order(scope: str) -> tuple[bool, list[str]]:
    """Return a key to sort by: "total" first, then endpoints as a summary has them."""
    return scope != TOTAL, scope.split(" ", 1)[::-1]


class Steady:
    """Collects the steady state of a run, second by second.

    Of each slice it has the users, by which the bootstrap keeps steps apart, and the seconds:
    `width_s` of them, or less in the last of a step. `steps` are users and steady seconds of each.
    """

    def __init__(self, steps: Sequence[tuple[int, Sequence[int]]]) -> None:
        self.width_s = math.ceil(sum(len(seconds) for _, seconds in steps) / MOST_SLICES) or 1
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

    def add(self, row: Second, sums: Sums) -> None:
        """Add a second, if it is a steady one."""
        number = self._slice_of.get(row.second)
        if number is None:
            return
        for key, histogram in sums.all_of.items():
            counts = np.frombuffer(histogram.counts, dtype=np.int64)
            used = np.flatnonzero(counts)
            self._counted.setdefault(" ".join(key), []).append((number, used, counts[used]))

    @property
    def scopes(self) -> set[str]:
        """Return "total" and the endpoints that were hit."""
        return {TOTAL, *self._counted}

    def buckets(self, scope: str) -> Buckets:
        """Return the requests of an endpoint, or of all in "total", by slice and bucket."""
        if scope == TOTAL:
            return self._dense(each for counted in self._counted.values() for each in counted)
        return self._dense(self._counted.get(scope, ()))

    def block_slices(self) -> int:
        """Return how many slices make a block of the bootstrap.

        That is the longest block of three series: the mean response time of a slice, and its
        shares of requests above p50 and above p95 of the run, on which those two depend. A step
        is measured by its own mean: that it differs from the others was planned.
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
        """Return the mean of each slice, less that of its step; 0 where there were no requests."""
        deviations = np.zeros(len(sums))
        users = np.asarray(self.users)
        for each in np.unique(users):
            here = (users == each) & (requests > 0)
            means = sums[here] / requests[here]
            deviations[here] = means - means.mean() if means.size else 0.0
        return deviations

    def _dense(self, counted: Iterable[Counted]) -> Buckets:
        nothing: Counted = 0, np.zeros(0, dtype=np.intp), np.zeros(0, dtype=np.int64)
        places, buckets, values = zip(*counted, nothing, strict=True)
        slices = np.repeat(places, [each.size for each in buckets])
        used, columns = np.unique(np.concatenate(buckets), return_inverse=True)
        counts = np.zeros((len(self.seconds), used.size))
        np.add.at(counts, (slices, columns), np.concatenate(values))
        scale = histograms.empty()
        lowest_us = [scale.get_value_from_index(int(index)) for index in used]
        highest_us = [scale.get_highest_equivalent_value(lowest) for lowest in lowest_us]
        highest_ms, lowest_ms = (np.array(ends) / 1000 for ends in (highest_us, lowest_us))
        return Buckets(counts, highest_ms, (lowest_ms + highest_ms) / 2)

"""Load curves: how many users there are at which moment of a run."""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar

from locust import LoadTestShape

MAX_USERS_PER_S = 100
"""Locust warns of spawning more users than this within a second."""


class Curve(LoadTestShape):
    """A curve of straight lines between points.

    The peak and the length are locust's own `--users` and `--run-time`, so that one curve serves a
    test of a minute and of a day. The web UI shows both fields for the same reason.

    Attributes:
        points: (share of the run time, share of the peak users), in order, from time 0 to time 1.
    """

    abstract = True
    use_common_options = True
    points: ClassVar[tuple[tuple[float, float], ...]] = ()

    def tick(self) -> tuple[int, float] | None:
        """Return (users, users per second) for this second, or None when the curve has ended.

        On a slope these are the users at its end and its steepness: locust goes there by itself,
        and a level that is not meant as one, between two users, is no step of the load.
        """
        assert self.runner is not None and self.runner.environment.parsed_options is not None
        options = self.runner.environment.parsed_options
        peak, run_time_s = options.num_users or 1, options.run_time or 60
        elapsed_s = self.get_run_time()  # type: ignore[no-untyped-call]
        if elapsed_s >= run_time_s:
            return None
        at_once = float(min(peak, MAX_USERS_PER_S))
        (begin, low), (end, high) = line_at(self.points, elapsed_s / run_time_s)
        before, users = (max(1, round(peak * share)) for share in (low, high))
        if begin == 0 and elapsed_s <= before / at_once:  # nobody is there yet
            return before, at_once
        if before == users:
            return users, at_once
        return users, min(abs(users - before) / ((end - begin) * run_time_s), at_once)


def line_at(
    points: tuple[tuple[float, float], ...], time: float
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return the two points that a share of the run time lies between; at a point, it begins."""
    lines = list(pairwise(points))
    return next((line for line in lines if time < line[1][0]), lines[-1])

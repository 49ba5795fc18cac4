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
        """Return (users, users per second) for this second, or None when the curve has ended."""
        assert self.runner is not None and self.runner.environment.parsed_options is not None
        options = self.runner.environment.parsed_options
        peak, run_time_s = options.num_users or 1, options.run_time or 60
        elapsed_s = self.get_run_time()  # type: ignore[no-untyped-call]
        if elapsed_s >= run_time_s:
            return None
        users = max(1, round(peak * share_at(self.points, elapsed_s / run_time_s)))
        return users, float(min(peak, MAX_USERS_PER_S))


def share_at(points: tuple[tuple[float, float], ...], time: float) -> float:
    """Return the share of the peak at a share of the run time, on the line between two points."""
    for (start, low), (end, high) in pairwise(points):
        if time <= end:
            return low + (high - low) * (time - start) / (end - start)
    return points[-1][1]

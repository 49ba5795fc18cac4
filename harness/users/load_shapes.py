"""Load curves: how many users there are at each moment of a run."""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar

from locust import LoadTestShape

MAX_USERS_PER_S = 100
"""Locust warns about a higher spawn rate."""


class Curve(LoadTestShape):
    """A load curve of straight lines between points.

    Peak and duration are Locust's own `--users` and `--run-time`, so that one curve serves a test
    of a minute and of a day. For the same reason the web UI shows both fields.

    Attributes:
        points: (share of the run time, share of the peak users), in order, from time 0 to time 1.
    """

    abstract = True
    use_common_options = True
    points: ClassVar[tuple[tuple[float, float], ...]] = ()

    def tick(self) -> tuple[int, float] | None:
        """Return (users, spawn rate in users per second), or None when the curve has ended.

        On a slope, `users` is the number at its end, and Locust ramps up or down to it by itself.
        A new target each second would make every number on the way look like a step.
        """
        assert self.runner is not None and self.runner.environment.parsed_options is not None
        options = self.runner.environment.parsed_options
        peak, run_time_s = options.num_users or 1, options.run_time or 60
        elapsed_s = self.get_run_time()  # type: ignore[no-untyped-call]
        if elapsed_s >= run_time_s:
            return None
        spawn_rate = float(min(peak, MAX_USERS_PER_S))
        (begin, low), (end, high) = line_at(self.points, elapsed_s / run_time_s)
        before, users = (max(1, round(peak * share)) for share in (low, high))
        if begin == 0 and elapsed_s <= before / spawn_rate:  # no users yet: spawn the first level
            return before, spawn_rate
        if before == users:
            return users, spawn_rate
        return users, min(abs(users - before) / ((end - begin) * run_time_s), spawn_rate)


def line_at(
    points: tuple[tuple[float, float], ...], time: float
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return the ends of the line at a share of the run time; at a point, of the one it begins."""
    lines = list(pairwise(points))
    return next((line for line in lines if time < line[1][0]), lines[-1])

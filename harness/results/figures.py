"""The figures of a run: of the whole run, of its steady state, and of each step.

Invariants: every request counts in the whole run, and in at most one step. The steady state is the
sum of its steps. Percentiles come from merged histograms, never from other percentiles.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from pathlib import Path

from hdrh.histogram import HdrHistogram
from msgspec import Struct

from harness.recording import histograms
from harness.recording.samples import Key
from harness.results.objectives import Saturation
from harness.results.run_folder import EndpointFigures, Figures, Generator, Step, Total
from harness.results.timeline import HistogramLine, Second, read_histograms, read_timeline

SHARES = (0.50, 0.95, 0.99)
MIN_STEADY_S = 3
"""Seconds. A shorter stretch with all users is a moment between two changes of load."""


class RunFigures(Struct, frozen=True, kw_only=True):
    """The figures of a run; `planned_users` and `users` are the most at any time."""

    duration_s: float
    steady_s: float
    planned_users: int
    users: int
    total: Total
    endpoints: list[EndpointFigures]
    steps: list[Step]
    generator: Generator


class EndpointHistograms:
    """Response-time histograms and failure counts by endpoint; they add up."""

    def __init__(self) -> None:
        self.all_of: dict[Key, HdrHistogram] = {}
        self.failures_of: Counter[Key] = Counter()

    def add_line(self, line: HistogramLine) -> None:
        """Add a line of `histograms.hlog`."""
        if line.is_failed:
            self.failures_of[line.key] += line.histogram.get_total_count()
        elif line.key in self.all_of:
            self.all_of[line.key].add(line.histogram)
        else:
            self.all_of[line.key] = line.histogram  # not copied: the line is read and dropped

    def merge(self, other: EndpointHistograms) -> None:
        """Add other sums, which do not change."""
        self.failures_of.update(other.failures_of)
        for key, histogram in other.all_of.items():
            self.all_of.setdefault(key, histograms.empty()).add(histogram)

    def endpoints(self) -> list[Key]:
        """Return the endpoints that were called, sorted by name, then method."""
        return sorted(self.all_of, key=lambda key: (key[1], key[0]))

    def together(self) -> HdrHistogram:
        """Return the response times of all endpoints in one histogram."""
        together = histograms.empty()
        for histogram in self.all_of.values():
            together.add(histogram)
        return together

    def figures(self, seconds: float, key: Key | None = None) -> Figures:
        """Return the figures of an endpoint, or of all together, over this many seconds."""
        if key is None:
            histogram, failures = self.together(), self.failures_of.total()
        else:
            histogram, failures = self.all_of.get(key), self.failures_of[key]
        histogram = histogram or histograms.empty()
        requests = histogram.get_total_count()
        p50_ms, p95_ms, p99_ms = histograms.percentiles_ms(histogram, SHARES)
        return Figures(
            requests=requests,
            failures=failures,
            fail_ratio=round(failures / requests, 9) if requests else 0.0,
            requests_per_s=round(requests / seconds, 3) if seconds else 0.0,
            p50_ms=p50_ms,
            p95_ms=p95_ms,
            p99_ms=p99_ms,
            max_ms=histograms.max_ms(histogram),
        )


class _Steady:
    """Steady seconds: one stretch of them, or all stretches of a run."""

    def __init__(self) -> None:
        self.users = self.first_second = self.last_second = self.seconds = 0
        self.sums = EndpointHistograms()
        self.health: list[tuple[float, float]] = []
        self.steps: list[Step] = []

    def add(self, row: Second, sums: EndpointHistograms) -> None:
        if not self.seconds:
            self.users, self.first_second = row.users, row.second
        self.last_second = row.second
        self.seconds += 1
        self.sums.merge(sums)
        if row.cpu_percent is not None and row.lag_ms is not None:
            self.health.append((row.cpu_percent, row.lag_ms))

    def take(self, stretch: _Steady) -> bool:
        """Add a stretch as a step and return True, unless it is too short."""
        if stretch.seconds < MIN_STEADY_S:
            return False
        self.seconds += stretch.seconds
        self.sums.merge(stretch.sums)
        self.health += stretch.health
        step = Step(
            users=stretch.users,
            first_second=stretch.first_second,
            last_second=stretch.last_second,
            total=stretch.sums.figures(stretch.seconds),
        )
        self.steps.append(step)
        return True


class RunningFigures:
    """The figures of a run so far, fed second by second; only the sums of a second are kept.

    The steady state is the full seconds with all planned users running, without the first
    `warm_up_s` of them in each step. Ramp-up, ramp-down and changes between steps are not part of
    it.
    """

    def __init__(self, saturation: Saturation, warm_up_s: float = 0.0) -> None:
        self._saturation = saturation
        self._warm_up_s, self._warmed_s = warm_up_s, 0
        self._stretch, self._steady, self._rest = _Steady(), _Steady(), EndpointHistograms()
        self._seconds = self._end = self._planned_users = self._users = 0
        self._before: Second | None = None

    def add(self, row: Second, sums: EndpointHistograms) -> None:
        """Add the next second."""
        before, self._before = self._before, row
        self._seconds += 1
        if row.requests or row.target_users:
            self._end = self._seconds  # later seconds without both are cleanup, not the run
        self._planned_users = max(self._planned_users, row.target_users)
        self._users = max(self._users, row.users)
        # Users are counted at the end of a second. All of them ran throughout this one only if the
        # one before ended with as many: in the second in which the last user starts, the first
        # part is ramp-up.
        if before is not None and (
            before.users == before.target_users == row.users == row.target_users > 0
        ):
            self._warmed_s += 1
            if self._warmed_s > self._warm_up_s:
                self._stretch.add(row, sums)
                return
        else:
            self._warmed_s = 0
            ended, self._stretch = self._stretch, _Steady()
            if not self._steady.take(ended):  # too short, but part of the whole run
                self._rest.merge(ended.sums)
        self._rest.merge(sums)

    def whole(self) -> EndpointHistograms:
        """Return the sums of the whole run so far."""
        whole = EndpointHistograms()
        for sums in (self._rest, self._steady.sums, self._stretch.sums):
            whole.merge(sums)
        return whole

    def steady(self) -> EndpointHistograms:
        """Return the sums of the steady state so far."""
        return self._so_far().sums

    def figures(self) -> RunFigures:
        """Return the figures up to the last second added."""
        whole, seconds, found = self.whole(), self._end, self._so_far()
        steady, steady_s = found.sums, found.seconds
        return RunFigures(
            duration_s=float(seconds),
            steady_s=float(steady_s),
            planned_users=self._planned_users,
            users=self._users,
            total=Total(
                steady=steady.figures(steady_s) if steady_s else None,
                whole_run=whole.figures(seconds),
            ),
            endpoints=[
                EndpointFigures(
                    method=key[0],
                    name=key[1],
                    steady=steady.figures(steady_s, key) if steady_s else None,
                    whole_run=whole.figures(seconds, key),
                )
                for key in whole.endpoints()
            ],
            steps=found.steps,
            generator=_generator(found.health, self._saturation),
        )

    def _so_far(self) -> _Steady:
        """Return the steady state including the current stretch, if it is long enough."""
        found = _Steady()  # a copy, since the current stretch may still grow
        found.seconds = self._steady.seconds
        found.sums.merge(self._steady.sums)
        found.health, found.steps = [*self._steady.health], [*self._steady.steps]
        found.take(self._stretch)
        return found


def read(
    folder: Path,
    saturation: Saturation,
    warm_up_s: float = 0.0,
    on_second: Callable[[Second, EndpointHistograms], None] = lambda row, sums: None,
) -> RunningFigures:
    """Read `timeline.csv` and `histograms.hlog` in one pass; call `on_second` for each second."""
    running = RunningFigures(saturation, warm_up_s)
    for row, sums in _seconds(folder):
        running.add(row, sums)
        on_second(row, sums)
    return running


def read_steps(folder: Path, warm_up_s: float = 0.0) -> list[tuple[int, list[int]]]:
    """Return (users, seconds) of each step, from `timeline.csv` alone."""
    running, rows = RunningFigures(Saturation(), warm_up_s), read_timeline(folder)
    for row in rows:
        running.add(row, EndpointHistograms())
    # The seconds that are there: if the clock was set forward, some are missing in between.
    seconds = [row.second for row in rows]
    return [
        (step.users, [each for each in seconds if step.first_second <= each <= step.last_second])
        for step in running.figures().steps
    ]


def _seconds(folder: Path) -> Iterator[tuple[Second, EndpointHistograms]]:
    """Yield each second with its sums. Both files are in chronological order."""
    groups = groupby(read_histograms(folder), lambda line: line.second)
    second, lines = next(groups, (None, iter(())))
    for row in read_timeline(folder):
        sums = EndpointHistograms()
        if row.second == second:
            for line in lines:  # before the next group is read: then these are gone
                sums.add_line(line)
            second, lines = next(groups, (None, iter(())))
        yield row, sums


def _generator(health: Sequence[tuple[float, float]], saturation: Saturation) -> Generator:
    cpu_percents = sorted(cpu_percent for cpu_percent, _ in health)
    lags_ms = sorted(lag_ms for _, lag_ms in health)
    return Generator(
        watched_s=len(health),
        saturated_s=sum(
            cpu_percent > saturation.cpu_percent or lag_ms > saturation.lag_ms
            for cpu_percent, lag_ms in health
        ),
        cpu_percent_p50=histograms.nearest_rank(cpu_percents, 0.50),
        cpu_percent_max=histograms.nearest_rank(cpu_percents, 1.0),
        lag_p99_ms=histograms.nearest_rank(lags_ms, 0.99),
        lag_max_ms=histograms.nearest_rank(lags_ms, 1.0),
    )

"""A run folder in numbers: the whole run, its steady state, and each step of it; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from hdrh.histogram import HdrHistogram
from msgspec import Struct

from harness import histograms
from harness.runfolder import EndpointFigures, Figures, Step, Total
from harness.timeseries import Key, Logged, Second, read_histograms, read_timeline

SHARES = (0.50, 0.95, 0.99)
LEAST_STEADY_S = 3
"""A shorter stretch with all users is no steady state, but a moment between two others."""


class RunFigures(Struct, frozen=True):
    """What the files of a run say."""

    duration_s: float
    steady_s: float
    total: Total
    endpoints: list[EndpointFigures]
    steps: list[Step]


def steady_stretches(timeline: Sequence[Second]) -> list[list[Second]]:
    """Return the stretches of whole seconds in which as many users ran as were planned.

    Ramp-up, ramp-down and the change from one step to the next are none; nor is the second in
    which the last user came, since its first part was ramp-up still.
    """
    stretches: list[list[Second]] = []
    before: Second | None = None
    for row in timeline:
        if row.users == row.target_users > 0:
            if before is not None and before.target_users == row.target_users == before.users:
                stretches[-1].append(row)
            else:
                stretches.append([])
        before = row
    return [stretch for stretch in stretches if len(stretch) >= LEAST_STEADY_S]


def read(folder: Path) -> RunFigures:
    """Compute the figures from `timeline.csv` and `histograms.hlog`, in one pass over both."""
    timeline = read_timeline(folder)
    stretches = steady_stretches(timeline)
    step_of = {row.second: step for step, rows in enumerate(stretches) for row in rows}
    whole, steady = _Sums(), _Sums()
    steps = [_Sums().total_figures(len(rows)) for rows in stretches]
    for step, group in groupby(read_histograms(folder), lambda line: step_of.get(line.second)):
        part = _Sums()
        for line in group:
            part.add(line)
        whole.merge(part)
        if step is not None:
            steady.merge(part)
            steps[step] = part.total_figures(len(stretches[step]))
    duration_s, steady_s = float(len(_until_the_end(timeline))), float(len(step_of))
    keys = sorted(whole.all_of, key=lambda key: (key[1], key[0]))
    return RunFigures(
        duration_s=duration_s,
        steady_s=steady_s,
        total=Total(
            steady=steady.total_figures(steady_s) if steady_s else None,
            whole_run=whole.total_figures(duration_s),
        ),
        endpoints=[
            EndpointFigures(
                method=key[0],
                name=key[1],
                steady=steady.figures(key, steady_s) if steady_s else None,
                whole_run=whole.figures(key, duration_s),
            )
            for key in keys
        ],
        steps=[
            Step(
                users=rows[0].users,
                first_second=rows[0].second,
                last_second=rows[-1].second,
                total=total,
            )
            for rows, total in zip(stretches, steps, strict=True)
        ],
    )


def _until_the_end(timeline: Sequence[Second]) -> Sequence[Second]:
    """Return the seconds without those in which the run was over and only cleaned up."""
    end = len(timeline)
    while end and not timeline[end - 1].requests and not timeline[end - 1].target_users:
        end -= 1
    return timeline[:end]


class _Sums:
    """Histograms of many seconds, added up by endpoint, and how many of the requests failed."""

    def __init__(self) -> None:
        self.all_of: dict[Key, HdrHistogram] = {}
        self.failures_of: Counter[Key] = Counter()

    def add(self, line: Logged) -> None:
        if line.is_failed:
            self.failures_of[line.key] += line.histogram.get_total_count()
        elif line.key in self.all_of:
            self.all_of[line.key].add(line.histogram)
        else:
            self.all_of[line.key] = line.histogram

    def merge(self, other: _Sums) -> None:
        self.failures_of.update(other.failures_of)
        for key, histogram in other.all_of.items():
            self.all_of.setdefault(key, histograms.empty()).add(histogram)

    def figures(self, key: Key, seconds: float) -> Figures:
        histogram = self.all_of.get(key) or histograms.empty()
        return _figures(histogram, self.failures_of[key], seconds)

    def total_figures(self, seconds: float) -> Figures:
        together = histograms.empty()
        for histogram in self.all_of.values():
            together.add(histogram)
        return _figures(together, self.failures_of.total(), seconds)


def _figures(histogram: HdrHistogram, failures: int, seconds: float) -> Figures:
    requests = histogram.get_total_count()
    p50_ms, p95_ms, p99_ms = histograms.percentiles_ms(histogram, SHARES)
    return Figures(
        requests=requests,
        failures=failures,
        fail_ratio=round(failures / requests, 6) if requests else 0.0,
        requests_per_s=round(requests / seconds, 3) if seconds else 0.0,
        p50_ms=p50_ms,
        p95_ms=p95_ms,
        p99_ms=p99_ms,
        max_ms=histograms.max_ms(histogram),
    )

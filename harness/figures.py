"""A run folder in numbers: the whole run, its steady state, and each step of it; pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from hdrh.histogram import HdrHistogram
from msgspec import Struct

from harness import histograms
from harness.runfolder import EndpointFigures, Figures, Step, Total
from harness.timeseries import Key, Second, read_histograms, read_timeline

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
    """Compute the figures from `timeline.csv` and `histograms.hlog`."""
    timeline = read_timeline(folder)
    stretches = steady_stretches(timeline)
    step_of = {row.second: step for step, rows in enumerate(stretches) for row in rows}
    whole, steady = _Sums(), _Sums()
    steps = [_Sums() for _ in stretches]
    for logged in read_histograms(folder):
        whole.add(logged.key, logged.histogram, logged.is_failed)
        if logged.second in step_of:
            steady.add(logged.key, logged.histogram, logged.is_failed)
            steps[step_of[logged.second]].add(None, logged.histogram, logged.is_failed)
    duration_s, steady_s = float(len(timeline)), float(len(step_of))
    keys = sorted(whole.keys(), key=lambda key: (key[1], key[0]))
    return RunFigures(
        duration_s=duration_s,
        steady_s=steady_s,
        total=Total(
            steady=steady.figures(None, steady_s) if steady_s else None,
            whole_run=whole.figures(None, duration_s),
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
                total=sums.figures(None, float(len(rows))),
            )
            for rows, sums in zip(stretches, steps, strict=True)
        ],
    )


class _Sums:
    """Histograms of many seconds, added up by endpoint; None stands for all together."""

    def __init__(self) -> None:
        self._all: dict[Key | None, HdrHistogram] = {}
        self._failed: dict[Key | None, int] = {}

    def add(self, key: Key | None, histogram: HdrHistogram, is_failed: bool) -> None:
        for each in {key, None}:
            if is_failed:
                count = histogram.get_total_count()
                self._failed[each] = self._failed.get(each, 0) + count
            else:
                self._all.setdefault(each, histograms.empty()).add(histogram)

    def keys(self) -> Iterable[Key]:
        return [key for key in self._all if key is not None]

    def figures(self, key: Key | None, seconds: float) -> Figures:
        histogram = self._all.get(key) or histograms.empty()
        requests, failures = histogram.get_total_count(), self._failed.get(key, 0)
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

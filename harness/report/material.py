"""Everything that is drawn, gathered from the folder of a run once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from msgspec import Struct

from harness import objectives, result, runfolder, timeseries
from harness.report.slices import Counts, HeatMap, Point, Slices, counts_of, curve
from harness.runfolder import Ending, Manifest, Summary
from harness.timeseries import Failure


class Distribution(Struct, frozen=True):
    """The response times of an endpoint, or of "total", as (share, ms) pairs."""

    scope: str
    curve: list[tuple[float, float]]


class Band(Struct, frozen=True):
    """A stretch of steady state, in seconds since the start of the run."""

    first_s: int
    end_s: int
    users: int


class Material(Struct, frozen=True, kw_only=True):
    """What a run learned, ready to be drawn.

    Attributes:
        manifest: what was planned.
        ending: what the processes said at the end; None when the run did not come to it.
        summary: the result.
        failures: equal ones together, the most frequent first.
        start_s: the first second, since the epoch.
        width_s: seconds that a point stands for.
        points: the run over time.
        heat_map: likewise, with every request in it.
        bands: the steady state.
        distributions: of all requests, then of each endpoint that was hit, in the steady state;
            or in the whole run when there was none.
    """

    manifest: Manifest
    ending: Ending | None
    summary: Summary
    failures: list[Failure]
    start_s: int
    width_s: int
    points: list[Point]
    heat_map: HeatMap
    bands: list[Band]
    distributions: list[Distribution]

    @property
    def is_steady(self) -> bool:
        """Say whether there was a steady state."""
        return self.summary.total.steady is not None

    @property
    def stretch(self) -> str:
        """Name the part of the run that figures and distributions are of."""
        return "steady state" if self.is_steady else "whole run"


def gather(folder: Path) -> Material:
    """Read a run.

    Raises:
        ConfigurationError: there is no run, or one of its files is missing or broken; says which.
    """
    manifest = result.checked_manifest(folder)
    with result.readable(folder, runfolder.ENDING):
        ending = runfolder.read_ending(folder)
    with result.readable(folder, timeseries.FAILURES):
        failures = timeseries.read_failures(folder)
    with result.readable(folder, runfolder.OBJECTIVES):
        objectives.load(folder / runfolder.OBJECTIVES)
    with result.readable(folder, timeseries.TIMELINE):
        slices = Slices((folder / timeseries.TIMELINE).read_bytes().count(b"\n") - 1)
    with result.readable(folder, f"{timeseries.TIMELINE} or {timeseries.HISTOGRAMS}"):
        summary, running = result.judge(folder, slices.add)
    slices.end(summary.duration_s)
    sums = running.steady() if summary.total.steady else running.whole()
    counts = {key: counts_of(histogram) for key, histogram in sums.all_of.items()}
    together: Counts = np.zeros(slices.scale.lowest_us.size, dtype=np.int64)
    for each in counts.values():
        together += each
    scopes = {" ".join(key): counts[key] for key in sorted(counts, key=lambda key: key[::-1])}
    return Material(
        manifest=manifest,
        ending=ending,
        summary=summary,
        failures=failures,
        start_s=slices.start,
        width_s=slices.width_s,
        points=slices.points,
        heat_map=slices.heat_map(),
        bands=[
            Band(step.first_second - slices.start, step.last_second - slices.start + 1, step.users)
            for step in summary.steps
        ],
        distributions=[
            Distribution(scope, points)
            for scope, each in {objectives.TOTAL: together, **scopes}.items()
            if (points := curve(slices.scale, each))
        ],
    )

"""`docs/scaling.png`: what workers bring, and what their master costs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from bench.charts import DPI, OTHER, OWN, STYLE, TEXT
from bench.distributed.model import CORE_SHARE, Model, can_be_fitted, fit
from bench.distributed.model_text import typical
from bench.distributed.results import Part, Sample, Scaling
from bench.distributed.text import kinds, named

MASTER, NGINX = "#e0a030", OTHER
KIND_COLOURS = (OWN, "#7fb2c4", "#e0a030", "#a05050", "#6a8f4f", OTHER)
WHOLE = 100.0


def draw(results: Scaling, path: Path) -> None:
    """Draw what was measured; a part that was not leaves its panels empty."""
    with rc_context(STYLE):
        figure = Figure(figsize=(12, 7.2), layout="constrained")
        (rates, cores, sizes), (workers, users, fitted) = figure.subplots(2, 3)
        if results.carried is not None:
            _rates(rates, results.carried)
            _cores(cores, results.carried)
        if results.master is not None:
            _sizes(sizes, results)
            _by_users(users, results.master)
        if results.master is not None and can_be_fitted(results.master.to_fit()):
            model = fit(results.master.to_fit())
            _by_workers(workers, results.master, model)
            _fitted(fitted, results.master, model)
        for axes, title in (
            (rates, "requests/s on this machine"),
            (cores, "cores taken, without wait"),
            (sizes, "to the master, bytes/s a worker"),
            (workers, "master, % of a core, by workers"),
            (users, "master, % of a core, 4 workers, by users"),
            (fitted, "master, % of a core: measured by fitted"),
        ):
            axes.set_title(title, loc="left", fontsize=10)
        figure.supxlabel(
            "Bars are medians, lines the range of the rounds. A hollow point: replayed workers. "
            "Lines are fitted, solid for the longest reports. Dotted: all cores, 80 % of one.",
            fontsize=8.5,
            color=TEXT,
        )
        figure.savefig(path, dpi=DPI)


def _rates(axes: Any, part: Part) -> None:
    loads = part.by_load()
    for place, samples in enumerate(loads.values()):
        values = [sample.requests_per_s for sample in samples]
        axes.bar(place, median(values), color=OWN, width=0.6)
        axes.vlines(place, min(values), max(values), color=TEXT, linewidth=1.2)
        axes.text(place, max(values), f"{median(values):,.0f}", ha="center", va="bottom")
    axes.set_xticks(range(len(loads)), [named(load) for load in loads])
    axes.yaxis.set_visible(False)
    axes.spines["left"].set_visible(False)


def _cores(axes: Any, part: Part) -> None:
    loads = part.by_load()
    for place, samples in enumerate(loads.values()):
        parts = (
            ("workers", OWN, [sum(s.workers_cpu_s) / s.seconds for s in samples]),
            ("master", MASTER, [s.master_share for s in samples]),
            ("nginx", NGINX, [s.server_cpu_s / s.seconds for s in samples]),
        )
        below = 0.0
        for name, colour, shares in parts:
            share = median(shares)
            label = name if not place else None
            axes.bar(place, share, bottom=below, color=colour, width=0.6, label=label)
            below += share
    axes.axhline(part.conditions.cores, color=TEXT, linewidth=0.8, linestyle=":")
    axes.set_xticks(range(len(loads)), [named(load) for load in loads])
    axes.set_ylim(0, part.conditions.cores * 1.3)
    axes.legend(frameon=False, loc="upper left", ncols=3)


def _sizes(axes: Any, results: Scaling) -> None:
    columns = [(title, kinds(sample)) for title, sample in typical(results)]
    for place, (_, sizes) in enumerate(columns):
        below = 0.0
        for (kind, size), colour in zip(sizes.items(), KIND_COLOURS, strict=True):
            label = kind if not place else None
            axes.barh(place, size, left=below, color=colour, height=0.6, label=label)
            below += size
    axes.set_yticks(range(len(columns)), [title for title, _ in columns])
    axes.legend(frameon=False, loc="lower right", fontsize=8)


def _by_workers(axes: Any, part: Part, model: Model) -> None:
    _points(axes, part.to_fit(), lambda sample: float(sample.load.workers))
    most = max(sample.load.workers for sample in part.to_fit())
    counts = np.geomspace(1, most * 2, 50)
    by_size = sorted(part.to_fit(), key=lambda s: s.bytes_to_master_per_s / s.load.workers)
    for sample, line in ((by_size[-1], "-"), (by_size[0], "--")):
        shares = [model.share(count, sample) * WHOLE for count in counts]
        axes.plot(counts, shares, line, color=TEXT, linewidth=0.9, zorder=0)
    axes.axhline(CORE_SHARE * WHOLE, color=TEXT, linewidth=0.8, linestyle=":")
    _logarithmic(axes)
    axes.set_xlabel("workers")


def _by_users(axes: Any, part: Part) -> None:
    real = [s for s in part.samples if s.load.workers == 4 and not s.load.replayed]
    _points(axes, real, lambda sample: float(sample.load.users))
    axes.set_ylim(0, max((sample.master_share for sample in real), default=1.0) * WHOLE * 1.2)
    axes.set_xlim(0)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set_xlabel("users")


def _fitted(axes: Any, part: Part, model: Model) -> None:
    _points(
        axes,
        part.to_fit(),
        lambda s: model.share(s.load.workers, s) * WHOLE,
    )
    ends = [min(s.master_share for s in part.to_fit()) * WHOLE, CORE_SHARE * WHOLE]
    axes.plot(ends, ends, color=TEXT, linewidth=0.9, zorder=0)
    _logarithmic(axes)
    axes.set_xlabel("fitted")


def _points(axes: Any, samples: Sequence[Sample], place: Any) -> None:
    for sample in samples:
        axes.plot(
            place(sample),
            sample.master_share * WHOLE,
            marker="o",
            markersize=5,
            color=OWN,
            markerfacecolor="white" if sample.load.replayed else OWN,
        )


def _logarithmic(axes: Any) -> None:
    for axis, scale in ((axes.xaxis, axes.set_xscale), (axes.yaxis, axes.set_yscale)):
        scale("log")
        axis.set_major_formatter("{x:,g}")

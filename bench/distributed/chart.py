"""Draws `docs/scaling.png`: the throughput of workers and their cost to the master."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure

from bench.charts import OTHER, OWN, STYLE, TEXT, save
from bench.distributed.results import Rounds, Samples, Scaling
from bench.distributed.text import content, named
from harness.results.formatting import count, rounded

MASTER, NGINX = "#e0a030", OTHER
CONTENT_COLOURS = (OWN, "#7fb2c4", "#e0a030", "#a05050", "#6a8f4f", OTHER)
PANELS = "AABBCC;DDDEEE"
VISIBLE_KB = 0.03


def draw(results: Scaling, path: Path) -> None:
    """Draw all parts that were measured; the panels of the others stay empty."""
    with rc_context(STYLE):
        figure = Figure(figsize=(12, 7.2), layout="constrained")
        panels: dict[str, Any] = figure.subplot_mosaic(PANELS)
        if results.throughput is not None:
            _rates(panels["A"], results.throughput)
            _cores(panels["B"], results.throughput)
        if results.master is not None:
            _contents(panels["C"], results.master.by_load())
            by_workers, by_users = results.master.by_workers(), results.master.by_users()
            highest = max(sample.master_share for sample in results.master.samples)
            (load, *_), (other, *_) = by_workers, by_users
            each = f"by workers with {load.users_per_process} users each"
            _master(panels["D"], by_workers, each, [load.workers for load in by_workers], highest)
            over = f"by users over {named(other)}"
            _master(panels["E"], by_users, over, [load.users for load in by_users], highest)
        note = "Bars and lines: medians. Thin lines and points: the rounds. Dotted: all cores."
        save(figure, note, path)


def _rates(axes: Any, measured: Rounds) -> None:
    loads = measured.by_load()
    for place, samples in enumerate(loads.values()):
        values = [sample.requests_per_s for sample in samples]
        axes.bar(place, median(values), color=OWN, width=0.7)
        axes.vlines(place, min(values), max(values), color=TEXT, linewidth=1.2)
        label = f"{rounded(median(values))}\n"
        axes.text(place, 0, label, ha="center", va="bottom", color="white")
    axes.set_xticks(range(len(loads)), [named(load) for load in loads])
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.set_title("requests/s without wait")


def _cores(axes: Any, measured: Rounds) -> None:
    loads, cores = measured.by_load(), measured.conditions.cores
    for place, samples in enumerate(loads.values()):
        below = 0.0
        for name, colour, shares in (
            ("workers", OWN, [s.share(sum(s.workers_cpu_s)) for s in samples]),
            ("master", MASTER, [s.master_share for s in samples]),
            ("nginx", NGINX, [s.server_share for s in samples]),
        ):
            label = None if place else name
            axes.bar(place, median(shares), bottom=below, color=colour, width=0.6, label=label)
            below += median(shares)
    axes.axhline(cores, color=TEXT, linewidth=0.8, linestyle=":")
    axes.set_xticks(range(len(loads)), [named(load) for load in loads])
    axes.set_ylim(0, cores * 1.3)
    axes.legend(loc="upper left", ncols=3)
    axes.set_title("cores used without wait")


def _contents(axes: Any, loads: Samples) -> None:
    columns = {f"{count(load.users_per_process)} users": loads[load] for load in loads}
    for place, samples in enumerate(columns.values()):
        below = 0.0
        for kind, colour in zip(content(samples[0]), CONTENT_COLOURS, strict=True):
            size = median(content(sample)[kind] for sample in samples) / 1e3
            label = kind if not place and size > VISIBLE_KB else None
            axes.barh(place, size, left=below, color=colour, height=0.6, label=label)
            below += size
    axes.set_yticks(range(len(columns)), list(columns))
    axes.legend(loc="lower right", fontsize=8)
    axes.set_title("KB/s to the master per worker, by its users")


def _master(axes: Any, loads: Samples, title: str, places: list[int], highest: float) -> None:
    shares = [[sample.master_share * 100 for sample in samples] for samples in loads.values()]
    axes.plot(places, [median(each) for each in shares], color=OWN)
    for place, each in zip(places, shares, strict=True):
        axes.plot([place] * len(each), each, "o", markersize=5, color=OWN)
    axes.set_xlim(0)
    axes.set_ylim(0, highest * 115)
    axes.set_xticks(places, [count(place) for place in places])
    axes.set_title(f"master, % of a core, {title}")

"""The charts of a run as PNG files, by matplotlib.

Figures are created directly and not by pyplot, which has global state and may look for a display.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.colors import LinearSegmentedColormap, LogNorm
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FuncFormatter, MaxNLocator

from harness.report.charts import content
from harness.report.charts.content import COLOURS, Panel, colour_of, limit_label
from harness.report.charts.palette import LIGHT
from harness.report.charts.png_style import (
    DASHES,
    STYLE,
    TICKS_S,
    add_hangul,
    empty_figure,
    legend_above,
    no_samples,
    numbers,
    plain_logarithm,
    png_of,
)
from harness.report.run_data import RunData
from harness.results.formatting import number, width
from harness.results.rows import name_of

MARKERS = {"p50_ms": "o", "p95_ms": "s", "p99_ms": "D", "max_ms": "|"}


def draw_all(data: RunData) -> dict[str, bytes]:
    """Return the charts of a run by file name."""
    add_hangul()
    drawings: dict[str, Callable[[RunData], Figure]] = {
        "overview.png": overview,
        "distribution.png": distribution,
        "heatmap.png": heat_map,
        "endpoints.png": endpoints,
    }
    with rc_context(STYLE):
        return {name: png_of(drawing(data)) for name, drawing in drawings.items()}


def overview(data: RunData) -> Figure:
    """Draw requests/s, response times and users, one above the other."""
    figure = empty_figure(10, 7.6)
    grid: Any = figure.subplots(3, 1, sharex=True, height_ratios=(3, 3, 2))
    for axes, panel in zip(grid, content.OVER_TIME, strict=True):
        _draw_panel(axes, panel, data)
    users = grid[-1]
    users.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=5, steps=(1, 2, 5, 10)))
    time_axis(users, data, content.thinned(data))
    return figure


def _draw_panel(axes: Any, panel: Panel, data: RunData) -> None:
    points = data.points
    axes.set_title(panel.title)
    axes.set_ylabel(panel.unit)
    for line in panel.lines:
        axes.plot(
            [point.at_s for point in points],
            [math.nan if value is None else value for value in line.values(data)],
            color=line.colour,
            linestyle=DASHES[line.dash],
            linewidth=1.7 if len(points) <= content.THIN_LINE_POINTS else 1.0,
            marker="o" if len(points) == 1 else "",  # a line needs two points
            label=line.name,
        )
    fitting, above = content.fitting_limits(data, panel)
    style = {"linestyle": ":", "linewidth": 1.4}
    for each in fitting:
        axes.axhline(each.limit, color=colour_of(each), label=limit_label(each), **style)
    if above:  # a line without points is only in the legend
        axes.plot([], [], color=LIGHT.muted, label=above, **style)
    for place, (first_s, end_s) in enumerate(data.bands):
        label = "steady state" if place == 0 and panel is content.OVER_TIME[-1] else None
        axes.axvspan(first_s, end_s, color=LIGHT.band, zorder=0, label=label)
    # At least 1, or a panel of zeros would have fractions of a request on its axis.
    axes.set_ylim(0, max(axes.get_ylim()[1] * 1.03, 1.0))
    numbers(axes.yaxis)
    legend_above(axes)
    if not any(point.requests_per_s for point in points):
        no_samples(axes)


def distribution(data: RunData) -> Figure:
    """Draw response times by percentile, on an axis where each nine takes equal room."""
    figure = empty_figure(10, 5.4)
    axes: Any = figure.subplots()
    axes.set_title(f"Response times by percentile, {data.stretch}")
    axes.set_xlabel("percentile")
    axes.set_ylabel("ms, logarithmic")
    axes.set_xscale("log")
    axes.set_xticks(list(content.TICKS), list(content.TICKS.values()))
    axes.minorticks_off()
    axes.set_xlim(1, 10_000)
    if not data.distributions:
        no_samples(axes)
        return figure
    axes.set_yscale("log")
    for place, (scope, curve) in enumerate(data.distributions.items()):
        colour, dash = content.style_of(place)
        axes.plot(
            [content.percentile_position(share) for share, _ in curve],
            [time_ms for _, time_ms in curve],
            color=colour,
            linestyle=DASHES[dash],
            linewidth=1.1 if place else 2.4,
            zorder=2 if place else 2.1,  # all requests above the endpoints
            label=content.short(scope),
        )
    for at, objective in content.percentile_limits(data):
        axes.plot(
            at,
            objective.limit,
            color=colour_of(objective),
            marker="v",
            markersize=8,
            linestyle="",
            label=limit_label(objective),
        )
    plain_logarithm(axes.yaxis)
    figure.legend(loc="outside right upper")
    return figure


def heat_map(data: RunData) -> Figure:
    """Draw the number of requests by response time, over time."""
    figure = empty_figure(10, 4.8)
    axes: Any = figure.subplots()
    axes.set_title("All response times over time")
    axes.set_ylabel("ms, logarithmic")
    axes.grid(False)
    found = data.heat_map
    time_axis(axes, data)
    if not found.counts:
        no_samples(axes)
        return figure
    counts = np.array(found.counts)
    mesh = axes.pcolormesh(
        found.columns_s,
        found.edges_ms,
        np.ma.masked_equal(counts, 0),  # 0 has no place on a logarithmic scale
        norm=LogNorm(1, max(int(counts.max()), 2)),  # an empty range would be no scale
        cmap=LinearSegmentedColormap.from_list("heat", LIGHT.heat[1:]),
        rasterized=True,
    )
    axes.set_yscale("log")
    plain_logarithm(axes.yaxis)
    for objective in content.heat_limits(data):
        axes.axhline(
            objective.limit,
            color=colour_of(objective),
            linestyle="--",
            linewidth=1.2,
            path_effects=[withStroke(linewidth=3, foreground=LIGHT.paper)],
            label=limit_label(objective),
        )
    if axes.get_legend_handles_labels()[1]:
        legend_above(axes)
    bar = figure.colorbar(mesh, ax=axes, pad=0.01, aspect=30)
    plain_logarithm(bar.ax.yaxis)
    bar.outline.set_visible(False)
    bar.set_label(f"requests per {width(found.width_s)}, logarithmic")
    return figure


def endpoints(data: RunData) -> Figure:
    """Draw p50, p95, p99 and the maximum of each endpoint, and their objectives."""
    rows = content.rows_of(data)
    figure = empty_figure(10, 0.46 * max(len(rows), 2) + 1.5)
    axes: Any = figure.subplots()
    axes.set_title(f"Response times by endpoint, {data.stretch}")
    axes.set_xlabel("ms, logarithmic")
    axes.set_ylim(len(rows) - 0.4, -0.6)  # downwards, as in the table
    axes.set_yticks(range(len(rows)), [content.short(scope) for scope, _ in rows])
    axes.tick_params(axis="y", length=0)
    axes.grid(False, axis="y")
    if not rows:
        no_samples(axes)
        return figure
    axes.set_xscale("log")
    for place, (_, figures) in enumerate(rows):
        axes.hlines(place, figures.p50_ms, figures.max_ms, color=LIGHT.muted, linewidth=0.9)
    for key, marker in MARKERS.items():
        axes.plot(
            [getattr(figures, key) for _, figures in rows],
            range(len(rows)),
            color=COLOURS[key],
            linestyle="",
            marker=marker,
            markersize=11 if marker == "|" else 6,
            markeredgewidth=1.8 if marker == "|" else 0.5,
            label=name_of(key),
        )
    axes.plot(
        [],
        [],
        color=LIGHT.muted,
        linestyle="",
        marker="|",
        markersize=13,
        markeredgewidth=2.2,
        label="objective (✗ missed)",
    )
    for place, (scope, _) in enumerate(rows):
        limits = sorted(content.time_objectives(data, scope), key=lambda each: each.limit)
        for turn, each in enumerate(limits):
            colour = colour_of(each) if each.met else LIGHT.failure
            axes.plot([each.limit] * 2, [place - 0.3, place + 0.3], color=colour, linewidth=2.2)
            side = 1 if turn % 2 else -1  # alternating, since two may be close to each other
            axes.annotate(
                f"{name_of(each.key)} ≤ {number(each.limit)}{'' if each.met else ' ✗'}",
                (each.limit, place + 0.3 * side),
                xytext=(0, -side),
                textcoords="offset points",
                fontsize=7,
                ha="center",
                va="top" if side > 0 else "bottom",
                color=colour,
            )
    axes.margins(x=0.06)
    plain_logarithm(axes.xaxis)
    legend_above(axes)
    return figure


def time_axis(axes: Any, data: RunData, remark: str = "") -> None:
    """Label the time axis in seconds or minutes, with at most ten steps between ticks."""
    end, (unit_s, unit) = max(content.end_s(data), 1), content.unit(data)
    axes.set_xlim(0, end)
    step = next((each for each in TICKS_S if end <= each * 10), TICKS_S[-1])
    axes.set_xticks(range(0, end + 1, step))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda at, _: number(at / unit_s)))
    axes.set_xlabel(f"{unit} since the start{remark}")

"""A run as PNG files; matplotlib alone, without its global state and without a display."""

from __future__ import annotations

import importlib.util
import io
import math
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import font_manager, rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap, LogNorm
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FuncFormatter, MaxNLocator

from harness.formatting import number, width
from harness.report import contents
from harness.report.contents import COLOURS, Panel, colour_of, limit_label
from harness.report.material import Material
from harness.report.palette import LIGHT
from harness.rows import name_of

DPI = 120
TICKS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 28_800, 86_400)
DASHES: dict[str, Any] = {
    "solid": "-",
    "dash": (0, (5, 1.5)),
    "dot": (0, (1.2, 1.2)),
    "dashdot": (0, (6, 1.5, 1.2, 1.5)),
}
STYLE = {
    "axes.axisbelow": True,
    "axes.edgecolor": LIGHT.muted,
    "axes.grid": True,
    "axes.labelcolor": LIGHT.text,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "axes.unicode_minus": False,
    "font.family": ["DejaVu Sans", "NanumGothic"],
    "font.size": 9,
    "grid.color": LIGHT.grid,
    "grid.linewidth": 0.7,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "text.color": LIGHT.text,
    "text.parse_math": False,  # a name may hold two dollar signs
    "xtick.color": LIGHT.muted,
    "xtick.labelcolor": LIGHT.text,
    "ytick.color": LIGHT.muted,
    "ytick.labelcolor": LIGHT.text,
}
MARKERS = {"p50_ms": "o", "p95_ms": "s", "p99_ms": "D", "max_ms": "|"}


def draw_all(material: Material) -> dict[str, bytes]:
    """Return the charts of a run by file name."""
    add_hangul()
    drawings: dict[str, Callable[[Material], Figure]] = {
        "overview.png": overview,
        "distribution.png": distribution,
        "heatmap.png": heat_map,
        "endpoints.png": endpoints,
    }
    with rc_context(STYLE):
        return {name: png_of(drawing(material)) for name, drawing in drawings.items()}


def overview(material: Material) -> Figure:
    """Draw requests/s, response times and users, one above the other."""
    figure = empty_figure(10, 7.6)
    grid: Any = figure.subplots(3, 1, sharex=True, height_ratios=(3, 3, 2))
    for axes, panel in zip(grid, contents.OVER_TIME, strict=True):
        _draw_panel(axes, panel, material)
    users = grid[-1]
    users.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=5, steps=(1, 2, 5, 10)))
    time_axis(users, material, contents.thinned(material))
    return figure


def _draw_panel(axes: Any, panel: Panel, material: Material) -> None:
    points = material.points
    axes.set_title(panel.title)
    axes.set_ylabel(panel.unit)
    for line in panel.lines:
        axes.plot(
            [point.at_s for point in points],
            [math.nan if value is None else value for value in line.values(material)],
            color=line.colour,
            linestyle=DASHES[line.dash],
            linewidth=1.7 if len(points) <= contents.MANY else 1.0,
            marker="o" if len(points) == 1 else "",  # alone it makes no line
            label=line.name,
        )
    fitting, above = contents.fitting_limits(material, panel)
    style = {"linestyle": ":", "linewidth": 1.4}
    for each in fitting:
        axes.axhline(each.limit, color=colour_of(each), label=limit_label(each), **style)
    if above:
        axes.plot([], [], color=LIGHT.muted, label=above, **style)
    for place, (first_s, end_s) in enumerate(material.bands):
        label = "steady state" if place == 0 and panel is contents.OVER_TIME[-1] else None
        axes.axvspan(first_s, end_s, color=LIGHT.band, zorder=0, label=label)
    axes.set_ylim(0, max(axes.get_ylim()[1] * 1.03, 1.0))
    numbers(axes.yaxis)
    legend_above(axes)
    if not any(point.requests_per_s for point in points):
        no_samples(axes)


def distribution(material: Material) -> Figure:
    """Draw response times by percentile, on an axis on which each nine takes equal room."""
    figure = empty_figure(10, 5.4)
    axes: Any = figure.subplots()
    axes.set_title(f"Response times by percentile, {material.stretch}")
    axes.set_xlabel("percentile")
    axes.set_ylabel("ms, logarithmic")
    axes.set_xscale("log")
    axes.set_xticks(list(contents.TICKS), list(contents.TICKS.values()))
    axes.minorticks_off()
    axes.set_xlim(1, 10_000)
    if not material.distributions:
        no_samples(axes)
        return figure
    axes.set_yscale("log")
    for place, (scope, curve) in enumerate(material.distributions.items()):
        colour, dash = contents.look_of(place)
        axes.plot(
            [contents.over(share) for share, _ in curve],
            [time_ms for _, time_ms in curve],
            color=colour,
            linestyle=DASHES[dash],
            linewidth=1.1 if place else 2.4,
            zorder=2 if place else 2.1,
            label=contents.short(scope),
        )
    for at, objective in contents.percentile_limits(material):
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


def heat_map(material: Material) -> Figure:
    """Draw how many requests took how long, over time."""
    figure = empty_figure(10, 4.8)
    axes: Any = figure.subplots()
    axes.set_title("All response times over time")
    axes.set_ylabel("ms, logarithmic")
    axes.grid(False)
    found = material.heat_map
    time_axis(axes, material)
    if not found.counts:
        no_samples(axes)
        return figure
    counts = np.array(found.counts)
    mesh = axes.pcolormesh(
        found.columns_s,
        found.edges_ms,
        np.ma.masked_equal(counts, 0),
        norm=LogNorm(1, max(int(counts.max()), 2)),
        cmap=LinearSegmentedColormap.from_list("heat", LIGHT.heat[1:]),
        rasterized=True,
    )
    axes.set_yscale("log")
    plain_logarithm(axes.yaxis)
    for objective in contents.heat_limits(material):
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


def endpoints(material: Material) -> Figure:
    """Draw p50, p95, p99 and the maximum of each endpoint, and their objectives."""
    rows = contents.rows_of(material)
    figure = empty_figure(10, 0.46 * max(len(rows), 2) + 1.5)
    axes: Any = figure.subplots()
    axes.set_title(f"Response times by endpoint, {material.stretch}")
    axes.set_xlabel("ms, logarithmic")
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_yticks(range(len(rows)), [contents.short(scope) for scope, _ in rows])
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
        limits = sorted(contents.time_objectives(material, scope), key=lambda each: each.limit)
        for turn, each in enumerate(limits):
            colour = colour_of(each) if each.met else LIGHT.failure
            axes.plot([each.limit] * 2, [place - 0.3, place + 0.3], color=colour, linewidth=2.2)
            side = 1 if turn % 2 else -1  # in turn, since two may be close to each other
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


def legend_above(axes: Any) -> None:
    """Name the lines above the chart, on the right of its title."""
    axes.legend(
        loc="lower right",
        bbox_to_anchor=(1, 0.99),
        ncols=5,
        borderaxespad=0.1,
        columnspacing=1.3,
        handlelength=1.9,
        handletextpad=0.6,
    )


def time_axis(axes: Any, material: Material, remark: str = "") -> None:
    """Show seconds or minutes since the start."""
    end, (unit_s, unit) = max(contents.end_s(material), 1), contents.unit(material)
    axes.set_xlim(0, end)
    step = next((each for each in TICKS_S if end <= each * 10), TICKS_S[-1])
    axes.set_xticks(range(0, end + 1, step))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda at, _: number(at / unit_s)))
    axes.set_xlabel(f"{unit} since the start{remark}")


def numbers(axis: Any) -> None:
    """Write numbers on an axis as the tables do."""
    axis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))


def plain_logarithm(axis: Any) -> None:
    """Write 0.5, 20 and 1,000 on an axis, as many as a few decades leave room for."""
    low, high = axis.get_view_interval()
    wide = math.log10(high / low) > 2.2
    subs = (1.0,) if wide else (1.0, 2.0, 5.0)
    axis.get_major_locator().set_params(subs=subs, numticks=20)
    numbers(axis)
    axis.set_minor_formatter(FuncFormatter(lambda value, _: ""))


def no_samples(axes: Any, words: str = "no samples") -> None:
    """Say that there is nothing to draw."""
    middle = {"transform": axes.transAxes, "ha": "center", "va": "center"}
    axes.text(0.5, 0.5, words, color=LIGHT.muted, fontsize=14, **middle)


def empty_figure(width: float, height: float) -> Figure:
    """Return a figure of so many inches, on a canvas that needs no display."""
    figure = Figure(figsize=(width, height), layout="constrained", facecolor=LIGHT.paper)
    FigureCanvasAgg(figure)
    return figure


def png_of(figure: Figure) -> bytes:
    """Return a figure as PNG."""
    stream = io.BytesIO()
    # Without the name of the software: the same run gives the same bytes.
    figure.savefig(stream, format="png", dpi=DPI, metadata={"Software": None})
    return stream.getvalue()


@cache
def add_hangul() -> None:
    """Make NanumGothic known: the font alone, since the package's own code sets global styles."""
    package = importlib.util.find_spec("koreanize_matplotlib")
    assert package is not None and package.origin is not None
    fonts = Path(package.origin).parent / "fonts"
    font_manager.fontManager.addfont(str(fonts / "NanumGothic.ttf"))

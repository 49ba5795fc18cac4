"""A run as PNG files; matplotlib alone, without its global state and without a display."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.colors import LinearSegmentedColormap, LogNorm
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator

from harness.objectives import TOTAL
from harness.report import wording
from harness.report.contents import (
    COLOURS,
    FAR,
    MANY,
    NAMES,
    PERCENTILES,
    fitting_limits,
    limit_label,
    rows_of,
    short,
    thinned,
    time_objectives,
)
from harness.report.looks import (
    STYLE,
    add_hangul,
    empty_figure,
    legend_above,
    no_samples,
    plain_logarithm,
    png_of,
    time_axis,
)
from harness.report.material import Material
from harness.report.palette import LIGHT

DASHES: dict[str, Any] = {"p50_ms": "-", "p95_ms": (0, (5, 1.5)), "p99_ms": (0, (1.2, 1.2))}
MARKERS = {"p50_ms": "o", "p95_ms": "s", "p99_ms": "D", "max_ms": "|"}
LINES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1.2, 1.2)), (0, (6, 1.5, 1.2, 1.5)))


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
    panels: Any = figure.subplots(3, 1, sharex=True, height_ratios=(3, 3, 2))
    rates, times, users = panels
    points = material.points
    at = [point.at_s for point in points]
    failures = [point.failures_per_s for point in points]
    rates.plot(at, [point.requests_per_s for point in points], color=LIGHT.good, label="requests")
    rates.plot(at, failures, color=LIGHT.failure, linestyle=DASHES["p95_ms"], label="failures")
    _limits(rates, material, ("requests_per_s",))
    rates.set_ylabel("per second")
    rates.set_title("Total requests per second")
    for key in ("p50_ms", "p95_ms"):
        found = [math.nan if getattr(p, key) is None else getattr(p, key) for p in points]
        times.plot(at, found, color=COLOURS[key], linestyle=DASHES[key], label=NAMES[key])
    _limits(times, material, tuple(COLOURS))
    times.set_ylabel("ms")
    times.set_title("Response times")
    users.plot(at, [point.users for point in points], color=LIGHT.users, label="users")
    users.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=5, steps=(1, 2, 5, 10)))
    users.set_ylabel("users")
    users.set_title("Number of users")
    for axes in (rates, times, users):
        for number, band in enumerate(material.bands):
            label = "steady state" if number == 0 and axes is users else None
            axes.axvspan(band.first_s, band.end_s, color=LIGHT.band, zorder=0, label=label)
        axes.set_ylim(0, max(axes.get_ylim()[1] * 1.03, 1.0))
        for line in axes.get_lines()[:2]:
            line.set_marker("o" if len(points) == 1 else "")  # alone it makes no line
            line.set_linewidth(1.7 if len(points) <= MANY else 1.0)
        legend_above(axes)
        if not any(point.requests_per_s for point in points):
            no_samples(axes)
    time_axis(users, material, thinned(material))
    return figure


def distribution(material: Material) -> Figure:
    """Draw response times by percentile, on an axis on which each nine takes equal room."""
    figure = empty_figure(10, 5.4)
    axes: Any = figure.subplots()
    axes.set_title(f"Response times by percentile, {material.stretch}")
    axes.set_xlabel("percentile")
    axes.set_ylabel("ms, logarithmic")
    axes.set_xscale("log")
    axes.set_xticks([1 / (1 - share) for share in PERCENTILES])
    axes.set_xticklabels([f"{share * 100:.4g} %" for share in PERCENTILES])
    axes.minorticks_off()
    axes.set_xlim(1, 10_000)
    if not material.distributions:
        no_samples(axes)
        return figure
    axes.set_yscale("log")
    for number, each in reversed(list(enumerate(material.distributions))):
        is_total = each.scope == TOTAL
        axes.plot(
            [1 / (1 - share) for share, _ in each.curve],
            [time for _, time in each.curve],
            color=LIGHT.good if is_total else LIGHT.scopes[(number - 1) % len(LIGHT.scopes)],
            linestyle="-" if is_total else LINES[(number - 1) % len(LINES)],
            linewidth=2.4 if is_total else 1.1,
            label=short(each.scope),
        )
    for objective in time_objectives(material, TOTAL):
        share = {"p50_ms": 0.5, "p95_ms": 0.95, "p99_ms": 0.99}.get(objective.key)
        if share is None:
            continue
        axes.plot(
            *(1 / (1 - share), objective.limit),
            **{"marker": "v", "linestyle": "", "markersize": 8, "color": COLOURS[objective.key]},
            label=limit_label(objective),
        )
    plain_logarithm(axes.yaxis)
    handles, labels = axes.get_legend_handles_labels()
    lines = len(material.distributions)
    order = [*reversed(range(lines)), *range(lines, len(labels))]
    figure.legend(
        [handles[place] for place in order],
        [labels[place] for place in order],
        loc="outside right upper",
    )
    return figure


def heat_map(material: Material) -> Figure:
    """Draw how many requests took how long, over time."""
    figure = empty_figure(10, 4.8)
    axes: Any = figure.subplots()
    axes.set_title("All response times over time")
    axes.set_ylabel("ms, logarithmic")
    axes.grid(False)
    found = material.heat_map
    if not found.counts:
        no_samples(axes)
        time_axis(axes, material)
        return figure
    counts = np.array(found.counts)
    columns = [place * found.width_s for place in range(counts.shape[1] + 1)]
    mesh = axes.pcolormesh(
        *(columns, found.edges_ms, np.ma.masked_equal(counts, 0)),
        norm=LogNorm(1, max(int(counts.max()), 2)),
        cmap=LinearSegmentedColormap.from_list("heat", LIGHT.heat[1:]),
        rasterized=True,
    )
    axes.set_yscale("log")
    plain_logarithm(axes.yaxis)
    for objective in time_objectives(material, TOTAL):
        if objective.limit <= found.edges_ms[-1] * FAR:
            axes.axhline(
                objective.limit,
                **{"color": COLOURS[objective.key], "linestyle": "--", "linewidth": 1.2},
                path_effects=[withStroke(linewidth=3, foreground=LIGHT.paper)],
                label=limit_label(objective),
            )
    if axes.get_legend_handles_labels()[1]:
        legend_above(axes)
    bar = figure.colorbar(mesh, ax=axes, pad=0.01, aspect=30)
    plain_logarithm(bar.ax.yaxis)
    bar.outline.set_visible(False)
    bar.set_label(f"requests per {wording.width(found.width_s)}, logarithmic")
    time_axis(axes, material)
    return figure


def endpoints(material: Material) -> Figure:
    """Draw p50, p95, p99 and the maximum of each endpoint, and their objectives."""
    rows = rows_of(material)
    figure = empty_figure(10, 0.46 * max(len(rows), 2) + 1.5)
    axes: Any = figure.subplots()
    axes.set_title(f"Response times by endpoint, {material.stretch}")
    axes.set_xlabel("ms, logarithmic")
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_yticks(range(len(rows)), [short(scope) for scope, _ in rows])
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
            **{"marker": marker, "markersize": 11 if marker == "|" else 6, "linestyle": ""},
            **{"color": COLOURS[key], "markeredgewidth": 1.8 if marker == "|" else 0.5},
            label=key.removesuffix("_ms"),
        )
    axes.plot(
        *([], []),
        **{"marker": "|", "linestyle": "", "markersize": 13, "markeredgewidth": 2.2},
        **{"color": LIGHT.muted, "label": "objective (✗ missed)"},
    )
    for place, (scope, _) in enumerate(rows):
        limits = sorted(time_objectives(material, scope), key=lambda each: each.limit)
        for number, each in enumerate(limits):
            colour = COLOURS[each.key] if each.met else LIGHT.failure
            axes.plot([each.limit] * 2, [place - 0.3, place + 0.3], color=colour, linewidth=2.2)
            side = 1 if number % 2 else -1  # in turn, since two may be close to each other
            axes.annotate(
                f"{each.key.removesuffix('_ms')} ≤ {wording.number(each.limit)}"
                + ("" if each.met else " ✗"),
                (each.limit, place + 0.3 * side),
                **{"xytext": (0, -side), "textcoords": "offset points", "fontsize": 7},
                **{"ha": "center", "va": "top" if side > 0 else "bottom", "color": colour},
            )
    axes.margins(x=0.06)
    plain_logarithm(axes.xaxis)
    legend_above(axes)
    return figure


def _limits(axes: Any, material: Material, keys: Sequence[str]) -> None:
    fitting, above = fitting_limits(material, keys, axes.get_ylim()[1])
    for each in fitting:
        colour = COLOURS.get(each.key, LIGHT.good)
        style = {"color": colour, "linestyle": ":", "linewidth": 1.4}
        axes.axhline(each.limit, **style, label=limit_label(each))
    if above:
        axes.plot([], [], color=LIGHT.muted, linestyle=":", linewidth=1.4, label=above)

"""A run as PNG files; matplotlib alone, without its global state and without a display."""

from __future__ import annotations

import importlib.util
import io
import math
from collections.abc import Callable, Sequence
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

from harness.objectives import TOTAL
from harness.report import tables
from harness.report.material import Material
from harness.report.palette import LIGHT
from harness.runfolder import Figures, Objective

DPI = 120
DASHES: dict[str, Any] = {"p50_ms": "-", "p95_ms": (0, (5, 1.5)), "p99_ms": (0, (1.2, 1.2))}
COLOURS = {"p50_ms": LIGHT.good, "p95_ms": LIGHT.p95, "p99_ms": LIGHT.p99, "max_ms": LIGHT.most}
NAMES = {"p50_ms": "median", "p95_ms": "95th percentile", "p99_ms": "p99", "max_ms": "maximum"}
MARKERS = {"p50_ms": "o", "p95_ms": "s", "p99_ms": "D", "max_ms": "|"}
LINES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1.2, 1.2)), (0, (6, 1.5, 1.2, 1.5)))
FAR = 3.0
"""An objective so many times above all that was measured would flatten the lines to read."""
LONGEST = 40
MANY = 400
PERCENTILES = (0.0, 0.5, 0.9, 0.99, 0.999, 0.9999)
TICKS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 28_800, 86_400)
STYLE = {
    "axes.axisbelow": True,
    "axes.edgecolor": LIGHT.muted,
    "axes.grid": True,
    "axes.labelcolor": LIGHT.text,
    "axes.linewidth": 0.8,
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


def draw_all(material: Material) -> dict[str, bytes]:
    """Return the charts of a run by file name."""
    _add_hangul()
    drawings: dict[str, Callable[[Material], Figure]] = {
        "overview.png": overview,
        "distribution.png": distribution,
        "heatmap.png": heat_map,
        "endpoints.png": endpoints,
    }
    with rc_context(STYLE):
        return {name: _png(drawing(material)) for name, drawing in drawings.items()}


def overview(material: Material) -> Figure:
    """Draw requests/s, response times and users, one above the other."""
    figure = _figure(10, 7.6)
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
        _legend_above(axes)
        if not any(point.requests_per_s for point in points):
            _no_samples(axes)
    _time_axis(users, material, thinned(material))
    return figure


def distribution(material: Material) -> Figure:
    """Draw response times by percentile, on an axis on which each nine takes equal room."""
    figure = _figure(10, 5.4)
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
        _no_samples(axes)
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
    _plain_logarithm(axes.yaxis)
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
    figure = _figure(10, 4.8)
    axes: Any = figure.subplots()
    axes.set_title("All response times over time")
    axes.set_ylabel("ms, logarithmic")
    axes.grid(False)
    found = material.heat_map
    if not found.counts:
        _no_samples(axes)
        _time_axis(axes, material)
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
    _plain_logarithm(axes.yaxis)
    for objective in time_objectives(material, TOTAL):
        if objective.limit <= found.edges_ms[-1] * FAR:
            axes.axhline(
                objective.limit,
                **{"color": COLOURS[objective.key], "linestyle": "--", "linewidth": 1.2},
                path_effects=[withStroke(linewidth=3, foreground=LIGHT.paper)],
                label=limit_label(objective),
            )
    if axes.get_legend_handles_labels()[1]:
        _legend_above(axes)
    bar = figure.colorbar(mesh, ax=axes, pad=0.01, aspect=30)
    _plain_logarithm(bar.ax.yaxis)
    bar.outline.set_visible(False)
    bar.set_label(f"requests per {tables.width(found.width_s)}, logarithmic")
    _time_axis(axes, material)
    return figure


def endpoints(material: Material) -> Figure:
    """Draw p50, p95, p99 and the maximum of each endpoint, and their objectives."""
    rows = rows_of(material)
    figure = _figure(10, 0.46 * max(len(rows), 2) + 1.5)
    axes: Any = figure.subplots()
    axes.set_title(f"Response times by endpoint, {material.stretch}")
    axes.set_xlabel("ms, logarithmic")
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_yticks(range(len(rows)), [short(scope) for scope, _ in rows])
    axes.tick_params(axis="y", length=0)
    axes.grid(False, axis="y")
    if not rows:
        _no_samples(axes)
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
                f"{each.key.removesuffix('_ms')} ≤ {tables.number(each.limit)}"
                + ("" if each.met else " ✗"),
                (each.limit, place + 0.3 * side),
                **{"xytext": (0, -side), "textcoords": "offset points", "fontsize": 7},
                **{"ha": "center", "va": "top" if side > 0 else "bottom", "color": colour},
            )
    axes.margins(x=0.06)
    _plain_logarithm(axes.xaxis)
    _legend_above(axes)
    return figure


def rows_of(material: Material) -> list[tuple[str, Figures]]:
    """Return (scope, figures) of all requests and of each endpoint that was hit."""
    summary = material.summary
    found = [(TOTAL, summary.total.steady, summary.total.whole_run)]
    found += [(f"{e.method} {e.name}", e.steady, e.whole_run) for e in summary.endpoints]
    rows = [(scope, (steady if material.is_steady else whole)) for scope, steady, whole in found]
    return [(scope, each) for scope, each in rows if each is not None and each.requests]


def time_objectives(material: Material, scope: str) -> list[Objective]:
    """Return the objectives for the response times of a scope."""
    return [
        each for each in material.summary.objectives if each.scope == scope and each.key in COLOURS
    ]


def _legend_above(axes: Any) -> None:
    axes.legend(
        loc="lower right",
        bbox_to_anchor=(1, 0.99),
        ncols=5,
        borderaxespad=0.1,
        columnspacing=1.3,
        handlelength=1.9,
        handletextpad=0.6,
    )


def _limits(axes: Any, material: Material, keys: Sequence[str]) -> None:
    fitting, above = fitting_limits(material, keys, axes.get_ylim()[1])
    for each in fitting:
        colour = COLOURS.get(each.key, LIGHT.good)
        style = {"color": colour, "linestyle": ":", "linewidth": 1.4}
        axes.axhline(each.limit, **style, label=limit_label(each))
    if above:
        axes.plot([], [], color=LIGHT.muted, linestyle=":", linewidth=1.4, label=above)


def fitting_limits(
    material: Material, keys: Sequence[str], highest: float
) -> tuple[list[Objective], str]:
    """Return the objectives of all requests to draw, and a name for those too far above."""
    found = [
        each for each in material.summary.objectives if each.scope == TOTAL and each.key in keys
    ]
    above = [each for each in found if each.limit > max(highest, 1e-9) * FAR]
    named = ", ".join(limit_label(each).removeprefix("objective ") for each in above)
    return [each for each in found if each not in above], named and f"far above: {named}"


def limit_label(objective: Objective) -> str:
    """Return what an objective of all requests is called in a legend."""
    if objective.key == "requests_per_s":
        return f"objective ≥ {tables.number(objective.limit)}/s"
    return f"objective {objective.key[:-3]} ≤ {tables.number(objective.limit)} ms"


def thinned(material: Material) -> str:
    """Return what to say of points that are no single seconds."""
    if material.width_s == 1:
        return ""
    return (
        f"; a point is {tables.width(material.width_s)}: mean rates, percentiles of all its "
        "requests"
    )


def _time_axis(axes: Any, material: Material, remark: str = "") -> None:
    """Show seconds or minutes since the start."""
    end_s = max(material.points[-1].at_s + material.width_s if material.points else 0, 1)
    axes.set_xlim(0, end_s)
    step = next((each for each in TICKS_S if end_s <= each * 10), TICKS_S[-1])
    axes.set_xticks(range(0, end_s + 1, step))
    unit = unit_s(material)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda at, _: f"{at / unit:g}"))
    label = f"{'seconds' if unit == 1 else 'minutes'} since the start"
    axes.set_xlabel(label + remark)


def unit_s(material: Material) -> int:
    """Return the seconds in what time is counted in: a second, or a minute after two of them."""
    last_s = material.points[-1].at_s if material.points else 0
    return 60 if last_s >= 120 else 1


def _plain_logarithm(axis: Any) -> None:
    """Write 0.5, 20 and 1 000 on an axis, as many as a few decades leave room for."""
    low, high = axis.get_view_interval()
    wide = math.log10(high / low) > 2.2
    subs = (1.0,) if wide else (1.0, 2.0, 5.0)
    axis.get_major_locator().set_params(subs=subs, numticks=20)
    axis.set_major_formatter(FuncFormatter(lambda value, _: tables.number(value)))
    axis.set_minor_formatter(FuncFormatter(lambda value, _: ""))


def _no_samples(axes: Any) -> None:
    axes.text(
        *(0.5, 0.5, "no samples"),
        **{"transform": axes.transAxes, "ha": "center", "va": "center"},
        **{"color": LIGHT.muted, "fontsize": 14},
    )


def short(name: str) -> str:
    """Return a name in one line that leaves room for the chart."""
    line = tables.one_line(name)
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def _figure(width: float, height: float) -> Figure:
    figure = Figure(figsize=(width, height), layout="constrained", facecolor=LIGHT.paper)
    FigureCanvasAgg(figure)
    return figure


def _png(figure: Figure) -> bytes:
    stream = io.BytesIO()
    # Without the name of the software: the same run gives the same bytes.
    figure.savefig(stream, format="png", dpi=DPI, metadata={"Software": None})
    return stream.getvalue()


@cache
def _add_hangul() -> None:
    """Make NanumGothic known: the font alone, since the package's own code sets global styles."""
    package = importlib.util.find_spec("koreanize_matplotlib")
    assert package is not None and package.origin is not None
    fonts = Path(package.origin).parent / "fonts"
    font_manager.fontManager.addfont(str(fonts / "NanumGothic.ttf"))

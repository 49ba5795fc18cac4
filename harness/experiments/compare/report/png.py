"""The charts of a comparison as PNG files, by matplotlib without pyplot's global state."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from harness.experiments.compare.report import content
from harness.experiments.compare.report.content import BOUNDS, CPU, P95, RATE, Bar, wrapped
from harness.experiments.compare.report.data import ComparisonData, Panel
from harness.report.charts import palette, png_style
from harness.report.charts.content import THIN_LINE_POINTS
from harness.report.charts.palette import LIGHT
from harness.report.charts.png_style import DASHES
from harness.results.formatting import count, number

MARKERS = ("o", "s", "D", "^", "v", "P", "X", "*")
COLUMN_INCHES = 2.7
Style = dict[str, Any]
LIMIT: Style = {"color": LIGHT.muted, "linestyle": ":", "linewidth": 1.6, "zorder": 1}
STEP: Style = {"markersize": 6, "linewidth": 1.6, "capsize": 3, "elinewidth": 1.1}
WHISKERS: Style = {"capsize": 6, "elinewidth": 1.8, "capthick": 1.8, "markersize": 12}
SIDE: Style = {"loc": "upper left", "bbox_to_anchor": (1.01, 1.03), "alignment": "left"}
BESIDE: Style = {"xytext": (10, 0), "textcoords": "offset points", "va": "center", "fontsize": 10}
DOT: Style = {"color": LIGHT.text, "linestyle": "", "zorder": 4}
DOTS: dict[str, Style] = {
    "exact": {**DOT, "marker": "o", "markersize": 4.5, "markerfacecolor": LIGHT.paper},
    "at least": {**DOT, "marker": ">", "markersize": 6},
    "fewer than": {**DOT, "marker": "<", "markersize": 6},
}


def draw_all(data: ComparisonData) -> dict[str, bytes]:
    """Return the charts of a comparison by file name."""
    png_style.add_hangul()
    drawings: dict[str, Callable[[ComparisonData], Figure]] = {
        "over-time.png": over_time,
        "steps.png": by_users,
        "carried-users.png": carried_users,
        "cpu.png": cpu,
    }
    with rc_context(png_style.STYLE):
        return {name: png_style.png_of(drawing(data)) for name, drawing in drawings.items()}


def over_time(data: ComparisonData) -> Figure:
    """Draw requests/s, response times and users of each variant side by side, on equal axes."""
    panels = data.panels
    figure = png_style.empty_figure(max(2.2 + COLUMN_INCHES * len(panels), 10), 7.2)
    grid: Any = figure.subplots(
        3, len(panels), sharex=True, sharey="row", squeeze=False, height_ratios=(3, 3, 2)
    )
    for column, panel in enumerate(panels):
        _draw_panel(grid[:, column], panel, data.p95_limit_ms)
        width = 30 if len(panels) > 2 else 60
        grid[0, column].set_title("\n".join(wrapped(panel.title, width)))
        grid[0, column].tick_params(labelbottom=False)
    rates, times, users = grid[:, 0]
    rates.set_ylim(0, content.most_of(panels, "requests"))
    rates.yaxis.set_major_formatter(_plain)
    users.set_ylim(0, content.most_of(panels, "users"))
    users.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=5, steps=(1, 2, 5, 10)))
    users.yaxis.set_major_formatter(_plain)
    png_style.plain_logarithm(times.yaxis)
    end_s, unit_s, label = content.time_axis(panels)
    users.set_xlim(0, end_s)
    step = next((each for each in png_style.TICKS_S if end_s <= each * 5), png_style.TICKS_S[-1])
    users.set_xticks(range(0, end_s + 1, step))
    users.xaxis.set_major_formatter(lambda at, _: f"{at / unit_s:g}")
    figure.supxlabel(label, fontsize=9)
    for row, title in enumerate(("Requests per second", "Response times", "Number of users")):
        grid[row, 0].set_ylabel(content.AXES[row])
        grid[row, -1].legend(title=title, title_fontproperties={"size": 9}, **SIDE)
    return figure


def _draw_panel(rows: Sequence[Any], panel: Panel, limit_ms: float | None) -> None:
    rates, times, users = rows
    width = 1.5 if len(panel.seconds) <= THIN_LINE_POINTS else 1.0
    times.set_yscale("log")
    for curve in content.CURVES:
        at, values = content.over_time(panel, curve)
        axes, dash = rows[curve.row], DASHES["dash" if curve.is_dashed else "solid"]
        axes.plot(
            at, values, linestyle=dash, linewidth=width, color=curve.colour, label=curve.name
        )
    if limit_ms is not None:
        times.axhline(limit_ms, label=content.limit_label(limit_ms), **LIMIT)
    if not panel.seconds:
        png_style.no_samples(rates, "no valid run")
    for axes in rows:
        for place, stretch in enumerate(panel.counted):
            label = "seconds that count" if place == 0 and axes is users else None
            axes.axvspan(stretch.first_s, stretch.end_s, color=LIGHT.band, zorder=0, label=label)
        for stretch in panel.runs[1:]:
            axes.axvline(stretch.first_s, color=LIGHT.muted, linewidth=0.5, alpha=0.6)


def by_users(data: ComparisonData) -> Figure:
    """Draw the rate and the 95th percentile by users, with all variants in each chart."""
    figure = png_style.empty_figure(11, 5.2)
    grid: Any = figure.subplots(1, 2)
    rates, times = grid
    _draw_lines(rates, data, RATE)
    rates.set_ylim(bottom=0)
    rates.yaxis.set_major_formatter(_plain)
    handles = _draw_lines(times, data, P95)
    times.set_yscale("log")
    limits = [] if data.p95_limit_ms is None else [data.p95_limit_ms]
    values = [*content.extremes(content.lines(data, P95)), *limits] or [1.0]
    margin = max((max(values) / min(values)) ** 0.05, 1.2)
    times.set_ylim(min(values) / margin, max(values) * margin)
    png_style.plain_logarithm(times.yaxis)
    for limit_ms in limits:
        handles.append(times.axhline(limit_ms, label=content.limit_label(limit_ms), **LIMIT))
    _legend_below(figure, handles)
    return figure


def cpu(data: ComparisonData) -> Figure:
    """Draw the CPU time of the server per request, by users."""
    figure = png_style.empty_figure(9, 4.8)
    axes: Any = figure.subplots()
    handles = _draw_lines(axes, data, CPU)
    axes.set_ylim(bottom=0)
    _legend_below(figure, handles)
    return figure


def _draw_lines(axes: Any, data: ComparisonData, key: str) -> list[Any]:
    """Draw a line per variant; return the handles for a legend."""
    title, unit = content.CHARTS[key]
    axes.set_title(title)
    axes.set_ylabel(unit)
    axes.set_xlabel("users, logarithmic")
    axes.set_xscale("log")
    found = content.lines(data, key)
    if not any(line.points for line in found):
        png_style.no_samples(axes, "nothing known")
        return []
    ticks = content.ticks(data.all_steps)
    axes.set_xlim(*content.ends(data.all_steps))
    axes.set_xticks(ticks, [count(users) for users in ticks])
    axes.set_xticks([], minor=True)
    handles = []
    for place, line in enumerate(found):
        below = [point.middle - point.low for point in line.points]
        above = [point.high - point.middle for point in line.points]
        handle = axes.errorbar(
            [point.at for point in line.points],
            [point.middle for point in line.points],
            (below, above),
            color=line.colour,
            linestyle=DASHES[palette.DASHES[place % len(palette.DASHES)]],
            marker=MARKERS[place % len(MARKERS)],
            label="\n".join(wrapped(line.title, 34)),
            **STEP,
        )
        handles.append(handle)
    return handles


def _legend_below(figure: Figure, handles: Sequence[Any]) -> None:
    if handles:
        figure.legend(
            handles=handles,
            loc="outside lower center",
            ncols=min(len(handles), 4),
            handlelength=3.2,
            title="median of the rounds; bars from the lowest to the highest",
            fontsize=8.5,
        )


def carried_users(data: ComparisonData) -> Figure:
    """Draw how many users each variant carried, with 95 % intervals and each round."""
    found = content.bars(data)
    most = content.axis_end(found)
    figure = png_style.empty_figure(10, 0.72 * len(found) + 1.7)
    axes: Any = figure.subplots()
    axes.set_title("Carried users")
    axes.set_xlabel("users")
    axes.set_ylim(len(found) - 0.45, -0.55)
    axes.set_yticks(range(len(found)), ["\n".join(wrapped(bar.title, 28)) for bar in found])
    axes.tick_params(axis="y", length=0)
    axes.grid(False, axis="y")
    for place, bar in enumerate(found):
        _draw_bar(axes, place, bar, most)
    axes.set_xlim(0, most * 1.3)  # room for the text beside the bars
    axes.xaxis.set_major_formatter(_plain)
    if any(bar.interval for bar in found):
        axes.plot([], [], color=LIGHT.text, marker="|", markersize=9, label="95 % interval")
    for bound, name in BOUNDS.items():
        dots = [dot for bar in found for dot in bar.dots if dot.bound == bound]
        if dots:
            users, heights = [dot.users for dot in dots], [dot.height for dot in dots]
            axes.plot(users, heights, label=name, **DOTS[bound])
    if any(bar.dots for bar in found):
        figure.legend(loc="outside lower center", ncols=4)
    return figure


def _draw_bar(axes: Any, place: int, bar: Bar, most: float) -> None:
    if bar.end:
        axes.barh(
            place,
            bar.end,
            0.56,
            facecolor=f"{bar.colour}40",
            edgecolor=bar.colour,
            linewidth=1.2,
            linestyle="--" if bar.is_least else "-",
            hatch="//" if bar.is_least else None,
        )
    if bar.interval is not None and bar.end is not None:
        low, high = bar.interval[0], min(bar.interval[1], most)
        if high < bar.interval[1]:
            # The interval goes on beyond the axis.
            axes.plot(high, place - 0.12, marker=">", markersize=8, color=LIGHT.text, zorder=4)
        reach = [bar.end - low], [high - bar.end]
        axes.errorbar(bar.end, place - 0.12, xerr=reach, marker="|", color=LIGHT.text, **WHISKERS)
    axes.annotate(bar.text, (min(bar.reach, most), place), **BESIDE)


def _plain(value: float, _: object) -> str:
    return number(value)

"""A comparison as PNG files; matplotlib alone, without its global state and without a display."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from harness.compare.contents import (
    CHARTS,
    COLOURS,
    CPU,
    P95,
    RATE,
    Bar,
    axis_end,
    bars,
    dodged,
    ends,
    limit_label,
    lines,
    positive,
    ticks,
    time_label,
    unit_s,
    wrapped,
)
from harness.compare.contents import over_time as course
from harness.compare.picture import Panel, Picture
from harness.report import wording
from harness.report.charts import DASHES, LINES
from harness.report.contents import MANY
from harness.report.looks import (
    STYLE,
    TICKS_S,
    add_hangul,
    empty_figure,
    no_samples,
    plain_logarithm,
    png_of,
)
from harness.report.palette import LIGHT
from harness.timeseries import Second

MARKERS = ("o", "s", "D", "^", "v", "P", "X", "*")
ARROWS = {"exact": "o", "at least": ">", "fewer than": "<"}
COLUMN_INCHES = 2.7
LIMIT: dict[str, Any] = {"color": LIGHT.muted, "linestyle": ":", "linewidth": 1.6, "zorder": 1}
Value = Callable[[Second], float | None]


def draw_all(picture: Picture) -> dict[str, bytes]:
    """Return the charts of a comparison by file name."""
    add_hangul()
    drawings: dict[str, Callable[[Picture], Figure]] = {
        "over-time.png": over_time,
        "steps.png": by_users,
        "carried-users.png": carried_users,
        "cpu.png": cpu,
    }
    with rc_context(STYLE):
        return {name: png_of(drawing(picture)) for name, drawing in drawings.items()}


def over_time(picture: Picture) -> Figure:
    """Draw requests/s, response times and users of each variant side by side, on equal axes."""
    panels = picture.panels
    figure = empty_figure(max(2.2 + COLUMN_INCHES * len(panels), 10), 7.2)
    grid: Any = figure.subplots(
        3, len(panels), sharex=True, sharey="row", squeeze=False, height_ratios=(3, 3, 2)
    )
    for column, panel in enumerate(panels):
        _draw_panel(grid[:, column], panel, picture.p95_limit_ms)
        width = 30 if len(panels) > 2 else 60
        grid[0, column].set_title("\n".join(wrapped(panel.title, width)))
        grid[0, column].tick_params(labelbottom=False)
    rates, times, users = grid[:, 0]
    highest = max((row.requests for panel in panels for row in panel.seconds), default=0)
    rates.set_ylim(0, max(highest * 1.08, 1))
    most = max((row.users for panel in panels for row in panel.seconds), default=0)
    users.set_ylim(0, max(most * 1.12, 1))
    users.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=5, steps=(1, 2, 5, 10)))
    plain_logarithm(times.yaxis)
    for axes, label in ((rates, "per second"), (times, "ms, logarithmic"), (users, "users")):
        axes.set_ylabel(label)
    end_s = max((len(panel.seconds) for panel in panels), default=0) or 1
    step = next((each for each in TICKS_S if end_s <= each * 5), TICKS_S[-1])
    unit = unit_s(panels)
    users.set_xlim(0, end_s)
    users.set_xticks(range(0, end_s + 1, step))
    users.xaxis.set_major_formatter(FuncFormatter(lambda at, _: f"{at / unit:g}"))
    figure.supxlabel(time_label(panels), fontsize=9)
    for axes, title in zip(
        grid[:, -1], ("Requests per second", "Response times", "Number of users"), strict=True
    ):
        axes.legend(
            **{"title": title, "loc": "upper left", "bbox_to_anchor": (1.01, 1.03)},
            **{"alignment": "left", "title_fontproperties": {"size": 9}},
        )
    return figure


def _draw_panel(column: Sequence[Any], panel: Panel, limit_ms: float | None) -> None:
    rates, times, users = column
    thin = {"linewidth": 1.5 if len(panel.seconds) <= MANY else 1.0}
    dash = {"linestyle": DASHES["p95_ms"], **thin}

    def draw(axes: Any, value: Value, colour: str, label: str, style: dict[str, Any]) -> None:
        at, found = course(panel, value)
        numbers = [math.nan if each is None else each for each in found]
        axes.plot(at, numbers, color=colour, label=label, **style)

    draw(rates, lambda row: row.requests, LIGHT.good, "requests/s", thin)
    draw(rates, lambda row: row.failures, LIGHT.failure, "failures/s", dash)
    times.set_yscale("log")
    draw(times, lambda row: positive(row.p50_ms), LIGHT.good, "median", thin)
    draw(times, lambda row: positive(row.p95_ms), LIGHT.p95, "95th percentile", dash)
    if limit_ms is not None:
        times.axhline(limit_ms, label=limit_label(limit_ms), **LIMIT)
    draw(users, lambda row: row.users, LIGHT.users, "users", thin)
    if not panel.seconds:
        no_samples(rates, "no valid run")
    for axes in column:
        for place, stretch in enumerate(panel.counted):
            label = "seconds that count" if place == 0 and axes is users else None
            axes.axvspan(stretch.first_s, stretch.end_s, color=LIGHT.band, zorder=0, label=label)
        for stretch in panel.runs[1:]:
            axes.axvline(stretch.first_s, color=LIGHT.muted, linewidth=0.5, alpha=0.6)


def by_users(picture: Picture) -> Figure:
    """Draw the rate and the 95th percentile over users, all variants in each."""
    figure = empty_figure(11, 5.2)
    grid: Any = figure.subplots(1, 2)
    rates, times = grid
    _draw_lines(rates, picture, RATE)
    _draw_lines(times, picture, P95)
    found = [value for line in lines(picture, P95) for value in (*line.low, *line.high)]
    times.set_yscale("log")
    times.set_ylim(*_around([*found, picture.p95_limit_ms or 0]))
    if picture.p95_limit_ms is not None:
        times.axhline(picture.p95_limit_ms, label=limit_label(picture.p95_limit_ms), **LIMIT)
    plain_logarithm(times.yaxis)
    rates.set_ylim(bottom=0)
    _legend_below(figure, times)
    return figure


def cpu(picture: Picture) -> Figure:
    """Draw what a request cost the server, over users."""
    figure = empty_figure(9, 4.8)
    axes: Any = figure.subplots()
    _draw_lines(axes, picture, CPU)
    axes.set_ylim(bottom=0)
    _legend_below(figure, axes)
    return figure


def _draw_lines(axes: Any, picture: Picture, key: str) -> None:
    title, unit = CHARTS[key]
    axes.set_title(title)
    axes.set_ylabel(unit)
    axes.set_xlabel("users, logarithmic")
    axes.set_xscale("log")
    found, steps = lines(picture, key), picture.all_steps
    if not any(line.users for line in found):
        no_samples(axes, "nothing known")
        return
    for place, line in enumerate(found):
        below = [middle - low for middle, low in zip(line.middle, line.low, strict=True)]
        above = [high - middle for high, middle in zip(line.high, line.middle, strict=True)]
        axes.errorbar(
            *(dodged(line.users, place, len(found), steps), line.middle, (below, above)),
            **{"color": COLOURS[place % len(COLOURS)], "linestyle": LINES[place % len(LINES)]},
            **{"marker": MARKERS[place % len(MARKERS)], "markersize": 6, "linewidth": 1.6},
            **{"capsize": 3, "elinewidth": 1.1, "label": "\n".join(wrapped(line.title, 34))},
        )
    axes.set_xlim(*ends(steps))
    axes.xaxis.set_major_locator(FixedLocator(ticks(steps, 10)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda users, _: wording.count(round(users))))
    axes.xaxis.set_minor_locator(NullLocator())


def _around(values: Sequence[float]) -> tuple[float, float]:
    """Return the ends of a logarithmic axis for some values, with room on both sides."""
    some = [value for value in values if value > 0] or [1.0]
    margin = max((max(some) / min(some)) ** 0.05, 1.2)
    return min(some) / margin, max(some) * margin


def _legend_below(figure: Figure, axes: Any) -> None:
    handles, labels = axes.get_legend_handles_labels()
    if not labels:
        return
    order = sorted(range(len(labels)), key=lambda place: labels[place].startswith("objective"))
    figure.legend(
        [handles[place] for place in order],
        [labels[place] for place in order],
        **{"loc": "outside lower center", "ncols": min(len(labels), 4), "handlelength": 3.2},
        **{"title": "median of the rounds; bars from the lowest to the highest", "fontsize": 8.5},
    )


def carried_users(picture: Picture) -> Figure:
    """Draw how many users each variant carried, with 95 % intervals and the single rounds."""
    found = bars(picture)
    figure = empty_figure(10, 0.72 * len(found) + 1.7)
    axes: Any = figure.subplots()
    axes.set_title("Carried users")
    axes.set_xlabel("users")
    axes.set_ylim(len(found) - 0.45, -0.55)
    titles = ["\n".join(wrapped(bar.title, 28)) for bar in found]
    axes.set_yticks(range(len(found)), titles)
    axes.tick_params(axis="y", length=0)
    axes.grid(False, axis="y")
    for place, bar in enumerate(found):
        _draw_bar(axes, place, bar, axis_end(found))
    axes.set_xlim(0, axis_end(found) * 1.3)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda users, _: wording.number(users)))
    kinds = {how for bar in found for _, how in bar.rounds}
    for is_there, label, style in (
        (any(bar.interval for bar in found), "95 % interval", {"marker": "|", "markersize": 9}),
        ("exact" in kinds, "a round", {"marker": "o", "markerfacecolor": "none"}),
        ("at least" in kinds, "a round, at least", {"marker": ">"}),
        ("fewer than" in kinds, "a round, fewer than", {"marker": "<"}),
    ):
        line = "-" if style["marker"] == "|" else ""
        if is_there:
            axes.plot([], [], color=LIGHT.text, linestyle=line, label=label, **style)
    if kinds:
        figure.legend(loc="outside lower center", ncols=4)
    return figure


def _draw_bar(axes: Any, place: int, bar: Bar, most: float) -> None:
    colour = COLOURS[place % len(COLOURS)]
    if bar.end:
        look = {"hatch": "//", "linestyle": "--"} if bar.is_least else {"linestyle": "-"}
        faint = {"facecolor": f"{colour}40", "edgecolor": colour, "linewidth": 1.2}
        axes.barh(place, bar.end, 0.56, **faint, **look)
    if bar.interval is not None and bar.end is not None:
        low, high = bar.interval[0], min(bar.interval[1], most)
        if high < bar.interval[1]:
            axes.plot(high, place - 0.12, marker=">", markersize=8, color=LIGHT.text, zorder=4)
        axes.errorbar(
            *(bar.end, place - 0.12),
            **{"xerr": ([bar.end - low], [high - bar.end]), "color": LIGHT.text, "capsize": 6},
            **{"elinewidth": 1.8, "capthick": 1.8, "marker": "|", "markersize": 12},
        )
    for number, (users, how) in enumerate(bar.rounds):
        # One below the other: rounds are often close.
        shift = 0.02 + 0.22 * (number + 0.5) / len(bar.rounds)
        axes.plot(
            *([users], [place + shift]),
            **{"marker": ARROWS[how], "markersize": 4.5 if how == "exact" else 6},
            **{"color": LIGHT.text, "markeredgewidth": 1.0},
            **{"markerfacecolor": LIGHT.paper if how == "exact" else LIGHT.text, "zorder": 4},
        )
    axes.annotate(
        *(bar.text, (min(bar.reach, most), place)),
        **{"xytext": (10, 0), "textcoords": "offset points", "va": "center", "fontsize": 10},
    )

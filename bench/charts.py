"""Results as pictures; the only module that needs matplotlib."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bench import report
from bench.results import OURS, Comparison, Step, UserSteps

DPI = 120
OWN, OTHER, TEXT = "#1f6f8b", "#b8c4cc", "#333333"
CLIENT_COLOURS = {"session": OWN, "fasthttp": "#e0a030", "requests": "#a05050"}
STYLE = {
    "font.size": 9.5,
    "text.color": TEXT,
    "axes.edgecolor": TEXT,
    "axes.labelcolor": TEXT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": TEXT,
    "ytick.color": TEXT,
}


def generators(results: Comparison, path: Path) -> None:
    """Draw requests/s and CPU-µs/request: bars are medians, lines the range of the rounds."""
    rows = list(reversed(results.series))
    rates = [[sample.requests_per_s for sample in row.samples] for row in rows]
    costs = [[sample.cpu_us_per_request for sample in row.samples] for row in rows]
    colours = [OWN if row.name == OURS else OTHER for row in rows]
    with rc_context(STYLE):
        figure = Figure(figsize=(10, 0.42 * len(rows) + 1.5), layout="constrained")
        left, right = figure.subplots(1, 2, sharey=True)
        _bars(left, rates, colours, "{:,.0f}")
        _bars(right, costs, colours, "{:,.1f}")
        left.set_yticks(range(len(rows)), [report.marked(row) for row in rows])
        left.set_title("requests per second, more is better", loc="left", fontsize=10)
        right.set_title("CPU-µs per request, less is better", loc="left", fontsize=10)
        figure.supxlabel(f"{report.chart_caption(results)}.", fontsize=8.5, color=TEXT)
        figure.savefig(path, dpi=DPI)


def _bars(axes: Any, series: Sequence[Sequence[float]], colours: list[str], form: str) -> None:
    highest = max((max(values) for values in series if values), default=1.0)
    for position, (values, colour) in enumerate(zip(series, colours, strict=True)):
        if not values:
            axes.text(0, position, " not measured", va="center", style="italic")
            continue
        middle = median(values)
        axes.barh(position, middle, color=colour, height=0.62)
        axes.hlines(position, min(values), max(values), color=TEXT, linewidth=1.2)
        shown = form.format(middle)
        axes.text(max(values) + highest * 0.015, position, shown, va="center")
    axes.set_xlim(0, highest * 1.18)
    axes.xaxis.set_visible(False)
    axes.spines["bottom"].set_visible(False)
    axes.tick_params(axis="y", length=0)


def users(results: UserSteps, path: Path) -> None:
    """Draw memory, CPU and lag by the number of users, a line a client."""
    panels: tuple[tuple[str, Callable[[Step], float], float | None, bool], ...] = (
        ("memory, MB", lambda step: step.rss_kb / 1024, None, False),
        ("CPU, % of one core", lambda step: step.cpu_percent, None, False),
        ("event-loop lag, p99, ms", lambda step: step.lag_p99_ms, report.LAG_GOAL_MS, True),
    )
    with rc_context(STYLE):
        figure = Figure(figsize=(11, 3.6), layout="constrained")
        every_axes = figure.subplots(1, 3)
        for axes, (title, value, goal, is_log) in zip(every_axes, panels, strict=True):
            for client in results.clients:
                steps = client.steps
                colour = CLIENT_COLOURS.get(client.name, OTHER)
                axes.plot(
                    [step.users for step in steps], [value(step) for step in steps], color=colour
                )
                for step in steps:  # hollow: the generator could do no more
                    fill = "white" if step.saturated else colour
                    axes.plot(
                        step.users,
                        value(step),
                        marker="o",
                        markersize=6,
                        color=colour,
                        markerfacecolor=fill,
                    )
            if is_log:
                axes.set_yscale("log")
                axes.yaxis.set_major_formatter("{x:g}")
            else:
                axes.set_ylim(bottom=0)
            if goal is not None:
                axes.axhline(goal, color=TEXT, linewidth=0.8, linestyle=":")
            axes.set_title(title, loc="left", fontsize=10)
            ticks = sorted({step.users for client in results.clients for step in client.steps})
            axes.set_xticks(ticks, [f"{number:,}" for number in ticks])
            axes.set_xlabel("users")
        _name_lines(every_axes[0], results)
        figure.supxlabel(
            "A hollow point: the process was saturated. Dotted line: the goal.",
            fontsize=8.5,
            color=TEXT,
        )
        figure.savefig(path, dpi=DPI)


def _name_lines(axes: Any, results: UserSteps) -> None:
    handles = [
        Line2D([], [], color=CLIENT_COLOURS.get(client.name, OTHER), label=client.name)
        for client in results.clients
    ]
    axes.legend(handles=handles, frameon=False, loc="upper left")

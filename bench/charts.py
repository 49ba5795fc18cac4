"""Charts of `bench` and `bench.users`, and the style of all bench charts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure

from bench import report
from bench.results import OURS, Comparison, Step, UserSteps
from harness.results.formatting import count, rounded

DPI = 120
OWN, OTHER, TEXT = "#1f6f8b", "#b8c4cc", "#333333"
CLIENT_COLOURS = {"session": OWN, "requests": "#a05050", "FastHttpUser": "#e0a030"}
STYLE = {
    "font.size": 9.5,
    "text.color": TEXT,
    "axes.edgecolor": TEXT,
    "axes.labelcolor": TEXT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "legend.frameon": False,
    "xtick.color": TEXT,
    "ytick.color": TEXT,
}


def save(figure: Figure, note: str, path: Path) -> None:
    """Save a figure as PNG with a note below it."""
    figure.supxlabel(note, fontsize=8.5, color=TEXT)
    figure.savefig(path, dpi=DPI)


def generators(results: Comparison, path: Path) -> None:
    """Draw requests/s and CPU-µs/request: bars are medians, lines are ranges over the rounds."""
    rows = list(reversed(results.series))
    rates = [[sample.requests_per_s for sample in row.samples] for row in rows]
    costs = [[sample.cpu_us_per_request for sample in row.samples] for row in rows]
    colours = [OWN if row.name == OURS else OTHER for row in rows]
    with rc_context(STYLE):
        figure = Figure(figsize=(10, 0.42 * len(rows) + 1.5), layout="constrained")
        left, right = figure.subplots(1, 2, sharey=True)
        _bars(left, rates, colours)
        _bars(right, costs, colours)
        left.set_yticks(range(len(rows)), [report.marked(row) for row in rows])
        left.set_title("requests per second, more is better")
        right.set_title("CPU-µs per request, less is better")
        save(figure, f"{report.chart_caption(results)}.", path)


def _bars(axes: Any, series: Sequence[Sequence[float]], colours: list[str]) -> None:
    highest = max((max(values) for values in series if values), default=1.0)
    for position, (values, colour) in enumerate(zip(series, colours, strict=True)):
        if not values:
            axes.text(0, position, " not measured", va="center", style="italic")
            continue
        middle = median(values)
        axes.barh(position, middle, color=colour, height=0.62)
        axes.hlines(position, min(values), max(values), color=TEXT, linewidth=1.2)
        axes.text(max(values) + highest * 0.015, position, rounded(middle), va="center")
    axes.set_xlim(0, highest * 1.18)
    axes.xaxis.set_visible(False)
    axes.spines["bottom"].set_visible(False)
    axes.tick_params(axis="y", length=0)


def users(results: UserSteps, path: Path) -> None:
    """Draw memory, CPU and event-loop lag by number of users, one line per client."""
    with rc_context(STYLE):
        figure = Figure(figsize=(11, 3.6), layout="constrained")
        memory, cpu, lag = figure.subplots(1, 3)
        _lines(memory, results, "memory, MB", lambda step: step.rss_kb / 1024)
        _lines(cpu, results, "CPU, % of one core", lambda step: step.core_share * 100)
        _lines(lag, results, "event-loop lag, p99, ms", lambda step: step.lag_p99_ms)
        for axes in (memory, cpu):
            axes.set_ylim(bottom=0)
        lag.set_yscale("log")
        lag.yaxis.set_major_formatter("{x:g}")
        lag.axhline(report.LAG_GOAL_MS, color=TEXT, linewidth=0.8, linestyle=":")
        memory.legend(loc="upper left")
        save(figure, "Hollow point: the process was saturated. Dotted line: the goal.", path)


def _lines(axes: Any, results: UserSteps, title: str, value: Callable[[Step], float]) -> None:
    for client in results.clients:
        colour = CLIENT_COLOURS.get(client.name, OTHER)
        places = [step.users for step in client.steps]
        axes.plot(places, [value(step) for step in client.steps], color=colour, label=client.name)
        for step in client.steps:
            axes.plot(
                step.users,
                value(step),
                marker="o",
                markersize=6,
                color=colour,
                markerfacecolor="white" if step.saturated else colour,
            )
    axes.set_title(title)
    ticks = sorted({step.users for client in results.clients for step in client.steps})
    axes.set_xticks(ticks, [count(number) for number in ticks])
    axes.set_xlabel("users")

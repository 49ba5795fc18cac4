"""What the charts show, shared by the PNG files and the page."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from harness.report.charts.palette import DASHES, LIGHT
from harness.report.run_data import RunData
from harness.results.formatting import one_line, width
from harness.results.objectives import TOTAL
from harness.results.rows import limit, name_of
from harness.results.run_folder import Figures, Objective

COLOURS = {"p50_ms": LIGHT.good, "p95_ms": LIGHT.p95, "p99_ms": LIGHT.p99, "max_ms": LIGHT.most}
SHARES = {"p50_ms": 0.5, "p95_ms": 0.95, "p99_ms": 0.99}
MAX_LIMIT_RATIO = 2.0
"""An objective this many times above every measured value would flatten the lines."""
MAX_NAME_CHARS = 40
"""Characters of a name beside a chart; more would leave it no room."""
THIN_LINE_POINTS = 400
"""Lines with more points are drawn thinner."""


def percentile_position(share: float) -> float:
    """Return the position of a share on the percentile axis: each nine takes equal room.

    The axis is logarithmic, with p0 at 1, p90 at 10 and p99 at 100.
    """
    return 1 / (1 - share)


TICKS = {
    percentile_position(share): f"{share * 100:.4g} %"
    for share in (0.0, 0.5, 0.9, 0.99, 0.999, 0.9999)
}
"""Labels of the percentile axis, by position."""


class Line(Struct, frozen=True):
    """A line over time: `key` is a field of the points, `hover` formats a value for plotly."""

    name: str
    key: str
    colour: str
    dash: str
    hover: str

    def values(self, data: RunData) -> list[float | None]:
        """Return one value per point, None where it is not known."""
        return [getattr(point, self.key) for point in data.points]


class Panel(Struct, frozen=True):
    """A chart that shares its time axis; `limits` are the keys of the objectives to draw."""

    title: str
    unit: str
    lines: Sequence[Line]
    limits: Sequence[str] = ()


OVER_TIME = (
    Panel(
        "Total requests per second",
        "per second",
        (
            Line("requests/s", "requests_per_s", LIGHT.good, "solid", "%{y:,.4~r}"),
            Line("failures/s", "failures_per_s", LIGHT.failure, "dash", "%{y:,.4~r}"),
        ),
        ("requests_per_s",),
    ),
    Panel(
        "Response times",
        "ms",
        (
            Line("median", "p50_ms", LIGHT.good, "solid", "%{y:,.3~r} ms"),
            Line("95th percentile", "p95_ms", LIGHT.p95, "dash", "%{y:,.3~r} ms"),
        ),
        tuple(COLOURS),
    ),
    Panel("Number of users", "users", (Line("users", "users", LIGHT.users, "solid", "%{y:,}"),)),
)
CPU = Line("CPU, % of a core", "cpu_percent", LIGHT.good, "solid", "%{y:.3~r}")
LAG = Line("event loop late", "lag_ms", LIGHT.p99, "dash", "%{y:,.3~r} ms")
HEALTH = (Panel("CPU", "CPU, %", (CPU,)), Panel("Event loop", "ms", (LAG,)))


def style_of(place: int) -> tuple[str, str]:
    """Return the colour and dash of a distribution by its place; 0 is all requests."""
    if place == 0:
        return LIGHT.good, "solid"
    return LIGHT.scopes[(place - 1) % len(LIGHT.scopes)], DASHES[(place - 1) % len(DASHES)]


def rows_of(data: RunData) -> list[tuple[str, Figures]]:
    """Return (scope, figures) of all requests, then of each endpoint called."""
    rows = data.figures(data.is_steady)
    return [(scope, each) for scope, each in rows if each is not None and each.requests]


def time_objectives(data: RunData, scope: str) -> list[Objective]:
    """Return the objectives for response times of a scope."""
    return [
        each for each in data.summary.objectives if each.scope == scope and each.key in COLOURS
    ]


def percentile_limits(data: RunData) -> list[tuple[float, Objective]]:
    """Return (position on the axis, objective) for the percentiles of all requests."""
    return [
        (percentile_position(SHARES[each.key]), each)
        for each in time_objectives(data, TOTAL)
        if each.key in SHARES
    ]


def heat_limits(data: RunData) -> list[Objective]:
    """Return the objectives for response times that leave the heat map readable."""
    most = data.heat_map.edges_ms[-1] * MAX_LIMIT_RATIO
    return [each for each in time_objectives(data, TOTAL) if each.limit <= most]


def fitting_limits(data: RunData, panel: Panel) -> tuple[list[Objective], str]:
    """Return the objectives to draw in a panel, and a legend text for those too far above."""
    values = [value for line in panel.lines for value in line.values(data)]
    highest = max((value for value in values if value is not None), default=0.0)
    found = [
        each
        for each in data.summary.objectives
        if each.scope == TOTAL and each.key in panel.limits
    ]
    above = [each for each in found if each.limit > highest * MAX_LIMIT_RATIO]
    named = ", ".join(limit_label(each).removeprefix("objective ") for each in above)
    return [each for each in found if each not in above], named and f"above the chart: {named}"


def limit_label(objective: Objective) -> str:
    """Return the legend text of an objective of all requests."""
    name = f"{name_of(objective.key)} " if objective.key in COLOURS else ""
    return f"objective {name}{limit(objective.key, objective.limit)}"


def colour_of(objective: Objective) -> str:
    """Return the colour of the percentile that an objective limits."""
    return COLOURS.get(objective.key, LIGHT.good)


def thinned(data: RunData) -> str:
    """Return a remark for the time axis, if a point stands for several seconds."""
    if data.width_s == 1:
        return ""
    return f"; a point is {width(data.width_s)}: mean rates, percentiles of all its requests"


def end_s(data: RunData) -> int:
    """Return the end of the time axis in s."""
    return data.points[-1].at_s + data.width_s if data.points else 0


def unit(data: RunData) -> tuple[int, str]:
    """Return the unit of the time axis in s, and its name: minutes from two minutes on."""
    last_s = data.points[-1].at_s if data.points else 0
    return (60, "minutes") if last_s >= 120 else (1, "seconds")


def short(name: str) -> str:
    """Return a name in one line of at most `MAX_NAME_CHARS` characters."""
    line = one_line(name)
    return line if len(line) <= MAX_NAME_CHARS else f"{line[: MAX_NAME_CHARS - 1]}…"

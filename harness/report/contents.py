"""What the charts show, on paper and on the page alike."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from harness.formatting import one_line, width
from harness.objectives import TOTAL
from harness.report.material import Material
from harness.report.palette import DASHES, LIGHT
from harness.rows import limit, name_of
from harness.runfolder import Figures, Objective

COLOURS = {"p50_ms": LIGHT.good, "p95_ms": LIGHT.p95, "p99_ms": LIGHT.p99, "max_ms": LIGHT.most}
SHARES = {"p50_ms": 0.5, "p95_ms": 0.95, "p99_ms": 0.99}
FAR = 2.0
"""An objective so many times above all that was measured would flatten the lines to read."""
LONGEST = 40
MANY = 400


def over(share: float) -> float:
    """Return where a share stands on the axis of percentiles: each nine takes equal room."""
    return 1 / (1 - share)


TICKS = {over(share): f"{share * 100:.4g} %" for share in (0.0, 0.5, 0.9, 0.99, 0.999, 0.9999)}
"""The percentiles that their axis names."""


class Line(Struct, frozen=True):
    """A line over time: a field of the points; `hover` is its value under the pointer."""

    name: str
    key: str
    colour: str
    dash: str
    hover: str

    def values(self, material: Material) -> list[float | None]:
        """Return a value a point, None where nothing is known."""
        return [getattr(point, self.key) for point in material.points]


class Panel(Struct, frozen=True):
    """One of several charts with the same time axis; `limits` are the objectives to draw."""

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


def look_of(place: int) -> tuple[str, str]:
    """Return colour and dash of the distribution at this place; all requests have the first."""
    if place == 0:
        return LIGHT.good, "solid"
    return LIGHT.scopes[(place - 1) % len(LIGHT.scopes)], DASHES[(place - 1) % len(DASHES)]


def rows_of(material: Material) -> list[tuple[str, Figures]]:
    """Return (scope, figures) of all requests and of each endpoint that was hit."""
    rows = material.figures(material.is_steady)
    return [(scope, each) for scope, each in rows if each is not None and each.requests]


def time_objectives(material: Material, scope: str) -> list[Objective]:
    """Return the objectives for the response times of a scope."""
    return [
        each for each in material.summary.objectives if each.scope == scope and each.key in COLOURS
    ]


def percentile_limits(material: Material) -> list[tuple[float, Objective]]:
    """Return the objectives for percentiles of all requests, and where on their axis each is."""
    return [
        (over(SHARES[each.key]), each)
        for each in time_objectives(material, TOTAL)
        if each.key in SHARES
    ]


def heat_limits(material: Material) -> list[Objective]:
    """Return the objectives for all response times that leave the heat map readable."""
    most = material.heat_map.edges_ms[-1] * FAR
    return [each for each in time_objectives(material, TOTAL) if each.limit <= most]


def fitting_limits(material: Material, panel: Panel) -> tuple[list[Objective], str]:
    """Return the objectives of all requests to draw, and a name for those too far above."""
    values = [value for line in panel.lines for value in line.values(material)]
    highest = max((value for value in values if value is not None), default=0.0)
    found = [
        each
        for each in material.summary.objectives
        if each.scope == TOTAL and each.key in panel.limits
    ]
    above = [each for each in found if each.limit > max(highest, 1e-9) * FAR]
    named = ", ".join(limit_label(each).removeprefix("objective ") for each in above)
    return [each for each in found if each not in above], named and f"above the chart: {named}"


def limit_label(objective: Objective) -> str:
    """Return what an objective of all requests is called in a legend."""
    name = f"{name_of(objective.key)} " if objective.key in COLOURS else ""
    return f"objective {name}{limit(objective.key, objective.limit)}"


def colour_of(objective: Objective) -> str:
    """Return the colour of the percentile that an objective limits."""
    return COLOURS.get(objective.key, LIGHT.good)


def thinned(material: Material) -> str:
    """Return what to say of points that are no single seconds."""
    if material.width_s == 1:
        return ""
    return f"; a point is {width(material.width_s)}: mean rates, percentiles of all its requests"


def end_s(material: Material) -> int:
    """Return where the time axis ends."""
    return material.points[-1].at_s + material.width_s if material.points else 0


def unit(material: Material) -> tuple[int, str]:
    """Return what time is counted in: seconds, or minutes after two of them."""
    last_s = material.points[-1].at_s if material.points else 0
    return (60, "minutes") if last_s >= 120 else (1, "seconds")


def short(name: str) -> str:
    """Return a name in one line that leaves room for the chart."""
    line = one_line(name)
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"

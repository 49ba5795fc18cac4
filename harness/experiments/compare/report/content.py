"""What the charts of a comparison show, shared by the PNG files and the page."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Sequence

from msgspec import Struct

from harness.experiments.compare.conclusions import carried
from harness.experiments.compare.report.data import PANEL_ROUND, ComparisonData, Panel
from harness.report.charts.content import MAX_LIMIT_RATIO
from harness.report.charts.palette import LIGHT
from harness.results.formatting import NONE, one_line
from harness.results.rows import limit
from harness.results.timeline import Second

RATE = "requests_per_s"
P95 = "p95_ms"
CPU = "cpu_ms_per_request"
CHARTS = {
    RATE: ("Requests per second by users", "requests/s"),
    P95: ("95th percentile of response times by users", "ms, logarithmic"),
    CPU: ("CPU time of the server a request by users", "ms"),
}
MAX_TITLE_LINES = 3
MAX_TICKS = 10
DODGE = 0.007
"""Distance between the points of two variants at the same step, as a share of the axis."""

BOUNDS = {
    "exact": "a round",
    "at least": "a round, at least",
    "fewer than": "a round, fewer than",
}
"""What is known of the carried users of a round, and how a legend says it."""


class Curve(Struct, frozen=True):
    """A curve over time; `row` counts the charts of a panel from 0 at the top."""

    row: int
    name: str
    colour: str
    value: Callable[[Second], float | None]
    is_dashed: bool = False


CURVES = (
    Curve(0, "requests/s", LIGHT.good, lambda second: second.requests),
    Curve(0, "failures/s", LIGHT.failure, lambda second: second.failures, is_dashed=True),
    # 0 has no place on a logarithmic axis.
    Curve(1, "median", LIGHT.good, lambda second: second.p50_ms or None),
    Curve(1, "95th percentile", LIGHT.p95, lambda second: second.p95_ms or None, is_dashed=True),
    Curve(2, "users", LIGHT.users, lambda second: second.users),
)
AXES = ("per second", "ms, logarithmic", "users")
"""Labels of the vertical axes, by row."""


class Point(Struct, frozen=True):
    """A step of a variant: the lowest, median and highest of its valid runs.

    It is drawn at `at`, a little beside its users, so that variants do not hide each other.
    """

    users: int
    at: float
    runs: int
    low: float
    middle: float
    high: float


class Line(Struct, frozen=True):
    """A variant over its steps."""

    title: str
    colour: str
    points: list[Point]


class Dot(Struct, frozen=True):
    """The carried users of a round, on its variant's bar."""

    number: int
    users: float
    height: float
    bound: str


class Bar(Struct, frozen=True):
    """The carried users of a variant as a bar and as text, and those of its rounds as dots.

    With `is_least`, `end` is a lower bound: the steps ended before the objectives were missed.
    """

    title: str
    colour: str
    text: str
    end: float | None
    interval: tuple[float, float] | None
    is_least: bool
    dots: list[Dot]

    @property
    def reach(self) -> float:
        """Return the highest number drawn."""
        return max(self.end or 0.0, *(self.interval or ()), *(dot.users for dot in self.dots), 0.0)


def lines(data: ComparisonData, key: str) -> list[Line]:
    """Return a line per variant with a figure of its steps, as far as it is known."""
    variants, found = data.comparison.variants, []
    for place, variant in enumerate(variants):
        # A factor and not a distance, since the axis is logarithmic.
        moved = _span(data.all_steps) ** (DODGE * (place - (len(variants) - 1) / 2))
        points = [
            Point(step.users, step.users * moved, step.runs, *sorted(values))
            for step in variant.steps
            if step.runs and (values := getattr(step, key)) is not None
        ]
        found.append(Line(variant.title, colour_of(place), points))
    return found


def extremes(found: Sequence[Line]) -> list[float]:
    """Return the values that a logarithmic axis has to show."""
    points = [point for line in found for point in line.points]
    return [value for point in points for value in (point.low, point.high) if value > 0]


def bars(data: ComparisonData) -> list[Bar]:
    """Return the carried users of each variant, with its rounds one below the other."""
    found = []
    for place, variant in enumerate(data.comparison.variants):
        users, dots = variant.carried_users, []
        for number, each in enumerate(variant.by_round):
            height = place + 0.02 + 0.22 * (number + 0.5) / len(variant.by_round)
            numbers = zip(BOUNDS, (each.users, each.held, each.missed), strict=True)
            known = [Dot(each.round, at, height, bound) for bound, at in numbers if at is not None]
            dots += known[:1]  # the exact number, else the bound
        bar = Bar(
            title=variant.title,
            colour=colour_of(place),
            text=carried(variant),
            end=users.estimate if users else variant.at_least,
            interval=users.ends if users else None,
            is_least=users is None,
            dots=dots,
        )
        found.append(bar)
    return found


def axis_end(found: Sequence[Bar]) -> float:
    """Return the end of the axis of the carried users.

    The interval of two rounds can be vast, and is cut off so that the bars can still be read.
    """
    users = [dot.users for bar in found for dot in bar.dots]
    most = max([*users, *(bar.end or 0.0 for bar in found)], default=0.0) or 1.0
    return min(max([bar.reach for bar in found], default=most) or 1.0, MAX_LIMIT_RATIO * most)


def colour_of(place: int) -> str:
    """Return the colour of a variant."""
    return LIGHT.scopes[place % len(LIGHT.scopes)]


def ends(steps: Sequence[int]) -> tuple[float, float]:
    """Return both ends of the logarithmic axis of users."""
    margin = _span(steps) ** 0.06
    return min(steps) / margin, max(steps) * margin


def ticks(steps: Sequence[int]) -> list[int]:
    """Return the steps to label on their axis, so far apart that labels do not overlap."""
    apart = math.log(_span(steps)) / MAX_TICKS
    found: list[int] = []
    # Steps that are the first one doubled come first.
    for step in sorted(steps, key=lambda step: math.log2(step / min(steps)) % 1 > 0.02):
        if all(abs(math.log(step / each)) >= apart for each in found):
            found.append(step)
    return sorted(found)


def over_time(panel: Panel, curve: Curve) -> tuple[list[float], list[float | None]]:
    """Return the times and values of a curve, with a gap between two runs."""
    at: list[float] = []
    values: list[float | None] = []
    for run in panel.runs:
        at += [*range(run.first_s, run.end_s), run.end_s]
        seconds = panel.seconds[run.first_s : run.end_s]
        values += [*map(curve.value, seconds), None]
    return at[:-1], values[:-1]


def most_of(panels: Sequence[Panel], key: str) -> float:
    """Return the end of the axis of "requests" or "users", a tenth above the highest value."""
    values = [getattr(second, key) for panel in panels for second in panel.seconds]
    return (max(values, default=0) or 1) * 1.1


def time_axis(panels: Sequence[Panel]) -> tuple[int, int, str]:
    """Return the end of the time axis in s, its unit in s, and its label.

    The unit is a second, or a minute from two minutes on.
    """
    end_s = max((len(panel.seconds) for panel in panels), default=0) or 1
    unit_s, unit = (60, "minutes") if end_s >= 120 else (1, "seconds")
    return end_s, unit_s, f"{unit} of the runs of round {PANEL_ROUND}, one behind the other"


def wrapped(title: str, width: int) -> list[str]:
    """Return a title in a few short lines."""
    shortened = textwrap.wrap(one_line(title), width, max_lines=MAX_TITLE_LINES, placeholder=" …")
    return shortened or [NONE]


def limit_label(limit_ms: float) -> str:
    """Return the legend text of the objective for the p95."""
    return f"objective p95 {limit('p95_ms', limit_ms)}"


def _span(steps: Sequence[int]) -> float:
    """Return the ratio of the highest step to the lowest; 2 for a single one.

    With 1, the axis would have no width.
    """
    found = max(steps) / min(steps) if steps else 1.0
    return found if not math.isclose(found, 1) else 2.0

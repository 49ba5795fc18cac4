"""What the charts of a comparison show, on paper and on the page alike."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Sequence
from typing import Literal

from msgspec import Struct

from harness.compare.files import VariantResult
from harness.compare.picture import PANEL_ROUND, Panel, Picture
from harness.compare.wording import carried
from harness.report.contents import FAR
from harness.report.palette import LIGHT
from harness.report.wording import NONE, number, one_line
from harness.timeseries import Second

RATE = "requests_per_s"
P95 = "p95_ms"
CPU = "cpu_ms_per_request"
CHARTS = {
    RATE: ("Requests per second by users", "requests/s"),
    P95: ("95th percentile of response times by users", "ms, logarithmic"),
    CPU: ("CPU time of the server a request by users", "ms"),
}
COLOURS = LIGHT.scopes
MOST_TITLE_LINES = 3
DODGE = 0.007
"""Points of variants at the same step stand so far apart, in shares of the axis."""

Course = tuple[list[float], list[float | None]]
Bound = Literal["exact", "at least", "fewer than"]


class Line(Struct, frozen=True):
    """A variant over its steps: users, and the lowest, median and highest of its valid runs."""

    title: str
    users: list[int]
    low: list[float]
    middle: list[float]
    high: list[float]
    runs: list[int]


class Bar(Struct, frozen=True):
    """The carried users of a variant.

    Attributes:
        title: of the variant.
        text: the same in words.
        end: of the bar; None when there is no number.
        interval: of it; None when it is not known.
        is_least: whether the bar ends where the steps did, and not the users.
        rounds: each with what its number is.
    """

    title: str
    text: str
    end: float | None
    interval: tuple[float, float] | None
    is_least: bool
    rounds: list[tuple[float, Bound]]

    @property
    def reach(self) -> float:
        """Return the highest number that is drawn."""
        rounds = [users for users, _ in self.rounds]
        numbers: list[float] = [self.end or 0.0, *(self.interval or ()), *rounds]
        return max(numbers)


def lines(picture: Picture, key: str) -> list[Line]:
    """Return a line a variant of what its steps had, without those of which nothing is known."""
    found = []
    for variant in picture.comparison.variants:
        line = Line(variant.title, [], [], [], [], [])
        for step in variant.steps:
            values: tuple[float, float, float] | None = getattr(step, key)
            if not step.runs or values is None:
                continue
            low, middle, high = sorted(values)
            line.users.append(step.users)
            line.runs.append(step.runs)
            for place, value in ((line.low, low), (line.middle, middle), (line.high, high)):
                place.append(value)
        found.append(line)
    return found


def bars(picture: Picture) -> list[Bar]:
    """Return the carried users of each variant."""
    return [_bar(each) for each in picture.comparison.variants]


def _bar(variant: VariantResult) -> Bar:
    found = variant.carried_users
    rounds: list[tuple[float, Bound]] = []
    for each in variant.by_round:
        if each.users is not None:
            rounds.append((each.users, "exact"))
        elif each.held is not None:
            rounds.append((each.held, "at least"))
        elif each.missed is not None:
            rounds.append((each.missed, "fewer than"))
    is_known = found is not None and found.low is not None and found.high is not None
    return Bar(
        title=variant.title,
        text=carried(variant),
        end=variant.at_least if found is None else found.estimate,
        interval=(found.low, found.high) if found and is_known else None,  # type: ignore[arg-type]
        is_least=found is None,
        rounds=rounds,
    )


def axis_end(found: Sequence[Bar]) -> float:
    """Return where the axis of the carried users ends: the interval of two rounds may be vast."""
    values = [bar.end or 0.0 for bar in found]
    values += [users for bar in found for users, _ in bar.rounds]
    most = max(values, default=0.0) or 1.0
    return min(max([bar.reach for bar in found], default=most) or 1.0, FAR * most)


def dodged(users: Sequence[int], place: int, of: int, steps: Sequence[int]) -> list[float]:
    """Return users moved aside a little, so that variants do not hide each other."""
    factor = _span(steps) ** (DODGE * (place - (of - 1) / 2))
    return [each * factor for each in users]


def ends(steps: Sequence[int]) -> tuple[float, float]:
    """Return between which users the logarithmic axis goes."""
    margin = _span(steps) ** 0.06
    return min(steps) / margin, max(steps) * margin


def ticks(steps: Sequence[int], most: int) -> list[int]:
    """Return the steps to write on an axis that has room for so many."""
    apart = math.log(_span(steps)) / most
    found: list[int] = []
    # Those that are doubled from the first have the first choice.
    for step in sorted(steps, key=lambda step: math.log2(step / min(steps)) % 1 > 0.02):
        if all(abs(math.log(step / each)) >= apart for each in found):
            found.append(step)
    return sorted(found)


def over_time(panel: Panel, value: Callable[[Second], float | None]) -> Course:
    """Return what a panel has over time, with a gap between one run and the next."""
    at: list[float] = []
    values: list[float | None] = []
    for run in panel.runs:
        at += [*range(run.first_s, run.end_s), run.end_s]
        values += [*(value(row) for row in panel.seconds[run.first_s : run.end_s]), None]
    return at[:-1], values[:-1]


def positive(value: float | None) -> float | None:
    """Return a value that a logarithmic axis has a place for."""
    return value or None


def unit_s(panels: Sequence[Panel]) -> int:
    """Return the seconds in what time is counted in: a second, or a minute after two of them."""
    return 60 if max((len(panel.seconds) for panel in panels), default=0) >= 120 else 1


def time_label(panels: Sequence[Panel]) -> str:
    """Return what the time axis is called."""
    unit = "minutes" if unit_s(panels) == 60 else "seconds"
    return f"{unit} of the runs of round {PANEL_ROUND}, one behind the other"


def wrapped(title: str, width: int) -> list[str]:
    """Return a title in a few short lines."""
    shortened = textwrap.wrap(one_line(title), width, max_lines=MOST_TITLE_LINES, placeholder=" …")
    return shortened or [NONE]


def limit_label(limit_ms: float) -> str:
    """Return what the objective for the p95 is called in a legend."""
    return f"objective p95 ≤ {number(limit_ms)} ms"


def _span(steps: Sequence[int]) -> float:
    """Return how many times the lowest step the highest is; a step alone has an octave."""
    found = max(steps) / min(steps)
    return found if not math.isclose(found, 1) else 2.0

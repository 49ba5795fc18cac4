"""Objectives, validity rules and figures as text for terminal, pages and reports; pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from harness.results.formatting import NONE, count, number, percent, time_ms
from harness.results.objectives import TOTAL
from harness.results.run_folder import LOST_WRITES, Figures, Objective, Rule, Verdict

MEANINGS: dict[Verdict, str] = {
    "pass": "the run is valid and met every objective",
    "fail": "the run is valid and missed objectives",
    "invalid": "the measurement cannot be believed",
}
NAMES = {"fail_ratio": "failures", "requests_per_s": "requests/s", LOST_WRITES: "lost writes"}
UNITS = {"fail_ratio": " %", "requests_per_s": "/s", LOST_WRITES: ""}
FIGURES = ("count", "failed", "failed %", "requests/s", "p50 ms", "p95 ms", "p99 ms", "max ms")

State = Literal["good", "bad", "pending", "unknown"]


class ObjectiveLine(Struct, frozen=True, kw_only=True):
    """An objective and its result so far, as text; limit and value with their units."""

    what: str
    limit: str
    value: str
    samples: int
    state: State
    word: str
    sentence: str


class RuleLine(Struct, frozen=True, kw_only=True):
    """A validity rule and its result so far, as text."""

    name: str
    state: State
    word: str
    sentence: str


class Table(Struct, frozen=True, kw_only=True):
    """A table of text, not escaped yet. The first cell of a row names what the row is about.

    Attributes:
        id: of its heading on the page.
        note: a sentence below the title.
        numbers: indices of the columns with numbers, which are right-aligned.
        marks: the state that the last cell of each row shows.
        links: where the first cell of each row links to; "" for nowhere.
        folds: on a phone a row takes two lines: its first cell, then the others.
    """

    id: str
    title: str
    note: str = ""
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: Sequence[int] = ()
    marks: Sequence[str] = ()
    links: Sequence[str] = ()
    folds: bool = False


def scope_of(scope: str) -> str:
    """Return the display name of a scope: "all requests" or an endpoint."""
    return "all requests" if scope == TOTAL else scope


def name_of(key: str) -> str:
    """Return what an objective limits, such as "p95" for "p95_ms"."""
    return NAMES.get(key, key.removesuffix("_ms"))


def amount(key: str, value: float | None) -> str:
    """Format a value with its unit, such as "1,049 ms"."""
    if value is None:
        return NONE
    if key == LOST_WRITES:
        return count(round(value))
    written = percent(value) if key == "fail_ratio" else number(value)
    return f"{written}{UNITS.get(key, ' ms')}"


def limit(key: str, value: float) -> str:
    """Format a limit with its direction and unit, such as "≤ 500 ms"."""
    return f"{'≥' if key == 'requests_per_s' else '≤'} {amount(key, value)}"


def objective_line(objective: Objective) -> ObjectiveLine:
    """Return the text of an objective of a finished run."""
    word = "met" if objective.met else "missed"
    return ObjectiveLine(
        what=f"{name_of(objective.key)} of {scope_of(objective.scope)}",
        limit=limit(objective.key, objective.limit),
        value=amount(objective.key, objective.value),
        samples=objective.samples,
        state="good" if objective.met else "bad",
        word="no samples" if objective.value is None else word,
        sentence=objective.sentence,
    )


def rule_line(rule: Rule) -> RuleLine:
    """Return the text of a rule of a finished run."""
    return RuleLine(
        name=rule.name,
        state="good" if rule.kept else "bad",
        word="kept" if rule.kept else "broken",
        sentence=rule.sentence,
    )


def objectives_table(lines: Sequence[ObjectiveLine]) -> Table:
    """Return a table with a row per objective."""
    return Table(
        id="objectives",
        title="Objectives",
        note="Times and rates are of the steady state, failures of the whole run; lost writes are "
        "found by reading devices back at the end.",
        headings=("objective", "limit", "measured", "samples", "result"),
        rows=[
            [line.what, line.limit, line.value, count(line.samples), line.word] for line in lines
        ],
        numbers=(1, 2, 3),
        marks=[line.state for line in lines],
        folds=True,
    )


def validity_table(lines: Sequence[RuleLine]) -> Table:
    """Return a table with a row per validity rule."""
    return Table(
        id="validity",
        title="Validity",
        note="A run that breaks one of these rules says nothing about the server.",
        headings=("rule", "what was found", "result"),
        rows=[[line.name, line.sentence, line.word] for line in lines],
        marks=[line.state for line in lines],
        folds=True,
    )


def carried(users: int | None) -> str:
    """Return a sentence on the carried users of a stepped run."""
    if users is None:
        return "Carried users: none, the lowest step missed the objectives of all requests"
    return (
        f"Carried users: {count(users)}, the highest step on the way up to which every step met "
        "the objectives of all requests"
    )


def figures_cells(figures: Figures | None) -> list[str]:
    """Return one cell for each heading in `FIGURES`."""
    if figures is None:
        return [NONE] * len(FIGURES)
    times = (figures.p50_ms, figures.p95_ms, figures.p99_ms, figures.max_ms)
    return [
        count(figures.requests),
        count(figures.failures),
        percent(figures.fail_ratio),
        f"{figures.requests_per_s:,.1f}",
        *(time_ms(time) for time in times),
    ]

"""Prints the comparison of two runs as a table and a verdict, on a terminal and as Markdown."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import TextIO

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from harness.experiments.regression.ratios import KEYS, Change, Key, Scope, TwoRuns
from harness.experiments.regression.slowdown import LIMITS, Judgement, Verdict, sentence, written
from harness.results.formatting import NONE, count, factor, plain, rounded
from harness.results.objectives import TOTAL
from harness.results.rows import name_of

LINE_WIDTH = 80
PIPED_WIDTH = 200
"""Columns; without a terminal rich would assume 80 and break long names of endpoints."""
SHOWN: tuple[Key, ...] = ("p50_ms", "p95_ms", "p99_ms")
"""Columns on a terminal, whose lines are short; the Markdown has all of `KEYS`."""
STYLES: dict[Verdict, tuple[str, str]] = {
    "slower": ("bold red", "❌"),
    "undecided": ("bold yellow", "⚠️"),
    "not shown": ("bold green", "✅"),
}
"""The style of the headline, and its sign in Markdown."""
ARROW = "\N{RIGHTWARDS ARROW}"


def print_table(runs: TwoRuns, judgement: Judgement, out: TextIO) -> None:
    """Print the changes of each endpoint and the verdict, for 80 columns or more."""
    console = Console(file=out, highlight=False, width=None if out.isatty() else PIPED_WIDTH)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("request")
    for heading in ("count", *map(name_of, SHOWN)):
        table.add_column(heading, justify="right", no_wrap=True)
    for scope in [*runs.scopes[1:], runs.scopes[0]]:
        before, after = map(count, scope.requests)
        cells = [_narrow_cell(scope.changes.get(key)) for key in SHOWN]
        style = "bold" if scope.name == TOTAL else ""
        table.add_row(escape(scope.name), f"{before} {ARROW}\n{after}", *cells, style=style)
    console.print(table)
    said = [f"times in ms, before {ARROW} after, and the ratio (95 % interval)", *_about(runs)]
    _print(console, said)
    console.print()
    console.print(judgement.headline, style=STYLES[judgement.verdict][0])
    _print(console, [*(f"- {detail}" for detail in judgement.details), LIMITS])


def markdown(runs: TwoRuns, judgement: Judgement) -> str:
    """Return the comparison as Markdown for a pull request, with every figure."""
    before, after = (plain(run.manifest.run_id) for run in (runs.before, runs.after))
    headings = ["request", "count", *map(name_of, KEYS)]
    scopes = [*runs.scopes[1:], runs.scopes[0]]
    lines = [
        f"## {STYLES[judgement.verdict][1]} {judgement.headline}",
        "",
        f"{after} against {before}",
        "",
        *(f"- {plain(detail)}" for detail in judgement.details),
        "",
        f"| {' | '.join(headings)} |",
        f"| --- |{' ---: |' * (len(headings) - 1)}",
        *(f"| {' | '.join(_row(scope))} |" for scope in scopes),
        "",
        f"Times in ms, before {ARROW} after, with the ratio and its interval of 95 %.",
        "",
        *(f"- {plain(line)}" for line in _about(runs)),
        "",
        LIMITS,
    ]
    return "\n".join(lines) + "\n"


def _about(runs: TwoRuns) -> Iterator[str]:
    """Yield lines on rates, both runs, their failures, and their differences."""
    total = runs.scopes[0].changes
    yield f"{sentence(total['mean_ms'])}; {sentence(total['requests_per_s'])}"
    pair = ("before", runs.before, runs.block_s[0]), ("after", runs.after, runs.block_s[1])
    for name, run, block_s in pair:
        summary, whole_run = run.summary, run.summary.total.whole_run
        reasons = f": {'; '.join(summary.reasons)}" if summary.reasons else ""
        yield (
            f"{name}: {run.folder}, {summary.steady_s:.0f} s of steady state "
            f"in blocks of {block_s} s; {count(whole_run.failures)} of "
            f"{count(whole_run.requests)} requests failed; verdict {summary.verdict}{reasons}"
        )
    if runs.notes:
        yield f"the runs differ in: {'; '.join(runs.notes)}"


def _row(scope: Scope) -> list[str]:
    """Return a row of the Markdown, where cells need not be narrow."""
    before, after = map(count, scope.requests)
    changes = [scope.changes.get(key) for key in KEYS]
    cells = [f"{_values(each)}<br>{written(each)}" if each else NONE for each in changes]
    return [plain(scope.name), f"{before} {ARROW} {after}", *cells]


def _narrow_cell(change: Change | None) -> str:
    if change is None:
        return NONE
    low, high = factor(change.low), factor(change.high)
    return f"{_values(change)}\n{factor(change.ratio)} ({low}{NONE}{high})"


def _values(change: Change) -> str:
    return f"{rounded(change.before)} {ARROW} {rounded(change.after)}"


def _print(console: Console, lines: list[str]) -> None:
    for text in lines:
        indent = "  " if text.startswith("- ") else ""
        for line in textwrap.wrap(text, LINE_WIDTH, subsequent_indent=indent):
            console.print(line, markup=False, soft_wrap=True)

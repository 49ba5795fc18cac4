"""Two runs beside each other: a table and the judgement, on a terminal and as Markdown."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from typing import TextIO

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from harness.compare.findings import factor, number
from harness.objectives import TOTAL
from harness.two_runs.ratios import KEYS, Change, Key, Scope, TwoRuns
from harness.two_runs.slowdown import LIMITS, Judgement, Verdict, sentence, written

LINE_WIDTH = 80
PIPED_WIDTH = 200
SHOWN: tuple[Key, ...] = ("p50_ms", "p95_ms", "p99_ms")
"""On a terminal, whose lines are short; the Markdown has all."""
STYLES: dict[Verdict, str] = {
    "slower": "bold red",
    "undecided": "bold yellow",
    "not shown": "bold green",
}
SIGNS: dict[Verdict, str] = {"slower": "❌", "undecided": "⚠️", "not shown": "✅"}
ARROW = "\N{RIGHTWARDS ARROW}"
DASH = "\N{EN DASH}"
SPECIAL = re.compile(r"[\\`*_{}\[\]<>|~#&$!^]|:(?! )")
"""What Markdown could take for markup, in a text that a file holds."""


def print_table(runs: TwoRuns, judgement: Judgement, out: TextIO) -> None:
    """Print what became of each endpoint and the judgement; readable at 80 columns."""
    width = None if out.isatty() else PIPED_WIDTH
    console = Console(file=out, highlight=False, width=width)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("request")
    table.add_column("count", justify="right", no_wrap=True)
    for key in SHOWN:
        table.add_column(_heading(key), justify="right", no_wrap=True)
    for scope in _rows(runs):
        before, after = scope.requests
        cells = [_narrow_cell(scope.changes.get(key)) for key in SHOWN]
        table.add_row(
            escape(scope.name), f"{before} {ARROW}\n{after}", *cells, style=_style(scope)
        )
    console.print(table)
    said = [f"times in ms, before {ARROW} after, and the ratio (95 % interval)", *_about(runs)]
    _print(console, said)
    console.print()
    console.print(judgement.headline, style=STYLES[judgement.verdict])
    _print(console, [f"- {detail}" for detail in judgement.details])
    _print(console, [LIMITS])


def markdown(runs: TwoRuns, judgement: Judgement) -> str:
    """Return the same for a pull request, with every figure."""
    before, after = (_plain(run.manifest.run_id) for run in (runs.before, runs.after))
    headings = ["request", "count", *map(_heading, KEYS)]
    lines = [
        f"## {SIGNS[judgement.verdict]} {judgement.headline}",
        "",
        f"{after} against {before}",
        "",
        *(f"- {_plain(detail)}" for detail in judgement.details),
        "",
        f"| {' | '.join(headings)} |",
        f"| --- |{' ---: |' * (len(headings) - 1)}",
        *(f"| {' | '.join(_row(scope))} |" for scope in _rows(runs)),
        "",
        f"Times in ms, before {ARROW} after, with the ratio and its interval of 95 %.",
        "",
        *(f"- {_plain(line)}" for line in _about(runs)),
        "",
        LIMITS,
    ]
    return "\n".join(lines) + "\n"


def _about(runs: TwoRuns) -> Iterator[str]:
    """Yield what is to be known beside times: both runs, their failures, in what they differ."""
    total = runs.scopes[0].changes
    yield "; ".join(sentence(total[key]) for key in ("mean_ms", "requests_per_s"))
    for name, run, block_s in zip(
        ("before", "after"), (runs.before, runs.after), runs.block_s, strict=True
    ):
        summary, whole_run = run.summary, run.summary.total.whole_run
        failed = f"{whole_run.failures} of {whole_run.requests} requests failed"
        reasons = f": {'; '.join(summary.reasons)}" if summary.reasons else ""
        yield (
            f"{name}: {run.folder}, {summary.steady_s:.0f} s of steady state "
            f"in blocks of {block_s} s; {failed}; verdict {summary.verdict}{reasons}"
        )
    if runs.notes:
        yield f"the runs differ in: {'; '.join(runs.notes)}"


def _rows(runs: TwoRuns) -> list[Scope]:
    """Return the endpoints, and the total below them."""
    return [*runs.scopes[1:], runs.scopes[0]]


def _style(scope: Scope) -> str:
    return "bold" if scope.name == TOTAL else ""


def _heading(key: Key) -> str:
    return "requests/s" if key == "requests_per_s" else key.removesuffix("_ms")


def _narrow_cell(change: Change | None) -> str:
    if change is None:
        return DASH
    low, high = factor(change.low), factor(change.high)
    return f"{_values(change)}\n{factor(change.ratio)} ({low}{DASH}{high})"


def _values(change: Change) -> str:
    return f"{number(change.before)} {ARROW} {number(change.after)}"


def _row(scope: Scope) -> list[str]:
    """Return a row of the Markdown, whose cells are as wide as they need to be."""
    before, after = scope.requests
    changes = [scope.changes.get(key) for key in KEYS]
    cells = [f"{_values(each)}<br>{written(each)}" if each else DASH for each in changes]
    return [_plain(scope.name), f"{before} {ARROW} {after}", *cells]


def _plain(text: str) -> str:
    """Return a text in one line that no Markdown reader takes for markup, or for a mention."""
    escaped = SPECIAL.sub(lambda found: f"&#{ord(found[0])};", " ".join(text.split()))
    return escaped.replace("@", "&#64;\N{ZERO WIDTH SPACE}")


def _print(console: Console, lines: list[str]) -> None:
    for text in lines:
        indent = "  " if text.startswith("- ") else ""
        for line in textwrap.wrap(text, LINE_WIDTH, subsequent_indent=indent):
            console.print(line, markup=False, soft_wrap=True)

"""What a run shows on a terminal: its progress, then a table and where to find the results."""

from __future__ import annotations

import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

import gevent
from locust.env import Environment

from rich.console import Console
from rich.table import Table

from harness.results.formatting import NONE, clock, count, time_ms
from harness.results.rows import FIGURES, MEANINGS, carried, figures_cells
from harness.results.run_folder import LOST_WRITES, Figures, Summary

LINE_WIDTH = 80  # columns
PIPED_WIDTH = 200
"""A table is as wide as it needs to be: nothing in a file is cut off."""
STYLES = {"pass": "bold green", "fail": "bold red", "invalid": "bold yellow"}
COLUMNS = [name for name in FIGURES if name != "failed %"]
HEADINGS = [name.removeprefix("requests").removesuffix(" ms") for name in COLUMNS]
"""The columns of the table, under short names: a line has 80 columns."""
LIVE_INTERVAL_S = 1.0
PIPED_INTERVAL_S = 10.0


def progress_line(
    environment: Environment, elapsed_s: float, run_time_s: float | None, *, is_ending: bool
) -> str:
    """Return one line on the current state: time, users, requests/s, failures, p95."""
    total, runner = environment.stats.total, environment.runner
    until = f" of {clock(run_time_s)}" if run_time_s else ""
    if is_ending:
        todo = "users stop, then devices are read back and deleted"
        return f"{clock(elapsed_s)}{until}  ending: {todo}"
    users = runner.user_count if runner else 0
    p95_ms = total.get_current_response_time_percentile(0.95)
    p95 = NONE if p95_ms is None else f"{time_ms(p95_ms)} ms"
    rate = count(round(total.current_rps))
    return (
        f"{clock(elapsed_s)}{until}  {count(users)} users  {rate} requests/s  "
        f"{count(total.num_failures)} failures  p95 {p95}"
    )


def show_progress(
    environment: Environment,
    run_time_s: float | None,
    is_ending: Callable[[], bool],
    out: TextIO,
) -> None:
    """Print progress until killed: a line that is updated, or one every ten seconds if piped."""
    live = out.isatty()
    interval_s = LIVE_INTERVAL_S if live else PIPED_INTERVAL_S
    start_s = time.monotonic()
    try:
        while True:
            gevent.sleep(interval_s)
            elapsed_s = time.monotonic() - start_s
            line = progress_line(environment, elapsed_s, run_time_s, is_ending=is_ending())
            # A line that fills the terminal would wrap, and could not be overwritten.
            out.write(f"\r{line:<{LINE_WIDTH - 1}}" if live else f"{line}\n")
            out.flush()
    finally:
        if live:
            out.write("\r" + " " * (LINE_WIDTH - 1) + "\r")
            out.flush()


def print_summary(summary: Summary, folder: Path, out: TextIO = sys.stdout) -> None:
    """Print a table with a row for each endpoint, the steps, other results and the verdict.

    Figures are those of the steady state, or of the whole run if there was none. The output fits
    80 columns, and has no colour if piped.
    """
    width = None if out.isatty() else PIPED_WIDTH
    console = Console(file=out, highlight=False, markup=False, width=width)
    table = _table("request", *HEADINGS)
    table.columns[0].justify = "left"
    for row in summary.endpoints:
        table.add_row(row.scope, *_cells(row.steady or row.whole_run))
    total = summary.total
    table.add_row("total", *_cells(total.steady or total.whole_run), style="bold")
    console.print(table)
    stretch = "the steady state" if total.steady else "the whole run: no steady state was reached"
    seconds = summary.steady_s if total.steady else summary.duration_s
    console.print(f"response times in ms; {seconds:,.0f} s of {stretch}")
    if len(summary.steps) > 1:
        steps = _table("users", "seconds", *HEADINGS)
        for step in summary.steps:
            seconds = step.last_second - step.first_second + 1
            steps.add_row(count(step.users), count(seconds), *_cells(step.total))
        console.print()
        console.print(steps)
        console.print(carried(summary.carried_users))
    console.print()
    for line in _facts(summary, folder):
        console.print(line, soft_wrap=True)
    console.print()
    meaning = f"{summary.verdict.upper()}: {MEANINGS[summary.verdict]}"
    console.print(meaning, style=STYLES[summary.verdict])
    for reason in [*summary.reasons, *(f"note: {note}" for note in summary.notes)]:
        lines = textwrap.wrap(reason, LINE_WIDTH, initial_indent="- ", subsequent_indent="  ")
        for line in lines:
            console.print(line, soft_wrap=True)


def _facts(summary: Summary, folder: Path) -> Iterator[str]:
    """Yield the other results, one line each."""
    devices = summary.devices
    yield (
        f"devices: {count(devices.registered)} registered, {count(devices.deleted)} deleted, "
        f"{count(devices.left_behind)} left behind"
    )
    if devices.left_behind:
        yield f"delete them: python -m harness cleanup {folder}"
    for objective in summary.objectives:
        if objective.key == LOST_WRITES and objective.met:
            yield objective.sentence
    connections = summary.connections
    if connections.opened:
        mean_ms = connections.connecting_ms / connections.opened
        yield (
            f"connections: {count(connections.opened)} opened, in {mean_ms:,.1f} ms on average; "
            f"{count(connections.reconnects)} reconnects"
        )
    generator = summary.generator
    if generator.watched_s:
        yield (
            f"generator: CPU {generator.cpu_percent_p50:.0f} % of a core, at most "
            f"{generator.cpu_percent_max:.0f} %; event loop late by "
            f"{generator.lag_p99_ms:,.0f} ms at p99"
        )
    yield f"results: {folder}/"


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def _cells(figures: Figures) -> list[str]:
    cells = dict(zip(FIGURES, figures_cells(figures), strict=True))
    return [cells[name] for name in COLUMNS]

"""What a run shows on a terminal: progress while it goes on, then a table and where to look."""

from __future__ import annotations

import sys
import textwrap
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TextIO

import gevent
from locust.env import Environment

from rich.console import Console
from rich.table import Table

from harness.formatting import NONE, clock, count, time_ms
from harness.rows import FIGURES, MEANINGS, figures_cells
from harness.runfolder import LOST_WRITES, Figures, Step, Summary

LINE_WIDTH = 80
PIPED_WIDTH = 200
"""A table is as wide as it needs to be; nothing in a file is cut."""
STYLES = {"pass": "bold green", "fail": "bold red", "invalid": "bold yellow"}
SHOWN = ("count", "failed", "requests/s", "p50 ms", "p95 ms", "p99 ms", "max ms")
HEADINGS = ("count", "failed", "/s", "p50", "p95", "p99", "max")
"""The figures of a row, and their short names: a line has 80 columns."""
LIVE_INTERVAL_S = 1.0
PIPED_INTERVAL_S = 10.0


def progress_line(
    environment: Environment, elapsed_s: float, run_time_s: float | None, *, is_ending: bool
) -> str:
    """Return how a run stands in one line: time, users, requests/s, failures, p95."""
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
    """Print the progress until killed: a line that changes, or one in ten seconds if piped."""
    live = out.isatty()
    interval_s = LIVE_INTERVAL_S if live else PIPED_INTERVAL_S
    start_s = time.monotonic()
    try:
        while True:
            gevent.sleep(interval_s)
            elapsed_s = time.monotonic() - start_s
            line = progress_line(environment, elapsed_s, run_time_s, is_ending=is_ending())
            out.write(f"\r{line:<{LINE_WIDTH - 1}}" if live else f"{line}\n")
            out.flush()
    finally:
        if live:
            out.write("\r" + " " * (LINE_WIDTH - 1) + "\r")
            out.flush()


def print_summary(summary: Summary, folder: Path, out: TextIO = sys.stdout) -> None:
    """Print a table with a row an endpoint, the steps, what else is known, and the verdict.

    Figures are of the steady state, or of the whole run when it had none.

    Readable at 80 columns; without colour when piped.
    """
    width = None if out.isatty() else PIPED_WIDTH
    console = Console(file=out, highlight=False, width=width)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("request", no_wrap=True)
    for heading in HEADINGS:
        table.add_column(heading, justify="right", no_wrap=True)
    for row in summary.endpoints:
        table.add_row(f"{row.method} {row.name}", *_cells(row.steady or row.whole_run))
    total = summary.total
    table.add_row("total", *_cells(total.steady or total.whole_run), style="bold")
    console.print(table)
    stretch = "the steady state" if total.steady else "the whole run: no steady state was reached"
    seconds = summary.steady_s if total.steady else summary.duration_s
    console.print(f"response times in ms; {seconds:.0f} s of {stretch}")
    if len(summary.steps) > 1:
        console.print()
        console.print(_steps(summary.steps))
        carried = summary.carried_users
        console.print(
            "carried users: none, the lowest step missed the objectives already"
            if carried is None
            else f"carried users: {count(carried)}, the highest step up to which all met the "
            "objectives"
        )
    console.print()
    devices = summary.devices
    console.print(
        f"devices: {count(devices.registered)} registered, {count(devices.deleted)} deleted, "
        f"{count(devices.left_behind)} left behind"
    )
    if devices.left_behind:
        again = f"python -m harness cleanup {folder}"
        console.print(f"delete them: {again}", markup=False, soft_wrap=True)
    for objective in summary.objectives:
        if objective.key == LOST_WRITES and objective.met:
            console.print(objective.sentence, markup=False, soft_wrap=True)
    connections = summary.connections
    if connections.opened:
        mean_ms = connections.connecting_ms / connections.opened
        console.print(
            f"connections: {count(connections.opened)} opened, in {mean_ms:.1f} ms on average; "
            f"{count(connections.reconnects)} reconnects"
        )
    generator = summary.generator
    if generator.watched_s:
        console.print(
            f"generator: CPU {generator.cpu_percent_p50:.0f} % of a core, at most "
            f"{generator.cpu_percent_max:.0f} %; event loop late by {generator.lag_p99_ms:.0f} ms "
            "at p99"
        )
    console.print(f"results: {folder}/", markup=False, soft_wrap=True)
    console.print()
    meaning = f"{summary.verdict.upper()}: {MEANINGS[summary.verdict]}"
    console.print(meaning, style=STYLES[summary.verdict])
    for reason in [*summary.reasons, *(f"note: {note}" for note in summary.notes)]:
        for number, line in enumerate(textwrap.wrap(reason, LINE_WIDTH - 2)):
            console.print(f"{'- ' if not number else '  '}{line}", markup=False, soft_wrap=True)


def _steps(steps: Sequence[Step]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("users", "seconds", *HEADINGS):
        table.add_column(heading, justify="right", no_wrap=True)
    for step in steps:
        seconds = step.last_second - step.first_second + 1
        table.add_row(count(step.users), count(seconds), *_cells(step.total))
    return table


def _cells(figures: Figures) -> list[str]:
    return [
        cell for name, cell in zip(FIGURES, figures_cells(figures), strict=True) if name in SHOWN
    ]

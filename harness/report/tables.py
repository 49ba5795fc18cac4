"""The tables of the report, shared by the page and the Markdown."""

from __future__ import annotations

from harness.report.run_data import RunData
from harness.results.formatting import NONE, count, duration, percent, time_ms
from harness.results.objectives import TOTAL
from harness.results.rows import FIGURES, Table, carried, figures_cells


def highlights(data: RunData) -> list[tuple[str, str, str]]:
    """Return the headline figures as (name, value, unit)."""
    summary = data.summary
    figures = summary.total.steady or summary.total.whole_run
    seconds = summary.steady_s if data.is_steady else summary.duration_s
    found = [
        ("requests", count(figures.requests), ""),
        ("rate", f"{figures.requests_per_s:,.1f}", "/s"),
        ("failed", percent(summary.total.whole_run.fail_ratio), "%"),
        ("median", time_ms(figures.p50_ms), "ms"),
        ("p95", time_ms(figures.p95_ms), "ms"),
        ("p99", time_ms(figures.p99_ms), "ms"),
        ("steady for" if data.is_steady else "ran for", duration(seconds), ""),
    ]
    if summary.carried_users and len(summary.steps) > 1:
        found.insert(0, ("carried users", count(summary.carried_users), ""))
    return found


def endpoints(data: RunData, *, is_steady: bool) -> Table:
    """Return a row per endpoint and the total last, of the steady state or of the whole run."""
    summary = data.summary
    (_, total), *rows = data.figures(is_steady)
    if is_steady:
        note = f"Over {duration(summary.steady_s)} with all planned users."
    else:
        note = f"Over {duration(summary.duration_s)}, with ramp-up and ramp-down."
    return Table(
        id="endpoints" if is_steady else "whole-run",
        title=f"Endpoints, {'steady state' if is_steady else 'whole run'}",
        note=note,
        headings=("request", *FIGURES),
        rows=[[scope, *figures_cells(each)] for scope, each in [*rows, (TOTAL, total)]],
        numbers=range(1, 1 + len(FIGURES)),
    )


def steps(data: RunData) -> Table:
    """Return a row per step of the load; the note says how many users were carried."""
    summary = data.summary
    rows = [
        [
            count(step.users),
            duration(first_s),
            duration(end_s - first_s),
            *figures_cells(step.total),
        ]
        for step, (first_s, end_s) in zip(summary.steps, data.bands, strict=True)
    ]
    return Table(
        id="steps",
        title="Steps",
        note=f"{carried(summary.carried_users)}.",
        headings=("users", "from", "for", *FIGURES),
        rows=rows,
        numbers=range(3 + len(FIGURES)),
    )


def failures(data: RunData) -> Table:
    """Return a row per distinct failure, with its first and last time since the start."""
    # The clock of a worker may be behind, so that a failure seems to precede the start.
    rows = [
        [
            f"{each.method} {each.name}",
            each.error,
            count(each.count),
            duration(max(each.first_seen_s - data.start_s, 0)),
            duration(max(each.last_seen_s - data.start_s, 0)),
        ]
        for each in data.failures
    ]
    note = "Equal ones together, the most frequent first; times since the start of the run."
    return Table(
        id="failures",
        title="Failures",
        note=note if rows else "None.",
        headings=("request", "failure", "count", "first", "last"),
        rows=rows,
        numbers=(2, 3, 4),
    )


def generator(data: RunData) -> Table:
    """Return the load of the generator, and its devices and connections."""
    health, ending = data.summary.generator, data.ending
    devices, connections = data.summary.devices, data.summary.connections
    rows: dict[str, float | None] = {
        "steady seconds watched": health.watched_s,
        "of them saturated": health.saturated_s,
        "CPU, % of a core, median": health.cpu_percent_p50,
        "CPU, % of a core, most": health.cpu_percent_max,
        "event loop late, p99, ms": health.lag_p99_ms,
        "event loop late, most, ms": health.lag_max_ms,
    }
    if ending is not None:
        opened = connections.opened
        rows |= {
            "devices registered": devices.registered,
            "devices deleted": devices.deleted,
            "devices left behind": devices.left_behind,
            "connections opened": opened,
            "time to open one, mean, ms": connections.connecting_ms / opened if opened else None,
            "reconnects": connections.reconnects,
            "exceptions in users": ending.exceptions,
            "workers lost": ending.lost_workers,
        }
    return Table(
        id="generator",
        title="Generator, devices, connections",
        note="The busiest of its processes in each second.",
        headings=("what", "value"),
        rows=[[name, _measured(value)] for name, value in rows.items()],
        numbers=(1,),
    )


def manifest(data: RunData) -> Table:
    """Return what was planned, and the versions that ran."""
    planned, ending = data.manifest, data.ending
    versions = planned.versions
    rows: dict[str, object] = {
        "run": planned.run_id,
        "started": planned.started_at,
        "ended": ending.ended_at if ending else "it did not come to its end",
        "host": planned.host,
        "deployment": planned.deployment,
        "profile": planned.profile,
        "users": planned.users and count(planned.users),
        "spawn rate, users/s": planned.spawn_rate_per_s,
        "run time, s": planned.run_time_s,
        "seed": planned.seed,
        "tasks and weights": ", ".join(f"{name} {n}" for name, n in planned.task_mix.items()),
        "tags": ", ".join(planned.tags),
        "excluded tags": ", ".join(planned.exclude_tags),
        "client": planned.client,
        "workers": planned.workers,
        "words drawn from data/": "yes" if planned.vary_data else "no",
        "SHA-256 of data/": planned.data_sha256 if planned.vary_data else None,
        "versions": f"suite {versions.suite}, locust {versions.locust}, Python {versions.python}",
    }
    return Table(
        id="manifest",
        title="What was run",
        headings=("what", "value"),
        rows=[
            [name, f"{value:,g}" if isinstance(value, float) else str(value)]
            for name, value in rows.items()
            if value not in (None, "")
        ],
    )


def _measured(value: float | None) -> str:
    if value is None:
        return NONE
    return count(value) if isinstance(value, int) else f"{value:,.1f}"

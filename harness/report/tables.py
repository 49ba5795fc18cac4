"""The rows that the page and the Markdown have in common: texts, ready to be escaped."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from harness.report.material import Material
from harness.report.wording import NONE, clock, count, number, percent, time_ms
from harness.runfolder import LOST_WRITES, Figures

MEANINGS = {
    "pass": "the run is valid and met every objective",
    "fail": "the run is valid and missed objectives",
    "invalid": "the measurement cannot be believed",
}
KEYS = {"requests_per_s": "rate", "fail_ratio": "failures", LOST_WRITES: "lost writes"}
LIMITS = {"requests_per_s": ("≥", "/s"), "fail_ratio": ("≤", "%"), LOST_WRITES: ("≤", "")}


class Table(Struct, frozen=True, kw_only=True):
    """A table; the cells of `numbers`, by their place, are set to the right.

    Attributes:
        id: in the page.
        title: of the section.
        note: a sentence below the title.
        headings: one a column.
        rows: of cells; each row begins with what it is about.
        numbers: places of the columns that hold numbers.
        marks: by place of the row, "met" or "missed".
        links: by place of the row, where what it is about is found; "" is nowhere.
    """

    id: str
    title: str
    note: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: Sequence[int] = ()
    marks: Sequence[str] = ()
    links: Sequence[str] = ()


def figures_cells(figures: Figures | None) -> list[str]:
    """Return count, failed, fail %, /s, p50, p95, p99 and max."""
    if figures is None:
        return [NONE] * 8
    times = (figures.p50_ms, figures.p95_ms, figures.p99_ms, figures.max_ms)
    return [
        count(figures.requests),
        count(figures.failures),
        percent(figures.fail_ratio),
        f"{figures.requests_per_s:.1f}",
        *(time_ms(time) for time in times),
    ]


FIGURES = ("count", "failed", "failed %", "requests/s", "p50 ms", "p95 ms", "p99 ms", "max ms")
FIGURE_PLACES = tuple(range(1, 9))


def highlights(material: Material) -> list[tuple[str, str, str]]:
    """Return what is looked for first, as (name, value, unit)."""
    summary = material.summary
    figures = summary.total.steady or summary.total.whole_run
    carried = summary.carried_users
    return [
        *([("carried users", count(carried), "")] if carried and len(summary.steps) > 1 else []),
        ("requests", count(figures.requests), ""),
        ("rate", f"{figures.requests_per_s:.1f}", "/s"),
        ("failed", percent(summary.total.whole_run.fail_ratio), "%"),
        ("median", time_ms(figures.p50_ms), "ms"),
        ("p95", time_ms(figures.p95_ms), "ms"),
        ("p99", time_ms(figures.p99_ms), "ms"),
        ("steady for" if material.is_steady else "ran for", clock(_seconds(material)), ""),
    ]


def endpoints(material: Material, whole_run: bool) -> Table:
    """Return a row an endpoint, in the steady state or in the whole run."""
    summary = material.summary
    rows = [
        (f"{each.method} {each.name}", each.whole_run if whole_run else each.steady)
        for each in summary.endpoints
    ]
    total = summary.total.whole_run if whole_run else summary.total.steady
    seconds = summary.duration_s if whole_run else summary.steady_s
    note = f"Over {clock(seconds)}"
    note += ", with ramp-up and ramp-down." if whole_run else " with all planned users."
    return Table(
        id="whole-run" if whole_run else "endpoints",
        title="Endpoints, whole run" if whole_run else "Endpoints, steady state",
        note=note,
        headings=("request", *FIGURES),
        rows=[[name, *figures_cells(each)] for name, each in [*rows, ("total", total)]],
        numbers=FIGURE_PLACES,
    )


def objectives(material: Material) -> Table:
    """Return a row an objective."""
    rows, marks = [], []
    for each in material.summary.objectives:
        sign, unit = LIMITS.get(each.key, ("≤", "ms"))
        scale = 100 if unit == "%" else 1
        value = NONE if each.value is None else number(each.value * scale)
        name = KEYS.get(each.key, each.key.removesuffix("_ms"))
        limit = f"{sign} {number(each.limit * scale)} {unit}".rstrip()
        marks.append("met" if each.met else "missed")
        unit = unit if each.value is not None else ""
        measured = f"{value} {unit}".rstrip()
        rows.append([each.scope, name, limit, measured, count(each.samples), marks[-1]])
    return Table(
        id="objectives",
        title="Objectives",
        note="Times and rates are of the steady state, failures of the whole run; lost writes are "
        "those that reading devices back at the end has found.",
        headings=("of", "what", "objective", "measured", "samples", "result"),
        rows=rows,
        numbers=(2, 3, 4),
        marks=marks,
    )


def validity(material: Material) -> Table:
    """Return a row a rule that a run has to keep to be believed."""
    rules = material.summary.validity
    marks = ["met" if rule.kept else "missed" for rule in rules]
    return Table(
        id="validity",
        title="Validity",
        note="A run that breaks one of these rules says nothing about the server.",
        headings=("rule", "what was found", "result"),
        rows=[[rule.name, rule.sentence, "kept" if rule.kept else "broken"] for rule in rules],
        marks=marks,
    )


def steps(material: Material) -> Table:
    """Return a row a step of the load; what it carried is in the note."""
    summary = material.summary
    carried = summary.carried_users
    note = (
        "Carried users: none, the lowest step missed the objectives of all requests already."
        if carried is None
        else f"Carried users: {count(carried)}, the highest step on the way up to which every one "
        "met the objectives of all requests."
    )
    rows = [
        [
            count(step.users),
            clock(band.first_s),
            clock(band.end_s - band.first_s),
            *figures_cells(step.total),
        ]
        for step, band in zip(summary.steps, material.bands, strict=True)
    ]
    return Table(
        id="steps",
        title="Steps",
        note=note,
        headings=("users", "from", "for", *FIGURES),
        rows=rows,
        numbers=tuple(range(11)),
    )


def failures(material: Material) -> Table:
    """Return a row for equal failures, with when they were seen since the start."""
    start = material.start_s
    rows = [
        [
            f"{each.method} {each.name}",
            each.error,
            count(each.count),
            clock(max(each.first_seen_s - start, 0)),
            clock(max(each.last_seen_s - start, 0)),
        ]
        for each in material.failures
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


def generator(material: Material) -> Table:
    """Return how the generator and its processes did, and what they left on the server."""
    health, ending = material.summary.generator, material.ending
    devices, connections = material.summary.devices, material.summary.connections
    mean = connections.connecting_ms / connections.opened if connections.opened else None
    rows = [
        ["steady seconds watched", count(health.watched_s)],
        ["of them saturated", count(health.saturated_s)],
        ["CPU, % of a core, median", _rounded(health.cpu_percent_p50)],
        ["CPU, % of a core, most", _rounded(health.cpu_percent_max)],
        ["event loop late, p99, ms", _rounded(health.lag_p99_ms)],
        ["event loop late, most, ms", _rounded(health.lag_max_ms)],
    ]
    if ending is not None:
        rows += [
            ["devices registered", count(devices.registered)],
            ["devices deleted", count(devices.deleted)],
            ["devices left behind", count(devices.left_behind)],
            ["connections opened", count(connections.opened)],
            ["time to open one, mean, ms", _rounded(mean)],
            ["reconnects", count(connections.reconnects)],
            ["exceptions in users", count(ending.exceptions)],
            ["workers lost", count(ending.lost_workers)],
        ]
    return Table(
        id="generator",
        title="Generator, devices, connections",
        note="The busiest of its processes in each second.",
        headings=("what", "value"),
        rows=rows,
        numbers=(1,),
    )


def manifest(material: Material) -> Table:
    """Return what was planned, and what ran."""
    planned, ending = material.manifest, material.ending
    versions = planned.versions
    mix = ", ".join(f"{name} {weight}" for name, weight in planned.task_mix.items())
    rows: list[tuple[str, object]] = [
        ("run", planned.run_id),
        ("started", planned.started_at),
        ("ended", ending.ended_at if ending else "it did not come to its end"),
        ("host", planned.host),
        ("deployment", planned.deployment),
        ("profile", planned.profile),
        ("users", planned.users),
        ("spawn rate, users/s", planned.spawn_rate_per_s),
        ("run time, s", planned.run_time_s),
        ("seed", planned.seed),
        ("tasks and weights", mix),
        ("tags", ", ".join(planned.tags)),
        ("excluded tags", ", ".join(planned.exclude_tags)),
        ("client", planned.client),
        ("workers", planned.workers),
        ("words drawn from data/", "yes" if planned.vary_data else "no"),
        ("SHA-256 of data/", planned.data_sha256 if planned.vary_data else None),
        (
            "versions",
            f"suite {versions.suite}, locust {versions.locust}, Python {versions.python}",
        ),
    ]
    return Table(
        id="manifest",
        title="What was run",
        note="",
        headings=("what", "value"),
        rows=[[name, _text(value)] for name, value in rows if value not in (None, "")],
    )


def _seconds(material: Material) -> float:
    return material.summary.steady_s if material.is_steady else material.summary.duration_s


def _text(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _rounded(value: float | None) -> str:
    return NONE if value is None else f"{value:.1f}"

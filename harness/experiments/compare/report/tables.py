"""The tables of a comparison, shared by the page and the Markdown."""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter
from urllib.parse import quote

from harness.experiments.compare import conclusions
from harness.experiments.compare.experiment import turns
from harness.experiments.compare.files import VariantResult
from harness.experiments.compare.report.data import ComparisonData
from harness.results.formatting import NONE, count, duration, number, one_line, rounded
from harness.results.rows import FIGURES, Table, figures_cells, limit, name_of, scope_of

MARKS = {"pass": "good", "fail": "bad", "invalid": "unknown"}
CPU = "CPU ms a request"
CARRIED = ("variant", "carried users", "by round", "most requests/s")
RUN = ("run", "variant", "round", "users", "attempt")
STEP_COLUMNS = {
    "requests_per_s": "requests/s",
    "p50_ms": "p50 ms",
    "p95_ms": "p95 ms",
    "p99_ms": "p99 ms",
    "failures": "failed",
    "cpu_percent": "CPU, % of a core",
    "cpu_ms_per_request": CPU,
    "memory_mb": "memory MB",
}
COSTS = ("cpu_ms_per_request", "memory_mb")
OF_A_RUN = itemgetter(3, 2, 4, 5, 6)
"""Picks rate, share of failures and percentiles from `FIGURES`, and from the cells for them."""


def variants(data: ComparisonData) -> Table:
    """Return a row per variant."""
    at, note = conclusions.common_step(data.comparison.variants), ""
    if at is None:
        note = " There is no step that every variant held in every round."
    rows = []
    for each in data.comparison.variants:
        step = next((step for step in each.steps if step.users == at and step.runs), None)
        rounds = [conclusions.in_round(found) for found in each.by_round]
        rows.append(
            [
                data.title(each.variant),
                conclusions.carried(each),
                # A line may break only between two rounds.
                ", ".join(found.replace(" ", "\N{NO-BREAK SPACE}") for found in rounds) or NONE,
                conclusions.interval(each.most_requests_per_s),
                *(conclusions.spread(getattr(step, key, None)) for key in COSTS),
            ]
        )
    where = "" if at is None else f" at {count(at)}"
    return Table(
        id="variants",
        title="Variants",
        note="Carried users: 95 % interval over the rounds. Below “by round” are the highest step "
        f"that was held and the lowest that was missed.{note}",
        headings=[*CARRIED, *(f"{STEP_COLUMNS[key]}{where}" for key in COSTS)],
        rows=rows,
        numbers=(1, 3, 4, 5),
    )


def ratios(data: ComparisonData) -> Table:
    """Return a row per ratio."""
    return Table(
        id="ratios",
        title="Ratios",
        note="Paired by round, with 95 % intervals; shown is a ratio whose interval leaves out 1. "
        "Smallest to be shown: the ratio above 1 that so many rounds of such spread show in 80 % "
        "of comparisons.",
        headings=("of", "variant", "by", "ratio", "smallest to be shown", "in words", "result"),
        rows=[
            [
                conclusions.metric(each),
                data.title(each.variant),
                data.title(each.by),
                conclusions.ratio(each.ratio),
                NONE if each.smallest_shown is None else rounded(each.smallest_shown),
                each.sentence,
                "shown" if each.is_shown else "not shown",
            ]
            for each in data.comparison.ratios
        ],
        numbers=(3, 4),
    )


def steps(variant: VariantResult, place: int) -> Table:
    """Return a row per step of a variant."""
    rows = [
        [
            count(step.users),
            f"{step.held} of {step.runs}",
            *(conclusions.spread(getattr(step, key)) for key in STEP_COLUMNS),
        ]
        for step in variant.steps
        if step.runs
    ]
    return Table(
        id=f"steps-{place}",
        title=one_line(variant.title),
        note="" if rows else "No valid run.",
        headings=("users", "held", *STEP_COLUMNS.values()),
        rows=rows,
        numbers=tuple(range(10)),
    )


def runs(data: ComparisonData) -> Table:
    """Return a row per run, with a link to its folder."""
    found = data.comparison.runs
    return Table(
        id="runs",
        title="Runs",
        note="Each is a folder with the files of a run; “make report” draws it.",
        headings=[*RUN, *OF_A_RUN(FIGURES), CPU, "why", "verdict"],
        rows=[
            [
                run.folder.removeprefix("runs/"),
                data.title(run.variant),
                *map(count, (run.round, run.users, run.attempt)),
                *OF_A_RUN(figures_cells(run.figures)),
                NONE if run.server is None else number(run.server.cpu_ms_per_request),
                "; ".join(run.reasons),
                run.verdict,
            ]
            for run in found
        ],
        numbers=tuple(range(2, 11)),
        marks=[MARKS[run.verdict] for run in found],
        # A path that begins with ./ cannot lead elsewhere, as "javascript:" would.
        links=[f"./{quote(run.folder)}/" for run in found],
    )


def plan(data: ComparisonData) -> Table:
    """Return what was planned, and the machine that it ran on."""
    found = data.plan
    machine, versions = found.machine, found.versions
    met = (
        f"doubled from {count(found.first_users)} until the objectives are missed, at most "
        f"{count(found.most_users)}; the gap then halved {found.refinements} times, in ratio"
    )
    if found.steps is not None:
        met = ", ".join(count(users) for users in found.steps)
    counted, warm_up = duration(found.step_s), duration(found.warm_up_s)
    rows = {
        "comparison": found.id,
        "started": found.started_at,
        "rounds": f"{data.rounds} of {found.rounds}",
        "steps, users": met,
        "a step": f"{counted} that count, after {warm_up} of warm-up",
        "seed": str(found.seed),
        "tags": ", ".join(found.tags),
        "excluded tags": ", ".join(found.exclude_tags),
        "checks the method": "yes: both variants are the same (A/A)" if found.is_aa else "",
    }
    for place, names in groupby(turns(found), key=lambda turn: turn[0]):
        if place <= data.rounds:
            rows[f"order of round {place}"] = ", ".join(data.title(name) for _, name in names)
    rows |= {
        "machine": f"{machine.cpu}, {machine.cores} cores, {machine.memory_gb:.3g} GB",
        "system": machine.system,
        "versions": f"suite {versions.suite}, locust {versions.locust}, Python {versions.python}",
    }
    return Table(
        id="plan",
        title="Plan",
        note="Generator and server share the machine.",
        headings=("what", "value"),
        rows=[[name, value] for name, value in rows.items() if value],
    )


def commands(data: ComparisonData) -> Table:
    """Return how each variant was started."""
    return Table(
        id="commands",
        title="Commands of the variants",
        note="",
        headings=("variant", "command", "nginx in front of"),
        rows=[
            [data.title(each.name), " ".join(each.command), each.nginx or NONE]
            for each in data.plan.variants
        ],
    )


def objectives(data: ComparisonData) -> Table:
    """Return the objectives that each step was judged by."""
    return Table(
        id="objectives",
        title="Objectives",
        note="What every run was judged by; slo.toml has them too.",
        headings=("of", "what", "objective"),
        rows=[
            [scope_of(scope), name_of(key), limit(key, value)]
            for scope, limits in data.objectives.limits.items()
            for key, value in limits.items()
        ],
        numbers=(2,),
    )

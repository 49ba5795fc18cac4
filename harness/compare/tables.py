"""The rows that the page and the Markdown of a comparison have in common."""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter
from urllib.parse import quote

from harness.compare import findings
from harness.compare.experiment import turns
from harness.compare.files import VariantResult
from harness.compare.picture import Picture
from harness.formatting import NONE, count, duration, number, one_line, rounded
from harness.rows import FIGURES, Table, figures_cells, limit, name_of, scope_of

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
"""Picks what is shown of a run from `FIGURES`, and from the cells for them."""


def variants(picture: Picture) -> Table:
    """Return a row a variant."""
    at, note = findings.common_step(picture.comparison.variants), ""
    if at is None:
        note = " There is no step that every variant held in every round."
    rows = []
    for each in picture.comparison.variants:
        step = next((step for step in each.steps if step.users == at and step.runs), None)
        rounds = [findings.in_round(found) for found in each.by_round]
        rows.append(
            [
                picture.title(each.variant),
                findings.carried(each),
                # A line ends only between two rounds.
                ", ".join(found.replace(" ", "\N{NO-BREAK SPACE}") for found in rounds) or NONE,
                findings.interval(each.most_requests_per_s),
                *(findings.spread(getattr(step, key, None)) for key in COSTS),
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


def ratios(picture: Picture) -> Table:
    """Return a row a ratio."""
    return Table(
        id="ratios",
        title="Ratios",
        note="Paired by round, with 95 % intervals; shown is a ratio whose interval leaves out 1. "
        "Smallest to be shown: the ratio above 1 that so many rounds of such spread show in 80 % "
        "of comparisons.",
        headings=("of", "variant", "by", "ratio", "smallest to be shown", "in words", "result"),
        rows=[
            [
                findings.metric(each),
                picture.title(each.variant),
                picture.title(each.by),
                findings.ratio(each.ratio),
                NONE if each.smallest_shown is None else rounded(each.smallest_shown),
                each.sentence,
                "shown" if each.is_shown else "not shown",
            ]
            for each in picture.comparison.ratios
        ],
        numbers=(3, 4),
    )


def steps(variant: VariantResult, place: int) -> Table:
    """Return a row a step of a variant."""
    rows = [
        [
            count(step.users),
            f"{step.held} of {step.runs}",
            *(findings.spread(getattr(step, key)) for key in STEP_COLUMNS),
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


def runs(picture: Picture) -> Table:
    """Return a row a run, with a link to its folder; a name of a folder cannot lead elsewhere."""
    found = picture.comparison.runs
    return Table(
        id="runs",
        title="Runs",
        note="Each is a folder with the files of a run; “make report” draws it.",
        headings=[*RUN, *OF_A_RUN(FIGURES), CPU, "why", "verdict"],
        rows=[
            [
                run.folder.removeprefix("runs/"),
                picture.title(run.variant),
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
        links=[f"./{quote(run.folder)}/" for run in found],
    )


def plan(picture: Picture) -> Table:
    """Return what was planned, and on what it was measured."""
    found = picture.plan
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
        "rounds": f"{picture.rounds} of {found.rounds}",
        "steps, users": met,
        "a step": f"{counted} that count, after {warm_up} of warm-up",
        "seed": str(found.seed),
        "tags": ", ".join(found.tags),
        "excluded tags": ", ".join(found.exclude_tags),
        "checks the method": "yes: both variants are the same (A/A)" if found.is_aa else "",
    }
    for place, names in groupby(turns(found), key=lambda turn: turn[0]):
        if place <= picture.rounds:
            rows[f"order of round {place}"] = ", ".join(picture.title(name) for _, name in names)
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


def commands(picture: Picture) -> Table:
    """Return how each variant was started."""
    return Table(
        id="commands",
        title="Commands of the variants",
        note="",
        headings=("variant", "command", "nginx in front of"),
        rows=[
            [picture.title(each.name), " ".join(each.command), each.nginx or NONE]
            for each in picture.plan.variants
        ],
    )


def objectives(picture: Picture) -> Table:
    """Return what each step was judged by."""
    return Table(
        id="objectives",
        title="Objectives",
        note="What every run was judged by; slo.toml has them too.",
        headings=("of", "what", "objective"),
        rows=[
            [scope_of(scope), name_of(key), limit(key, value)]
            for scope, limits in picture.objectives.limits.items()
            for key, value in limits.items()
        ],
        numbers=(2,),
    )

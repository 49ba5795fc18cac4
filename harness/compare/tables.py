"""The rows that the page and the Markdown of a comparison have in common."""

from __future__ import annotations

from urllib.parse import quote

from harness.compare import wording
from harness.compare.files import Run, VariantResult
from harness.compare.picture import Picture, step_at
from harness.objectives import TOTAL
from harness.report.tables import KEYS, LIMITS, Table
from harness.report.wording import NONE, clock, count, number, one_line, percent, time_ms
from harness.runfolder import Figures

MARKS = {"pass": "met", "fail": "missed", "invalid": "unknown"}


def variants(picture: Picture) -> Table:
    """Return a row a variant."""
    step = picture.common_step
    note = "Carried users: 95 % interval over the rounds. Below “by round” are the highest step "
    note += "that was held and the lowest that was missed."
    if step is None:
        note += " There is no step that every variant held in every round."
    at = "" if step is None else f" at {count(step)}"
    rows = []
    for each in picture.comparison.variants:
        found = step_at(each.steps, step)
        rows.append(
            [
                one_line(each.title),
                wording.carried(each),
                _brackets(each) or NONE,
                wording.interval(each.most_requests_per_s),
                wording.spread(found.cpu_ms_per_request if found else None),
                wording.spread(found.memory_mb if found else None),
            ]
        )
    headings = ("variant", "carried users", "by round", "most requests/s")
    return Table(
        id="variants",
        title="Variants",
        note=note,
        headings=(*headings, f"CPU ms a request{at}", f"memory MB{at}"),
        rows=rows,
        numbers=(1, 3, 4, 5),
    )


def ratios(picture: Picture) -> Table:
    """Return a row a ratio."""
    rows, titles = [], picture.titles
    for each in picture.comparison.ratios:
        least = "" if each.smallest_shown is None else f"{each.smallest_shown:.3g}"
        rows.append(
            [
                wording.metric(each),
                one_line(titles.get(each.variant, each.variant)),
                one_line(titles.get(each.by, each.by)),
                wording.ratio(each.ratio),
                least or NONE,
                each.sentence,
                wording.shown(each),
            ]
        )
    return Table(
        id="ratios",
        title="Ratios",
        note="Paired by round, with 95 % intervals; shown is a ratio whose interval leaves out 1. "
        "Smallest to be shown: the ratio above 1 that so many rounds of such spread show in 80 % "
        "of comparisons.",
        headings=("of", "variant", "by", "ratio", "smallest to be shown", "in words", "result"),
        rows=rows,
        numbers=(3, 4),
    )


def steps(variant: VariantResult, place: int) -> Table:
    """Return a row a step of a variant."""
    rows = [
        [
            count(step.users),
            f"{step.held} of {step.runs}",
            wording.spread(step.requests_per_s),
            wording.spread(step.p50_ms),
            wording.spread(step.p95_ms),
            wording.spread(step.p99_ms),
            count(step.failures),
            wording.spread(step.cpu_percent),
            wording.spread(step.cpu_ms_per_request),
            wording.spread(step.memory_mb),
        ]
        for step in variant.steps
        if step.runs
    ]
    headings = ("users", "held", "requests/s", "p50 ms", "p95 ms", "p99 ms", "failed")
    return Table(
        id=f"steps-{place}",
        title=one_line(variant.title),
        note="" if rows else "No valid run.",
        headings=(*headings, "CPU, % of a core", "CPU ms a request", "memory MB"),
        rows=rows,
        numbers=tuple(range(10)),
    )


def runs(picture: Picture) -> Table:
    """Return a row a run, with a link to its folder."""
    found, titles = picture.comparison.runs, picture.titles
    return Table(
        id="runs",
        title="Runs",
        note="Each is a folder with the files of a run; “make report” draws it.",
        headings=(
            *("run", "variant", "round", "users", "attempt", "requests/s", "failed %", "p50 ms"),
            *("p95 ms", "p99 ms", "CPU ms a request", "why", "verdict"),
        ),
        rows=[
            [
                run.folder.removeprefix("runs/"),
                one_line(titles.get(run.variant, run.variant)),
                *(count(run.round), count(run.users), count(run.attempt)),
                *_figures(run.figures),
                NONE if run.server is None else number(run.server.cpu_ms_per_request),
                "; ".join(run.reasons),
                run.verdict,
            ]
            for run in found
        ],
        numbers=tuple(range(2, 11)),
        marks=[MARKS[run.verdict] for run in found],
        links=[_link(run) for run in found],
    )


def plan(picture: Picture) -> Table:
    """Return what was planned, and on what it was measured."""
    found = picture.plan
    machine, versions = found.machine, found.versions
    if found.steps is not None:
        met = ", ".join(count(users) for users in found.steps)
    else:
        met = (
            f"doubled from {count(found.first_users)} until the objectives are missed, at most "
            f"{count(found.most_users)}; the gap then halved {found.refinements} times, in ratio"
        )
    titles = {each.name: one_line(each.title) for each in found.variants}
    rows = [
        ("comparison", found.id),
        ("started", found.started_at),
        ("rounds", f"{picture.rounds} of {found.rounds}"),
        ("steps, users", met),
        ("a step", f"{clock(found.step_s)} that count, after {clock(found.warm_up_s)} of warm-up"),
        ("seed", str(found.seed)),
        ("tags", ", ".join(found.tags)),
        ("excluded tags", ", ".join(found.exclude_tags)),
        ("checks the method", "yes: both variants are the same (A/A)" if found.is_aa else ""),
        *(
            (f"order of round {number}", ", ".join(titles.get(name, name) for name in names))
            for number, names in picture.orders.items()
        ),
        ("machine", f"{machine.cpu}, {machine.cores} cores, {machine.memory_gb:.3g} GB"),
        ("system", machine.system),
        (
            "versions",
            f"suite {versions.suite}, locust {versions.locust}, Python {versions.python}",
        ),
    ]
    return Table(
        id="plan",
        title="Plan",
        note="Generator and server share the machine.",
        headings=("what", "value"),
        rows=[[name, value] for name, value in rows if value],
    )


def commands(picture: Picture) -> Table:
    """Return how each variant was started."""
    return Table(
        id="commands",
        title="Commands of the variants",
        note="",
        headings=("variant", "command", "nginx in front of"),
        rows=[
            [one_line(each.title), " ".join(each.command), each.nginx or NONE]
            for each in picture.plan.variants
        ],
    )


def objectives(picture: Picture) -> Table:
    """Return what each step was judged by."""
    rows = []
    for scope, limits in picture.objectives.limits.items():
        for key, limit in limits.items():
            sign, unit = LIMITS.get(key, ("≤", "ms"))
            value = percent(limit) if unit == "%" else number(limit)
            name = KEYS.get(key, key.removesuffix("_ms"))
            of = "all requests" if scope == TOTAL else scope
            rows.append([of, name, f"{sign} {value} {unit}"])
    return Table(
        id="objectives",
        title="Objectives",
        note="What every run was judged by; slo.toml has them too.",
        headings=("of", "what", "objective"),
        rows=rows,
        numbers=(2,),
    )


def _brackets(variant: VariantResult) -> str:
    """Return between which steps each round ended; a line ends only between two rounds."""
    rounds = (wording.in_round(each) for each in variant.by_round)
    return ", ".join(each.replace(" ", "\N{NO-BREAK SPACE}") for each in rounds)


def _figures(figures: Figures | None) -> list[str]:
    if figures is None:
        return [NONE] * 5
    times = (figures.p50_ms, figures.p95_ms, figures.p99_ms)
    return [
        f"{figures.requests_per_s:.1f}",
        percent(figures.fail_ratio),
        *(time_ms(time) for time in times),
    ]


def _link(run: Run) -> str:
    """Return where the folder of a run is, seen from the page; a name cannot lead elsewhere."""
    return f"./{quote(run.folder)}/"

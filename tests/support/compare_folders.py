"""Writes result folders of comparisons, as `make compare` does, for simulated servers.

A simulated server has a capacity in requests/s. Response times grow as the load approaches it.
Beyond it, the rate stays at the capacity and the users wait.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from statistics import geometric_mean, median

import msgspec

from harness.experiments.compare import files
from harness.experiments.compare.files import (
    CarriedInRound,
    Comparison,
    Interval,
    Machine,
    Plan,
    Ratio,
    Run,
    ServerLoad,
    StepFigures,
    Variant,
    VariantResult,
)
from harness.results import judging, run_folder
from harness.results.run_folder import Figures, Step, Versions
from harness.results.timeline import TIMELINE, Second
from support.run_folders import KEYS, START, write_run

OBJECTIVES = "[total]\np95_ms = 500\np99_ms = 1000\nfail_ratio = 0.001\n"
LIMIT_MS = 500.0
WAIT_S = 3.0
TITLES = (
    "nothing (runserver)",
    "gunicorn",
    "gunicorn behind nginx",
    "gunicorn with threads",
    "a fifth way to deploy it whose title is far too long for any legend",
    "공지 서버 6",
)
CAPACITIES = (55.0, 90.0, 96.0, 120.0, 180.0, 240.0)
STEPS = (50, 100, 200, 400)


def write_comparison(
    folder: Path,
    *,
    variants: int = 3,
    rounds: int = 3,
    planned_rounds: int | None = None,
    steps: Sequence[int] = STEPS,
    titles: Sequence[str] = TITLES,
    capacities: Sequence[float] = CAPACITIES,
    is_aa: bool = False,
    seconds: int = 6,
    warm_up_s: int = 3,
    invalid: Callable[[int, int, int], bool] = lambda variant, number, users: False,
    finding: str = "gunicorn carries 1.6 (1.4 to 1.8) times the users of nothing (runserver).",
    notes: Sequence[str] = ("Generator and server shared the machine.",),
    reason: str = "the generator was saturated in 40 % of the steady seconds",
) -> Path:
    """Write the folder of a comparison and return it.

    Args:
        folder: folder to create.
        variants: number of variants.
        rounds: number of measured rounds.
        planned_rounds: number of planned rounds; `rounds` if None.
        steps: number of users of each step.
        titles: titles of the variants.
        capacities: capacities of the variants, in requests/s.
        is_aa: whether this is an A/A comparison, which checks the method.
        seconds: measured seconds of a step.
        warm_up_s: seconds of warm-up, after 3 s of ramp-up.
        invalid: takes variant index, round and users; returns True for an invalid run.
        finding: the conclusion.
        notes: the caveats.
        reason: why runs are invalid.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"v{place}" for place in range(variants)]
    plan = Plan(
        id=folder.name,
        started_at="2026-11-23T00:00:00+00:00",
        seed=7,
        rounds=planned_rounds or rounds,
        steps=list(steps),
        first_users=steps[0],
        most_users=steps[-1],
        refinements=0,
        step_s=float(seconds),
        warm_up_s=float(warm_up_s),
        tags=[],
        exclude_tags=["write"],
        variants=[
            Variant(
                name=name,
                title=titles[place],
                command=["{python}", "-m", "gunicorn", "--bind", "{address}"],
                nginx="unix:{tmp}/app.sock" if place == 2 else None,
            )
            for place, name in enumerate(names)
        ],
        is_aa=is_aa,
        machine=Machine(cpu="Example CPU @ 2 GHz", cores=2, memory_gb=8.2, system="Linux 6.1"),
        versions=Versions("0.1.0", "2.40", "3.11.9"),
    )
    files.write(folder, plan)
    run_folder.write_objectives(folder, OBJECTIVES)
    random, runs = Random(1), []
    for number in range(1, rounds + 1):
        for place, name in enumerate(names):
            luck = random.lognormvariate(0, 0.06)
            for users in steps:
                run = _run(name, number, users, capacities[place] * luck, seconds)
                if invalid(place, number, users):
                    run = msgspec.structs.replace(run, verdict="invalid", reasons=[reason])
                runs.append(run)
                if number == 1:
                    _write_run(folder / run.folder, run, seconds, warm_up_s)
    results = [
        _result(name, titles[place], [run for run in runs if run.variant == name])
        for place, name in enumerate(names)
    ]
    comparison = Comparison(
        id=folder.name,
        finding=finding,
        notes=list(notes),
        is_complete=rounds == plan.rounds,
        variants=results,
        ratios=[ratio for place in range(1, variants) for ratio in _ratios(results, place)],
        runs=runs,
    )
    files.write(folder, comparison)
    return folder


def _run(name: str, number: int, users: int, capacity: float, seconds: int) -> Run:
    free = users / WAIT_S
    rate = min(free, capacity)
    load = min(free / capacity, 0.97)
    p50_ms = 6 / (1 - load) + max(users / capacity - WAIT_S, 0) * 1000
    p95_ms = p50_ms * 2.4
    failed = int(rate * seconds * 0.02) if free > capacity * 1.5 else 0
    figures = Figures(
        requests=round(rate * seconds),
        failures=failed,
        fail_ratio=failed / (rate * seconds),
        requests_per_s=rate,
        p50_ms=p50_ms,
        p95_ms=p95_ms,
        p99_ms=p95_ms * 1.5,
        max_ms=p95_ms * 2,
    )
    has_met = p95_ms <= LIMIT_MS
    return Run(
        variant=name,
        round=number,
        users=users,
        attempt=1,
        folder=f"runs/r{number}-{name}-{users}",
        verdict="pass" if has_met else "fail",
        reasons=[] if has_met else [f"total: p95 {p95_ms:.0f} ms is above {LIMIT_MS:.0f} ms"],
        figures=figures,
        server=ServerLoad(
            cpu_percent=load * 160,
            cpu_ms_per_request=9 * 60 / capacity + 20 / users,
            memory_mb=110 + users * 0.02,
        ),
    )


def _write_run(folder: Path, run: Run, seconds: int, warm_up_s: int) -> None:
    write_run(folder, steps=((run.users, 1),), keys=KEYS[:1], requests=1, objectives=OBJECTIVES)
    assert run.figures is not None and run.figures.p50_ms and run.figures.p95_ms
    random, rows = Random(run.users), []
    ramp_s = 3
    for place in range(ramp_s + warm_up_s + seconds + 1):
        share = min((place + 1) / ramp_s, 1.0)
        is_over = place == ramp_s + warm_up_s + seconds
        requests = (
            0 if is_over else round(run.figures.requests_per_s * share * random.gauss(1, 0.05))
        )
        slower = random.lognormvariate(0, 0.12)
        rows.append(
            Second(
                second=START + place,
                users=0 if is_over else round(run.users * share),
                target_users=0 if is_over else run.users,
                requests=requests,
                failures=round(requests * run.figures.fail_ratio),
                p50_ms=run.figures.p50_ms * share * slower if requests else None,
                p95_ms=run.figures.p95_ms * share * slower**2 if requests else None,
                p99_ms=run.figures.p95_ms * share * 1.5 if requests else None,
                cpu_percent=30.0,
                lag_ms=1.0,
            )
        )
    lines = [
        ",".join("" if cell is None else str(cell) for cell in cells)
        for cells in (Second.__struct_fields__, *(msgspec.structs.astuple(row) for row in rows))
    ]
    summary = judging.judge(folder)[0]
    (folder / TIMELINE).write_text("\n".join(lines) + "\n", encoding="utf-8")
    step = Step(
        users=run.users,
        first_second=START + ramp_s + warm_up_s,
        last_second=START + ramp_s + warm_up_s + seconds - 1,
        total=run.figures,
    )
    summary = msgspec.structs.replace(summary, verdict=run.verdict, steps=[step])
    run_folder.write(folder, summary)


def _result(name: str, title: str, runs: Sequence[Run]) -> VariantResult:
    valid = [run for run in runs if run.is_valid]
    by_round = []
    for number in sorted({run.round for run in runs}):
        own = [run for run in valid if run.round == number]
        held = max((run.users for run in own if run.verdict == "pass"), default=None)
        missed = min((run.users for run in own if run.verdict == "fail"), default=None)
        users = round((held * missed) ** 0.5, 1) * (1 + number / 50) if held and missed else None
        by_round.append(CarriedInRound(round=number, held=held, missed=missed, users=users))
    carried = [each.users for each in by_round if each.users is not None]
    held = [each.held for each in by_round if each.held is not None]
    most = [
        max(run.figures.requests_per_s for run in valid if run.round == number and run.figures)
        for number in sorted({run.round for run in valid})
    ]
    return VariantResult(
        variant=name,
        title=title,
        by_round=by_round,
        carried_users=_interval(carried) if len(carried) == len(by_round) else None,
        at_least=min(held) if len(held) == len(by_round) else None,
        most_requests_per_s=_interval(most) if most else None,
        steps=[_step(runs, users) for users in sorted({run.users for run in valid})],
    )


def _step(runs: Sequence[Run], users: int) -> StepFigures:
    own = [run for run in runs if run.users == users and run.is_valid]

    def spread(value: Callable[[Run], float]) -> tuple[float, float, float]:
        values = [value(run) for run in own]
        return median(values), min(values), max(values)

    return StepFigures(
        users=users,
        runs=len(own),
        held=sum(run.verdict == "pass" for run in own),
        requests_per_s=spread(lambda run: run.figures.requests_per_s),
        p50_ms=spread(lambda run: run.figures.p50_ms),
        p95_ms=spread(lambda run: run.figures.p95_ms),
        p99_ms=spread(lambda run: run.figures.p99_ms),
        failures=sum(run.figures.failures for run in own if run.figures),
        cpu_percent=spread(lambda run: run.server.cpu_percent),
        cpu_ms_per_request=spread(lambda run: run.server.cpu_ms_per_request),
        memory_mb=spread(lambda run: run.server.memory_mb),
    )


def _interval(values: Sequence[float]) -> Interval:
    middle = geometric_mean(values)
    if len(values) < 2:
        return Interval(estimate=middle, low=None, high=None)
    return Interval(estimate=middle, low=min(values) * 0.95, high=max(values) * 1.05)


def _ratios(results: Sequence[VariantResult], place: int) -> list[Ratio]:
    later, earlier = results[place], results[0]
    found = []
    for metric, one, other, users in (
        ("carried_users", later.carried_users, earlier.carried_users, None),
        ("most_requests_per_s", later.most_requests_per_s, earlier.most_requests_per_s, None),
        ("p95_ms", Interval(estimate=0.9, low=0.7, high=1.15), None, 50),
    ):
        if one is None:
            continue
        estimate = one.estimate / (other.estimate if other else 1)
        low, high = (None, None) if one.low is None else (estimate * 0.9, estimate * 1.1)
        ratio = Interval(estimate=estimate, low=low, high=high)
        found.append(
            Ratio(
                metric=metric,
                at_users=users,
                variant=later.variant,
                by=earlier.variant,
                rounds=len(later.by_round),
                ratio=ratio,
                is_shown=low is not None and not low <= 1 <= (high or 1),
                smallest_shown=1.2 if low is not None else None,
                sentence=f"{later.title} has {estimate:.2f} times as much as {earlier.title}.",
            )
        )
    return found

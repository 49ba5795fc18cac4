"""Computes the result of an experiment from its runs.

Invariant: nothing but the files decides, so the result can be computed again. Only rounds in which
every variant is done, and in them only valid runs, enter a figure.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from pathlib import Path
from statistics import median

import msgspec

from harness.experiments.compare import conclusions, estimates, files, server_load, step_search
from harness.experiments.compare.files import Metric, Ratio, Run, Variant, VariantResult
from harness.results.run_folder import Figures, Objective

SPREADS = ("p50_ms", "p95_ms", "p99_ms", "cpu_percent", "cpu_ms_per_request", "memory_mb")
AT_A_STEP: tuple[Metric, ...] = ("p95_ms", "cpu_ms_per_request")


class Rounds:
    """The finished runs of an experiment, sorted by round, variant, users and attempt.

    `whole` are the numbers of the rounds in which every variant is done.

    Raises:
        ConfigurationError: there is no plan, or a run is broken; names it.
    """

    def __init__(self, folder: Path) -> None:
        self.plan = files.read_plan(folder)
        names = [variant.name for variant in self.plan.variants]
        found = [read_run(path, end) for path, end in files.finished_runs(folder)]
        self._objectives = {run.folder: objectives for run, objectives in found}
        order = {name: place for place, name in enumerate(names)}
        self.runs = sorted(
            (run for run, _ in found),
            key=lambda run: (run.round, order.get(run.variant, 0), run.users, run.attempt),
        )
        self.whole = [
            number
            for number in range(1, self.plan.rounds + 1)
            if all(self.is_done(name, number) for name in names)
        ]

    def last_attempts(self, variant: str, number: int) -> dict[int, Run]:
        """Return the run that counts for each step of a variant in a round, by its users."""
        return {  # runs are sorted by attempt, so the last one stays
            run.users: run for run in self.runs if (run.variant, run.round) == (variant, number)
        }

    def held(self, variant: str, number: int) -> dict[int, bool | None]:
        """Return whether each step met the objectives; None if both attempts were invalid.

        A step whose first attempt was invalid is left out, to be made again.
        """
        return {
            users: run.verdict == "pass" if run.is_valid else None
            for users, run in self.last_attempts(variant, number).items()
            if run.is_valid or run.attempt > 1
        }

    def carried(self, variant: str, number: int) -> files.CarriedInRound:
        """Return how many users a variant carried in a round."""
        steps = self.last_attempts(variant, number)
        objectives = {users: self._objectives[run.folder] for users, run in steps.items()}
        return step_search.carried(number, self.held(variant, number), objectives)

    def is_done(self, variant: str, number: int) -> bool:
        """Return True if a variant has made all its steps in a round."""
        return step_search.next_users(self.plan, self.held(variant, number)) is None


def judge(folder: Path) -> files.Comparison:
    """Compute the result of an experiment from its files, without unfinished rounds.

    Raises:
        ConfigurationError: there is no plan, or a run is broken; names it.
    """
    rounds = Rounds(folder)
    plan, runs = rounds.plan, rounds.runs
    variants = [_variant(rounds, variant) for variant in plan.variants]
    at = conclusions.common_step(variants)
    ratios = [
        ratio
        for by, variant in combinations(plan.variants, 2)
        for ratio in _ratios(rounds, variant, by, at)
    ]
    return files.Comparison(
        id=plan.id,
        finding=conclusions.finding(plan, variants, ratios),
        notes=conclusions.notes(plan, len(rounds.whole), runs),
        is_complete=len(rounds.whole) == plan.rounds,
        variants=variants,
        ratios=ratios,
        runs=runs,
    )


def read_run(path: Path, end: files.ServerEnd) -> tuple[Run, Sequence[Objective]]:
    """Read a finished run and the objectives it was judged by.

    Raises:
        ConfigurationError: one of its files is broken; names it.
    """
    summary = files.read_summary(path)
    reasons = list(summary.reasons) if summary else ["the run left no summary.json"]
    if end.died is not None:
        reasons.insert(0, f"the server ended in mid-run: {end.died}")
    server = None
    if summary and summary.steps:
        # If a user was lost for a moment, the run has several steps: take the longest.
        step = max(summary.steps, key=lambda step: step.last_second - step.first_second)
        server = server_load.load_between(
            files.read_server_load(path),
            step.first_second,
            step.last_second + 1,  # the end of that second
            step.total.requests,
        )
    run = Run(
        variant=end.variant,
        round=end.round,
        users=end.users,
        attempt=end.attempt,
        folder=f"{files.RUNS}/{path.name}",
        verdict=summary.verdict if summary and end.died is None else "invalid",
        reasons=reasons,
        figures=summary.total.steady if summary else None,
        server=server,
    )
    return run, summary.objectives if summary else []


def _variant(rounds: Rounds, variant: Variant) -> VariantResult:
    by_round = [rounds.carried(variant.name, number) for number in rounds.whole]
    held = [each.held for each in by_round if each.held is not None]
    carried = _values(rounds, variant.name, "carried_users")
    most = _values(rounds, variant.name, "most_requests_per_s")
    return VariantResult(
        variant=variant.name,
        title=variant.title,
        by_round=by_round,
        carried_users=estimates.mean_of(carried) if carried else None,
        at_least=min(held) if held and len(held) == len(by_round) else None,
        most_requests_per_s=estimates.mean_of(most) if most else None,
        steps=_steps(rounds, variant.name),
    )


def _steps(rounds: Rounds, name: str) -> list[files.StepFigures]:
    by_users: dict[int, list[Run]] = {}
    for number in rounds.whole:
        for users, run in rounds.last_attempts(name, number).items():
            if run.is_valid and run.figures is not None:
                by_users.setdefault(users, []).append(run)
    return [
        files.StepFigures(
            users=users,
            runs=len(own),
            held=sum(run.verdict == "pass" for run in own),
            failures=sum(run.figures.failures for run in own if run.figures),
            requests_per_s=_spread(own, "requests_per_s") or (0.0, 0.0, 0.0),
            **{key: _spread(own, key) for key in SPREADS},
        )
        for users, own in sorted(by_users.items())
    ]


def _spread(runs: Sequence[Run], key: str) -> files.Spread | None:
    """Return the median and the extremes; None if a run has no value."""
    values = _all(_value(run, key) for run in runs)
    return (median(values), min(values), max(values)) if values else None


def _ratios(rounds: Rounds, variant: Variant, by: Variant, at: int | None) -> Iterator[Ratio]:
    """Yield the ratios of a pair, leaving out a metric that a round lacks a value of."""
    for metric in conclusions.METRICS:
        at_users = at if metric in AT_A_STEP else None
        ours = _values(rounds, variant.name, metric, at_users)
        theirs = _values(rounds, by.name, metric, at_users)
        if not ours or not theirs or (metric in AT_A_STEP and at is None):
            continue
        interval = estimates.ratio_of(ours, theirs)
        ratio = Ratio(
            metric=metric,
            at_users=at_users,
            variant=variant.name,
            by=by.name,
            rounds=len(ours),
            ratio=interval,
            is_shown=estimates.is_shown(interval),
            smallest_shown=estimates.smallest_shown(ours, theirs),
            sentence="",
        )
        sentence = conclusions.ratio_sentence(ratio, variant.title, by.title)
        yield msgspec.structs.replace(ratio, sentence=sentence)


def _values(rounds: Rounds, name: str, metric: Metric, at: int | None = None) -> list[float]:
    """Return a metric in each round, its highest or that at a step; empty if a round lacks it."""
    if metric == "carried_users":
        return _all(rounds.carried(name, number).users for number in rounds.whole)
    key, found = metric.removeprefix("most_"), []
    for number in rounds.whole:
        runs = [run for run in rounds.last_attempts(name, number).values() if run.is_valid]
        values = (_value(run, key) or 0.0 for run in runs if at in (None, run.users))
        found.append(max(values, default=None))
    return _all(found)


def _value(run: Run, key: str) -> float | None:
    """Return a figure of a run or of its server."""
    source = run.figures if key in Figures.__struct_fields__ else run.server
    value: float | None = getattr(source, key, None)
    return value


def _all(values: Iterable[float | None]) -> list[float]:
    """Return the values if each is a finite number above 0; else none: a part would mislead."""
    found = list(values)
    sound = [value for value in found if value is not None and 0 < value < math.inf]
    return sound if len(sound) == len(found) else []

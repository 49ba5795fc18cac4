"""The runs of an experiment -> what came of it; from the files alone, as often as wanted."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import combinations
from pathlib import Path
from statistics import median

from harness import ConfigurationError, runfolder
from harness.compare import estimates, files, findings, ladder, server_load
from harness.compare.files import (
    CarriedInRound,
    Comparison,
    Metric,
    Plan,
    Ratio,
    Run,
    ServerEnd,
    ServerLoad,
    StepFigures,
    VariantResult,
)
from harness.compare.findings import Outcome
from harness.runfolder import Objective, Summary

Value = Callable[[Run], float | None]


def _of_figures(key: str) -> Value:
    return lambda run: getattr(run.figures, key) if run.figures else None


def _of_server(key: str) -> Value:
    return lambda run: getattr(run.server, key) if run.server else None


REQUESTS_PER_S = _of_figures("requests_per_s")
P95_MS = _of_figures("p95_ms")
CPU_MS = _of_server("cpu_ms_per_request")


class Rounds:
    """The runs of an experiment that are finished, sorted.

    Attributes:
        plan: of the experiment.
        runs: in the order in which they were made.
    """

    def __init__(self, folder: Path) -> None:
        """Read them.

        Raises:
            ConfigurationError: there is no plan, or a run is broken; says which.
        """
        self.folder = folder
        self.plan = read_plan(folder)
        self.runs: list[Run] = []
        self._objectives: dict[str, Sequence[Objective]] = {}
        for path, end in files.finished_runs(folder):
            run, objectives = _read_run(folder, path, end)
            self.runs.append(run)
            self._objectives[run.folder] = objectives
        order = {variant.name: place for place, variant in enumerate(self.plan.variants)}
        self.runs.sort(
            key=lambda run: (run.round, order.get(run.variant, 0), run.users, run.attempt)
        )

    def last_attempts(self, variant: str, number: int) -> dict[int, Run]:
        """Return the run that counts of each step of a variant in a round, by its users."""
        return {
            run.users: run for run in self.runs if (run.variant, run.round) == (variant, number)
        }

    def held(self, variant: str, number: int) -> dict[int, bool | None]:
        """Return whether each step met the objectives; None when both attempts were invalid."""
        return {
            users: run.verdict == "pass" if run.is_valid else None
            for users, run in self.last_attempts(variant, number).items()
            if run.is_valid or run.attempt > 1
        }

    def carried(self, variant: str, number: int) -> CarriedInRound:
        """Return how many users a variant carried in a round."""
        steps = self.last_attempts(variant, number)
        return ladder.carried(
            number,
            self.held(variant, number),
            {users: self._objectives[run.folder] for users, run in steps.items()},
        )

    def is_done(self, variant: str, number: int) -> bool:
        """Say whether a variant met all its steps in a round."""
        return ladder.next_users(self.plan, self.held(variant, number)) is None

    def whole(self) -> list[int]:
        """Return the rounds in which every variant is done."""
        names = [variant.name for variant in self.plan.variants]
        return [
            number
            for number in range(1, self.plan.rounds + 1)
            if all(self.is_done(name, number) for name in names)
        ]


def judge(folder: Path) -> Comparison:
    """Compute the result of an experiment from its files; an open round does not count.

    Raises:
        ConfigurationError: there is no plan, or a run is broken; says which.
    """
    rounds = Rounds(folder)
    plan, whole = rounds.plan, rounds.whole()
    variants = [_variant(rounds, variant.name, variant.title, whole) for variant in plan.variants]
    ratios = [
        ratio
        for one, other in combinations(plan.variants, 2)
        for ratio in _ratios(rounds, other.name, one.name, whole)
    ]
    outcome = Outcome(plan, whole, variants, ratios, rounds.runs)
    return Comparison(
        id=plan.id,
        finding=findings.finding(outcome),
        notes=findings.notes(outcome),
        is_complete=len(whole) == plan.rounds,
        variants=variants,
        ratios=ratios,
        runs=rounds.runs,
    )


def read_plan(folder: Path) -> Plan:
    """Read the plan of an experiment.

    Raises:
        ConfigurationError: there is none, or it is broken.
    """
    try:
        return files.read_plan(folder)
    except FileNotFoundError:
        raise ConfigurationError(f"{folder} is no comparison: it has no {files.PLAN}") from None
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{folder / files.PLAN} is broken: {error}") from None


def _read_run(folder: Path, path: Path, end: ServerEnd) -> tuple[Run, Sequence[Objective]]:
    summary = _read_summary(path)
    reasons = list(summary.reasons) if summary else ["the run left no summary.json"]
    if end.died is not None:
        reasons = [f"the server ended in mid-run: {end.died}", *reasons]
    is_believed = summary is not None and end.died is None
    run = Run(
        variant=end.variant,
        round=end.round,
        users=end.users,
        attempt=end.attempt,
        folder=str(path.relative_to(folder)),
        verdict=summary.verdict if summary is not None and is_believed else "invalid",
        reasons=reasons,
        figures=summary.total.steady if summary is not None else None,
        server=_server(path, summary),
    )
    return run, summary.objectives if summary else []


def _read_summary(path: Path) -> Summary | None:
    try:
        return runfolder.read_summary(path)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path / runfolder.SUMMARY} is broken: {error}") from None


def _server(path: Path, summary: Summary | None) -> ServerLoad | None:
    if summary is None or not summary.steps:
        return None
    try:
        rows = files.read_server_load(path)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path / files.SERVER_LOAD} is broken: {error}") from None
    step = max(summary.steps, key=lambda step: step.last_second - step.first_second)
    return server_load.load_between(
        rows, step.first_second, step.last_second + 1, step.total.requests
    )


def _variant(rounds: Rounds, name: str, title: str, whole: Sequence[int]) -> VariantResult:
    by_round = [rounds.carried(name, number) for number in whole]
    users = [each.users for each in by_round]
    held = [each.held for each in by_round if each.held is not None]
    rates = _most_requests_per_s(rounds, name, whole)
    return VariantResult(
        variant=name,
        title=title,
        by_round=by_round,
        carried_users=estimates.mean_of(found) if (found := _all(users)) else None,
        at_least=min(held) if held and len(held) == len(by_round) else None,
        most_requests_per_s=estimates.mean_of(rates) if rates else None,
        steps=_steps(rounds, name, whole),
    )


def _steps(rounds: Rounds, name: str, whole: Sequence[int]) -> list[StepFigures]:
    by_users: dict[int, list[Run]] = {}
    for number in whole:
        for users, run in rounds.last_attempts(name, number).items():
            if run.is_valid and run.figures is not None:
                by_users.setdefault(users, []).append(run)
    return [
        StepFigures(
            users=users,
            runs=len(runs),
            held=sum(run.verdict == "pass" for run in runs),
            requests_per_s=_spread(runs, REQUESTS_PER_S) or (0.0, 0.0, 0.0),
            p50_ms=_spread(runs, _of_figures("p50_ms")),
            p95_ms=_spread(runs, P95_MS),
            p99_ms=_spread(runs, _of_figures("p99_ms")),
            failures=sum(run.figures.failures for run in runs if run.figures),
            cpu_percent=_spread(runs, _of_server("cpu_percent")),
            cpu_ms_per_request=_spread(runs, CPU_MS),
            memory_mb=_spread(runs, _of_server("memory_mb")),
        )
        for users, runs in sorted(by_users.items())
    ]


def _spread(runs: Sequence[Run], value: Value) -> tuple[float, float, float] | None:
    """Return (median, least, most); None when a run has no value."""
    values = _all([value(run) for run in runs])
    return (median(values), min(values), max(values)) if values else None


def _ratios(rounds: Rounds, name: str, by: str, whole: Sequence[int]) -> list[Ratio]:
    """Return what can be said of a pair: each round has both values, or the metric is left out."""
    at = _common_step(rounds, whole)
    metrics: list[tuple[Metric, int | None, Callable[[str], list[float]]]] = [
        ("carried_users", None, lambda each: _carried(rounds, each, whole)),
        ("most_requests_per_s", None, lambda each: _most_requests_per_s(rounds, each, whole)),
    ]
    if at is not None:
        metrics += [
            ("p95_ms", at, lambda each: _at_step(rounds, each, whole, at, P95_MS)),
            ("cpu_ms_per_request", at, lambda each: _at_step(rounds, each, whole, at, CPU_MS)),
        ]
    found = []
    for metric, users, values_of in metrics:
        values, others = values_of(name), values_of(by)
        if values and others:
            found.append(_ratio(rounds.plan, metric, users, (name, by), (values, others)))
    return found


def _ratio(
    plan: Plan,
    metric: Metric,
    at_users: int | None,
    names: tuple[str, str],
    values: tuple[Sequence[float], Sequence[float]],
) -> Ratio:
    ratio = estimates.ratio_of(*values)
    titles = {variant.name: variant.title for variant in plan.variants}
    smallest = estimates.smallest_shown(*values)
    return Ratio(
        metric=metric,
        at_users=at_users,
        variant=names[0],
        by=names[1],
        rounds=len(values[0]),
        ratio=ratio,
        is_shown=estimates.is_shown(ratio),
        smallest_shown=smallest,
        sentence=findings.ratio_sentence(
            metric, at_users, (titles[names[0]], titles[names[1]]), ratio, len(values[0]), smallest
        ),
    )


def _carried(rounds: Rounds, name: str, whole: Sequence[int]) -> list[float]:
    return _all([rounds.carried(name, number).users for number in whole])


def _most_requests_per_s(rounds: Rounds, name: str, whole: Sequence[int]) -> list[float]:
    return _all(
        [
            max(
                (
                    run.figures.requests_per_s
                    for run in rounds.last_attempts(name, number).values()
                    if run.is_valid and run.figures is not None
                ),
                default=None,
            )
            for number in whole
        ]
    )


def _at_step(
    rounds: Rounds, name: str, whole: Sequence[int], users: int, value: Value
) -> list[float]:
    return _all([value(rounds.last_attempts(name, number)[users]) for number in whole])


def _common_step(rounds: Rounds, whole: Sequence[int]) -> int | None:
    """Return the highest step that every variant met in each round: there they did the same."""
    common: set[int] | None = None
    for variant in rounds.plan.variants:
        for number in whole:
            met = {users for users, held in rounds.held(variant.name, number).items() if held}
            common = met if common is None else common & met
    return max(common or (), default=None)


def _all(values: Iterable[float | None]) -> list[float]:
    """Return the values when each is a number above 0; else none, for a part would mislead."""
    found = list(values)
    sound = [value for value in found if value is not None and 0 < value < math.inf]
    return sound if len(sound) == len(found) else []

"""Everything of a comparison that is drawn, gathered from its folder once."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from msgspec import Struct

from harness import ConfigurationError, objectives, runfolder, timeseries
from harness.compare import files
from harness.compare.files import Comparison, Plan, Run, StepFigures
from harness.compare.wording import listed
from harness.objectives import TOTAL, Objectives
from harness.report.wording import count, one_line
from harness.result import readable
from harness.timeseries import Second

WHAT = "comparison"
PANEL_ROUND = 1


class Stretch(Struct, frozen=True):
    """Some seconds of a panel: a whole run, or those of it that count."""

    first_s: int
    end_s: int
    users: int


class Panel(Struct, frozen=True):
    """A variant over time: its runs of round 1 one behind the other, in order of their users.

    Attributes:
        seconds: in which users were wanted; their place is their time.
        runs: where each run begins and ends.
        counted: the seconds that count, without ramp-up and warm-up.
    """

    title: str
    seconds: list[Second]
    runs: list[Stretch]
    counted: list[Stretch]


class Picture(Struct, frozen=True, kw_only=True):
    """A comparison, ready to be drawn.

    Attributes:
        plan: what was planned.
        comparison: the result.
        objectives: what each step was judged by.
        panels: in the order of the variants.
        orders: the variants of each round in the order in which they were started.
        not_drawn: sentences about the runs that are in no chart.
    """

    plan: Plan
    comparison: Comparison
    objectives: Objectives
    panels: list[Panel]
    orders: dict[int, list[str]]
    not_drawn: list[str]

    @property
    def p95_limit_ms(self) -> float | None:
        """Return the objective for the p95 of all requests."""
        return self.objectives.limits[TOTAL].get("p95_ms")

    @property
    def titles(self) -> dict[str, str]:
        """Return what each variant is called, by its name."""
        return {each.variant: each.title for each in self.comparison.variants}

    @property
    def rounds(self) -> int:
        """Return how many rounds there are results of."""
        return len({run.round for run in self.comparison.runs})

    @property
    def all_steps(self) -> list[int]:
        """Return the users of every step that any variant met."""
        return sorted({step.users for each in self.comparison.variants for step in each.steps})

    @property
    def common_step(self) -> int | None:
        """Return the highest step that every variant held in every round."""
        held = [
            {step.users for step in each.steps if step.runs and step.held == step.runs}
            for each in self.comparison.variants
        ]
        return max(set.intersection(*held), default=None) if held else None


def gather(folder: Path) -> Picture:
    """Read a comparison.

    Raises:
        ConfigurationError: there is none, or one of its files is missing or broken; says which.
    """
    if not folder.is_dir():
        raise ConfigurationError(f"there is no folder {folder}; give that of a comparison")
    if not (folder / files.PLAN).exists():
        raise ConfigurationError(
            f"{folder} is not the folder of a comparison: it has no plan.json"
        )
    with readable(folder, files.PLAN, WHAT):
        plan = files.read_plan(folder)
    with readable(folder, files.COMPARISON, WHAT):
        comparison = files.read_comparison(folder)
    if not (folder / runfolder.OBJECTIVES).exists():
        raise ConfigurationError(f"{folder} is not a whole comparison: it has no slo.toml")
    with readable(folder, runfolder.OBJECTIVES, WHAT):
        limits = objectives.load(folder / runfolder.OBJECTIVES)
    return Picture(
        plan=plan,
        comparison=comparison,
        objectives=limits,
        panels=[
            _panel(folder, each.title, _runs_of(comparison, each.variant))
            for each in comparison.variants
        ],
        orders=_orders(folder, comparison),
        not_drawn=_not_drawn(comparison),
    )


def step_at(steps: list[StepFigures], users: int | None) -> StepFigures | None:
    """Return the step of so many users, when something valid is known of it."""
    return next((step for step in steps if step.users == users and step.runs), None)


def _runs_of(comparison: Comparison, variant: str) -> list[Run]:
    """Return the valid runs of a variant in round 1 by their users; of each the last attempt."""
    found = [
        run
        for run in comparison.runs
        if run.variant == variant and run.round == PANEL_ROUND and run.is_valid
    ]
    by_users = {run.users: run for run in sorted(found, key=lambda run: run.attempt)}
    return [by_users[users] for users in sorted(by_users)]


def _panel(folder: Path, title: str, runs: list[Run]) -> Panel:
    panel = Panel(title=title, seconds=[], runs=[], counted=[])
    for run in runs:
        path = folder / run.folder
        with readable(path, timeseries.TIMELINE):
            wanted = [row for row in timeseries.read_timeline(path) if row.target_users]
        with readable(path, runfolder.SUMMARY):
            steps = runfolder.read_summary(path).steps
        begin = len(panel.seconds)
        panel.seconds.extend(wanted)
        panel.runs.append(Stretch(begin, len(panel.seconds), run.users))
        places = {row.second: begin + place for place, row in enumerate(wanted)}
        for step in steps:
            inside = [
                place
                for second, place in places.items()
                if step.first_second <= second <= step.last_second
            ]
            if inside:
                panel.counted.append(Stretch(min(inside), max(inside) + 1, step.users))
    return panel


def _orders(folder: Path, comparison: Comparison) -> dict[int, list[str]]:
    """Return the variants of each round by the start of their first run that is still there."""
    starts: dict[int, dict[str, str]] = {}
    for run in comparison.runs:
        path = folder / run.folder
        if not (path / runfolder.MANIFEST).exists():
            continue
        with readable(path, runfolder.MANIFEST):
            at = runfolder.read_manifest(path).started_at
        own = starts.setdefault(run.round, {})
        own[run.variant] = min(at, own.get(run.variant, at))
    return {
        number: sorted(own, key=lambda name: own[name]) for number, own in sorted(starts.items())
    }


def _not_drawn(comparison: Comparison) -> list[str]:
    """Return a sentence for each step of a variant of which rounds are without a valid run."""
    titles = {each.variant: each.title for each in comparison.variants}
    valid = {(run.variant, run.users, run.round) for run in comparison.runs if run.is_valid}
    lost = {
        (run.variant, run.users, run.round): run
        for run in comparison.runs
        if (run.variant, run.users, run.round) not in valid
    }
    sentences = []
    for (variant, users), keys in groupby(sorted(lost), key=lambda key: key[:2]):
        found = [lost[key] for key in keys]
        rounds = listed([str(run.round) for run in found])
        reasons = list(dict.fromkeys(reason for run in found for reason in run.reasons))
        sentences.append(
            f"Not in the charts: {one_line(titles.get(variant, variant))} with {count(users)} "
            f"users in round{'s' if len(found) > 1 else ''} {rounds}, whose runs are invalid"
            + (f": {'; '.join(reasons)}." if reasons else ".")
        )
    for variant, title in titles.items():
        if not any(key[0] == variant and key[2] == PANEL_ROUND for key in valid):
            sentences.append(f"{one_line(title)} has no valid run in round {PANEL_ROUND}.")
    return sentences

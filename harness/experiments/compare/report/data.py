"""Gathers everything that the report of a comparison shows, reading its folder once."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from msgspec import Struct

from harness.experiments.compare import files
from harness.experiments.compare.files import Comparison, Plan, Run, VariantResult
from harness.results import objectives, run_folder, timeline
from harness.results.formatting import count, one_line
from harness.results.judging import readable
from harness.results.objectives import TOTAL, Objectives
from harness.results.timeline import Second

PANEL_ROUND = 1
"""The round that is shown over time."""


class Stretch(Struct, frozen=True):
    """Some seconds of a panel: a run, or those of a run that count."""

    first_s: int
    end_s: int
    users: int


class Panel(Struct, frozen=True):
    """A variant over time: its runs of one round, one after the other, sorted by users.

    `seconds` are those with planned users; their index is the time. `counted` leaves out ramp-up
    and warm-up.
    """

    title: str
    seconds: list[Second]
    runs: list[Stretch]
    counted: list[Stretch]


class ComparisonData(Struct, frozen=True, kw_only=True):
    """What the report shows of a comparison; `not_drawn` are sentences on the runs left out."""

    plan: Plan
    comparison: Comparison
    objectives: Objectives
    panels: list[Panel]
    not_drawn: list[str]

    @property
    def p95_limit_ms(self) -> float | None:
        """Return the objective for the p95 of all requests."""
        return self.objectives.limits[TOTAL].get("p95_ms")

    @property
    def rounds(self) -> int:
        """Return the number of rounds with results."""
        return len({run.round for run in self.comparison.runs})

    @property
    def all_steps(self) -> list[int]:
        """Return the users of every step that any variant made."""
        return sorted({step.users for each in self.comparison.variants for step in each.steps})

    def title(self, variant: str) -> str:
        """Return the title of a variant in one line, or its name if it has none."""
        titles = (each.title for each in self.comparison.variants if each.variant == variant)
        return one_line(next(titles, variant))


def gather(folder: Path) -> ComparisonData:
    """Read a comparison.

    Raises:
        ConfigurationError: there is none, or one of its files is missing or broken; names it.
    """
    plan, comparison = files.read_plan(folder), files.read_comparison(folder)
    with readable(folder, run_folder.OBJECTIVES, files.WHAT):
        text = (folder / run_folder.OBJECTIVES).read_text(encoding="utf-8")
    return ComparisonData(
        plan=plan,
        comparison=comparison,
        objectives=objectives.parse(text, str(folder / run_folder.OBJECTIVES)),
        panels=[_panel(folder, each, comparison.runs) for each in comparison.variants],
        not_drawn=_not_drawn(comparison),
    )


def _panel(folder: Path, variant: VariantResult, runs: Sequence[Run]) -> Panel:
    panel = Panel(title=variant.title, seconds=[], runs=[], counted=[])
    last_attempts = {
        run.users: run
        for run in sorted(runs, key=lambda run: (run.users, run.attempt))
        if run.variant == variant.variant and run.round == PANEL_ROUND and run.is_valid
    }
    for run in last_attempts.values():
        path = folder / run.folder
        with readable(path, timeline.TIMELINE):
            wanted = [row for row in timeline.read_timeline(path) if row.target_users]
        with readable(path, run_folder.SUMMARY):
            steps = run_folder.read_summary(path).steps
        begin = len(panel.seconds)
        panel.seconds.extend(wanted)
        panel.runs.append(Stretch(begin, len(panel.seconds), run.users))
        for step in steps:
            inside = [
                place
                for place, row in enumerate(wanted, begin)
                if step.first_second <= row.second <= step.last_second
            ]
            if inside:
                panel.counted.append(Stretch(inside[0], inside[-1] + 1, step.users))
    return panel


def _not_drawn(comparison: Comparison) -> list[str]:
    """Return a sentence for each step of a variant that has no valid run in some rounds."""
    titles = {each.variant: one_line(each.title) for each in comparison.variants}
    attempts: dict[tuple[str, int, int], list[Run]] = {}
    for run in comparison.runs:
        attempts.setdefault((run.variant, run.users, run.round), []).append(run)
    lost = [key for key, runs in attempts.items() if not any(run.is_valid for run in runs)]
    sentences = []
    for (variant, users), keys in groupby(sorted(lost), key=lambda key: key[:2]):
        found = [attempts[key][-1] for key in keys]
        *rounds, last = (str(run.round) for run in found)
        where = f"rounds {', '.join(rounds)} and {last}" if rounds else f"round {last}"
        reasons = list(dict.fromkeys(reason for run in found for reason in run.reasons))
        sentences.append(
            f"Not in the charts: {titles.get(variant, variant)} with {count(users)} users in "
            f"{where}, whose runs are invalid" + (f": {'; '.join(reasons)}." if reasons else ".")
        )
    drawn = {run.variant for run in comparison.runs if run.is_valid and run.round == PANEL_ROUND}
    return sentences + [
        f"{title} has no valid run in round {PANEL_ROUND}."
        for variant, title in titles.items()
        if variant not in drawn
    ]

"""Everything of a comparison that is drawn, gathered from its folder once."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from msgspec import Struct

from harness import objectives, runfolder, timeseries
from harness.compare import files
from harness.compare.files import Comparison, Plan, Run, VariantResult
from harness.formatting import count, one_line
from harness.objectives import TOTAL, Objectives
from harness.result import readable
from harness.timeseries import Second

PANEL_ROUND = 1


class Stretch(Struct, frozen=True):
    """Some seconds of a panel: a whole run, or those of it that count."""

    first_s: int
    end_s: int
    users: int


class Panel(Struct, frozen=True):
    """A variant over time: its runs of round 1 one behind the other, in order of their users.

    Of the seconds, those in which users were wanted, the place is the time; `counted` are without
    ramp-up and warm-up.
    """

    title: str
    seconds: list[Second]
    runs: list[Stretch]
    counted: list[Stretch]


class Picture(Struct, frozen=True, kw_only=True):
    """A comparison, ready to be drawn; `not_drawn` names the runs that are in no chart."""

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
        """Return how many rounds there are results of."""
        return len({run.round for run in self.comparison.runs})

    @property
    def all_steps(self) -> list[int]:
        """Return the users of every step that any variant met."""
        return sorted({step.users for each in self.comparison.variants for step in each.steps})

    def title(self, variant: str) -> str:
        """Return what a variant is called, in one line; its name where nothing is known of it."""
        titles = (each.title for each in self.comparison.variants if each.variant == variant)
        return one_line(next(titles, variant))


def gather(folder: Path) -> Picture:
    """Read a comparison.

    Raises:
        ConfigurationError: there is none, or one of its files is missing or broken; says which.
    """
    plan, comparison = files.read_plan(folder), files.read_comparison(folder)
    with readable(folder, runfolder.OBJECTIVES, files.WHAT):
        text = (folder / runfolder.OBJECTIVES).read_text(encoding="utf-8")
    return Picture(
        plan=plan,
        comparison=comparison,
        objectives=objectives.parse(text, str(folder / runfolder.OBJECTIVES)),
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
        with readable(path, timeseries.TIMELINE):
            wanted = [row for row in timeseries.read_timeline(path) if row.target_users]
        with readable(path, runfolder.SUMMARY):
            steps = runfolder.read_summary(path).steps
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
    """Return a sentence for each step of a variant of which rounds are without a valid run."""
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

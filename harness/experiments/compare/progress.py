"""Shows the progress of an experiment: what runs, the results so far, and when it will end."""

from __future__ import annotations

import time
from statistics import fmean

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from harness.experiments.compare.files import Plan, Run
from harness.results.formatting import count, time_ms

RAMP_UP_S = 5.0
MAX_SPAWNED_PER_S = 100
"""Locust warns of more. A burst of new users tests the server's accept backlog, not its speed."""
OVERHEAD_S = 5.0
"""What a step takes beside its load: Locust's start, and deleting the devices at its end."""
EXPECTED_DOUBLINGS = 4
"""Steps until the objectives are missed, for the first estimate of the time left."""


def spawn_rate_per_s(users: int) -> float:
    """Return the spawn rate of a step."""
    return min(users / RAMP_UP_S, MAX_SPAWNED_PER_S)


def step_s(plan: Plan, users: int) -> float:
    """Return the run time of a step: ramp-up, warm-up and steady state."""
    # Two more, since the seconds in which the last user starts and the run stops are not steady.
    return users / spawn_rate_per_s(users) + plan.warm_up_s + plan.step_s + 2


class Pace:
    """Estimates the time left from the turns so far; a turn is a variant in a round."""

    def __init__(self, plan: Plan, turns_left: int) -> None:
        self._turns_left = turns_left
        self._took_s: list[float] = []
        steps = plan.steps or [
            plan.first_users * 2**place for place in range(EXPECTED_DOUBLINGS + plan.refinements)
        ]
        self._expected_s = sum(step_s(plan, users) + OVERHEAD_S for users in steps)

    def end_turn(self, took_s: float) -> None:
        """Count a finished turn."""
        self._turns_left -= 1
        self._took_s.append(took_s)

    def left_s(self, turn_s: float) -> float:
        """Return the time left in the experiment, `turn_s` after the current turn began."""
        a_turn_s = fmean(self._took_s) if self._took_s else self._expected_s
        return max(a_turn_s - turn_s, 0.0) + a_turn_s * max(self._turns_left - 1, 0)


class Display(Progress):
    """The terminal output: one line per finished run, and a progress bar below."""

    def __init__(self, plan: Plan, turns_left: int) -> None:
        console = Console(highlight=False, soft_wrap=True)
        super().__init__(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            TextColumn("{task.completed:.0f} of {task.total:.0f} s"),
            TextColumn("{task.fields[left]}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._step = self.add_task("", total=1, left="")
        self._plan = plan
        self._pace = Pace(plan, turns_left)
        self._turn_began = time.monotonic()

    def begin_turn(self, number: int, variant: str, place: int) -> None:
        """Print which variant starts in which round; `place` counts turns from 1."""
        self._turn_began = time.monotonic()
        rounds, turns = self._plan.rounds, self._plan.rounds * len(self._plan.variants)
        what = f"round {number} of {rounds}, {variant}: start {place} of {turns}"
        self.console.print(f"{what}, {self._left()}", markup=False)

    def end_turn(self) -> None:
        """Note how long the turn took."""
        self._pace.end_turn(time.monotonic() - self._turn_began)

    def show(self, variant: str, users: int, elapsed_s: float) -> None:
        """Show the progress of a step."""
        self.update(
            self._step,
            description=f"{variant}, {count(users)} users",
            completed=elapsed_s,
            total=step_s(self._plan, users) + OVERHEAD_S,
            left=self._left(),
        )

    def report(self, run: Run) -> None:
        """Print the result of a step."""
        figures, measured = run.figures, "nothing measured"
        if figures is not None:
            measured = (
                f"{figures.requests_per_s:6.1f} requests/s  p95 {time_ms(figures.p95_ms):>5} ms  "
                f"{count(figures.failures)} failures"
            )
        said = {"pass": "held", "fail": "missed", "invalid": "invalid"}[run.verdict]
        why = f": {run.reasons[0]}" if run.reasons else ""
        self.console.print(f"  {run.users:5} users  {measured}  {said}{why}", markup=False)

    def _left(self) -> str:
        left_s = self._pace.left_s(time.monotonic() - self._turn_began)
        end = time.strftime("%H:%M", time.localtime(time.time() + left_s))
        return f"about {max(round(left_s / 60), 1)} min left, until {end}"

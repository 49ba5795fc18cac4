"""Judges whether a change made the server slower, by p50 and p95 of each endpoint and all; pure.

A slowdown is shown if a whole interval is above the tolerated ratio. For one ratio that is exactly
the tolerated one, that happens in about 2.5 % of comparisons; for the 14 ratios of six endpoints
and the total, if all were so, in at most 35 %. A server that did not change is far from that: in
150 simulated pairs of one-minute runs with the mix of the original test, whose response times
varied by 10 % (20 %) from second to second with a correlation of 0.5, at least one ratio was
called a slowdown beyond 1.10 in 1 % (1 %), beyond 1.05 in 5 % (7 %), beyond 1.00 in 12 % (17 %).
"""

from __future__ import annotations

import math
from typing import Literal

from msgspec import Struct

from harness.experiments.regression.ratios import Change, TwoRuns
from harness.results.formatting import TIMES, factor
from harness.results.objectives import TOTAL
from harness.results.rows import name_of, scope_of

MAX_SLOWDOWN = 1.10
"""The tolerated ratio by default."""
MAX_NAMED = 5
"""Changes that are named one by one; the others are counted."""
MAX_ADVISED_FACTOR = 20
"""Runs of more than this many times the length are not suggested."""
LIMITS = (
    "The intervals hold for 95 %, and know how response times varied within these two runs, not "
    "from run to run: a server started anew or a busy neighbour can make a difference too. "
    "That takes rounds: make compare."
)

Verdict = Literal["slower", "undecided", "not shown"]


class Judgement(Struct, frozen=True, kw_only=True):
    """The verdict on a slowdown: a headline and the details behind it."""

    verdict: Verdict
    headline: str
    details: list[str]

    @property
    def exit_code(self) -> int:
        """Return 1 if a slowdown is shown, else 0."""
        return int(self.verdict == "slower")


def judge(runs: TwoRuns, most: float) -> Judgement:
    """Judge whether a slowdown beyond `most` is shown, and if not, how large one could be.

    Only all requests together decide between "undecided" and "not shown": a run of a minute has
    too few requests to an endpoint that is rarely called, which the details say.
    """
    beyond = f"slowdown beyond {_tolerance(most)}"
    shown = [change for change in runs.judged if change.low > most]
    if shown:
        shown.sort(key=lambda change: (change.scope != TOTAL, -change.low))
        return Judgement(
            verdict="slower", headline=f"SLOWER: a {beyond} is shown", details=_named(shown)
        )
    hidden = [change for change in runs.judged if change.high > most]
    hidden.sort(key=lambda change: (change.scope != TOTAL, -change.high))
    total = [sentence(change) for change in runs.judged if change.scope == TOTAL]
    if hidden and hidden[0].scope == TOTAL:
        of_all = [change for change in hidden if change.scope == TOTAL]
        return Judgement(
            verdict="undecided",
            headline=f"UNDECIDED: no {beyond} is shown, but there may be one",
            details=[*total, *_open(hidden[len(of_all) :]), _advice(of_all, most)],
        )
    widest = max(runs.judged, key=lambda change: change.high)
    rest = _open(hidden) or [f"the most that could be hidden: {sentence(widest)}"]
    return Judgement(
        verdict="not shown",
        headline=f"NOT SLOWER: no {beyond} is shown, and all requests together likely have none",
        details=[*total, *(line for line in rest if widest.scope != TOTAL)],
    )


def sentence(change: Change) -> str:
    """Return a change as a sentence."""
    return f"{name_of(change.key)} of {scope_of(change.scope)} became {written(change)}"


def written(change: Change) -> str:
    """Format a ratio with its interval."""
    low, high = factor(change.low), factor(change.high)
    return f"{factor(change.ratio)} {TIMES} ({low} to {high})"


def _tolerance(most: float) -> str:
    return f"{most:.2f} {TIMES}" if most == round(most, 2) else f"{most:g} {TIMES}"


def _named(changes: list[Change]) -> list[str]:
    named = [sentence(change) for change in changes[:MAX_NAMED]]
    more = len(changes) - len(named)
    return [*named, f"{more} more"] if more else named


def _open(changes: list[Change]) -> list[str]:
    """Name the changes that too little is known about."""
    return [f"undecided: {line}" for line in _named(changes)]


def _advice(changes: list[Change], most: float) -> str:
    """Say how long runs would have to be: the width of an interval is as 1 / sqrt(time)."""
    longer = max(_times_as_long(change, most) for change in changes)
    if longer > MAX_ADVISED_FACTOR:
        return f"too close to {_tolerance(most)} for longer runs to tell soon"
    return f"runs of about {max(math.ceil(longer), 2)} times the length would likely tell"


def _times_as_long(change: Change, most: float) -> float:
    """Return how many times longer runs would put the near end of an interval at `most`."""
    distance = abs(math.log(change.ratio / most))
    end = change.low if change.ratio > most else change.high
    return (math.log(end / change.ratio) / distance) ** 2 if distance else math.inf

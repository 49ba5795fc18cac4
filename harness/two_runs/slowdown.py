"""Did a change make the server slower? By p50 and p95 of all requests and of each endpoint; pure.

A slowdown is shown when a whole interval lies above what is tolerated. Of one ratio that is
exactly what is tolerated, that happens in about 2.5 % of comparisons; of the 14 ratios of six
endpoints and the total, if all were so, in at most 35 %. A server that did not change is far from
that. Of 150 simulated pairs of runs of a minute with the seed's mix, whose response times swung by
10 % (and 20 %) from second to second with a correlation of 0.5, one ratio or more was called a
slowdown beyond 1.10 in 1 % (1 %), beyond 1.05 in 5 % (7 %), and beyond 1.00 in 12 % (17 %).
"""

from __future__ import annotations

import math
from typing import Literal

from msgspec import Struct

from harness.formatting import TIMES, factor
from harness.objectives import TOTAL
from harness.rows import name_of, scope_of
from harness.two_runs.ratios import Change, TwoRuns

MOST_SLOWDOWN = 1.10
"""What is tolerated unless something else is said."""
MOST_NAMED = 5
SOON = 20
"""Runs of more than so many times the length are no advice."""
LIMITS = (
    "The intervals hold for 95 %, and know how response times varied within these two runs, not "
    "from run to run: a server started anew or a busy neighbour can make a difference too. "
    "That takes rounds: make compare."
)

Verdict = Literal["slower", "undecided", "not shown"]


class Judgement(Struct, frozen=True, kw_only=True):
    """What can be said of a slowdown: a sentence, and what stands behind it."""

    verdict: Verdict
    headline: str
    details: list[str]

    @property
    def exit_code(self) -> int:
        """Return 1 when a slowdown is shown, else 0."""
        return int(self.verdict == "slower")


def judge(runs: TwoRuns, most: float) -> Judgement:
    """Say whether a slowdown beyond `most` is shown, and if not, how large a one could hide.

    All requests together decide between "undecided" and "not shown": of an endpoint that is
    seldom asked a run of a minute knows too little, which the details say.
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
    """Say what became of a time."""
    return f"{name_of(change.key)} of {scope_of(change.scope)} became {written(change)}"


def written(change: Change) -> str:
    """Write a ratio with its interval."""
    low, high = factor(change.low), factor(change.high)
    return f"{factor(change.ratio)} {TIMES} ({low} to {high})"


def _tolerance(most: float) -> str:
    return f"{most:.2f} {TIMES}" if most == round(most, 2) else f"{most:g} {TIMES}"


def _named(changes: list[Change]) -> list[str]:
    named = [sentence(change) for change in changes[:MOST_NAMED]]
    more = len(changes) - len(named)
    return [*named, f"{more} more"] if more else named


def _open(changes: list[Change]) -> list[str]:
    """Name the endpoints of which too little is known."""
    return [f"undecided: {line}" for line in _named(changes)]


def _advice(changes: list[Change], most: float) -> str:
    """Say how much longer runs would tell: an interval is as wide as 1 by the root of the time."""
    longer = max(_times_as_long(change, most) for change in changes)
    if longer > SOON:
        return f"too close to {_tolerance(most)} for longer runs to tell soon"
    return f"runs of about {max(math.ceil(longer), 2)} times the length would likely tell"


def _times_as_long(change: Change, most: float) -> float:
    """Return the factor of time that would put the near end of an interval at `most`."""
    distance = abs(math.log(change.ratio / most))
    end = change.low if change.ratio > most else change.high
    return (math.log(end / change.ratio) / distance) ** 2 if distance else math.inf

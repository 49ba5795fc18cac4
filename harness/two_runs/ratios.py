"""Two runs, before and after a change: how many times as long requests took, and how sure that is.

A ratio is after by before: a time is longer when it is above 1. Its interval knows how response
times varied within these two runs, not from run to run: a server started anew or a neighbour on
the machine can make a difference that no run sees. For that there are rounds
(`python -m harness compare` without folders).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from msgspec import Struct

from harness.two_runs import alike, bootstrap
from harness.two_runs.bootstrap import Floats
from harness.two_runs.reading import LEAST_REQUESTS, Run, refuse
from harness.two_runs.steady import Steady, order

Key = Literal["p50_ms", "p95_ms", "p99_ms", "mean_ms", "requests_per_s"]
KEYS: tuple[Key, ...] = ("p50_ms", "p95_ms", "p99_ms", "mean_ms", "requests_per_s")
JUDGED: tuple[Key, ...] = ("p50_ms", "p95_ms")
NEEDED: dict[Key, int] = dict.fromkeys(KEYS, LEAST_REQUESTS) | {"p99_ms": 5 * LEAST_REQUESTS}
"""Requests in each run, for a ratio: at least five are above a percentile."""
SEEDS = (1, 2)
"""Of the resamples of both runs: the same runs give the same intervals again."""


class Change(Struct, frozen=True, kw_only=True):
    """A figure before and after, and the ratio of both with its interval of 95 %."""

    scope: str
    key: Key
    before: float
    after: float
    ratio: float
    low: float
    high: float

    @property
    def is_judged(self) -> bool:
        """Say whether it can make the comparison fail."""
        return self.key in JUDGED


class Scope(Struct, frozen=True, kw_only=True):
    """All requests ("total") or those to an endpoint; `changes` has what enough of them tell."""

    name: str
    requests: tuple[int, int]
    changes: dict[Key, Change]


class TwoRuns(Struct, frozen=True, kw_only=True):
    """What became of a run after a change.

    Attributes:
        before: the run to compare with.
        after: the run that is judged.
        scopes: "total" first, then the endpoints.
        block_s: seconds that were drawn together, of both runs.
        notes: in what the runs differ beside their results.
    """

    before: Run
    after: Run
    scopes: list[Scope]
    block_s: tuple[int, int]
    notes: list[str]

    @property
    def judged(self) -> list[Change]:
        """Return what can make the comparison fail: p50 and p95."""
        changes = [change for scope in self.scopes for change in scope.changes.values()]
        return [change for change in changes if change.is_judged]


def compare(before: Run, after: Run, notes: Sequence[str], anyway: bool) -> TwoRuns:
    """Compare two valid runs.

    Raises:
        ConfigurationError: they were not steady with the same numbers of users.
    """
    steps = alike.differences(*({"users of the steps": _users(run)} for run in (before, after)))
    refuse(steps, anyway)
    blocks = before.steady.block_slices(), after.steady.block_slices()
    drawn = _draw(before.steady, blocks[0], SEEDS[0]), _draw(after.steady, blocks[1], SEEDS[1])
    states = before.steady, after.steady
    fewest_blocks = min(len(states[run].users) / blocks[run] for run in (0, 1))
    return TwoRuns(
        before=before,
        after=after,
        scopes=[
            scope_of(name, states, drawn, fewest_blocks)
            for name in sorted(before.steady.scopes | after.steady.scopes, key=order)
        ],
        block_s=(blocks[0] * states[0].width_s, blocks[1] * states[1].width_s),
        notes=[*notes, *steps],
    )


def scope_of(
    name: str, steady: tuple[Steady, Steady], drawn: tuple[Floats, Floats], blocks: float
) -> Scope:
    """Return what became of an endpoint.

    Args:
        name: of it, or "total".
        steady: states before and after.
        drawn: how often each slice is in each resample, the first of which is the run itself.
        blocks: that the shorter run's resamples are made of.
    """
    (before, requests_before), (after, requests_after) = (
        _figures(each, name, rows) for each, rows in zip(steady, drawn, strict=True)
    )
    fewest, changes = min(requests_before, requests_after), {}
    for place, key in enumerate(KEYS):
        if fewest >= NEEDED[key]:
            with np.errstate(divide="ignore", invalid="ignore"):  # a resample without requests
                ratios = after[:, place] / before[:, place]
            low, high = bootstrap.interval(ratios[1:], blocks)
            changes[key] = Change(
                scope=name,
                key=key,
                before=float(before[0, place]),
                after=float(after[0, place]),
                ratio=float(ratios[0]),
                low=low,
                high=high,
            )
    return Scope(name=name, requests=(requests_before, requests_after), changes=changes)


def _draw(steady: Steady, block: int, seed: int) -> Floats:
    """Return how often each slice is in each resample, below a row that is the run itself."""
    users = steady.users
    return np.vstack([np.ones(len(users)), bootstrap.draw(users, block, seed)])


def _figures(steady: Steady, name: str, drawn: Floats) -> tuple[Floats, int]:
    """Return what `KEYS` name of each resample, and the requests of the run."""
    buckets = steady.buckets(name)
    requests = buckets.counts.sum(axis=1)
    rates = (drawn @ requests) / (drawn @ np.array(steady.seconds, dtype=float))
    return np.column_stack([bootstrap.times_ms(drawn, buckets), rates]), int(requests.sum())


def _users(run: Run) -> str:
    return ", ".join(str(users) for users in sorted(set(run.steady.users)))

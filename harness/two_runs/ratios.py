"""Two runs, before and after a change: how many times as long requests took, and how sure that is.

A ratio is after by before: a time is longer when it is above 1. Its interval includes how response
times varied within these two runs, not from run to run, as after a restart of the server or beside
a busy neighbour. That takes rounds: `python -m harness compare` without folders.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from msgspec import Struct

from harness.two_runs import bootstrap
from harness.two_runs.bootstrap import Floats
from harness.two_runs.reading import LEAST_REQUESTS, Run, differences
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


class Scope(Struct, frozen=True, kw_only=True):
    """All requests ("total") or those to an endpoint; `changes` has what enough of them tell."""

    name: str
    requests: tuple[int, int]
    changes: dict[Key, Change]


class TwoRuns(Struct, frozen=True, kw_only=True):
    """What became of a run after a change: "total" first in `scopes`, then the endpoints.

    In each run `block_s` seconds were drawn together. `notes` say in what else the runs differ.
    """

    before: Run
    after: Run
    scopes: list[Scope]
    block_s: tuple[int, int]
    notes: list[str]

    @property
    def judged(self) -> list[Change]:
        """Return what can make the comparison fail."""
        changes = [change for scope in self.scopes for change in scope.changes.values()]
        return [change for change in changes if change.key in JUDGED]


def compare(before: Run, after: Run, notes: Sequence[str], anyway: bool) -> TwoRuns:
    """Compare two valid runs.

    Raises:
        ConfigurationError: they were not steady with the same numbers of users.
    """
    stated = ({"users of the steps": _users(run)} for run in (before, after))
    steps = differences(*stated, anyway=anyway)
    states = before.steady, after.steady
    blocks = [steady.block_slices() for steady in states]
    drawn = [_draw(*each) for each in zip(states, blocks, SEEDS, strict=True)]
    fewest_blocks = min(len(states[run].users) / blocks[run] for run in (0, 1))
    return TwoRuns(
        before=before,
        after=after,
        scopes=[
            _scope(name, states, drawn, fewest_blocks)
            for name in sorted(states[0].scopes | states[1].scopes, key=order)
        ],
        block_s=(blocks[0] * states[0].width_s, blocks[1] * states[1].width_s),
        notes=[*notes, *steps],
    )


def _scope(name: str, states: Sequence[Steady], drawn: Sequence[Floats], blocks: float) -> Scope:
    """Return what became of an endpoint, or of "total".

    `drawn` says how often each slice is in each resample, the first of which is the run itself;
    those of the shorter run are made of so many blocks.
    """
    (before, requests_before), (after, requests_after) = (
        _figures(steady, name, rows) for steady, rows in zip(states, drawn, strict=True)
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
    return np.vstack([np.ones(len(steady.users)), bootstrap.draw(steady.users, block, seed)])


def _figures(steady: Steady, name: str, drawn: Floats) -> tuple[Floats, int]:
    """Return what `KEYS` name of each resample, and the requests of the run."""
    buckets = steady.buckets(name)
    requests = buckets.counts.sum(axis=1)
    rates = (drawn @ requests) / (drawn @ np.array(steady.seconds, dtype=float))
    return np.column_stack([bootstrap.times_ms(drawn, buckets), rates]), int(requests.sum())


def _users(run: Run) -> str:
    return ", ".join(str(users) for users in sorted(set(run.steady.users)))

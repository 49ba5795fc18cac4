"""Ratios of response times and rates of two runs, before and after a change, with intervals.

A ratio is after divided by before; above 1, a time became longer. Its interval covers how response
times varied within these two runs, but not from run to run, as after a restart of the server or
beside a busy neighbour. That takes rounds: `python -m harness compare` without folders.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from msgspec import Struct

from harness.experiments.regression import bootstrap
from harness.experiments.regression.bootstrap import Floats
from harness.experiments.regression.reading import MIN_REQUESTS, Run, differences
from harness.experiments.regression.steady import Steady, order

Key = Literal["p50_ms", "p95_ms", "p99_ms", "mean_ms", "requests_per_s"]
KEYS: tuple[Key, ...] = ("p50_ms", "p95_ms", "p99_ms", "mean_ms", "requests_per_s")
JUDGED: tuple[Key, ...] = ("p50_ms", "p95_ms")
"""Figures that can fail a comparison. Each further one would add false alarms."""
NEEDED: dict[Key, int] = dict.fromkeys(KEYS, MIN_REQUESTS) | {"p99_ms": 5 * MIN_REQUESTS}
"""Requests that a ratio needs in each run: at least five are above its percentile."""
SEEDS = (1, 2)
"""Random seeds of the two runs. They are constant, so that intervals can be reproduced, and
different, so that the resamples of the runs are independent."""


class Change(Struct, frozen=True, kw_only=True):
    """A figure before and after, and their ratio with its 95 % interval."""

    scope: str
    key: Key
    before: float
    after: float
    ratio: float
    low: float
    high: float


class Scope(Struct, frozen=True, kw_only=True):
    """All requests ("total") or an endpoint; `changes` has the figures with enough requests."""

    name: str
    requests: tuple[int, int]
    changes: dict[Key, Change]


class TwoRuns(Struct, frozen=True, kw_only=True):
    """The comparison of two runs: "total" first in `scopes`, then the endpoints.

    `block_s` is the block length in each run. `notes` name other differences between the runs.
    """

    before: Run
    after: Run
    scopes: list[Scope]
    block_s: tuple[int, int]
    notes: list[str]

    @property
    def judged(self) -> list[Change]:
        """Return the changes that can make the comparison fail."""
        changes = [change for scope in self.scopes for change in scope.changes.values()]
        return [change for change in changes if change.key in JUDGED]


def compare(before: Run, after: Run, notes: Sequence[str], anyway: bool) -> TwoRuns:
    """Compare two valid runs.

    Raises:
        ConfigurationError: their steps have different numbers of users.
    """
    stated = ({"users of the steps": _users(run)} for run in (before, after))
    steps = differences(*stated, anyway=anyway)
    states = before.steady, after.steady
    blocks = [steady.block_buckets() for steady in states]
    drawn = [_draw(*each) for each in zip(states, blocks, SEEDS, strict=True)]
    # The run with fewer blocks decides how far the intervals are expanded: the cautious choice.
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
    """Return the changes of an endpoint, or of "total".

    `drawn` has a row per resample of each run, of which the first is the run itself. `blocks` is
    the number of blocks in the run that has fewer.
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
    """Return the resamples of a run, below a row that is the run itself."""
    return np.vstack([np.ones(len(steady.users)), bootstrap.draw(steady.users, block, seed)])


def _figures(steady: Steady, name: str, drawn: Floats) -> tuple[Floats, int]:
    """Return the figures named by `KEYS` of each resample, and the requests of the run."""
    buckets = steady.buckets(name)
    requests = buckets.counts.sum(axis=1)
    rates = (drawn @ requests) / (drawn @ np.array(steady.seconds, dtype=float))
    return np.column_stack([bootstrap.times_ms(drawn, buckets), rates]), int(requests.sum())


def _users(run: Run) -> str:
    return ", ".join(str(users) for users in sorted(set(run.steady.users)))

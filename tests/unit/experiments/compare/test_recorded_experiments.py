"""Experiments that were made once, with what is known of their servers beside what was found."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from harness.experiments.compare import estimates
from harness.experiments.compare.files import Comparison

DATA = Path(__file__).parents[3] / "experiments"
ROUNDS = 3


def recorded(name: str) -> Comparison:
    return msgspec.json.decode((DATA / f"{name}.json").read_bytes(), type=Comparison)


def most_requests_per_s(comparison: Comparison, variant: str) -> list[float]:
    """Return the highest rate of each round."""
    by_round: dict[int, float] = {}
    for run in comparison.runs:
        if run.variant == variant and run.is_valid and run.figures is not None:
            by_round[run.round] = max(by_round.get(run.round, 0.0), run.figures.requests_per_s)
    return [by_round[number] for number in sorted(by_round)]


def test_servers_of_a_known_ratio_are_told_apart() -> None:
    """Two workers or one, each busy for 150 ms with a request: twice the requests a second."""
    comparison = recorded("two-workers-or-one")
    (ratio,) = (each for each in comparison.ratios if each.metric == "most_requests_per_s")
    again = estimates.ratio_of(
        most_requests_per_s(comparison, ratio.variant), most_requests_per_s(comparison, ratio.by)
    )
    assert again == ratio.ratio
    assert ratio.is_shown and ratio.rounds == ROUNDS
    assert ratio.ratio.low is not None and ratio.ratio.high is not None
    assert 1 < ratio.ratio.low <= 2.0 <= ratio.ratio.high < 2.2


def deviations(comparison: Comparison, metric: str) -> list[float]:
    """Return by what factor each round of each variant was off, as logarithms around 0."""
    found: list[float] = []
    for variant in comparison.variants:
        values = (
            [each.users for each in variant.by_round]
            if metric == "carried_users"
            else most_requests_per_s(comparison, variant.variant)
        )
        logs = np.log(np.array(values, dtype=float))
        spread = np.sqrt(len(logs) / (len(logs) - 1))  # what taking out the mean took away
        found += list((logs - logs.mean()) * spread)
    return found


@pytest.mark.parametrize("metric", ["carried_users", "most_requests_per_s"])
def test_a_server_beside_itself_is_rarely_called_different(metric: str) -> None:
    """Comparisons of a variant with itself, made of the rounds that were recorded."""
    logs = deviations(recorded("deployments"), metric)
    random = np.random.default_rng(1)
    called = [
        estimates.is_shown(estimates.ratio_of(*np.exp(random.choice(logs, (2, ROUNDS)))))
        for _ in range(2000)
    ]
    assert sum(called[:20]) <= 2
    assert np.mean(called) <= 0.07  # 5 % by the method, and what chance adds to 2,000 of them

"""Plans of comparisons, for tests that run none."""

from __future__ import annotations

from collections.abc import Sequence

from harness.experiments.compare.files import Machine, Plan, Variant
from harness.results.run_folder import Versions


def plan(
    names: Sequence[str] = ("runserver", "gunicorn"),
    *,
    rounds: int = 3,
    steps: list[int] | None = None,
    is_aa: bool = False,
) -> Plan:
    """Return a plan that doubles users from 100 on, or uses the given steps."""
    return Plan(
        id="compare-1",
        started_at="2026-11-23T00:00:00+00:00",
        seed=7,
        rounds=rounds,
        steps=steps,
        first_users=100,
        most_users=3200,
        refinements=2,
        step_s=15.0,
        warm_up_s=5.0,
        tags=[],
        exclude_tags=[],
        variants=[Variant(name=name, title=f"the {name}", command=[name]) for name in names],
        is_aa=is_aa,
        machine=Machine(cpu="a processor", cores=2, memory_gb=8.0, system="Linux 6"),
        versions=Versions("1", "2", "3"),
    )

"""What the charts show, on paper and on the page alike."""

from __future__ import annotations

from collections.abc import Sequence

from harness.objectives import TOTAL
from harness.report import wording
from harness.report.material import Material
from harness.report.palette import LIGHT
from harness.runfolder import Figures, Objective

COLOURS = {"p50_ms": LIGHT.good, "p95_ms": LIGHT.p95, "p99_ms": LIGHT.p99, "max_ms": LIGHT.most}
NAMES = {"p50_ms": "median", "p95_ms": "95th percentile", "p99_ms": "p99", "max_ms": "maximum"}
FAR = 2.0
"""An objective so many times above all that was measured would flatten the lines to read."""
PERCENTILES = (0.0, 0.5, 0.9, 0.99, 0.999, 0.9999)
LONGEST = 40
MANY = 400


def rows_of(material: Material) -> list[tuple[str, Figures]]:
    """Return (scope, figures) of all requests and of each endpoint that was hit."""
    summary = material.summary
    found = [(TOTAL, summary.total.steady, summary.total.whole_run)]
    found += [(f"{e.method} {e.name}", e.steady, e.whole_run) for e in summary.endpoints]
    rows = [(scope, (steady if material.is_steady else whole)) for scope, steady, whole in found]
    return [(scope, each) for scope, each in rows if each is not None and each.requests]


def time_objectives(material: Material, scope: str) -> list[Objective]:
    """Return the objectives for the response times of a scope."""
    return [
        each for each in material.summary.objectives if each.scope == scope and each.key in COLOURS
    ]


def fitting_limits(
    material: Material, keys: Sequence[str], highest: float
) -> tuple[list[Objective], str]:
    """Return the objectives of all requests to draw, and a name for those too far above."""
    found = [
        each for each in material.summary.objectives if each.scope == TOTAL and each.key in keys
    ]
    above = [each for each in found if each.limit > max(highest, 1e-9) * FAR]
    named = ", ".join(limit_label(each).removeprefix("objective ") for each in above)
    return [each for each in found if each not in above], named and f"above the chart: {named}"


def limit_label(objective: Objective) -> str:
    """Return what an objective of all requests is called in a legend."""
    if objective.key == "requests_per_s":
        return f"objective ≥ {wording.number(objective.limit)}/s"
    return f"objective {objective.key[:-3]} ≤ {wording.number(objective.limit)} ms"


def thinned(material: Material) -> str:
    """Return what to say of points that are no single seconds."""
    if material.width_s == 1:
        return ""
    return (
        f"; a point is {wording.width(material.width_s)}: mean rates, percentiles of all its "
        "requests"
    )


def unit_s(material: Material) -> int:
    """Return the seconds in what time is counted in: a second, or a minute after two of them."""
    last_s = material.points[-1].at_s if material.points else 0
    return 60 if last_s >= 120 else 1


def short(name: str) -> str:
    """Return a name in one line that leaves room for the chart."""
    line = wording.one_line(name)
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"

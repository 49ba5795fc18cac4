"""Objectives, validity rules and verdicts as texts: once for terminal, pages and reports; pure."""

from __future__ import annotations

from harness.formatting import NONE, count, number, percent, time_ms
from harness.objectives import TOTAL
from harness.runfolder import LOST_WRITES, Figures, Objective, Verdict

MEANINGS: dict[Verdict, str] = {
    "pass": "the run is valid and met every objective",
    "fail": "the run is valid and missed objectives",
    "invalid": "the measurement cannot be believed",
}
NAMES = {"fail_ratio": "failures", "requests_per_s": "requests/s", LOST_WRITES: "lost writes"}
UNITS = {"fail_ratio": " %", "requests_per_s": "/s", LOST_WRITES: ""}


def scope_of(scope: str) -> str:
    """Return what an objective is about: "all requests" or an endpoint."""
    return "all requests" if scope == TOTAL else scope


def name_of(key: str) -> str:
    """Return what an objective limits, such as "p95" for "p95_ms"."""
    return NAMES.get(key, key.removesuffix("_ms"))


def amount(key: str, value: float | None) -> str:
    """Write a measured value with its unit, such as "1,049 ms"."""
    if value is None:
        return NONE
    if key == LOST_WRITES:
        return count(round(value))
    written = percent(value) if key == "fail_ratio" else number(value)
    return f"{written}{UNITS.get(key, ' ms')}"


def limit(key: str, value: float) -> str:
    """Write a limit with its direction and unit, such as "≤ 500 ms"."""
    return f"{'≥' if key == 'requests_per_s' else '≤'} {amount(key, value)}"


def result_of(objective: Objective) -> str:
    """Return "met", "missed" or "no samples"."""
    if objective.value is None:
        return "no samples"
    return "met" if objective.met else "missed"


FIGURES = ("count", "failed", "failed %", "requests/s", "p50 ms", "p95 ms", "p99 ms", "max ms")


def figures_cells(figures: Figures | None) -> list[str]:
    """Return a cell for each of `FIGURES`."""
    if figures is None:
        return [NONE] * len(FIGURES)
    times = (figures.p50_ms, figures.p95_ms, figures.p99_ms, figures.max_ms)
    return [
        count(figures.requests),
        count(figures.failures),
        percent(figures.fail_ratio),
        f"{figures.requests_per_s:.1f}",
        *(time_ms(time) for time in times),
    ]

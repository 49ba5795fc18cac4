"""results/COMPARE_ID as types: the file formats of an experiment, defined only here.

| file | what |
|---|---|
| `plan.json`, `slo.toml` | what was planned, written at the start; a copy of the objectives |
| `runs/rN-VARIANT-USERS/` | a run folder each, with `server.csv`, `server.json` |
| `servers/rN-VARIANT/` | the logs of the servers |
| `comparison.json` | the result, computed from the files above |

Every function that reads a file raises `ConfigurationError` if it is missing or broken.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, TypeVar

import msgspec
from msgspec import Struct

from harness import ConfigurationError
from harness.config import atomic
from harness.results import run_folder
from harness.results.judging import readable
from harness.results.run_folder import Figures, Summary, Verdict, Versions

WHAT = "comparison"
PLAN = "plan.json"
RUNS = "runs"
SERVER = "server.json"
SERVER_LOAD = "server.csv"
COMPARISON = "comparison.json"

T = TypeVar("T", bound=Struct)

Spread = tuple[float, float, float]
"""Median, lowest and highest value of some runs."""


class Variant(Struct, frozen=True, kw_only=True):
    """A way to deploy the server, copied from `conf/deployments.toml`; `title` is for people."""

    name: str
    title: str
    command: list[str]
    nginx: str | None = None


class Machine(Struct, frozen=True, kw_only=True):
    """The machine of the experiment; generator and server share it."""

    cpu: str
    cores: int
    memory_gb: float
    system: str


class Plan(Struct, frozen=True, kw_only=True):
    """`plan.json`: an experiment. Its order and its seeds follow from the plan.

    Attributes:
        steps: users of the steps that every variant runs; None to search instead: double the
            users from `first_users` up to `most_users` until the objectives are missed, then
            halve the gap between the last two steps, as a ratio, `refinements` times.
        step_s: seconds of a step that count, after `warm_up_s` with all its users.
        is_aa: both variants are the same, to check the method.
    """

    id: str
    started_at: str
    seed: int
    rounds: int
    steps: list[int] | None
    first_users: int
    most_users: int
    refinements: int
    step_s: float
    warm_up_s: float
    tags: list[str]
    exclude_tags: list[str]
    variants: list[Variant]
    is_aa: bool
    machine: Machine
    versions: Versions


class ServerEnd(Struct, frozen=True, kw_only=True):
    """`server.json`: written when a run is finished; `died` says which program ended too early."""

    variant: str
    round: int
    users: int
    attempt: int
    died: str | None


class ServerSecond(Struct, frozen=True, kw_only=True):
    """A row of `server.csv`: a sample of the server's processes together.

    Attributes:
        at_s: seconds since the epoch.
        cpu_s: CPU time used since their start, user and system.
        memory_mb: resident memory in 10^6 bytes; on Linux, shared pages count once.
    """

    at_s: float
    cpu_s: float
    memory_mb: float
    processes: int


class ServerLoad(Struct, frozen=True, kw_only=True):
    """CPU and peak memory of the server in a step; two busy cores are 200 %."""

    cpu_percent: float
    cpu_ms_per_request: float
    memory_mb: float


class Run(Struct, frozen=True, kw_only=True):
    """A step of a variant in a round. An invalid run is in no figure of the comparison.

    Attributes:
        attempt: 1, or 2 after an invalid run.
        folder: relative to that of the comparison, such as "runs/r1-gunicorn-100".
        figures: of all requests in the steady state.
    """

    variant: str
    round: int
    users: int
    attempt: int
    folder: str
    verdict: Verdict
    reasons: list[str]
    figures: Figures | None
    server: ServerLoad | None

    @property
    def is_valid(self) -> bool:
        """Return True if the run may be used."""
        return self.verdict != "invalid"


class Interval(Struct, frozen=True, kw_only=True):
    """An estimate with its 95 % confidence interval, which a single round does not have."""

    estimate: float
    low: float | None
    high: float | None

    @property
    def ends(self) -> tuple[float, float] | None:
        """Return both ends of the interval, or None."""
        return None if self.low is None or self.high is None else (self.low, self.high)


class CarriedInRound(Struct, frozen=True, kw_only=True):
    """How many users a variant carried in a round.

    Attributes:
        held: the highest step up to which every step met the objectives.
        missed: the lowest step that did not.
        users: interpolated between the two.
    """

    round: int
    held: int | None
    missed: int | None
    users: float | None


class StepFigures(Struct, frozen=True, kw_only=True):
    """A step of a variant over all rounds: median and extremes of its valid runs."""

    users: int
    runs: int
    held: int
    requests_per_s: Spread
    p50_ms: Spread | None
    p95_ms: Spread | None
    p99_ms: Spread | None
    failures: int
    cpu_percent: Spread | None
    cpu_ms_per_request: Spread | None
    memory_mb: Spread | None


class VariantResult(Struct, frozen=True, kw_only=True):
    """The result of a variant; an interval is None unless every round has a number.

    Without one, `at_least` is a lower bound: the lowest `held` of the rounds.
    """

    variant: str
    title: str
    by_round: list[CarriedInRound]
    carried_users: Interval | None
    at_least: int | None
    most_requests_per_s: Interval | None
    steps: list[StepFigures]


Metric = Literal["carried_users", "most_requests_per_s", "p95_ms", "cpu_ms_per_request"]


class Ratio(Struct, frozen=True, kw_only=True):
    """A metric of a variant, divided by that of another, `by`, which precedes it in the plan.

    Attributes:
        at_users: the step at which times and costs are compared; None for other metrics.
        ratio: the geometric mean of the ratios within the rounds.
        is_shown: the interval does not include 1.
        smallest_shown: the ratio above 1 that as many rounds with this spread show in 80 % of
            comparisons; None for a single round.
    """

    metric: Metric
    at_users: int | None
    variant: str
    by: str
    rounds: int
    ratio: Interval
    is_shown: bool
    smallest_shown: float | None
    sentence: str


class Comparison(Struct, frozen=True, kw_only=True):
    """`comparison.json`: the result, summed up in the sentence `finding` and qualified by `notes`.

    It is complete if it has every planned round. `runs` includes invalid ones.
    """

    id: str
    finding: str
    notes: list[str]
    is_complete: bool
    variants: list[VariantResult]
    ratios: list[Ratio]
    runs: list[Run]


def write(folder: Path, content: Plan | Comparison | ServerEnd) -> None:
    """Write `plan.json`, `comparison.json` or `server.json`, whole or not at all."""
    names = {Plan: PLAN, Comparison: COMPARISON, ServerEnd: SERVER}
    atomic.write_json(folder / names[type(content)], content)


def read_plan(folder: Path) -> Plan:
    """Read `plan.json` of a folder that a user named."""
    if not folder.is_dir():
        raise ConfigurationError(f"there is no folder {folder}; give that of a comparison")
    if not (folder / PLAN).exists():
        raise ConfigurationError(f"{folder} is not the folder of a comparison: it has no {PLAN}")
    return _read(folder, PLAN, Plan)


def read_comparison(folder: Path) -> Comparison:
    """Read `comparison.json`."""
    return _read(folder, COMPARISON, Comparison)


def read_summary(folder: Path) -> Summary | None:
    """Read `summary.json` of a run; return None if the run left none."""
    is_there = (folder / run_folder.SUMMARY).exists()
    return _read(folder, run_folder.SUMMARY, Summary) if is_there else None


def finished_runs(folder: Path) -> Iterator[tuple[Path, ServerEnd]]:
    """Yield the folders of the finished runs, sorted by name."""
    for path in sorted((folder / RUNS).glob(f"*/{SERVER}")):
        yield path.parent, _read(path.parent, SERVER, ServerEnd)


def append_server_second(folder: Path, row: ServerSecond) -> None:
    """Append a row to `server.csv` of a run, after the heading if it is the first."""
    path = folder / SERVER_LOAD
    heading = "" if path.exists() else ",".join(ServerSecond.__struct_fields__) + "\r\n"
    values = f"{row.at_s:.3f},{row.cpu_s:.3f},{row.memory_mb:.1f},{row.processes}\r\n"
    with path.open("a", encoding="utf-8", newline="") as stream:
        stream.write(heading + values)


def read_server_load(folder: Path) -> list[ServerSecond]:
    """Read `server.csv` of a run, ignoring a line that was cut off; no rows without a file."""
    if not (folder / SERVER_LOAD).exists():
        return []
    with readable(folder, SERVER_LOAD):
        lines = (folder / SERVER_LOAD).read_text(encoding="utf-8").splitlines()
        rows = [row for row in csv.DictReader(lines) if None not in row.values()]
        return msgspec.convert(rows, list[ServerSecond], strict=False)


def _read(folder: Path, name: str, kind: type[T]) -> T:
    with readable(folder, name, WHAT):
        return msgspec.json.decode((folder / name).read_bytes(), type=kind)

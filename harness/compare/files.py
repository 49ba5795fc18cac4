"""results/COMPARE_ID as types: every file format of an experiment stands here and nowhere else.

| file | what |
|---|---|
| `plan.json`, `slo.toml` | what was planned, written at the start; a copy of the objectives |
| `runs/rN-VARIANT-USERS/` | a run folder each, with `server.csv`, `server.json` |
| `servers/rN-VARIANT/` | what the servers said |
| `comparison.json` | the result, computed from the files above |

Every function that reads one raises a `ConfigurationError` when it is missing or broken.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, TypeVar

import msgspec
from msgspec import Struct

from harness import ConfigurationError, atomic, runfolder
from harness.result import readable
from harness.runfolder import Figures, Summary, Verdict, Versions

WHAT = "comparison"
PLAN = "plan.json"
RUNS = "runs"
SERVER = "server.json"
SERVER_LOAD = "server.csv"
COMPARISON = "comparison.json"

T = TypeVar("T", bound=Struct)

Spread = tuple[float, float, float]
"""The median of some runs, the lowest, and the highest."""


class Variant(Struct, frozen=True, kw_only=True):
    """A way to deploy the server, as `conf/deployments.toml` had it; `title` is for people."""

    name: str
    title: str
    command: list[str]
    nginx: str | None = None


class Machine(Struct, frozen=True, kw_only=True):
    """On what it was measured; generator and server share it."""

    cpu: str
    cores: int
    memory_gb: float
    system: str


class Plan(Struct, frozen=True, kw_only=True):
    """`plan.json`: an experiment, from which its order and its seeds follow.

    Every variant meets `steps`. When they are None, users are doubled from `first_users` until
    the objectives are missed, at most to `most_users`, and the gap between the last two steps is
    halved (in ratio) `refinements` times. Of a step `step_s` count, after `warm_up_s` with all its
    users. With `is_aa` both variants are the same, to check the method.
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
    """`server.json`: written when a run is finished; `died` says what ended before it was to."""

    variant: str
    round: int
    users: int
    attempt: int
    died: str | None


class ServerSecond(Struct, frozen=True, kw_only=True):
    """A row of `server.csv`: the server's processes together, at a time since the epoch.

    `cpu_s` is the CPU time that they have used so far, user and system. `memory_mb` is resident
    memory in units of 10^6 bytes; shared pages count once where the system tells (Linux).
    """

    at_s: float
    cpu_s: float
    memory_mb: float
    processes: int


class ServerLoad(Struct, frozen=True, kw_only=True):
    """CPU and the most memory that the server used in a step; two busy cores are 200 %."""

    cpu_percent: float
    cpu_ms_per_request: float
    memory_mb: float


class Run(Struct, frozen=True, kw_only=True):
    """A step of a variant in a round; only runs that pass or fail are in any figure.

    The second `attempt` follows an invalid one. `folder` is in that of the comparison, such as
    "runs/r1-gunicorn-100"; `figures` are of all requests in the seconds that count.
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
        """Return whether it can be believed."""
        return self.verdict != "invalid"


class Interval(Struct, frozen=True, kw_only=True):
    """An estimate with its 95 % confidence interval, which one round alone does not have."""

    estimate: float
    low: float | None
    high: float | None

    @property
    def ends(self) -> tuple[float, float] | None:
        """Return both ends of the interval, if there is one."""
        return None if self.low is None or self.high is None else (self.low, self.high)


class CarriedInRound(Struct, frozen=True, kw_only=True):
    """How many users a variant carried in a round.

    Up to `held` every step met the objectives, `missed` is the lowest that did not, and `users`
    are interpolated between both.
    """

    round: int
    held: int | None
    missed: int | None
    users: float | None


class StepFigures(Struct, frozen=True, kw_only=True):
    """A step of a variant over all rounds: the median and the extremes of its valid runs."""

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
    """What became of a variant; an interval is None unless each round has a number.

    Without one `at_least` can be said: the lowest `held` of the rounds.
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
    """How many times as much a variant had as another, `by`, which is before it in the plan.

    It is the geometric mean of the ratios within the rounds, for times and costs at one step, and
    is shown when its interval does not include 1. `smallest_shown` is the ratio above 1 that so
    many rounds of such spread show in 80 % of comparisons; None for a single round.
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
    """`comparison.json`: the result, in one sentence in `finding`; `notes` say what to mind.

    It is complete with every planned round. `runs` has the invalid ones too.
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
    """Read `plan.json` of a folder that may be none of a comparison."""
    if not folder.is_dir():
        raise ConfigurationError(f"there is no folder {folder}; give that of a comparison")
    if not (folder / PLAN).exists():
        raise ConfigurationError(f"{folder} is not the folder of a comparison: it has no {PLAN}")
    return _read(folder, PLAN, Plan)


def read_comparison(folder: Path) -> Comparison:
    """Read `comparison.json`."""
    return _read(folder, COMPARISON, Comparison)


def read_summary(folder: Path) -> Summary | None:
    """Read `summary.json` of a run; None when the run left none."""
    is_there = (folder / runfolder.SUMMARY).exists()
    return _read(folder, runfolder.SUMMARY, Summary) if is_there else None


def finished_runs(folder: Path) -> Iterator[tuple[Path, ServerEnd]]:
    """Yield the folders of the runs that came to their end, in the order of their names."""
    for path in sorted((folder / RUNS).glob(f"*/{SERVER}")):
        yield path.parent, _read(path.parent, SERVER, ServerEnd)


def append_server_second(folder: Path, row: ServerSecond) -> None:
    """Add a row to `server.csv` of a run, with the heading before the first."""
    path = folder / SERVER_LOAD
    heading = "" if path.exists() else ",".join(ServerSecond.__struct_fields__) + "\r\n"
    values = f"{row.at_s:.3f},{row.cpu_s:.3f},{row.memory_mb:.1f},{row.processes}\r\n"
    with path.open("a", encoding="utf-8", newline="") as stream:
        stream.write(heading + values)


def read_server_load(folder: Path) -> list[ServerSecond]:
    """Read `server.csv` of a run, without a line that was cut; no rows when there is no file."""
    if not (folder / SERVER_LOAD).exists():
        return []
    with readable(folder, SERVER_LOAD):
        lines = (folder / SERVER_LOAD).read_text(encoding="utf-8").splitlines()
        rows = [row for row in csv.DictReader(lines) if None not in row.values()]
        return msgspec.convert(rows, list[ServerSecond], strict=False)


def _read(folder: Path, name: str, kind: type[T]) -> T:
    with readable(folder, name, WHAT):
        return msgspec.json.decode((folder / name).read_bytes(), type=kind)

"""results/COMPARE_ID as types: every file format of an experiment stands here and nowhere else.

| file | what |
|---|---|
| `plan.json`, `slo.toml` | what was planned, written at the start; a copy of the objectives |
| `runs/rN-VARIANT-USERS/` | a run folder each, with `server.csv`, `server.json` |
| `servers/rN-VARIANT/` | what the servers said |
| `comparison.json` | the result, computed from the files above |
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from harness import ConfigurationError, atomic
from harness.runfolder import Figures, Verdict, Versions

PLAN = "plan.json"
RUNS = "runs"
SERVER = "server.json"
SERVER_LOAD = "server.csv"
COMPARISON = "comparison.json"


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

    Attributes:
        steps: numbers of users that every variant meets; None when they are doubled from
            `first_users` on until the objectives are missed, at most up to `most_users`, and the
            gap between the last two halved `refinements` times (in ratio).
        step_s: seconds that count, after `warm_up_s` with all users that do not.
        is_aa: whether both variants are the same, to check the method.
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
    """A row of `server.csv`: the server's processes together.

    Attributes:
        at_s: seconds since the epoch.
        cpu_s: CPU time that they took so far, user and system.
        memory_mb: resident memory in units of 10^6 bytes; pages that processes share count once
            where the system tells (Linux).
        processes: how many there are.
    """

    at_s: float
    cpu_s: float
    memory_mb: float
    processes: int


class ServerLoad(Struct, frozen=True, kw_only=True):
    """What a step cost the server's machine.

    Attributes:
        cpu_percent: of one core, so that two cores make 200.
        cpu_ms_per_request: CPU time.
        memory_mb: the most.
    """

    cpu_percent: float
    cpu_ms_per_request: float
    memory_mb: float


class Run(Struct, frozen=True, kw_only=True):
    """A step of a variant in a round.

    Attributes:
        folder: in the folder of the comparison, such as "runs/r1-gunicorn-100".
        attempt: 1, or 2 when the first was invalid.
        verdict: of the run; only "pass" and "fail" enter a figure.
        reasons: why it is no pass.
        figures: of all requests in the seconds that count; None when there were none.
        server: None when nothing is known.
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
        """Say whether it can be believed."""
        return self.verdict != "invalid"


class Interval(Struct, frozen=True, kw_only=True):
    """An estimate with its 95 % confidence interval, which one round alone does not have."""

    estimate: float
    low: float | None
    high: float | None


class CarriedInRound(Struct, frozen=True, kw_only=True):
    """How many users a variant carried in a round.

    Attributes:
        held: the highest step up to which every step met the objectives; None when the lowest
            did not.
        missed: the lowest step that missed them; None when none did.
        users: interpolated between both; None without one of them.
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
    requests_per_s: tuple[float, float, float]
    p50_ms: tuple[float, float, float] | None
    p95_ms: tuple[float, float, float] | None
    p99_ms: tuple[float, float, float] | None
    failures: int
    cpu_percent: tuple[float, float, float] | None
    cpu_ms_per_request: tuple[float, float, float] | None
    memory_mb: tuple[float, float, float] | None


class VariantResult(Struct, frozen=True, kw_only=True):
    """What became of a variant.

    Attributes:
        by_round: carried users, round by round.
        carried_users: geometric mean over the rounds with its interval; None unless each round
            has a number.
        at_least: the lowest `held` of the rounds, at most: what can be said without one.
        most_requests_per_s: the highest rate of a step, over the rounds.
        steps: in order of their users.
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
    """How many times as much a variant had as another, paired by round.

    Attributes:
        metric: what of; times and costs are those of step `at_users`.
        variant: whose value is divided, the later one in the plan.
        by: the variant whose value it is divided by.
        rounds: how many had both.
        ratio: geometric mean of the ratios within the rounds.
        is_shown: whether the interval leaves out 1.
        smallest_shown: the ratio above 1 that so many rounds of such spread show in 80 % of
            comparisons; None for a single round.
        sentence: all of it in words.
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
    """`comparison.json`: the result; `finding` says it in one sentence, `notes` what to mind.

    Attributes:
        is_complete: whether every planned round is in it.
        variants: in the order of the plan.
        ratios: of each pair of variants, by metric.
        runs: all of them, also the invalid ones.
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
    """Read `plan.json`."""
    return msgspec.json.decode((folder / PLAN).read_bytes(), type=Plan)


def read_comparison(folder: Path) -> Comparison:
    """Read `comparison.json`."""
    return msgspec.json.decode((folder / COMPARISON).read_bytes(), type=Comparison)


def finished_runs(folder: Path) -> Iterator[tuple[Path, ServerEnd]]:
    """Yield the folders of the runs that came to their end, in the order of their names.

    Raises:
        ConfigurationError: a `server.json` is broken; says which.
    """
    for path in sorted((folder / RUNS).glob(f"*/{SERVER}")):
        try:
            yield path.parent, msgspec.json.decode(path.read_bytes(), type=ServerEnd)
        except (OSError, msgspec.MsgspecError) as error:
            raise ConfigurationError(f"{path} is broken: {error}") from None


def append_server_second(folder: Path, row: ServerSecond) -> None:
    """Add a row to `server.csv` of a run, with the heading before the first."""
    path = folder / SERVER_LOAD
    heading = "" if path.exists() else ",".join(ServerSecond.__struct_fields__) + "\r\n"
    values = f"{row.at_s:.3f},{row.cpu_s:.3f},{row.memory_mb:.1f},{row.processes}\r\n"
    with path.open("a", encoding="utf-8", newline="") as stream:
        stream.write(heading + values)


def read_server_load(folder: Path) -> list[ServerSecond]:
    """Read `server.csv` of a run; a line that was cut is left out."""
    with (folder / SERVER_LOAD).open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if None not in row.values()]
    return msgspec.convert(rows, list[ServerSecond], strict=False)

"""results/RUN_ID as types: the run's id, its folder, and its JSON files.

Invariants: the format of these files is defined only here, with units in the names of numbers. A
JSON file is written whole or not at all.
"""

from __future__ import annotations

import datetime
import hashlib
import platform
import re
import secrets
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from harness import ConfigurationError, __version__
from harness.config import atomic
from harness.recording.samples import ConnectionCounts, added

MANIFEST = "run.json"
ENDING = "end.json"
SUMMARY = "summary.json"
OBJECTIVES = "slo.toml"
LOST_WRITES = "lost_writes"
"""The key of the objective that the audit is judged by."""
RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
"""A run id is the name of a folder: no separators, and no dot in front."""


class Versions(Struct, frozen=True):
    """The versions of the software that ran."""

    suite: str
    locust: str
    python: str


class Manifest(Struct, frozen=True, kw_only=True):
    """`run.json`: what was planned, written at the start.

    Attributes:
        started_at: ISO 8601 in UTC.
        users: as requested at the start, like `spawn_rate_per_s`; None if a load shape decides.
        run_time_s: None if the run has no time limit.
        endpoints: those that the tasks of the mix call, such as "GET /x?q".
        warm_up_s: seconds with all users at the start of each step that do not count.
        is_headless: nobody could change or end the run by hand, except with a signal.
        allow_worker_loss: a run that loses workers may still be valid.
    """

    run_id: str
    started_at: str
    host: str
    deployment: str | None
    profile: str | None
    users: int | None
    spawn_rate_per_s: float | None
    run_time_s: float | None
    seed: int
    task_mix: dict[str, int]
    endpoints: list[str]
    client: str
    vary_data: bool
    data_sha256: str
    workers: int | None
    warm_up_s: float = 0.0
    is_headless: bool = False
    allow_worker_loss: bool = False
    tags: list[str]
    exclude_tags: list[str]
    versions: Versions


class Figures(Struct, frozen=True, kw_only=True):
    """Counts and response times of a set of requests.

    Times are exact to three significant digits, and None without requests.
    """

    requests: int
    failures: int
    fail_ratio: float
    requests_per_s: float
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    max_ms: float | None


class EndpointFigures(Struct, frozen=True, kw_only=True):
    """The figures of one endpoint; `steady` is None if there was no steady state."""

    method: str
    name: str
    steady: Figures | None
    whole_run: Figures

    @property
    def scope(self) -> str:
        """Return the name of this endpoint in objectives."""
        return f"{self.method} {self.name}"


class Total(Struct, frozen=True, kw_only=True):
    """The figures of all endpoints together; `steady` is None if there was no steady state."""

    steady: Figures | None
    whole_run: Figures


class Step(Struct, frozen=True, kw_only=True):
    """A stretch of steady state; both seconds, since the epoch, belong to it."""

    users: int
    first_second: int
    last_second: int
    total: Figures


class DeviceCounts(Struct, frozen=True, kw_only=True):
    """What happened to the devices of a run; those left behind may still be on the server."""

    registered: int = 0
    deleted: int = 0
    left_behind: int = 0

    __add__ = added


class Audit(Struct, frozen=True, kw_only=True):
    """The result of reading a sample of the devices back, after the users and before cleanup.

    Attributes:
        devices: how many were read.
        values: fields that were compared with what users had written.
        unread: devices without a valid response.
        lost_devices: missing, although the server had acknowledged their registration.
        wrong_values: fields whose value no user can have written last.
        are_values_known: False if a worker's writes were lost with it; no value is judged then.
    """

    devices: int
    values: int
    unread: int
    lost_devices: int
    wrong_values: int
    are_values_known: bool = True
    examples: list[str] = []


class RunEnd(Struct, frozen=True, kw_only=True):
    """`end.json`: what only the processes know at the end of a run.

    Attributes:
        audit: None if nothing was read back.
        exceptions: raised by users.
        lost_workers: took part, but never reported their end.
        was_reset: Locust's statistics were reset during the run.
        stopped_after_s: when a headless run was stopped before its run time was over, else None.
        clock_off_s: how far the worst worker clock is behind the master's, negative if ahead.
        lost_reports: reports of workers that never arrived; None without workers.
        late_reports: those that arrived after their seconds were written; None without workers.
    """

    ended_at: str
    devices: DeviceCounts
    connections: ConnectionCounts
    audit: Audit | None = None
    exceptions: int
    lost_workers: int
    was_reset: bool
    stopped_after_s: float | None = None
    clock_off_s: float | None = None
    lost_reports: int | None = None
    late_reports: int | None = None


class Generator(Struct, frozen=True, kw_only=True):
    """The generator's load in the steady state, from its busiest process in each second.

    Attributes:
        watched_s: steady-state seconds with measurements.
        saturated_s: those of them in which the generator was saturated.
    """

    watched_s: int
    saturated_s: int
    cpu_percent_p50: float | None
    cpu_percent_max: float | None
    lag_p99_ms: float | None
    lag_max_ms: float | None


class Rule(Struct, frozen=True, kw_only=True):
    """A validity rule, whether the run kept it, and the result as a sentence."""

    name: str
    kept: bool
    sentence: str


class Objective(Struct, frozen=True, kw_only=True):
    """An objective (SLO), what was measured, and the result as a sentence.

    The audit's objective has the scope "devices" and the key "lost_writes".

    Attributes:
        scope: "total" or an endpoint.
        key: what is limited, with its unit, such as "p95_ms".
        value: None without samples; the objective is then missed.
    """

    scope: str
    key: str
    limit: float
    value: float | None
    samples: int
    met: bool
    sentence: str


Verdict = Literal["pass", "fail", "invalid"]


class Summary(Struct, frozen=True, kw_only=True):
    """`summary.json`: the result of a run.

    Attributes:
        reasons: sentences, one for each broken rule and missed objective; empty on a pass.
        carried_users: of the highest step up to which every step on the way up met the
            objectives of [total]; None without such a step.
        notes: sentences that qualify the verdict, whatever it is.
    """

    run_id: str
    verdict: Verdict
    exit_code: int
    reasons: list[str]
    validity: list[Rule]
    objectives: list[Objective]
    carried_users: int | None
    duration_s: float
    steady_s: float
    total: Total
    endpoints: list[EndpointFigures]
    steps: list[Step]
    generator: Generator
    devices: DeviceCounts
    connections: ConnectionCounts
    audit: Audit | None = None
    notes: list[str] = []


def new_run_id(now: datetime.datetime | None = None) -> str:
    """Return an id that sorts by time, such as `20261122-164207-3f9a`."""
    now = now or datetime.datetime.now(datetime.UTC)
    return f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def now() -> str:
    """Return the current time as ISO 8601 in UTC, to the second."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def checked_run_id(run_id: str) -> str:
    """Return the id if it can name a folder.

    Raises:
        ConfigurationError: it is empty, too long, or has other characters than letters, digits
            and `._-`.
    """
    if not RUN_ID.fullmatch(run_id):
        raise ConfigurationError(
            f"the run id {run_id!r} cannot name a folder; use letters, digits, '.', '_' and '-'"
        )
    return run_id


def create(results_dir: Path, run_id: str) -> Path:
    """Create the folder of a run. If a run has the id, append `-2`, `-3` and so on.

    Raises:
        ConfigurationError: the folder cannot be created.
    """
    folder, attempt = results_dir / run_id, 1
    try:
        # A folder without a manifest is no run yet, but may hold the log of its server.
        while (folder / MANIFEST).exists():
            attempt += 1
            folder = results_dir / f"{run_id}-{attempt}"
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"cannot write the results to {folder}: {error.strerror}; see RESULTS_DIR"
        ) from None
    return folder


def write(folder: Path, content: Manifest | RunEnd | Summary) -> None:
    """Write `run.json`, `end.json` or `summary.json`, whole or not at all."""
    names = {Manifest: MANIFEST, RunEnd: ENDING, Summary: SUMMARY}
    atomic.write_json(folder / names[type(content)], content)


def write_objectives(folder: Path, text: str) -> None:
    """Copy the objectives into the folder, so that the run can be judged by them again."""
    atomic.write(folder / OBJECTIVES, text.encode())


def read_manifest(folder: Path) -> Manifest:
    """Read `run.json`."""
    return msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)


def read_ending(folder: Path) -> RunEnd | None:
    """Read `end.json`; return None if the run did not reach its end."""
    try:
        return msgspec.json.decode((folder / ENDING).read_bytes(), type=RunEnd)
    except FileNotFoundError:
        return None


def read_summary(folder: Path) -> Summary:
    """Read `summary.json`."""
    return msgspec.json.decode((folder / SUMMARY).read_bytes(), type=Summary)


def versions() -> Versions:
    """Return the versions of the running software."""
    return Versions(__version__, version("locust"), platform.python_version())


def data_hash(files: Iterable[Path]) -> str:
    """Return the SHA-256 of some files, by name and content, whatever their order."""
    digest = hashlib.sha256()
    # The zero bytes keep names and contents apart: "ab" with "2" is not "a" with "b2".
    for path in sorted(files):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()

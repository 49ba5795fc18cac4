"""results/RUN_ID as types: every file format of a run stands here and nowhere else."""

from __future__ import annotations

import datetime
import hashlib
import platform
import re
import secrets
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Literal, TypeVar

import msgspec
from msgspec import Struct

from harness import ConfigurationError, __version__, atomic

MANIFEST = "run.json"
ENDING = "end.json"
SUMMARY = "summary.json"
OBJECTIVES = "slo.toml"
LOST_WRITES = "lost_writes"
Counts = TypeVar("Counts", bound=Struct)
RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class Versions(Struct, frozen=True):
    """What ran."""

    suite: str
    locust: str
    python: str


class Manifest(Struct, frozen=True, kw_only=True):
    """`run.json`: what was planned, written at the start.

    Times are ISO 8601 in UTC; `run_time_s` is None when the run ends by hand; `users` and
    `spawn_rate_per_s` are what was asked for at the start; `warm_up_s` are the seconds with all
    of them that do not count yet; `endpoints` are those that the tasks of the mix send to, such
    as "GET /x?q"; `is_headless` says that nobody could change or end it by hand but with a signal;
    `allow_worker_loss` that a run which loses workers may still be valid.
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
    """Counts and response times of some requests; times are exact to three significant digits.

    A percentile of no requests is None.
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
    """The figures of one endpoint; `steady` is None when there was no steady state."""

    method: str
    name: str
    steady: Figures | None
    whole_run: Figures

    @property
    def scope(self) -> str:
        """Return the endpoint as objectives name it."""
        return f"{self.method} {self.name}"


class Total(Struct, frozen=True, kw_only=True):
    """The figures of all endpoints together; `steady` is None when there was no steady state."""

    steady: Figures | None
    whole_run: Figures


class Step(Struct, frozen=True, kw_only=True):
    """A stretch of steady state, from one whole second to another: all users that were planned."""

    users: int
    first_second: int
    last_second: int
    total: Figures


def _added(one: Counts, other: Counts) -> Counts:
    """Add the counts of another process."""
    names = one.__struct_fields__
    return type(one)(**{name: getattr(one, name) + getattr(other, name) for name in names})


class DeviceCounts(Struct, frozen=True, kw_only=True):
    """What happened to the devices of a run; `left_behind` may still be on the server."""

    registered: int = 0
    deleted: int = 0
    left_behind: int = 0

    __add__ = _added


class Audit(Struct, frozen=True, kw_only=True):
    """What came of reading a sample of the devices back, after the users and before cleanup.

    `devices` were read and `values` of their fields compared with what users had sent; `unread`
    gave no right answer. `lost_devices` are not there though the server had registered them;
    `wrong_values` are none that any user may have sent last. `are_values_known` is False when a
    worker was lost, and with it what it wrote: then no value is judged.
    """

    devices: int
    values: int
    unread: int
    lost_devices: int
    wrong_values: int
    are_values_known: bool = True
    examples: list[str] = []


class ConnectionCounts(Struct, kw_only=True):
    """What the users' connections cost, as far as their client tells: our own does.

    `reconnects` are those that a server had closed while they were kept; `connecting_ms` is the
    time that opening all of them took, in sum. It stands in the response times too.
    """

    opened: int = 0
    reconnects: int = 0
    connecting_ms: float = 0.0

    __add__ = _added


class Ending(Struct, frozen=True, kw_only=True):
    """`end.json`: what the processes of a run said when it was over.

    `audit` is None when nothing was read back; `exceptions` were raised by users; `lost_workers`
    took part and did not report their end; `was_reset` says that locust threw results away in
    mid-run; `stopped_after_s` is how long a headless run had lasted that was stopped before its
    run time was over, else None; `clock_off_s` is by how much the clock of a worker was behind
    the master's, or before it when negative, of the worst of them; of the reports of workers
    `lost_reports` never came, and `late_reports` when their seconds were written down already.
    These are None when there were no workers.
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
    """How the generator did in the steady state, by the busiest of its processes each second.

    `watched_s` are the steady seconds of which that is known, `saturated_s` those of them in which
    it was the bottleneck.
    """

    watched_s: int
    saturated_s: int
    cpu_percent_p50: float | None
    cpu_percent_max: float | None
    lag_p99_ms: float | None
    lag_max_ms: float | None


class Rule(Struct, frozen=True, kw_only=True):
    """A validity rule, whether the run kept it, and how it stands in a sentence."""

    name: str
    kept: bool
    sentence: str


class Objective(Struct, frozen=True, kw_only=True):
    """An objective (SLO), what was measured, and both in a sentence.

    `scope` is "total" or an endpoint, `key` says what is limited and its unit ("p95_ms"); `value`
    is None without samples, and the objective missed. That of what was read back at the end has
    the scope "devices" and the key "lost_writes".
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
    """`summary.json`: the result. `reasons` are sentences; there are none when it is a pass.

    `carried_users` are those of the highest step up to which every step on the way up met the
    objectives of [total]; None when the lowest did not, or there is none. `notes` are what a
    reader of the verdict has to know, however it came out.
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
    """Return the time as ISO 8601 in UTC, to the second."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def checked_run_id(run_id: str) -> str:
    """Return the id when it can name a folder.

    Raises:
        ConfigurationError: it is empty, too long, or holds more than letters, digits, `._-`.
    """
    if not RUN_ID.fullmatch(run_id):
        raise ConfigurationError(
            f"the run id {run_id!r} cannot name a folder; use letters, digits, '.', '_' and '-'"
        )
    return run_id


def create(results_dir: Path, run_id: str) -> Path:
    """Make the folder of a run; an id that already holds a run gets `-2`, `-3`, … behind it.

    Raises:
        ConfigurationError: the folder cannot be made.
    """
    folder, attempt = results_dir / run_id, 1
    try:
        while (folder / MANIFEST).exists():
            attempt += 1
            folder = results_dir / f"{run_id}-{attempt}"
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"cannot write the results to {folder}: {error.strerror}; see RESULTS_DIR"
        ) from None
    return folder


def write(folder: Path, content: Manifest | Ending | Summary) -> None:
    """Write `run.json`, `end.json` or `summary.json`, whole or not at all."""
    names = {Manifest: MANIFEST, Ending: ENDING, Summary: SUMMARY}
    atomic.write_json(folder / names[type(content)], content)


def write_objectives(folder: Path, text: str) -> None:
    """Keep a copy of the objectives, so that the run can be judged again by the same."""
    (folder / OBJECTIVES).write_text(text, encoding="utf-8")


def read_manifest(folder: Path) -> Manifest:
    """Read `run.json`."""
    return msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)


def read_ending(folder: Path) -> Ending | None:
    """Read `end.json`; None when the run did not come to its end."""
    try:
        return msgspec.json.decode((folder / ENDING).read_bytes(), type=Ending)
    except FileNotFoundError:
        return None


def read_summary(folder: Path) -> Summary:
    """Read `summary.json`."""
    return msgspec.json.decode((folder / SUMMARY).read_bytes(), type=Summary)


def versions() -> Versions:
    """Return what is running."""
    return Versions(__version__, version("locust"), platform.python_version())


def data_hash(files: Iterable[Path]) -> str:
    """Return the SHA-256 of some files, by name and content."""
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()

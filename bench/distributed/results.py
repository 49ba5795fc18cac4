"""What was measured of master and workers, as types: `scaling.json`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

from bench.distributed.messages import Amounts, total
from bench.results import Conditions

JSON = "scaling.json"
MESSAGES_A_WORKER_PER_S = 1 + 1 / 3
"""A heartbeat a second and a report every three."""
KEPT_UP = 0.8
"""One worker has 12 messages in 9 s, and two of them may come just before or after."""


class Load(Struct, frozen=True):
    """What was asked for.

    Attributes:
        workers: worker processes of a master; 0 is one process without a master.
        users: in all processes together.
        wait_s: least and longest think time.
        replayed: the workers only repeat the words of a real one that had as many users.
    """

    workers: int
    users: int
    wait_s: tuple[float, float]
    replayed: bool = False


class Sample(Struct, frozen=True):
    """One load, looked at twice: what lies between.

    Attributes:
        load: what was asked for.
        seconds: between the looks.
        requests: that the server counted.
        master_cpu_s: None without a master.
        master_rss_kb: at its end, likewise.
        workers_cpu_s: of each worker, or of the one process.
        server_cpu_s: of nginx.
        intervals: histograms that the workers sent, one a second and endpoint that was hit.
        to_master: messages by type, counted by the master.
        to_workers: likewise.
        parts: bytes of the workers' reports: locust's part, and each of ours.
        kernel_to_master: bytes that TCP carried to the master, acknowledged; None: not known.
        kernel_to_workers: likewise.
    """

    load: Load
    seconds: float
    requests: int
    master_cpu_s: float | None
    master_rss_kb: float | None
    workers_cpu_s: list[float]
    server_cpu_s: float
    intervals: int = 0
    to_master: Amounts = {}
    to_workers: Amounts = {}
    parts: dict[str, int] = {}
    kernel_to_master: int | None = None
    kernel_to_workers: int | None = None

    @property
    def requests_per_s(self) -> float:
        """Return the rate that the server saw."""
        return self.requests / self.seconds

    @property
    def intervals_per_s(self) -> float:
        """Return how many histograms came to the master each second."""
        return self.intervals / self.seconds

    @property
    def master_share(self) -> float:
        """Return how much of a core the master took."""
        return (self.master_cpu_s or 0.0) / self.seconds

    @property
    def kept_up(self) -> bool:
        """Say whether the master read nearly all that was to come, and all that TCP carried.

        Else it, or who sends, had too little of the machine, and its share says nothing.
        """
        planned = self.load.workers * self.seconds * MESSAGES_A_WORKER_PER_S
        read = total(self.to_master)
        carried = read.bytes if self.kernel_to_master is None else self.kernel_to_master
        return read.messages >= KEPT_UP * planned and read.bytes >= KEPT_UP * carried

    @property
    def bytes_to_master_per_s(self) -> float:
        """Return the bytes of all messages that came to the master each second."""
        return total(self.to_master).bytes / self.seconds

    @property
    def bytes_to_workers_per_s(self) -> float:
        """Return the bytes of all messages that the master sent each second."""
        return total(self.to_workers).bytes / self.seconds


class Part(Struct, frozen=True):
    """Samples of several rounds, and on what they were measured."""

    conditions: Conditions
    rounds: int
    seconds: int
    samples: list[Sample]

    def by_load(self) -> dict[Load, list[Sample]]:
        """Return the samples of each load, in the order of the rounds."""
        return by_load(self.samples)

    def to_fit(self) -> list[Sample]:
        """Return the samples that say what the master takes."""
        return [sample for sample in self.samples if sample.kept_up]


class Phase(Struct, frozen=True):
    """What a run with many devices cost in one stretch of it; fields as in `Sample`."""

    name: str
    seconds: float
    master_cpu_s: float
    workers_cpu_s: float
    to_master: Amounts
    to_workers: Amounts
    parts: dict[str, int]


class PoolRun(Struct, frozen=True):
    """Users that each register a device, in so many workers; at the end all are deleted."""

    load: Load
    registered: int
    deleted: int
    phases: list[Phase]


class Pool(Struct, frozen=True):
    """What devices cost."""

    conditions: Conditions
    runs: list[PoolRun]


class Scaling(Struct, frozen=True):
    """`scaling.json`; a part that was not measured yet is None."""

    carried: Part | None = None
    master: Part | None = None
    pool: Pool | None = None


def by_load(samples: Iterable[Sample]) -> dict[Load, list[Sample]]:
    """Return the samples of each load, in their order."""
    found: dict[Load, list[Sample]] = {}
    for sample in samples:
        found.setdefault(sample.load, []).append(sample)
    return found


def middle_of(samples: Sequence[Sample]) -> Sample:
    """Return the sample with the median rate of requests, the higher of two."""
    return sorted(samples, key=lambda sample: sample.requests_per_s)[len(samples) // 2]

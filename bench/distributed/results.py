"""The results of `bench.distributed` as types: the contents of `scaling.json`."""

from __future__ import annotations

from msgspec import Struct

from bench.distributed.messages import Counts, total
from bench.results import Conditions, Window

MESSAGES_PER_WORKER_PER_S = 1 + 1 / 3
"""A heartbeat every second and a report every 3 s."""
KEPT_UP = 0.7
"""A worker sends 8 messages in 6 s, of which two may arrive just outside the interval: 6 / 8."""


class Load(Struct, frozen=True):
    """The processes and users of a sample.

    Attributes:
        workers: number of workers; 0 means one process without a master.
        users: number of users in all processes.
        wait_s: shortest and longest wait between tasks.
    """

    workers: int
    users: int
    wait_s: tuple[float, float]

    @property
    def users_per_process(self) -> int:
        """Return the number of users per worker, or in the only process."""
        return self.users // max(self.workers, 1)

    @property
    def order(self) -> tuple[int, int]:
        """Return a sort key: users per process, then workers."""
        return self.users_per_process, self.workers


class Sample(Window, frozen=True, kw_only=True):
    """One load in one round, between two snapshots.

    Attributes:
        load: the processes and users.
        master: counts of the master; empty without a master.
        master_rss_kb: memory of the master, or of the only process, at the end.
        workers: counts of all workers together, or of the only process.
        workers_cpu_s: CPU time of each worker.
        server_cpu_s: CPU time of nginx.
        tcp: bytes to and from the master by the kernel's count; None if unknown.
    """

    load: Load
    master: Counts
    master_rss_kb: float
    workers: Counts
    workers_cpu_s: list[float]
    server_cpu_s: float
    tcp: tuple[int, int] | None

    @property
    def master_share(self) -> float:
        """Return the master's share of a core."""
        return self.share(self.master.cpu_s)

    @property
    def server_share(self) -> float:
        """Return nginx's share of a core."""
        return self.share(self.server_cpu_s)

    @property
    def kept_up(self) -> bool:
        """Return True if the master read nearly all messages due and nearly all bytes on TCP.

        Otherwise it or the workers had too little CPU time, and `master_share` means nothing.
        """
        planned = self.load.workers * MESSAGES_PER_WORKER_PER_S
        read = total(self.master.received).bytes
        carried = read if self.tcp is None else self.tcp[0]
        return self.messages_to_master_per_s >= KEPT_UP * planned and read >= KEPT_UP * carried

    @property
    def messages_to_master_per_s(self) -> float:
        """Return the messages to the master per second."""
        return total(self.master.received).messages / self.seconds

    @property
    def kb_to_master_per_s(self) -> float:
        """Return the size of the messages to the master per second."""
        return total(self.master.received).bytes / self.seconds / 1e3

    @property
    def kb_to_workers_per_s(self) -> float:
        """Return the size of the messages from the master per second."""
        return total(self.master.sent).bytes / self.seconds / 1e3


class Snapshot(Struct, frozen=True):
    """Counters at one moment; `counts` starts with the master or the only process."""

    moment_s: float
    requests: int
    server_cpu_s: float
    rss_kb: float
    counts: list[Counts]
    tcp: tuple[int, int] | None


def difference(load: Load, begin: Snapshot, end: Snapshot) -> Sample:
    """Return the sample between two snapshots."""
    counts = [after.since(before) for before, after in zip(begin.counts, end.counts, strict=True)]
    master, *workers = counts if load.workers else [Counts(), *counts]
    return Sample(
        seconds=end.moment_s - begin.moment_s,
        requests=end.requests - begin.requests,
        load=load,
        master=master,
        master_rss_kb=end.rss_kb,
        workers=sum(workers, Counts()),
        workers_cpu_s=[each.cpu_s for each in workers],
        server_cpu_s=end.server_cpu_s - begin.server_cpu_s,
        tcp=(
            (end.tcp[0] - begin.tcp[0], end.tcp[1] - begin.tcp[1])
            if begin.tcp is not None and end.tcp is not None
            else None
        ),
    )


Samples = dict[Load, list[Sample]]
"""The samples of each load, in the order of the rounds."""


class Rounds(Struct, frozen=True):
    """Samples of several rounds and the conditions of their measurement."""

    conditions: Conditions
    rounds: int
    seconds: int
    samples: list[Sample]

    def by_load(self) -> Samples:
        """Return the samples of each load, by rising users per process, then workers."""
        found: Samples = {}
        for sample in self.samples:
            found.setdefault(sample.load, []).append(sample)
        return dict(sorted(found.items(), key=lambda item: item[0].order))

    def by_workers(self) -> Samples:
        """Return the loads that differ only in workers: those with the fewest users in each."""
        found = self.by_load()
        fewest = min(load.users_per_process for load in found)
        return {load: found[load] for load in found if load.users_per_process == fewest}

    def by_users(self) -> Samples:
        """Return the loads that differ only in users: those with the most common worker count."""
        found = self.by_load()
        workers = [load.workers for load in found]
        common = max(workers, key=workers.count)
        return {load: found[load] for load in found if load.workers == common}


class Phase(Struct, frozen=True):
    """A phase of a run with devices: counts of the master and of all workers together."""

    name: str
    master: Counts
    workers: Counts


class DevicesRun(Struct, frozen=True):
    """A run in which each user registers a device; at its end all are deleted."""

    load: Load
    registered: int
    deleted: int
    phases: list[Phase]


class Devices(Struct, frozen=True):
    """The runs with devices, and the conditions of their measurement."""

    conditions: Conditions
    runs: list[DevicesRun]


class Scaling(Struct, frozen=True):
    """The contents of `scaling.json`; a part that was never measured is None."""

    throughput: Rounds | None = None
    master: Rounds | None = None
    devices: Devices | None = None

"""Takes the samples: each load in turn, in rounds, every other round backwards."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from bench import BenchError, machine
from bench.distributed.cluster import Cluster
from bench.distributed.counter import Words, own_part
from bench.distributed.messages import Look
from bench.distributed.moments import between
from bench.distributed.results import Load, Part, Phase, Pool, PoolRun, Sample
from bench.server import Nginx

SETTLE_S, DRY_SETTLE_S = 4.0, 1.0
POOL_SETTLE_S = 10.0
SPAWN_RATE, POOL_SPAWN_RATE = 1_000, 2_000
NO_WAIT, THINK_TIME, TWICE_THE_TIME = (0.0, 0.0), (1.0, 5.0), (2.0, 10.0)
REST_S = 600.0
USERS_A_BUSY_WORKER = 50
USERS_A_CALM_WORKER = 20
"""So few that the machine has time left for thirty-two workers."""

CARRIED = tuple(
    Load(workers, USERS_A_BUSY_WORKER * max(workers, 1), NO_WAIT) for workers in (0, 1, 2, 4)
)
MANY_WORKERS = tuple(
    Load(workers, USERS_A_CALM_WORKER * workers, THINK_TIME) for workers in (1, 2, 4, 8, 16, 32)
)
MANY_USERS = (
    *(Load(4, users, THINK_TIME) for users in (1_000, 5_000, 10_000)),
    Load(4, 20_000, TWICE_THE_TIME),
)
"""The last has the requests/s of the one before: two cores carry no more with nginx on them."""
REPLAYED = tuple(
    Load(workers, users * workers, wait_s, replayed=True)
    for users, wait_s, counts in (
        (USERS_A_CALM_WORKER, THINK_TIME, (32, 1024)),
        (5_000, TWICE_THE_TIME, (32, 256, 1024, 1536)),
    )
    for workers in counts
)
"""Workers of one report; it is that of the load with as many users a worker."""
MASTER = (*MANY_WORKERS, *MANY_USERS, *REPLAYED)
POOL = tuple(Load(4, users, (REST_S, REST_S)) for users in (100, 100_000))

DRY_CARRIED = tuple(Load(workers, 10 * max(workers, 1), NO_WAIT) for workers in (0, 1))
DRY_MASTER = (Load(1, 20, THINK_TIME), Load(4, 80, THINK_TIME, replayed=True))
DRY_POOL = (Load(2, 10, (REST_S, REST_S)),)


class Bench:
    """Where samples are taken: a server, and a folder for what is thrown away."""

    def __init__(
        self,
        server: Nginx,
        folder: Path,
        tell: Callable[[str], None],
        settle_s: float = SETTLE_S,
    ) -> None:
        """Keep where.

        Args:
            server: a running one.
            folder: for what is thrown away.
            tell: gets a line about each sample.
            settle_s: from the last user to the first look.
        """
        self._server = server
        self._folder = folder
        self._tell = tell
        self._settle_s = settle_s
        self._words: dict[int, Path] = {}

    def part(self, loads: Sequence[Load], rounds: int, seconds: int) -> Part:
        """Measure each load once a round; a replayed one after the real one that it repeats."""
        samples = []
        for number in range(rounds):
            real = [load for load in loads if not load.replayed]
            for load in (*real[:: -1 if number % 2 else 1], *(x for x in loads if x.replayed)):
                samples.append(self.sample(load, seconds))
                self._tell(f"round {number + 1} of {rounds}  {line(samples[-1])}")
        return Part(machine.conditions(("nginx",)), rounds, seconds, samples)

    def sample(self, load: Load, seconds: float) -> Sample:
        """Measure one load."""
        users_a_worker = load.users // max(load.workers, 1)
        words = self._words[users_a_worker] if load.replayed else None
        with (
            _Emptied(self._folder / "load") as own,
            Cluster(load, self._server, own, spawn_rate=SPAWN_RATE, words=words) as cluster,
        ):
            time.sleep(self._settle_s)
            begin = cluster.look()
            time.sleep(seconds)
            end = cluster.look()
            if load.workers and words is None:
                kept = self._folder / f"{users_a_worker}.words"
                self._words[users_a_worker] = kept
                shutil.copy(cluster.words_of_a_worker(), kept)
            cluster.stop()
        sample = between(load, begin, end)
        if words is None:
            return sample
        said = msgspec.msgpack.decode(words.read_bytes(), type=Words)
        return with_known_reports(sample, said.report)

    def pool(self, loads: Sequence[Load], settle_s: float = POOL_SETTLE_S) -> Pool:
        """Let users come with a device each, and go.

        Raises:
            BenchError: not all were registered, or not all deleted.
        """
        runs = []
        for load in loads:
            with (
                _Emptied(self._folder / "pool") as own,
                Cluster(
                    load, self._server, own, user="RegisteredUser", spawn_rate=POOL_SPAWN_RATE
                ) as cluster,
            ):
                time.sleep(settle_s)
                settled = cluster.look().looks
                ended, summary = cluster.stop()
            begun = [Look(at_s=cluster.started_s)] * len(ended)
            phases = [_phase("registering", begun, settled), _phase("deleting", settled, ended)]
            devices = summary.devices
            if not devices.registered == devices.deleted == load.users:
                raise BenchError(
                    f"of {load.users} devices {devices.registered} were registered and "
                    f"{devices.deleted} deleted"
                )
            runs.append(PoolRun(load, devices.registered, devices.deleted, phases))
            self._tell(
                f"{load.users:,} devices registered and deleted over {load.workers} workers"
            )
        return Pool(machine.conditions(("nginx",)), runs)


class _Emptied:
    """A context manager: a new folder, gone afterwards."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> Path:
        self._folder.mkdir()
        return self._folder

    def __exit__(self, *_: Any) -> None:
        shutil.rmtree(self._folder)


def with_known_reports(sample: Sample, message: bytes) -> Sample:
    """Fill in what replayed workers sent: the same report each time."""
    reports = sample.to_master["stats"].messages
    intervals, requests, parts = own_part(message)
    return replace(
        sample,
        workers_cpu_s=[],
        intervals=reports * intervals,
        requests=reports * requests,
        parts={part: reports * size for part, size in parts.items()},
    )


def _phase(name: str, begin: list[Look], end: list[Look]) -> Phase:
    master, *workers = [later.since(earlier) for earlier, later in zip(begin, end, strict=True)]
    together = sum(workers, Look())
    return Phase(
        name=name,
        seconds=master.at_s,
        master_cpu_s=master.cpu_s,
        workers_cpu_s=together.cpu_s,
        to_master=master.received,
        to_workers=master.sent,
        parts=together.parts,
    )


def line(sample: Sample) -> str:
    """Return a sample as a line for who waits."""
    load = sample.load
    master = "" if sample.master_cpu_s is None else f"{sample.master_share:8.2%} of a core: master"
    what = "replayed" if load.replayed else "workers" if load.workers else "no master"
    return (
        f"{load.workers:>5} {what:<9}{load.users:>11,} users"
        f"{sample.requests_per_s:>12,.0f} requests/s{master}"
    )

"""Takes samples of every load in rounds; every other round runs backwards."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import BenchError, machine
from bench.distributed.cluster import Cluster
from bench.distributed.messages import Counts
from bench.distributed.results import Devices, DevicesRun, Load, Phase, Rounds, Sample, difference
from bench.server import Nginx
from harness.results.formatting import count, percent, rounded

SETTLE_S, DRY_SETTLE_S = 3.0, 1.0
DEVICES_SETTLE_S = 5.0
NO_WAIT, WAIT, REST = (0.0, 0.0), (1.0, 5.0), (600.0, 600.0)
USERS_PER_BUSY_WORKER = 50
USERS_PER_IDLE_WORKER = 25
"""Few enough that sixteen workers leave the machine CPU time."""
WORKERS_WITH_MANY_USERS = 4

THROUGHPUT = tuple(
    Load(workers, USERS_PER_BUSY_WORKER * max(workers, 1), NO_WAIT) for workers in (0, 1, 2, 4)
)
WORKERS = (1, 2, 4, 8, 16)
MANY_USERS = tuple(
    Load(WORKERS_WITH_MANY_USERS, users, WAIT) for users in (100, 1_000, 5_000, 10_000)
)
DEVICES = tuple(Load(4, users, REST) for users in (100, 100_000))


def master_loads(workers: Sequence[int]) -> tuple[Load, ...]:
    """Return the loads that show what more workers and more users cost the master."""
    idle = [Load(number, USERS_PER_IDLE_WORKER * number, WAIT) for number in workers]
    return tuple(dict.fromkeys([*idle, *MANY_USERS]))  # a load may be in both series


@dataclass(frozen=True, slots=True)
class Bench:
    """Takes samples.

    Attributes:
        server: a running nginx.
        folder: place for scratch files.
        report: called with a line about each sample.
        settle_s: time from the last spawned user to the first snapshot.
    """

    server: Nginx
    folder: Path
    report: Callable[[str], None]
    settle_s: float

    def rounds(self, loads: Sequence[Load], rounds: int, seconds: int) -> Rounds:
        """Measure each load once in each round."""
        samples = []
        for number in range(rounds):
            for load in loads[:: -1 if number % 2 else 1]:
                samples.append(self._sample(load, seconds))
                self.report(f"round {number + 1} of {rounds}  {_line(samples[-1])}")
        return Rounds(machine.conditions(("nginx",)), rounds, seconds, samples)

    def _sample(self, load: Load, seconds: float) -> Sample:
        with self._cluster(load, "PacedUser") as cluster:
            time.sleep(self.settle_s)
            begin = cluster.snapshot()
            time.sleep(seconds)
            end = cluster.snapshot()
            cluster.stop()
        return difference(load, begin, end)

    @contextmanager
    def _cluster(self, load: Load, user: str) -> Iterator[Cluster]:
        with (
            TemporaryDirectory(dir=self.folder) as own,
            Cluster(load, self.server, Path(own), user) as cluster,
        ):
            yield cluster

    def devices(self, loads: Sequence[Load], settle_s: float) -> Devices:
        """Let each user register a device, then stop the run, which deletes all devices.

        Raises:
            BenchError: not every device was registered and deleted.
        """
        runs = []
        for load in loads:
            with self._cluster(load, "RegisteredUser") as cluster:
                time.sleep(settle_s)
                settled = cluster.snapshot().counts
                ended, summary = cluster.stop()
            begun = [Counts(at_s=cluster.started_s)] * len(ended)
            phases = [_phase("registering", begun, settled), _phase("deleting", settled, ended)]
            devices = summary.devices
            if not devices.registered == devices.deleted == load.users:
                raise BenchError(
                    f"of {load.users} devices {devices.registered} were registered and "
                    f"{devices.deleted} deleted"
                )
            runs.append(DevicesRun(load, devices.registered, devices.deleted, phases))
            self.report(f"{count(load.users)} devices registered and deleted")
        return Devices(machine.conditions(("nginx",)), runs)


def _phase(name: str, begin: list[Counts], end: list[Counts]) -> Phase:
    master, *workers = [later.since(earlier) for earlier, later in zip(begin, end, strict=True)]
    return Phase(name, master, sum(workers, Counts()))


def _line(sample: Sample) -> str:
    load = sample.load
    line = (
        f"{load.workers:>2} workers{count(load.users):>8} users"
        f"{rounded(sample.requests_per_s):>9} requests/s"
    )
    if not load.workers:
        return line
    return f"{line}   master {percent(round(sample.master_share, 4))} % of a core"

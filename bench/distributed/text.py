"""What was measured as Markdown, for the marked parts of `docs/scaling.md`."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import median

from bench.distributed.messages import LOCUSTS, OWN, sharing, sharing_bytes, total
from bench.distributed.results import Load, Part, Phase, Pool, PoolRun, Sample
from bench.report import described, spread, table

FULL_SHARE = 0.9
MEDIANS = "Median of the rounds, in brackets the lowest and the highest."


def named(load: Load) -> str:
    """Return what a load ran on, as people say it."""
    if not load.workers:
        return "one process"
    return f"{load.workers:,} worker{'s' if load.workers > 1 else ''}"


def carried(part: Part) -> str:
    """Return what more workers bring on this machine, and what keeps them from more."""
    cores = part.conditions.cores
    loads = part.by_load()
    alone = next(samples for load, samples in loads.items() if not load.workers)
    rows = []
    for load, samples in loads.items():
        ratios = [
            own.requests_per_s / other.requests_per_s
            for own, other in zip(samples, alone, strict=True)
        ]
        each = [cpu_s / s.seconds for s in samples for cpu_s in s.workers_cpu_s]
        rows.append(
            [
                named(load),
                spread([sample.requests_per_s for sample in samples], 0),
                spread(ratios, 2) if load.workers else "",
                f"{median(each):.0%}",
                f"{median(s.master_share for s in samples):.1%}" if load.workers else "",
                f"{median(s.server_cpu_s / s.seconds for s in samples):.0%}",
                f"{median(map(busy, samples)) / cores:.0%}",
                spread([cost_us(sample) for sample in samples], 1),
                bound(samples, cores),
            ]
        )
    headings = (
        *("", "requests/s", "times one process", "each worker's core", "master's core"),
        *("nginx's core", f"all {cores} cores", "CPU-µs/request of the workers", "what ends it"),
    )
    users = next(load.users for load in loads if not load.workers)
    return "\n\n".join(
        [
            described(part.conditions),
            f"{users} users without wait in each process, {part.rounds} rounds of "
            f"{part.seconds} s.",
            table(headings, rows),
            MEDIANS,
        ]
    )


def busy(sample: Sample) -> float:
    """Return how many cores all processes of a sample took together."""
    own_s = (sample.master_cpu_s or 0.0) + sum(sample.workers_cpu_s) + sample.server_cpu_s
    return own_s / sample.seconds


def cost_us(sample: Sample) -> float:
    """Return the CPU time of the workers for one request, in µs."""
    return sum(sample.workers_cpu_s) / sample.requests * 1e6


def bound(samples: Iterable[Sample], cores: int) -> str:
    """Say what had no time left."""
    rows = list(samples)
    if median(map(busy, rows)) > FULL_SHARE * cores:
        return "the machine"
    if median(max(s.workers_cpu_s) / s.seconds for s in rows) > FULL_SHARE:
        return "the generator's core"
    if median(s.server_cpu_s / s.seconds for s in rows) > FULL_SHARE:
        return "nginx's core"
    return "something else took a part of the machine"


def pool(measured: Pool) -> str:
    """Return what devices cost, and within it what sharing them does."""
    rows = [_phase_row(run, phase) for run in measured.runs for phase in run.phases]
    headings = (
        *("users, workers", "", "s", "sharing: messages to / from master"),
        *("sharing: KB to / from master", "bytes a user", "bytes a worker", "all else: KB to"),
        *("all else: KB from", "master's CPU, s"),
    )
    return "\n\n".join([described(measured.conditions), table(headings, rows)])


def _phase_row(run: PoolRun, phase: Phase) -> list[str]:
    shared_in, shared_out = sharing(phase.to_master), sharing(phase.to_workers)
    bytes_in = shared_in.bytes + sharing_bytes(phase.parts)
    both = bytes_in + shared_out.bytes
    all_in, all_out = total(phase.to_master).bytes, total(phase.to_workers).bytes
    return [
        f"{run.load.users:,}, {run.load.workers}",
        phase.name,
        f"{phase.seconds:.0f}",
        f"{shared_in.messages:,} / {shared_out.messages:,}",
        f"{bytes_in / 1e3:,.1f} / {shared_out.bytes / 1e3:,.1f}",
        f"{both / run.load.users:,.1f}",
        f"{both / run.load.workers:,.0f}",
        f"{(all_in - bytes_in) / 1e3:,.1f}",
        f"{(all_out - shared_out.bytes) / 1e3:,.1f}",
        f"{phase.master_cpu_s:.2f}",
    ]


def kinds(sample: Sample) -> dict[str, float]:
    """Return the bytes a second and worker that come to the master, by what they are about."""
    reports = sample.parts
    own = sum(size for part, size in reports.items() if part.startswith(OWN))
    shared = sharing_bytes(reports) + sharing(sample.to_master).bytes
    beside = total(sample.to_master).bytes - sample.to_master["stats"].bytes
    sizes = {
        "histograms": reports.get(f"{OWN}intervals", 0),
        "rest of our report": own - reports.get(f"{OWN}intervals", 0) - sharing_bytes(reports),
        "locust's report": reports.get(LOCUSTS, 0),
        "heartbeats": sample.to_master["heartbeat"].bytes,
        "shared devices": shared,
    }
    sizes["all else"] = max(beside - sizes["heartbeats"] - sharing(sample.to_master).bytes, 0)
    per = sample.seconds * sample.load.workers
    return {kind: size / per for kind, size in sizes.items()}

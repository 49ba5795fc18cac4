"""Renders results as Markdown for the marked parts of `docs/scaling.md`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from statistics import median

from bench.distributed.messages import LOCUSTS, OWN, sharing, sharing_bytes, total
from bench.distributed.results import (
    Devices,
    DevicesRun,
    Load,
    Phase,
    Rounds,
    Sample,
    Samples,
    Scaling,
)
from bench.report import RANGES, described, of_a_core, spread, table
from harness.results.formatting import TIMES, count, factor, percent, rounded

FULL_SHARE = 0.9
Row = dict[str, str]


def sections(results: Scaling) -> dict[str, str]:
    """Return the sections for the measured parts, keyed by mark."""
    found = {}
    if results.throughput is not None:
        found["throughput"] = throughput(results.throughput)
    if results.master is not None:
        found["slope"] = slope(results.master)
        found["master"] = master(results.master)
    if results.devices is not None:
        found["devices"] = devices(results.devices)
    return found


def named(load: Load) -> str:
    """Return a name for the processes of a load."""
    if not load.workers:
        return "one process"
    return f"{count(load.workers)} worker{'s' if load.workers > 1 else ''}"


def throughput(measured: Rounds) -> str:
    """Return the section on throughput: by number of workers, with the bottleneck."""
    cores = measured.conditions.cores
    alone, *_ = measured.by_load().values()
    rows = []
    for load, samples in measured.by_load().items():
        ratios = [
            own.requests_per_s / other.requests_per_s
            for own, other in zip(samples, alone, strict=True)
        ]
        each = [s.share(cpu_s) for s in samples for cpu_s in s.workers_cpu_s]
        rows.append(
            {
                "": named(load),
                "requests/s": spread(s.requests_per_s for s in samples),
                "of one process": f"{spread(ratios, factor)} {TIMES}" if load.workers else "",
                "core of each worker": of_a_core(each),
                "core of nginx": of_a_core(s.server_share for s in samples),
                f"all {cores} cores": of_a_core(busy(s) / cores for s in samples),
                "CPU-µs/request of the workers": spread(map(cost_us, samples)),
                "limited by": limit(samples, cores),
            }
        )
    users = alone[0].load.users
    return _section(measured, f"{users} users without wait in each process", table(rows))


def _section(measured: Rounds, what: str, *parts: str) -> str:
    how = f"{what}, {measured.rounds} rounds of {measured.seconds} s. {RANGES}"
    return "\n\n".join([described(measured.conditions), how, *parts])


def busy(sample: Sample) -> float:
    """Return the number of cores that all processes of a sample used together."""
    return sample.master_share + sample.server_share + sample.share(sum(sample.workers_cpu_s))


def cost_us(sample: Sample) -> float:
    """Return the CPU time of the workers per request, in µs."""
    return sum(sample.workers_cpu_s) / sample.requests * 1e6


def limit(samples: Sequence[Sample], cores: int) -> str:
    """Return the bottleneck: whatever had no CPU time left."""
    if median(map(busy, samples)) > FULL_SHARE * cores:
        return "the machine"
    if median(s.share(max(s.workers_cpu_s)) for s in samples) > FULL_SHARE:
        return "the generator's core"
    if median(s.server_share for s in samples) > FULL_SHARE:
        return "nginx's core"
    return "other programs"


def slope(measured: Rounds) -> str:
    """Return the section on what each further worker and 1,000 further users cost the master."""
    by_workers, by_users = measured.by_workers(), measured.by_users()
    rows = [
        *_slope("worker", by_workers, lambda load: load.workers),
        *_slope("1,000 users", by_users, lambda load: load.users / 1_000),
    ]
    largest = dict(list(loads.items())[-1] for loads in (by_workers, by_users))
    most = [
        f"{_size(load)} used {_percent(median(s.master_share for s in samples))} % of its core"
        for load, samples in largest.items()
    ]
    remark = "A range with 0 in it: too little to be told from nothing."
    return f"{table(rows)}\n\n{remark} The most that was measured: {', and '.join(most)}."


def _size(load: Load) -> str:
    return f"{named(load)} with {count(load.users)} users"


def _slope(unit: str, loads: Samples, amount: Callable[[Load], float]) -> Iterator[Row]:
    """Yield a row: per round, the difference between smallest and largest load, per unit."""
    if len(loads) < 2:
        return
    (first, small), *_, (last, large) = loads.items()
    units = amount(last) - amount(first)

    def per_unit(value: Callable[[Sample], float]) -> list[float]:
        return [(value(b) - value(a)) / units for a, b in zip(small, large, strict=True)]

    yield {
        "each further": unit,
        "measured from": f"{_size(first)} to {_size(last)}",
        "costs the master, % of a core": spread(per_unit(lambda s: s.master_share), _percent),
        "KB/s to it": spread(per_unit(lambda s: s.kb_to_master_per_s), _hundredths),
        "KB/s from it": spread(per_unit(lambda s: s.kb_to_workers_per_s), _hundredths),
    }


def _hundredths(value: float) -> str:
    return rounded(round(value, 2) + 0.0)  # + 0.0 turns -0.0 into 0.0


def _percent(share: float) -> str:
    return rounded(share * 100)


def master(measured: Rounds) -> str:
    """Return the section on the master: cost of every load, and its bytes by content."""
    loads = measured.by_load()
    rows = [_master_row(load, samples) for load, samples in loads.items()]
    least, longest = measured.samples[0].load.wait_s
    what = f"Users wait {least:g} to {longest:g} s"
    return _section(measured, what, table(rows), _tcp(measured.samples), _contents(loads))


def _master_row(load: Load, samples: Sequence[Sample]) -> Row:
    behind = "" if all(sample.kept_up for sample in samples) else " (behind)"
    return {
        "workers": f"{count(load.workers)}{behind}",
        "users": count(load.users),
        "requests/s": _middle(s.requests_per_s for s in samples),
        "histograms/s": _middle(s.workers.histograms / s.seconds for s in samples),
        "master, % of a core": spread((s.master_share for s in samples), _percent),
        "messages/s to it": _middle(s.messages_to_master_per_s for s in samples),
        "KB/s to it": _middle(s.kb_to_master_per_s for s in samples),
        "KB/s from it": _middle(s.kb_to_workers_per_s for s in samples),
        "its memory, MB": _middle(s.master_rss_kb / 1024 for s in samples),
    }


def _middle(values: Iterable[float]) -> str:
    return rounded(median(values))


def _tcp(samples: Sequence[Sample]) -> str:
    known = [sample for sample in samples if sample.tcp is not None]
    if not known:
        return "What TCP carried is unknown: `ss` is missing."
    carried = sum(sum(sample.tcp or ()) for sample in known)
    counted = sum(total(s.master.received).bytes + total(s.master.sent).bytes for s in known)
    share = percent(round(carried / counted, 3))
    return f"By the kernel's count, TCP carried {share} % of the bytes of these messages."


def _contents(loads: Samples) -> str:
    columns = {
        f"{count(load.users_per_process)} users": [content(sample) for sample in samples]
        for load, samples in loads.items()
    }
    rows = []
    for kind in next(iter(columns.values()))[0]:
        sizes = {title: _middle(each[kind] for each in found) for title, found in columns.items()}
        if set(sizes.values()) != {"0"}:
            rows.append({"a worker with": kind} | sizes)
    whole = {title: _middle(sum(each.values()) for each in columns[title]) for title in columns}
    rows.append({"a worker with": "all"} | whole)
    return f"Bytes to the master per second and worker, by content:\n\n{table(rows)}"


def content(sample: Sample) -> dict[str, float]:
    """Return the bytes to the master per second and worker, by content."""
    reports, messages = sample.workers.parts, sample.master.received
    own = sum(size for part, size in reports.items() if part.startswith(OWN))
    histograms = reports.get(f"{OWN}intervals", 0)
    heartbeats = messages["heartbeat"].bytes
    shared = sharing(messages).bytes
    beside = total(messages).bytes - messages["stats"].bytes - heartbeats - shared
    sizes = {
        "histograms": histograms,
        "rest of the suite's report": own - histograms - sharing_bytes(reports),
        "Locust's report": reports.get(LOCUSTS, 0),
        "heartbeats": heartbeats,
        "shared devices": shared + sharing_bytes(reports),
        "other": max(beside, 0),
    }
    per = sample.seconds * sample.load.workers
    return {kind: size / per for kind, size in sizes.items()}


def devices(measured: Devices) -> str:
    """Return the section on devices: their cost, and the part that sharing them has in it."""
    rows = [_phase_row(run, phase) for run in measured.runs for phase in run.phases]
    return "\n\n".join([described(measured.conditions), table(rows)])


def _phase_row(run: DevicesRun, phase: Phase) -> Row:
    received, sent = phase.master.received, phase.master.sent
    shared_in, shared_out = sharing(received), sharing(sent)
    bytes_in = shared_in.bytes + sharing_bytes(phase.workers.parts)
    both = bytes_in + shared_out.bytes
    other_in, other_out = total(received).bytes - bytes_in, total(sent).bytes - shared_out.bytes
    return {
        "users, workers": f"{count(run.load.users)}, {run.load.workers}",
        "": phase.name,
        "s": count(round(phase.master.at_s)),
        "sharing: messages to / from master": f"{shared_in.messages} / {shared_out.messages}",
        "KB to / from master": f"{_kb(bytes_in)} / {_kb(shared_out.bytes)}",
        "bytes per user": rounded(both / run.load.users),
        "bytes per worker": rounded(both / run.load.workers),
        "all else: KB to / from master": f"{_kb(other_in)} / {_kb(other_out)}",
        "master's CPU, s": rounded(phase.master.cpu_s),
    }


def _kb(size: float) -> str:
    return rounded(size / 1e3)

"""What the master costs, as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median

from bench.distributed.messages import total
from bench.distributed.results import Load, Part, Sample, middle_of
from bench.distributed.text import MEDIANS, kinds
from bench.report import described, spread, table


def master(part: Part) -> str:
    """Return what every load cost the master."""
    rows = [_row(load, samples) for load, samples in part.by_load().items()]
    headings = (
        *(
            "workers",
            "users",
            "think time, s",
            "requests/s",
            "histograms/s",
            "master's core",
            "to it: messages/s",
        ),
        *("to it: KB/s", "from it: KB/s", "TCP carried more by", "its memory, MB"),
    )
    return "\n\n".join(
        [
            described(part.conditions),
            f"{part.rounds} rounds of {part.seconds} s.",
            table(headings, rows),
            MEDIANS,
            _bytes(part),
        ]
    )


def _row(load: Load, samples: Sequence[Sample]) -> list[str]:
    def middle(values: Iterable[float]) -> float:
        return median(values)

    return [
        f"{load.workers:,}{' (replayed)' if load.replayed else ''}"
        + ("" if all(sample.kept_up for sample in samples) else " (behind)"),
        f"{load.users:,}",
        "{:g} to {:g}".format(*load.wait_s),
        f"{middle(s.requests_per_s for s in samples):,.0f}",
        f"{middle(s.intervals_per_s for s in samples):,.0f}",
        f"{spread([s.master_share * 100 for s in samples], 2)} %",
        f"{middle(total(s.to_master).messages / s.seconds for s in samples):,.1f}",
        f"{middle(s.bytes_to_master_per_s for s in samples) / 1e3:,.1f}",
        f"{middle(s.bytes_to_workers_per_s for s in samples) / 1e3:,.2f}",
        _beside_tcp(samples),
        f"{middle(s.master_rss_kb or 0 for s in samples) / 1024:.0f}",
    ]


def _beside_tcp(samples: Sequence[Sample]) -> str:
    carried = [
        (s.kernel_to_master + s.kernel_to_workers)
        / (total(s.to_master).bytes + total(s.to_workers).bytes)
        - 1
        for s in samples
        if s.kernel_to_master is not None and s.kernel_to_workers is not None
    ]
    return f"{median(carried):+.1%}" if carried else "not known"


def _bytes(part: Part) -> str:
    columns = {
        f"{load.users // load.workers:,} users": samples
        for load, samples in part.by_load().items()
        if not load.replayed
    }
    each = {title: kinds(middle_of(samples)) for title, samples in columns.items()}
    names = list(next(iter(each.values())))
    rows = [
        [name, *(f"{found[name]:,.0f}" for found in each.values())]
        for name in names
        if any(found[name] >= 0.5 for found in each.values())
    ]
    rows.append(["together", *(f"{sum(found.values()):,.0f}" for found in each.values())])
    return "Bytes to the master a second and worker, by what they are about:\n\n" + table(
        ("a worker with", *each), rows
    )

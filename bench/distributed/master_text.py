"""What the master costs and where one ends, as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median

from bench.distributed.messages import total
from bench.distributed.model import CORE_SHARE, LINK_BYTES_PER_S, Limit, Model, fit, limit
from bench.distributed.results import Load, Part, Sample, Scaling
from bench.distributed.text import MEDIANS, kinds, named
from bench.report import described, spread, table

COEFFICIENTS = {
    "base": ("% of a core", "the run itself: a second's rows, users looked at, locust's history"),
    "worker": ("% of a core a worker", "its messages"),
    "interval": ("% of a core a histogram/s", "one comes a second, worker and endpoint"),
    "waking": ("% of a core a worker, times the master's idle share", "its waking"),
}


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


def model(results: Scaling) -> str:
    """Return the fitted model with what it leaves unexplained."""
    assert results.master is not None
    fitted = fit(results.master.samples)
    rows = [
        [
            each.name,
            f"{each.value * 100:.4f} ± {each.half_width * 100:.4f}",
            *COEFFICIENTS[each.name],
        ]
        for each in fitted.coefficients
    ]
    return "\n\n".join(
        [
            table(("coefficient", "with its 95 % interval", "of", "what for"), rows),
            f"Fitted to {fitted.samples} samples; the relative residuals are "
            f"{fitted.residual:.0%} (root mean square), and {fitted.worst:+.0%} at worst.",
            _unseen(fitted, results.carried),
            _replayed(results.master),
        ]
    )


def limits(results: Scaling) -> str:
    """Return where one master ends, in a table."""
    assert results.master is not None
    fitted = fit(results.master.samples)
    measured = max(sample.load.workers for sample in results.master.samples)
    rows = [_limit_row(title, limit(fitted, each)) for title, each in typical(results)]
    headings = (
        *("workers like this", "until the core is at 80 %", "until 1 Gbit/s is full"),
        *("so one master ends at", "users", "requests/s"),
    )
    note = f"The most that was measured are {measured:,} workers, replayed."
    return f"{table(headings, rows)}\n\n{note}"


def typical(results: Scaling) -> list[tuple[str, Sample]]:
    """Return what workers can be like: a title and a sample of each kind, the calm first."""
    assert results.master is not None
    found = []
    kinds_of_load = {
        load.users // load.workers: load for load in results.master.by_load() if not load.replayed
    }
    for users, load in sorted(kinds_of_load.items()):
        least, longest = load.wait_s
        title = f"{users:,} users, {least:g} to {longest:g} s"
        found.append((title, _middle(results.master.by_load()[load])))
    if results.carried is not None:
        for load, samples in results.carried.by_load().items():
            if load.workers == 1:
                found.append((f"{load.users:,} users without wait", _middle(samples)))
    return found


def _middle(samples: Sequence[Sample]) -> Sample:
    return sorted(samples, key=lambda sample: sample.requests_per_s)[len(samples) // 2]


def _row(load: Load, samples: Sequence[Sample]) -> list[str]:
    def middle(values: Iterable[float]) -> float:
        return median(values)

    return [
        f"{load.workers:,}{' (replayed)' if load.replayed else ''}",
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
    each = {title: kinds(_middle(samples)) for title, samples in columns.items()}
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


def _unseen(fitted: Model, carried: Part | None) -> str:
    """Hold the model against samples that it was not fitted to: users without wait."""
    samples = [sample for sample in carried.samples if sample.load.workers] if carried else []
    if not samples:
        return "It was not held against other samples."
    ratios = [
        sample.master_share / fitted.share(sample.load.workers, sample.intervals_per_s)
        for sample in samples
    ]
    return (
        f"Held against samples that it was not fitted to, users without wait "
        f"({max(sample.requests_per_s for sample in samples):,.0f} requests/s at most): the "
        f"master took {spread(ratios, 2)} times what it says."
    )


def _replayed(part: Part) -> str:
    """Say how well replayed workers stand for real ones: the same load in both ways."""
    loads = part.by_load()
    for load, samples in loads.items():
        real = Load(load.workers, load.users, load.wait_s)
        if load.replayed and real in loads:
            ratios = [
                own.master_share / other.master_share
                for own, other in zip(samples, loads[real], strict=True)
            ]
            return (
                f"Replayed workers stand for real ones: {named(real)} with {load.users:,} users "
                f"took {spread(ratios, 2)} times as much of the master when they were replayed."
            )
    return "Replayed workers were not compared with real ones."


def _limit_row(title: str, found: Limit) -> list[str]:
    return [
        title,
        f"{found.core_workers:,} workers",
        f"{found.link_workers:,} workers",
        f"{found.workers:,} workers",
        f"{found.users:,}",
        f"{found.requests_per_s:,.0f}",
    ]


def headline(results: Scaling) -> str:
    """Return the answer in a sentence."""
    assert results.master is not None
    fitted: Model = fit(results.master.samples)
    title, sample = next(each for each in reversed(typical(results)) if each[1].load.wait_s[1] > 0)
    found = limit(fitted, sample)
    return (
        f"> **One master carries about {found.workers:,} workers until it takes "
        f"{CORE_SHARE:.0%} of a core; with {title} in each that would be "
        f"{found.users / 1e6:.1f} million users and {found.requests_per_s / 1e6:.2f} million "
        f"requests/s. Of {LINK_BYTES_PER_S * 8 / 1e9:.0f} Gbit/s they would fill "
        f"{found.workers / found.link_workers:.0%}.**"
    )

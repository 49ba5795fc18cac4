"""The model of the master, and where one ends, as Markdown."""

from __future__ import annotations

from bench.distributed.model import CORE_SHARE, LINK_BYTES_PER_S, Limit, Model, fit, limit
from bench.distributed.results import Load, Part, Sample, Scaling, middle_of
from bench.distributed.text import named
from bench.report import spread, table

COEFFICIENTS = {
    "base": ("% of a core", "the run itself: a second's rows, users looked at, locust's history"),
    "worker": ("% of a core a worker", "its messages"),
    "interval": ("% of a core a histogram/s", "one comes a second, worker and endpoint"),
    "size": ("% of a core a MB/s that comes", "long histograms take longer to read"),
    "waking": ("% of a core a worker, times the master's idle share", "its waking"),
}


def headline(results: Scaling) -> str:
    """Return the answer in a sentence."""
    assert results.master is not None
    fitted: Model = fit(results.master.to_fit())
    title, sample = next(each for each in reversed(typical(results)) if each[1].load.wait_s[1] > 0)
    found = limit(fitted, sample)
    most = max(results.master.to_fit(), key=lambda each: (each.load.workers, each.master_share))
    return (
        f"> **One master carries about {_about(found.workers)} workers with {title} in each, on "
        f"{CORE_SHARE:.0%} of a core, even if the model errs as much as it did at worst; by the "
        f"model itself {_about(found.core_workers)}. Measured: {most.load.workers:,} took "
        f"{most.master_share:.0%} at most. Of {LINK_BYTES_PER_S * 8 / 1e9:.0f} Gbit/s those "
        f"{_about(found.workers)} fill {found.workers / found.link_workers:.0%}.**"
    )


def model(results: Scaling) -> str:
    """Return the fitted model with what it leaves unexplained."""
    assert results.master is not None
    fitted = fit(results.master.to_fit())
    rows = [
        [
            each.name,
            "0 (its bound)"
            if each.half_width is None
            else f"{each.value * 100:.4f} ± {each.half_width * 100:.4f}",
            *COEFFICIENTS[each.name],
        ]
        for each in fitted.coefficients
    ]
    return "\n\n".join(
        [
            table(("coefficient", "with its 95 % interval", "of", "what for"), rows),
            f"Fitted to {fitted.samples} samples; the relative residuals are "
            f"{fitted.residual:.0%} (root mean square), from {fitted.under:+.0%} to "
            f"{fitted.over:+.0%}.",
            _left_out(results.master),
            _unseen(fitted, results.carried),
            _replayed(results.master),
        ]
    )


def limits(results: Scaling) -> str:
    """Return where one master ends, in a table."""
    assert results.master is not None
    fitted = fit(results.master.to_fit())
    measured = max(sample.load.workers for sample in results.master.to_fit())
    rows = [_limit_row(title, limit(fitted, each)) for title, each in typical(results)]
    headings = (
        *("workers like this", "80 % of the core, by the model", "as it errs at worst"),
        *("1 Gbit/s", "so one master ends at", "users", "requests/s"),
    )
    note = (
        f"The most that was measured are {measured:,} workers; what lies beyond is extrapolated."
    )
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
        found.append((title, middle_of(results.master.by_load()[load])))
    if results.carried is not None:
        for load, samples in results.carried.by_load().items():
            if load.workers == 1:
                found.append((f"{load.users:,} users without wait", middle_of(samples)))
    return found


def _left_out(part: Part) -> str:
    """Name the samples that the model is not fitted to."""
    behind = [f"{each.load.workers:,} workers" for each in part.samples if not each.kept_up]
    if not behind:
        return "In every sample the master kept up with what came."
    return (
        f"**Left out: {', '.join(behind)}.** The master did not read what came, or not enough "
        "came: something had too little of the machine. Measure again on a quiet one."
    )


def _unseen(fitted: Model, carried: Part | None) -> str:
    """Hold the model against samples that it was not fitted to: users without wait."""
    samples = [sample for sample in carried.samples if sample.load.workers] if carried else []
    if not samples:
        return "It was not held against other samples."
    ratios = [
        sample.master_share / fitted.share(sample.load.workers, sample) for sample in samples
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


def _about(number: float) -> str:
    """Return as much of an extrapolated number as can be known: two digits."""
    return f"{float(f'{number:.2g}'):,.0f}"


def _limit_row(title: str, found: Limit) -> list[str]:
    return [
        title,
        _about(found.core_workers),
        _about(found.sure_workers),
        _about(found.link_workers),
        f"{_about(found.workers)} workers",
        _about(found.users),
        _about(found.requests_per_s),
    ]

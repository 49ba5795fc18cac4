"""What a master takes of its core, fitted by least squares, and where that ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import optimize, stats

from bench.distributed.results import Sample

CONFIDENCE = 0.95
CORE_SHARE = 0.80
LINK_BYTES_PER_S = 1e9 / 8
TERMS = ("base", "worker", "interval", "size", "waking")
BYTES = 1e6


@dataclass(frozen=True, slots=True)
class Coefficient:
    """A fitted number, and half the width of its 95 % interval; None at its bound, 0."""

    name: str
    value: float
    half_width: float | None


@dataclass(frozen=True, slots=True)
class Model:
    """Share of a core that a master takes.

    `share = base + worker * workers + interval * histograms/s + size * MB/s
    + waking * workers * (1 - share)`: a message that finds the master idle has to wake it, and one
    that finds it busy has not; so the more it has to do, the less one more worker costs.

    Attributes:
        base, worker, interval, size, waking: the coefficients.
        residual: root mean square of the relative residuals.
        under, over: the least and the greatest; above 0 more was measured than fitted.
        samples: how many it was fitted to.
    """

    base: Coefficient
    worker: Coefficient
    interval: Coefficient
    size: Coefficient
    waking: Coefficient
    residual: float
    under: float
    over: float
    samples: int

    @property
    def coefficients(self) -> tuple[Coefficient, ...]:
        """Return all of them."""
        return self.base, self.worker, self.interval, self.size, self.waking

    def share(self, workers: float, like: Sample) -> float:
        """Return the share of a core that so many workers take, each like those of a sample."""
        waking = self.waking.value * workers
        return (self.base.value + self._of_each(like) * workers + waking) / (1 + waking)

    def workers_at(self, share: float, like: Sample) -> float:
        """Return how many workers like those of a sample take this share of a core."""
        each = self._of_each(like) + self.waking.value * (1 - share)
        return (share - self.base.value) / each

    def _of_each(self, like: Sample) -> float:
        reports = self.interval.value * like.intervals_per_s
        reports += self.size.value * like.bytes_to_master_per_s / BYTES
        return self.worker.value + reports / like.load.workers


def can_be_fitted(samples: Sequence[Sample]) -> bool:
    """Say whether there are more different loads than coefficients."""
    return len({sample.load for sample in samples}) > len(TERMS)


def fit(samples: Sequence[Sample]) -> Model:
    """Fit a model to samples with a master, for which `can_be_fitted` holds.

    Relative residuals are made least, since the shares span two orders of magnitude. The share on
    the right side of the equation is the measured one, so that it stays linear in what is sought.
    No work takes less than no time: coefficients are not negative (Lawson and Hanson's NNLS), and
    intervals are those of the ones above 0.
    """
    shares = np.array([sample.master_share for sample in samples])
    workers = np.array([float(sample.load.workers) for sample in samples])
    intervals = np.array([sample.intervals_per_s for sample in samples])
    sizes = np.array([sample.bytes_to_master_per_s / BYTES for sample in samples])
    terms = np.column_stack(
        [np.ones_like(shares), workers, intervals, sizes, workers * (1 - shares)]
    )
    weighted = terms / shares[:, None]
    values, _ = optimize.nnls(weighted, np.ones_like(shares))
    above = values > 0
    free = len(shares) - int(above.sum())
    off = 1 - weighted @ values
    inner = weighted[:, above]
    errors = np.zeros_like(values)
    variance = float(off @ off) / free
    errors[above] = np.sqrt(np.diag(variance * np.linalg.pinv(inner.T @ inner)))
    factor = float(stats.t.ppf((1 + CONFIDENCE) / 2, free))
    base, worker, interval, size, waking = (
        Coefficient(name, float(value), factor * float(error) if value else None)
        for name, value, error in zip(TERMS, values, errors, strict=True)
    )
    model = Model(base, worker, interval, size, waking, 0.0, 0.0, 0.0, len(shares))
    fitted = [model.share(sample.load.workers, sample) for sample in samples]
    residuals = [measured / share - 1 for measured, share in zip(shares, fitted, strict=True)]
    residual = float(np.sqrt(np.mean(np.square(residuals))))
    return replace(model, residual=residual, under=min(residuals), over=max(residuals))


@dataclass(frozen=True, slots=True)
class Limit:
    """Where one master ends, when all workers are as those of a sample.

    Attributes:
        core_workers: that take 80 % of its core by the model.
        sure_workers: likewise, if they take as much more as a sample did that took most more.
        link_workers: whose reports fill 1 Gbit/s.
        workers: the lesser of the last two.
        users, requests_per_s: that these workers make.
    """

    core_workers: int
    sure_workers: int
    link_workers: int
    workers: int
    users: int
    requests_per_s: float


def limit(model: Model, sample: Sample) -> Limit:
    """Return where a master of workers like these ends."""
    count = sample.load.workers
    core = int(model.workers_at(CORE_SHARE, sample))
    link = int(LINK_BYTES_PER_S / (sample.bytes_to_master_per_s / count))
    sure = int(model.workers_at(CORE_SHARE / (1 + model.over), sample))
    workers = min(sure, link)
    return Limit(
        core_workers=core,
        sure_workers=sure,
        link_workers=link,
        workers=workers,
        users=workers * sample.load.users // count,
        requests_per_s=workers * sample.requests_per_s / count,
    )

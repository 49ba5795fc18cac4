"""Merges the reports of all processes into seconds of the run; pure, with times as arguments.

Invariants: every request that a process reports is counted in exactly one second, and seconds are
emitted in order, each once. A second is emitted when no process can have more to report about it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from hdrh.histogram import HdrHistogram
from msgspec import Struct

from harness.distributed.report_tracking import ReportTracker
from harness.recording import histograms
from harness.recording.samples import Failure, Interval, Key, ProcessSample, Report
from harness.results import figures
from harness.results.figures import EndpointHistograms
from harness.results.timeline import Second

OWN_DELAY_S = 2.0
WORKERS_DELAY_S = 8.0
"""Ages at which a second may be emitted: of this process alone, and with workers.

Workers report every 3 s: their seconds are complete later, and later still if one hangs.
"""


class MergedSecond(Struct, frozen=True):
    """A complete second of the run.

    Attributes:
        row: for `timeline.csv`.
        all_of: response times of all requests in µs, by endpoint.
        failed_of: those of the failed requests.
    """

    row: Second
    all_of: dict[Key, HdrHistogram]
    failed_of: dict[Key, HdrHistogram]

    def sums(self) -> EndpointHistograms:
        """Return the histograms and failure counts, to be added to those of other seconds."""
        sums = EndpointHistograms()
        sums.all_of = self.all_of
        for key, histogram in self.failed_of.items():
            sums.failures_of[key] = histogram.get_total_count()
        return sums


class ReportMerger:
    """Takes reports and user counts, and returns complete seconds.

    Attributes:
        tracking: which reports of which workers have arrived.
        late_reports: how many arrived after one of their seconds was emitted.
        next_second: the first that is not emitted yet, in seconds since the epoch.
        has_workers: True if the users are in other processes.
    """

    def __init__(self, run: str, started_s: float, *, has_workers: bool) -> None:
        self.tracking = ReportTracker(run)
        self.late_reports = 0
        self.next_second = int(started_s)
        self.has_workers = has_workers
        self._first_second = int(started_s)
        self._pending: defaultdict[int, _Pending] = defaultdict(_Pending)
        self._failures: dict[tuple[str, str, str], Failure] = {}
        self._users: dict[int, tuple[int, int]] = {}
        self._users_before = 0, 0

    @property
    def failures(self) -> list[Failure]:
        """All failures so far; equal ones are added up."""
        return list(self._failures.values())

    def note_users(self, second: int, users: int, target_users: int) -> None:
        """Note how many users run, and how many are wanted; the last note of a second counts."""
        self._users[second] = users, target_users

    def take(self, report: Report, worker: str, now_s: float) -> bool:
        """Add a report of a worker, or of this process (""); return True if it counts.

        Requests that come too late count in the next second that is emitted, and requests that a
        worker's clock puts into the future in the present one. If this process itself stood still,
        it gets several samples too late: they count for as many seconds, one after the other.
        """
        if worker:
            if not self.tracking.take(worker, report, now_s):
                return False
            left = range(self._first_second, self.next_second)
            reported = {each.second for each in report.intervals}
            reported |= {each.second for each in report.process_samples}
            self.late_reports += not reported.isdisjoint(left)
        now = int(now_s)
        for interval in report.intervals:
            self._pending[max(min(interval.second, now), self.next_second)].add(interval)
        free = self.next_second
        for sample in report.process_samples:
            if worker and sample.second < self.next_second:
                continue  # emitted without this worker's users; no other second lacks them
            second = max(min(sample.second, now), free)
            self._pending[second].process_samples.append(sample)
            self._pending[second].users_of[worker] = sample.users
            free = second + 1
        for failure in report.failures:
            key = failure.method, failure.name, failure.error
            known = self._failures.get(key)
            self._failures[key] = failure if known is None else known + failure
        return True

    def complete_before(self, now_s: float) -> int:
        """Return the first second that may still get requests."""
        delay_s = WORKERS_DELAY_S if self.has_workers else OWN_DELAY_S
        return int(min(now_s - delay_s, self.tracking.complete_until(now_s)))

    def end(self, now_s: float) -> int:
        """Return the second after the last one with any content, once all reports are in."""
        return max([int(now_s), *self._pending]) + 1

    def pop_until(self, end: int) -> Iterator[MergedSecond]:
        """Yield the seconds before `end` that are not emitted yet, in order."""
        while self.next_second < end:
            second, self.next_second = self.next_second, self.next_second + 1
            pending = self._pending.pop(second, None) or _Pending()
            # Without a note, the numbers of the second before still hold.
            users, target = self._users.pop(second, self._users_before)
            self._users_before = users, target
            # Locust's master still counts the users of a worker that is out of reach.
            if self.has_workers and pending.users_of:
                users = sum(pending.users_of.values())
            row = pending.row(second, users, target)
            yield MergedSecond(row, pending.all_of, pending.failed_of)


class _Pending:
    """What is known so far of a second that is not emitted yet."""

    def __init__(self) -> None:
        self.all_of: dict[Key, HdrHistogram] = {}
        self.failed_of: dict[Key, HdrHistogram] = {}
        self.process_samples: list[ProcessSample] = []
        self.users_of: dict[str, int] = {}

    def add(self, interval: Interval) -> None:
        key = interval.method, interval.name
        _add(self.all_of, key, interval.histogram)
        if interval.failed is not None:
            _add(self.failed_of, key, interval.failed)

    def row(self, second: int, users: int, target_users: int) -> Second:
        together = histograms.empty()
        for histogram in self.all_of.values():
            together.add(histogram)
        p50_ms, p95_ms, p99_ms = histograms.percentiles_ms(together, figures.SHARES)
        return Second(
            second=second,
            users=users,
            target_users=target_users,
            requests=together.get_total_count(),
            failures=sum(each.get_total_count() for each in self.failed_of.values()),
            p50_ms=p50_ms,
            p95_ms=p95_ms,
            p99_ms=p99_ms,
            cpu_percent=max((each.cpu_percent for each in self.process_samples), default=None),
            lag_ms=max((each.lag_ms for each in self.process_samples), default=None),
        )


def _add(sums: dict[Key, HdrHistogram], key: Key, histogram: HdrHistogram) -> None:
    if key in sums:
        sums[key].add(histogram)
    else:
        sums[key] = histogram  # its sender keeps no other reference

"""Writes down one run: a manifest at its start, locust's own files, a summary at its end."""

from __future__ import annotations

import csv
import logging
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import gevent
from locust.env import Environment
from locust.html import get_html_report
from locust.runners import MasterRunner
from locust.stats import PERCENTILES_TO_REPORT, StatsCSVFileWriter

from hdrh.histogram import HdrHistogram

from harness import data, figures, histograms, runfolder, timeseries, verdict, workload
from harness.arrivals import Arrivals
from harness.figures import RunFigures, Sums
from harness.meter import Meter
from harness.objectives import Objectives
from harness.runfolder import Audit, ConnectionCounts, DeviceCounts, Ending, Manifest, Summary
from harness.settings import Settings, redacted
from harness.timeseries import Failure, Health, Interval, Key, Report, Second

logger = logging.getLogger(__name__)

TICK_S = 0.25
OWN_DELAY_S = 2.0
EARLY_S = 2.0
"""A run that ends by so much before its time has done all the same: its clock began earlier."""
WORKERS_DELAY_S = 8.0
"""Workers report every 3 s; so late are figures, and later when a worker is silent."""


class Recorder:
    """The open folder of a run that goes on, in the process that leads it.

    Every quarter of a second it looks at the users and writes down the seconds that are over, when
    all workers have told of them. Nothing is kept but what is still to be written.
    """

    def __init__(
        self,
        environment: Environment,
        settings: Settings,
        wanted: Objectives,
        started_s: float,
    ) -> None:
        """Make the folder, write the manifest and begin the record.

        Raises:
            ConfigurationError: the folder cannot be made.
        """
        self.environment = environment
        self.started_s = started_s
        self.stopped_after_s: float | None = None
        self.was_reset = False
        self.summary: Summary | None = None
        options: Any = environment.parsed_options
        run_id = options.run_id or runfolder.new_run_id()
        self.folder = runfolder.create(settings.results_dir, run_id)
        runner = environment.runner
        workers = runner.worker_count if isinstance(runner, MasterRunner) else None
        shape = environment.shape_class
        has_effect = shape is None or shape.use_common_options  # what locust was asked for
        data_files = data.files_in(settings.data_dir) if settings.vary_data else ()
        self.manifest = Manifest(
            run_id=self.folder.name,
            started_at=runfolder.now(),
            host=redacted(environment.host or ""),
            deployment=settings.deployment or None,
            profile=environment.profile,
            users=options.num_users if has_effect else None,
            spawn_rate_per_s=options.spawn_rate if has_effect else None,
            run_time_s=options.run_time if has_effect else None,
            seed=options.seed,
            task_mix=workload.weights_of(environment.user_classes),
            endpoints=workload.endpoints_of(environment.user_classes),
            client=settings.http_client,
            vary_data=settings.vary_data,
            data_sha256=runfolder.data_hash(data_files),
            workers=workers,
            warm_up_s=settings.warm_up_s,
            is_headless=bool(options.headless),
            allow_worker_loss=settings.allow_worker_loss,
            tags=sorted(options.tags or ()),
            exclude_tags=sorted(options.exclude_tags or ()),
            versions=runfolder.versions(),
        )
        runfolder.write(self.folder, self.manifest)
        runfolder.write_objectives(self.folder, wanted.text)
        self.wanted = wanted
        self.running = figures.Running(wanted.saturation, settings.warm_up_s)
        self.last_row: Second | None = None
        self._found: tuple[int, RunFigures] | None = None
        self.locust_files = StatsCSVFileWriter(
            environment, PERCENTILES_TO_REPORT, str(self.folder / "locust")
        )
        self.history = gevent.spawn(self.locust_files.stats_writer)
        self.meter = None if isinstance(runner, MasterRunner) else Meter(environment)
        self._delay_s = OWN_DELAY_S if self.meter else WORKERS_DELAY_S
        self._files = timeseries.Files(self.folder, started_s)
        self._next = int(started_s)
        self._users: dict[int, tuple[int, int]] = {}
        self._pending: defaultdict[int, _Pending] = defaultdict(_Pending)
        self._failures: dict[tuple[str, str, str], Failure] = {}
        self._arrivals = Arrivals(self.folder.name)
        self._late_reports = 0
        self._stopped = False
        self._write_error: OSError | None = None
        self._users_before = 0, 0
        self._keeper = gevent.spawn(self._keep)

    def take(self, report: Report, worker: str = "") -> bool:
        """Add what a process learned, this one or a worker; return whether that is of this run.

        Requests that come too late count for the next second that is written, and those that a
        worker's clock puts into the future for the present one. When this process itself stood
        still, it is told of several seconds too late: they count for as many, one after the other.
        """
        now_s = time.time()
        if worker:
            if not self._arrivals.take(worker, report, now_s):
                return False
            written = range(int(self.started_s), self._next)
            told = {each.second for each in report.intervals}
            told |= {each.second for each in report.health}
            self._late_reports += not told.isdisjoint(written)
        now = int(now_s)
        for interval in report.intervals:
            self._pending[max(min(interval.second, now), self._next)].add(interval)
        free = self._next
        for health in report.health:
            if worker and health.second < self._next:
                continue  # its users had no part in that second, as far as it was known
            second = max(min(health.second, now), free)
            self._pending[second].health.append(health)
            self._pending[second].users_of[worker] = health.users
            free = second + 1
        for failure in report.failures:
            key = failure.method, failure.name, failure.error
            known = self._failures.get(key)
            self._failures[key] = failure if known is None else known + failure
        if report.failures:
            self._files.write_failures(self._failures.values())
        return True

    def begin(self, worker: str) -> None:
        """Note that a worker is about to have users, and will tell of them."""
        self._arrivals.begin(worker, time.time())

    def end(self, worker: str, run: str, reports: int) -> None:
        """Note how many reports a worker has sent of a run; it sends no more of it."""
        self._arrivals.end(worker, run, reports)

    def stopping(self) -> None:
        """Note that from now on there are to be no users, and whether that is too early."""
        if self._stopped:
            return
        self._stopped = True
        runner = self.environment.runner
        assert runner is not None
        # Users may be gone before the next look, and a part of a second is no steady one.
        self._users[int(time.time())] = runner.user_count, 0
        planned, lasted_s = self.manifest, time.time() - self.started_s
        ended_by_shape = runner.shape_greenlet is gevent.getcurrent()  # maybe earlier, as it wants
        if planned.is_headless and planned.run_time_s and not ended_by_shape:
            is_early = lasted_s < planned.run_time_s - EARLY_S
            self.stopped_after_s = round(lasted_s, 1) if is_early else None

    @property
    def is_stopping(self) -> bool:
        """Whether there are to be no users any more."""
        return self._stopped

    @property
    def written_s(self) -> int:
        """How many seconds of the run are written down: the figures so far are of these."""
        return self._next - int(self.started_s)

    def so_far(self, lost_workers: int) -> Summary:
        """Judge the seconds that are written as the end of the run would."""
        if self._found is None or self._found[0] != self._next:
            self._found = self._next, self.running.figures()
        ending = self._ending(DeviceCounts(), ConnectionCounts(), lost_workers)
        return verdict.summarize(self.manifest, self._found[1], ending, self.wanted)

    def close(
        self,
        devices: DeviceCounts,
        connections: ConnectionCounts,
        lost_workers: int,
        audit: Audit | None = None,
    ) -> Summary:
        """Write down what is known at the end, and return the result.

        Raises:
            OSError: a file of the run could not be written, now or before.
        """
        gevent.killall([self.history, self._keeper])
        if self.meter is not None:
            self.meter.stop()
            self.take(self.meter.taken())
        try:
            if self._write_error is not None:  # seconds are missing, whatever else can be written
                raise self._write_error
            self._write_until(max([int(time.time()), *self._pending]) + 1)
        finally:
            self._files.close()
            self.locust_files.close_files()
        self._correct_start()
        files = self.locust_files
        self._write_csv("stats", files.requests_csv)
        self._write_csv("failures", files.failures_csv)
        self._write_csv("exceptions", files.exceptions_csv)
        report = get_html_report(self.environment, show_download_link=False)
        host = self.environment.host or ""
        report = report.replace(host, redacted(host)) if host else report
        (self.folder / "locust.html").write_text(report, encoding="utf-8")
        ending = self._ending(devices, connections, lost_workers, audit)
        runfolder.write(self.folder, ending)
        # `report` computes the same from the files.
        self.summary = verdict.summarize(
            self.manifest, self.running.figures(), ending, self.wanted
        )
        runfolder.write(self.folder, self.summary)
        return self.summary

    def _ending(
        self,
        devices: DeviceCounts,
        connections: ConnectionCounts,
        lost_workers: int,
        audit: Audit | None = None,
    ) -> Ending:
        assert self.environment.runner is not None
        off_s, lost_reports = self._arrivals.clock_off_s, self._arrivals.lost
        return Ending(
            ended_at=runfolder.now(),
            devices=devices,
            connections=connections,
            audit=audit,
            exceptions=sum(row["count"] for row in self.environment.runner.exceptions.values()),
            lost_workers=lost_workers,
            was_reset=self.was_reset,
            stopped_after_s=self.stopped_after_s,
            clock_off_s=None if off_s is None else round(off_s, 3),
            lost_reports=lost_reports,
            late_reports=None if lost_reports is None else self._late_reports,
        )

    def _keep(self) -> None:
        while True:
            gevent.sleep(TICK_S)
            runner = self.environment.runner
            assert runner is not None
            now_s = time.time()
            target = 0 if self._stopped else runner.target_user_count
            self._users[int(now_s)] = runner.user_count, target
            if self.meter is not None:
                self.take(self.meter.taken())
            try:
                self._write_until(self._due(now_s))
            except OSError as error:
                logger.error("%s; without these seconds the run has no result", error)
                self._write_error = error
                return

    def _due(self, now_s: float) -> int:
        """Return the first second that is not to be written yet."""
        return int(min(now_s - self._delay_s, self._arrivals.complete_until(now_s)))

    def _write_until(self, end: int) -> None:
        """Write the seconds before `end` that are not written yet."""
        while self._next < end:
            second, self._next = self._next, self._next + 1
            pending = self._pending.pop(second, None) or _Pending()
            users, target = self._users.pop(second, self._users_before)
            self._users_before = users, target
            if self.meter is None and pending.users_of:  # the master knows nothing of a silent one
                users = sum(pending.users_of.values())
            row = pending.row(second, users, target)
            self._files.append(row, pending.all_of, pending.failed_of)
            self.running.add(row, pending.sums())
            self.last_row = row

    def _write_csv(self, name: str, write_rows: Callable[[Any], None]) -> None:
        path = self.folder / f"locust_{name}.csv"
        with path.open("w", encoding="utf-8", newline="") as stream:
            write_rows(csv.writer(stream))

    def _correct_start(self) -> None:
        """Count the time from the start of this run.

        Locust's master takes the earliest start that a worker reports, and a worker that waited
        for its run may report the start of its waiting: requests/s would be too low.
        """
        stats = self.environment.stats
        for entry in (stats.total, *stats.entries.values()):
            entry.start_time = max(entry.start_time, self.started_s)


class _Pending:
    """What is known so far of a second that is not written yet."""

    def __init__(self) -> None:
        self.all_of: dict[Key, HdrHistogram] = {}
        self.failed_of: dict[Key, HdrHistogram] = {}
        self.health: list[Health] = []
        self.users_of: dict[str, int] = {}

    def add(self, interval: Interval) -> None:
        key = interval.method, interval.name
        _add(self.all_of, key, interval.histogram)
        if interval.failed is not None:
            _add(self.failed_of, key, interval.failed)

    def sums(self) -> Sums:
        sums = Sums()
        sums.all_of = self.all_of
        for key, histogram in self.failed_of.items():
            sums.failures_of[key] = histogram.get_total_count()
        return sums

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
            cpu_percent=max((each.cpu_percent for each in self.health), default=None),
            lag_ms=max((each.lag_ms for each in self.health), default=None),
        )


def _add(sums: dict[Key, HdrHistogram], key: Key, histogram: HdrHistogram) -> None:
    if key in sums:
        sums[key].add(histogram)
    else:
        sums[key] = histogram  # its sender keeps no other reference

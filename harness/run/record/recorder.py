"""Owns the folder of a run in progress: from the manifest to the summary.

Memory holds only what is still to be written, and the sums that the verdict needs.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import gevent
from locust.env import Environment
from locust.runners import MasterRunner

from harness.config.settings import Settings
from harness.recording.collector import Collector
from harness.recording.samples import ConnectionCounts, Report
from harness.results import figures, run_folder, timeline, verdict
from harness.results.figures import RunFigures
from harness.results.objectives import Objectives
from harness.results.run_folder import Audit, DeviceCounts, RunEnd, Summary
from harness.results.timeline import Second
from harness.run.record.locust_files import LocustFiles
from harness.run.record.manifest import manifest_of
from harness.run.record.merging import ReportMerger

logger = logging.getLogger(__name__)

TICK_S = 0.25
EARLY_S = 2.0
"""A run may end this much before its run time: its clock starts before Locust's timer does."""


class Recorder:
    """The record of one run.

    Four times a second it notes how many users run, and writes the seconds that are complete.

    Attributes:
        folder: results/RUN_ID.
        manifest: what the run was asked to do.
        merger: the reports that are not written yet.
        running: figures of what is written.
        last_row: the last second that was written.
        was_reset: True if Locust's statistics were reset during the run.
        summary: the result; None until the record is closed.
    """

    def __init__(
        self,
        environment: Environment,
        settings: Settings,
        objectives: Objectives,
        started_s: float,
        word_files: Iterable[Path] = (),
    ) -> None:
        """Create the folder, write the manifest and start recording.

        Raises:
            ConfigurationError: the folder cannot be created.
        """
        self.environment = environment
        self.started_s = started_s
        self.was_reset = False
        self.last_row: Second | None = None
        self.summary: Summary | None = None
        options: Any = environment.parsed_options
        run_id = options.run_id or run_folder.new_run_id()
        self.folder = run_folder.create(settings.results_dir, run_id)
        self.manifest = manifest_of(environment, settings, self.folder.name, word_files)
        run_folder.write(self.folder, self.manifest)
        run_folder.write_objectives(self.folder, objectives.text)
        self.running = figures.RunningFigures(objectives.saturation, settings.warm_up_s)
        has_workers = isinstance(environment.runner, MasterRunner)
        self.collector = None if has_workers else Collector(environment)
        self.merger = ReportMerger(self.folder.name, started_s, has_workers=has_workers)
        self._objectives = objectives
        self._locust_files = LocustFiles(environment, self.folder, started_s)
        self._files = timeline.TimelineWriter(self.folder, started_s)
        self._interim: tuple[int, RunFigures] | None = None
        self._stopped = False
        self._stopped_after_s: float | None = None
        self._write_error: OSError | None = None
        self._loop = gevent.spawn(self._record_loop)

    @property
    def is_stopping(self) -> bool:
        """Return True once no more users are wanted."""
        return self._stopped

    @property
    def written_s(self) -> int:
        """How many seconds of the run are written, and so are part of the interim summary."""
        return self.merger.next_second - int(self.started_s)

    def take(self, report: Report, worker: str = "") -> bool:
        """Add a report of a worker, or of this process (""); return True if it counts."""
        if not self.merger.take(report, worker, time.time()):
            return False
        if report.failures:
            try:
                self._files.write_failures(self.merger.failures)
            except OSError as error:
                self._fail(error)
        return True

    def note_stop(self) -> None:
        """Note that no more users are wanted, and whether that is too early."""
        if self._stopped:
            return
        self._stopped = True
        runner = self.environment.runner
        assert runner is not None
        # Users may be gone before the next tick, and part of a second is not steady state.
        self.merger.note_users(int(time.time()), runner.user_count, 0)
        planned, lasted_s = self.manifest, time.time() - self.started_s
        # A load curve may end before the run time.
        ended_by_shape = runner.shape_greenlet is gevent.getcurrent()
        if planned.is_headless and planned.run_time_s and not ended_by_shape:
            is_early = lasted_s < planned.run_time_s - EARLY_S
            self._stopped_after_s = round(lasted_s, 1) if is_early else None

    def interim_summary(self, lost_workers: int) -> Summary:
        """Judge the seconds that are written, by the same rules as at the end of the run."""
        if self._interim is None or self._interim[0] != self.merger.next_second:
            self._interim = self.merger.next_second, self.running.figures()
        ending = self._ending(DeviceCounts(), ConnectionCounts(), lost_workers)
        return verdict.summarize(self.manifest, self._interim[1], ending, self._objectives)

    def close(
        self,
        devices: DeviceCounts,
        connections: ConnectionCounts,
        lost_workers: int,
        audit: Audit | None = None,
    ) -> Summary:
        """Write what is known at the end, and return the result.

        Raises:
            OSError: a file of the run could not be written, now or earlier.
        """
        self._locust_files.stop_history()
        self._loop.kill()
        if self.collector is not None:
            self.collector.stop()
            self.take(self.collector.take_report())
        try:
            if self._write_error is not None:  # seconds are missing, even if writing works again
                raise self._write_error
            self._write_until(self.merger.end(time.time()))
        finally:
            self._files.close()
            self._locust_files.close()
        self._locust_files.write_final()
        ending = self._ending(devices, connections, lost_workers, audit)
        run_folder.write(self.folder, ending)
        # `report` computes the same from the files; a test compares the two.
        self.summary = verdict.summarize(
            self.manifest, self.running.figures(), ending, self._objectives
        )
        run_folder.write(self.folder, self.summary)
        return self.summary

    def _ending(
        self,
        devices: DeviceCounts,
        connections: ConnectionCounts,
        lost_workers: int,
        audit: Audit | None = None,
    ) -> RunEnd:
        runner, tracking = self.environment.runner, self.merger.tracking
        assert runner is not None
        off_s, lost_reports = tracking.clock_off_s, tracking.lost
        return RunEnd(
            ended_at=run_folder.now(),
            devices=devices,
            connections=connections,
            audit=audit,
            exceptions=sum(row["count"] for row in runner.exceptions.values()),
            lost_workers=lost_workers,
            was_reset=self.was_reset,
            stopped_after_s=self._stopped_after_s,
            clock_off_s=None if off_s is None else round(off_s, 3),
            lost_reports=lost_reports,
            late_reports=None if lost_reports is None else self.merger.late_reports,
        )

    def _record_loop(self) -> None:
        while True:
            gevent.sleep(TICK_S)
            runner = self.environment.runner
            assert runner is not None
            now_s = time.time()
            target = 0 if self._stopped else runner.target_user_count
            self.merger.note_users(int(now_s), runner.user_count, target)
            if self.collector is not None:
                self.take(self.collector.take_report())
            try:
                self._write_until(self.merger.complete_before(now_s))
            except OSError as error:
                self._fail(error)
                return

    def _fail(self, error: OSError) -> None:
        """Note that something was not written: whatever else is, the run has no result."""
        if self._write_error is None:
            logger.error("%s; the run has no result without what could not be written", error)
            self._write_error = error

    def _write_until(self, end: int) -> None:
        """Write the seconds before `end` that are not written yet."""
        for merged in self.merger.pop_until(end):
            self._files.append(merged.row, merged.all_of, merged.failed_of)
            self.running.add(merged.row, merged.sums())
            self.last_row = merged.row

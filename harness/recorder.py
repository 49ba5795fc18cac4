"""Writes down one run: a manifest at its start, locust's own files, a summary at its end."""

from __future__ import annotations

import csv
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import gevent
from locust.env import Environment
from locust.html import get_html_report
from locust.runners import MasterRunner
from locust.stats import PERCENTILES_TO_REPORT, StatsCSVFileWriter, StatsEntry

from harness import data, runfolder
from harness.runfolder import (
    ConnectionCounts,
    DeviceCounts,
    EndpointFigures,
    Figures,
    Manifest,
    Summary,
    Total,
)
from harness.settings import Settings, redacted
from harness.verdict import judge


class Recorder:
    """The open folder of a run that goes on."""

    def __init__(self, environment: Environment, settings: Settings) -> None:
        """Make the folder, write the manifest and start locust's history.

        Raises:
            ConfigurationError: the folder cannot be made.
        """
        self.environment = environment
        self.started_s = time.time()
        self.was_reset = False
        options: Any = environment.parsed_options
        run_id = options.run_id or runfolder.new_run_id()
        self.folder = runfolder.create(settings.results_dir, run_id)
        runner = environment.runner
        workers = runner.worker_count if isinstance(runner, MasterRunner) else None
        data_files = data.files_in(settings.data_dir) if settings.vary_data else ()
        self.manifest = Manifest(
            run_id=self.folder.name,
            started_at=runfolder.now(),
            host=redacted(environment.host or ""),
            deployment=None,
            profile=environment.profile,
            users=options.num_users,
            spawn_rate_per_s=options.spawn_rate,
            run_time_s=options.run_time,
            seed=options.seed,
            task_mix=_task_mix(environment),
            client=settings.http_client,
            vary_data=settings.vary_data,
            data_sha256=runfolder.data_hash(data_files),
            workers=workers,
            tags=sorted(options.tags or ()),
            exclude_tags=sorted(options.exclude_tags or ()),
            versions=runfolder.versions(),
        )
        runfolder.write(self.folder, self.manifest)
        self.locust_files = StatsCSVFileWriter(
            environment, PERCENTILES_TO_REPORT, str(self.folder / "locust")
        )
        self.history = gevent.spawn(self.locust_files.stats_writer)

    def close(
        self, devices: DeviceCounts, connections: ConnectionCounts, lost_workers: int
    ) -> Summary:
        """Write down what is known at the end, and return it.

        Args:
            devices: what became of the devices that the run registered.
            connections: what the users' connections cost.
            lost_workers: how many workers took part and did not report their end.
        """
        self.history.kill()
        self._correct_start()
        self.locust_files.close_files()
        files = self.locust_files
        self._write_csv("stats", files.requests_csv)
        self._write_csv("failures", files.failures_csv)
        self._write_csv("exceptions", files.exceptions_csv)
        report = get_html_report(self.environment, show_download_link=False)
        host = self.environment.host or ""
        report = report.replace(host, redacted(host)) if host else report
        (self.folder / "locust.html").write_text(report, encoding="utf-8")
        summary = self._summary(devices, connections, lost_workers)
        runfolder.write(self.folder, summary)
        return summary

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

    def _summary(
        self, devices: DeviceCounts, connections: ConnectionCounts, lost_workers: int
    ) -> Summary:
        stats = self.environment.stats
        assert self.environment.runner is not None
        exceptions = sum(row["count"] for row in self.environment.runner.exceptions.values())
        exit_code, reasons = judge(
            stats.total.num_requests,
            stats.total.num_failures,
            exceptions,
            devices,
            lost_workers,
            self.was_reset,
        )
        rows = sorted(stats.entries.values(), key=lambda entry: (entry.name, entry.method))
        end = stats.last_request_timestamp or stats.start_time
        return Summary(
            run_id=self.manifest.run_id,
            exit_code=exit_code,
            reasons=reasons,
            duration_s=round(end - stats.start_time, 3),
            total=Total(whole_run=_figures(stats.total)),
            endpoints=[
                EndpointFigures(method=row.method, name=row.name, whole_run=_figures(row))
                for row in rows
            ],
            devices=devices,
            connections=connections,
        )


def _figures(entry: StatsEntry) -> Figures:
    requests, failures = entry.num_requests, entry.num_failures

    def percentile(share: float) -> float | None:
        return float(entry.get_response_time_percentile(share)) if requests else None

    return Figures(
        requests=requests,
        failures=failures,
        fail_ratio=round(failures / requests, 6) if requests else 0.0,
        requests_per_s=round(entry.total_rps, 3),
        p50_ms=percentile(0.50),
        p95_ms=percentile(0.95),
        p99_ms=percentile(0.99),
        max_ms=round(entry.max_response_time, 3) if requests else None,
    )


def _task_mix(environment: Environment) -> dict[str, int]:
    tasks: list[Any] = [task for user in environment.user_classes for task in user.tasks]
    return dict(Counter(task.__name__ for task in tasks))

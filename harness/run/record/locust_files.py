"""Locust's own files of a run: `locust_*.csv` and `locust.html`.

They are for people who know Locust: nothing is computed from them.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
from locust.env import Environment
from locust.html import get_html_report
from locust.stats import PERCENTILES_TO_REPORT, StatsCSVFileWriter

from harness.config.settings import redacted


class LocustFiles:
    """Writes the history of Locust's statistics every second, and the other files at the end."""

    def __init__(self, environment: Environment, folder: Path, started_s: float) -> None:
        """Start writing `locust_stats_history.csv`; `started_s` is in seconds since the epoch."""
        self._environment = environment
        self._folder = folder
        self._started_s = started_s
        self._writer = StatsCSVFileWriter(
            environment, PERCENTILES_TO_REPORT, str(folder / "locust")
        )
        self._history = gevent.spawn(self._writer.stats_writer)

    def stop_history(self) -> None:
        """Stop writing rows of the history."""
        self._history.kill()

    def close(self) -> None:
        """Close the files that were open during the run."""
        self._writer.close_files()

    def write_final(self) -> None:
        """Write statistics, failures and exceptions of the whole run, and Locust's HTML report.

        Raises:
            OSError: one of them cannot be written.
        """
        self._correct_start()
        self._write_csv("stats", self._writer.requests_csv)
        self._write_csv("failures", self._writer.failures_csv)
        self._write_csv("exceptions", self._writer.exceptions_csv)
        page = get_html_report(self._environment, show_download_link=False)
        host = self._environment.host or ""
        # The host may contain credentials.
        page = page.replace(host, redacted(host)) if host else page
        (self._folder / "locust.html").write_text(page, encoding="utf-8")

    def _write_csv(self, name: str, write_rows: Callable[[Any], None]) -> None:
        path = self._folder / f"locust_{name}.csv"
        with path.open("w", encoding="utf-8", newline="") as stream:
            write_rows(csv.writer(stream))

    def _correct_start(self) -> None:
        """Set the start time of the statistics to that of the run.

        Locust's master uses the earliest start that a worker reports. A worker that waited for its
        run may report when it began to wait, and requests/s would be too low.
        """
        stats = self._environment.stats
        for entry in (stats.total, *stats.entries.values()):
            entry.start_time = max(entry.start_time, self._started_s)

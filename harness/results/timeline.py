"""The per-second files of a run: `histograms.hlog` and `timeline.csv`; and `failures.csv`.

`histograms.hlog` has the format of HdrHistogram's logs, so its tools can read it. A line is one
second of one endpoint, whose name is the tag. The failed requests among them have a second line.

Invariant: a killed run leaves whole lines, and readers ignore a last line that was cut off.
"""

from __future__ import annotations

import csv
import errno
import io
import os
from collections.abc import Iterable, Iterator, Mapping
from io import FileIO
from pathlib import Path
from typing import TextIO
from urllib.parse import quote, unquote

import msgspec
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader
from msgspec import Struct

from harness.config import atomic
from harness.recording import histograms
from harness.recording.samples import Failure, Key

HISTOGRAMS = "histograms.hlog"
TIMELINE = "timeline.csv"
FAILURES = "failures.csv"
FAILED = "failed:"
"""Prefix of the tag of failed requests."""


class Second(Struct, frozen=True, kw_only=True):
    """A row of `timeline.csv`: one second of the run.

    Attributes:
        second: whole seconds since the epoch.
        users: running at its end, in all processes that reported.
        target_users: planned for its end; 0 while the run is stopping.
        cpu_percent: of the busiest process, in percent of one core; None if none reported.
        lag_ms: the worst event-loop lag of any process; None if none reported.
    """

    second: int
    users: int
    target_users: int
    requests: int
    failures: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    cpu_percent: float | None
    lag_ms: float | None


class HistogramLine(Struct, frozen=True):
    """A line of `histograms.hlog`: all requests to an endpoint in a second, or the failed ones."""

    second: int
    key: Key
    is_failed: bool
    histogram: HdrHistogram


class TimelineWriter:
    """The per-second files of a run in progress, each second written in one piece."""

    def __init__(self, folder: Path, started_s: float) -> None:
        self._folder = folder
        self._log = (folder / HISTOGRAMS).open("wb", buffering=0)
        self._timeline = (folder / TIMELINE).open("wb", buffering=0)
        self._log.write(
            b"#[Histogram log format version 1.3]\n"
            b"#[times in us; a tag is an endpoint, percent-encoded, or failed: and an endpoint]\n"
            b"#[StartTime: %d.000 (seconds since epoch)]\n"
            % int(started_s)  # readers skip intervals that begin before the start
            + b'"StartTimestamp","Interval_Length","Interval_Max",'
            b'"Interval_Compressed_Histogram"\n'
        )
        self._timeline.write(_csv_line(Second.__struct_fields__))
        self.write_failures(())  # readers expect the file in a run without failures too

    def append(
        self,
        second: Second,
        all_of: Mapping[Key, HdrHistogram],
        failed_of: Mapping[Key, HdrHistogram],
    ) -> None:
        """Write one second and the histograms of its requests, by endpoint."""
        number = second.second
        lines = [_log_line(number, "", key, all_of[key]) for key in sorted(all_of)]
        lines += [_log_line(number, FAILED, key, failed_of[key]) for key in sorted(failed_of)]
        # Histograms first: a run killed in between has one line too many, which readers drop. The
        # other way round it would have a steady second without its requests.
        _write(self._log, b"".join(lines))
        _write(self._timeline, _csv_line(msgspec.structs.astuple(second)))

    def write_failures(self, failures: Iterable[Failure]) -> None:
        """Replace `failures.csv` by all failures so far, the most frequent first."""
        stream = io.StringIO(newline="")
        rows = csv.writer(stream)
        rows.writerow(Failure.__struct_fields__)
        for failure in sorted(failures, key=lambda each: (-each.count, each.name)):
            rows.writerow(msgspec.structs.astuple(failure))
        atomic.write(self._folder / FAILURES, stream.getvalue().encode())

    def close(self) -> None:
        """Close the files."""
        self._log.close()
        self._timeline.close()


def _write(stream: FileIO, lines: bytes) -> None:
    """Write lines in one piece.

    Raises:
        OSError: the disk is full, and part of them is missing.
    """
    # An unbuffered write on a full disk can be short without an error.
    if stream.write(lines) < len(lines):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), stream.name)


def read_timeline(folder: Path) -> list[Second]:
    """Read `timeline.csv`, ignoring an unfinished last line."""
    finished, _, _ = (folder / TIMELINE).read_text(encoding="utf-8").rpartition("\n")
    rows = list(csv.DictReader(finished.splitlines()))
    filled = [{name: text or None for name, text in row.items()} for row in rows]
    return [msgspec.convert(row, Second, strict=False) for row in filled]


def read_failures(folder: Path) -> list[Failure]:
    """Read `failures.csv`."""
    with (folder / FAILURES).open(encoding="utf-8", newline="") as stream:
        return [msgspec.convert(row, Failure, strict=False) for row in csv.DictReader(stream)]


def read_histograms(folder: Path) -> Iterator[HistogramLine]:
    """Yield the lines of `histograms.hlog` in order, ignoring an unfinished last line."""
    reader = HistogramLogReader(str(folder / HISTOGRAMS), histograms.empty())
    # The library takes an unfinished line for a whole one.
    reader.input_file = _FinishedLines(reader.input_file)
    try:
        while (histogram := reader.get_next_interval_histogram()) is not None:
            histograms.break_cycle(histogram)
            tag = histogram.get_tag()
            method, _, name = unquote(tag.removeprefix(FAILED)).partition(" ")
            second = round(histogram.get_start_time_stamp() / 1000)
            yield HistogramLine(second, (method, name), tag.startswith(FAILED), histogram)
    finally:
        reader.close()


class _FinishedLines:
    """A text file without its last line, if that has no line break."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def readline(self) -> str:
        line = self._stream.readline()
        return line if line.endswith("\n") else ""

    def close(self) -> None:
        self._stream.close()


def _log_line(second: int, prefix: str, key: Key, histogram: HdrHistogram) -> bytes:
    # A comma would end the tag, and a line break the line.
    tag = prefix + quote(" ".join(key), safe="/?:=&+")
    longest_ms = histograms.max_ms(histogram) or 0.0
    head = f"Tag={tag},{second}.000,1.000,{longest_ms:.3f},"
    encoded: bytes = histogram.encode()
    return head.encode("ascii") + encoded + b"\n"


def _csv_line(cells: Iterable[object]) -> bytes:
    """Return a CSV line. Cells are names, numbers or None, so none needs quotes."""
    return ",".join("" if cell is None else str(cell) for cell in cells).encode("ascii") + b"\n"

"""What a run learned second by second: `histograms.hlog`, `timeline.csv` and `failures.csv`.

The histogram log is HdrHistogram's own format, so that its tools read it: a line is one second of
one endpoint, whose name is the tag; the failures among them have a line of their own.
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

from harness import atomic, histograms

HISTOGRAMS = "histograms.hlog"
TIMELINE = "timeline.csv"
FAILURES = "failures.csv"
FAILED = "failed:"

Key = tuple[str, str]
"""Method and name of an endpoint, as in locust's statistics."""


class Interval(Struct, frozen=True):
    """The requests to one endpoint that were answered in one second, of one process.

    Attributes:
        second: seconds since the epoch, whole.
        method: HTTP method.
        name: of the endpoint in the statistics.
        histogram: response times of all of them in µs; encoded only on its way to a master.
        failed: likewise of those that failed; None when none did.
    """

    second: int
    method: str
    name: str
    histogram: HdrHistogram
    failed: HdrHistogram | None


class Failure(Struct, frozen=True):
    """A row of `failures.csv`: equal failures; times in seconds since the epoch."""

    method: str
    name: str
    error: str
    count: int
    first_seen_s: float
    last_seen_s: float

    def __add__(self, other: Failure) -> Failure:
        return Failure(
            self.method,
            self.name,
            self.error,
            self.count + other.count,
            min(self.first_seen_s, other.first_seen_s),
            max(self.last_seen_s, other.last_seen_s),
        )


class Health(Struct, frozen=True):
    """How a process did in one second.

    Attributes:
        second: seconds since the epoch, whole.
        cpu_percent: of one core.
        lag_ms: how late its event loop was at worst, of 50 looks.
        users: running in it at the end of the second.
    """

    second: int
    cpu_percent: float
    lag_ms: float
    users: int = 0


class Report(Struct, frozen=True):
    """What a process learned since its last report; times are by its own clock.

    Attributes:
        until: the first second of which more may follow, since the epoch.
        run: the name of the run that it is of; empty when there is but one process.
        number: of this process's reports of the run, from 1 on.
        sent_s: when a worker sent it, in seconds since the epoch.
        written_s: the same moment by the clock of its writes, which is never set.
    """

    intervals: list[Interval] = []
    failures: list[Failure] = []
    health: list[Health] = []
    until: int = 0
    run: str = ""
    number: int = 0
    sent_s: float | None = None
    written_s: float | None = None


class Second(Struct, frozen=True, kw_only=True):
    """A row of `timeline.csv`: one second of the run.

    Attributes:
        second: seconds since the epoch, whole.
        users: running at its end, in all processes that told.
        target_users: that there were to be; 0 when the run was being stopped.
        cpu_percent: of the busiest process, of one core; None when none told.
        lag_ms: the worst of the event loops; None when none told.
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


class Logged(Struct, frozen=True):
    """A line of `histograms.hlog`: all requests of a second to an endpoint, or its failures."""

    second: int
    key: Key
    is_failed: bool
    histogram: HdrHistogram


class Files:
    """The files of a run that goes on.

    Each second goes out in one piece: a run that is killed leaves whole lines.
    """

    def __init__(self, folder: Path, started_s: float) -> None:
        self._folder = folder
        self._log = (folder / HISTOGRAMS).open("wb", buffering=0)
        self._timeline = (folder / TIMELINE).open("wb", buffering=0)
        self._log.write(
            b"#[Histogram log format version 1.3]\n"
            b"#[times in us; a tag is an endpoint, percent-encoded, or failed: and an endpoint]\n"
            b"#[StartTime: %d.000 (seconds since epoch)]\n"
            % int(started_s)  # a reader leaves out what begins earlier
            + b'"StartTimestamp","Interval_Length","Interval_Max",'
            b'"Interval_Compressed_Histogram"\n'
        )
        self._timeline.write(_csv_line(Second.__struct_fields__))
        self.write_failures(())

    def append(
        self,
        second: Second,
        all_of: Mapping[Key, HdrHistogram],
        failed_of: Mapping[Key, HdrHistogram],
    ) -> None:
        """Write down one second and the histograms of its requests, by endpoint."""
        number = second.second
        lines = [_log_line(number, "", key, all_of[key]) for key in sorted(all_of)]
        lines += [_log_line(number, FAILED, key, failed_of[key]) for key in sorted(failed_of)]
        _write(self._log, b"".join(lines))
        _write(self._timeline, _csv_line(msgspec.structs.astuple(second)))

    def write_failures(self, failures: Iterable[Failure]) -> None:
        """Write all failures of the run so far, the most frequent first, whole or not at all."""
        stream = io.StringIO(newline="")
        rows = csv.writer(stream)
        rows.writerow(Failure.__struct_fields__)
        for failure in sorted(failures, key=lambda each: (-each.count, each.name)):
            rows.writerow(msgspec.structs.astuple(failure))
        atomic.write(self._folder / FAILURES, stream.getvalue().encode())

    def close(self) -> None:
        """Close them."""
        self._log.close()
        self._timeline.close()


def _write(stream: FileIO, lines: bytes) -> None:
    """Write lines in one piece.

    Raises:
        OSError: a part of them is missing, on a full disk.
    """
    if stream.write(lines) < len(lines):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), stream.name)


def read_timeline(folder: Path) -> list[Second]:
    """Read `timeline.csv`, without a last line that was not finished."""
    finished, _, _ = (folder / TIMELINE).read_text(encoding="utf-8").rpartition("\n")
    rows = list(csv.DictReader(finished.splitlines()))
    filled = [{name: text or None for name, text in row.items()} for row in rows]
    return [msgspec.convert(row, Second, strict=False) for row in filled]


def read_failures(folder: Path) -> list[Failure]:
    """Read `failures.csv`."""
    with (folder / FAILURES).open(encoding="utf-8", newline="") as stream:
        return [msgspec.convert(row, Failure, strict=False) for row in csv.DictReader(stream)]


def read_histograms(folder: Path) -> Iterator[Logged]:
    """Yield the lines of `histograms.hlog` in their order, without a last one that was cut."""
    reader = HistogramLogReader(str(folder / HISTOGRAMS), histograms.empty())
    reader.input_file = _FinishedLines(reader.input_file)
    try:
        while (histogram := reader.get_next_interval_histogram()) is not None:
            histograms.freed_at_once(histogram)
            tag = histogram.get_tag()
            method, _, name = unquote(tag.removeprefix(FAILED)).partition(" ")
            second = round(histogram.get_start_time_stamp() / 1000)
            yield Logged(second, (method, name), tag.startswith(FAILED), histogram)
    finally:
        reader.close()


class _FinishedLines:
    """A file that ends before a line without its end."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def readline(self) -> str:
        line = self._stream.readline()
        return line if line.endswith("\n") else ""

    def close(self) -> None:
        self._stream.close()


def _log_line(second: int, prefix: str, key: Key, histogram: HdrHistogram) -> bytes:
    tag = prefix + quote(" ".join(key), safe="/?:=&+")
    longest_ms = histograms.max_ms(histogram) or 0.0
    head = f"Tag={tag},{second}.000,1.000,{longest_ms:.3f},"
    encoded: bytes = histogram.encode()
    return head.encode("ascii") + encoded + b"\n"


def _csv_line(cells: Iterable[object]) -> bytes:
    """Return a line of a file whose cells are names and numbers; None is an empty one."""
    return ",".join("" if cell is None else str(cell) for cell in cells).encode("ascii") + b"\n"

"""The files of a run, second by second: written whole, read back as they were."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader

from harness.recording import histograms
from harness.recording.samples import Failure
from harness.results import timeline
from harness.results.timeline import FAILURES, HISTOGRAMS, TIMELINE, Second, TimelineWriter
from support.seconds import EMPTY, PUT, SEARCH, START, second

STRANGE = ("GET", "장학, 50 % of\nit")


def test_seconds_are_read_as_they_were_written(tmp_path: Path) -> None:
    rows = [second(0), second(1, requests=0, failures=0, **EMPTY), second(2, target_users=0)]
    files = TimelineWriter(tmp_path, START)
    for row in rows:
        files.append(row, {}, {})
    files.close()
    assert timeline.read_timeline(tmp_path) == rows


def test_the_timeline_is_a_table_with_units_in_its_heading(tmp_path: Path) -> None:
    files = TimelineWriter(tmp_path, START)
    files.append(second(0), {}, {})
    files.close()
    with (tmp_path / TIMELINE).open(newline="") as stream:
        heading, row = csv.reader(stream)
    assert heading == list(Second.__struct_fields__)
    assert row[0] == str(START) and len(row) == len(heading)


def test_histograms_are_read_as_they_were_written(tmp_path: Path) -> None:
    files = TimelineWriter(tmp_path, START)
    times = {SEARCH: [1.0, 2.0, 2.0], PUT: [700.0], STRANGE: [0.5]}
    all_of = {key: histograms.from_ms(values) for key, values in times.items()}
    failed_of = {SEARCH: histograms.from_ms([2.0])}
    files.append(second(0), all_of, failed_of)
    files.append(second(1), {PUT: histograms.from_ms([5.0])}, {})
    files.close()
    read = list(timeline.read_histograms(tmp_path))
    assert [(line.second - START, line.key, line.is_failed) for line in read] == [
        *((0, key, False) for key in sorted(times)),
        (0, SEARCH, True),
        (1, PUT, False),
    ]
    for line in read[:3]:
        assert line.histogram.get_total_count() == len(times[line.key])
    assert histograms.max_ms(read[3].histogram) == pytest.approx(2.0, rel=0.001)


def test_another_reader_of_such_logs_understands_it(tmp_path: Path) -> None:
    """The library's own, which knows nothing of ours."""
    files = TimelineWriter(tmp_path, START)
    files.append(second(0), {SEARCH: histograms.from_ms([1.0] * 5)}, {})
    files.append(second(1), {SEARCH: histograms.from_ms([3.0] * 2)}, {})
    files.close()
    reader = HistogramLogReader(str(tmp_path / HISTOGRAMS), histograms.empty())
    together, counts = HdrHistogram(1, 3_600_000_000, 3), []
    while (interval := reader.get_next_interval_histogram()) is not None:
        assert interval.get_end_time_stamp() - interval.get_start_time_stamp() == 1000
        counts.append(interval.get_total_count())
        together.add(interval)
    reader.close()
    assert (counts, together.get_total_count()) == ([5, 2], 7)
    assert reader.get_start_time_sec() == START


def test_a_run_that_begins_within_a_second_has_that_second(tmp_path: Path) -> None:
    """Readers leave out what begins before the start that the log names."""
    files = TimelineWriter(tmp_path, START + 0.75)
    files.append(second(0), {SEARCH: histograms.from_ms([1.0])}, {})
    files.close()
    assert len(list(timeline.read_histograms(tmp_path))) == 1


def test_a_tag_has_no_comma_and_no_space(tmp_path: Path) -> None:
    files = TimelineWriter(tmp_path, START)
    files.append(
        second(0), {STRANGE: histograms.from_ms([1.0]), PUT: histograms.from_ms([1.0])}, {}
    )
    files.close()
    lines = (tmp_path / HISTOGRAMS).read_text("ascii").splitlines()
    tagged = [line for line in lines if line.startswith("Tag=")]
    assert len(tagged) == 2
    assert all(line.count(",") == 4 and " " not in line for line in tagged)


def test_what_was_appended_is_there_while_the_run_goes_on(tmp_path: Path) -> None:
    files = TimelineWriter(tmp_path, START)
    assert timeline.read_timeline(tmp_path) == []
    assert timeline.read_failures(tmp_path) == []
    for number in range(3):
        files.append(second(number), {SEARCH: histograms.from_ms([1.0])}, {})
        assert len(timeline.read_timeline(tmp_path)) == number + 1
        assert len(list(timeline.read_histograms(tmp_path))) == number + 1
    files.close()


def test_a_row_that_was_cut_by_a_crash_is_left_out(tmp_path: Path) -> None:
    files = TimelineWriter(tmp_path, START)
    files.append(second(0), {}, {})
    files.append(second(1), {}, {})
    files.close()
    whole = (tmp_path / TIMELINE).read_bytes()
    (tmp_path / TIMELINE).write_bytes(whole[:-20])
    assert timeline.read_timeline(tmp_path) == [second(0)]


def test_failures_are_read_as_they_were_written(tmp_path: Path) -> None:
    rare = Failure(*PUT, 'expected "on", got\nanother', 1, START + 0.25, START + 0.25)
    frequent = Failure(*SEARCH, "connection refused", 7, START + 1.5, START + 9.5)
    files = TimelineWriter(tmp_path, START)
    files.write_failures([rare, frequent])
    assert timeline.read_failures(tmp_path) == [frequent, rare]
    files.write_failures([])
    assert timeline.read_failures(tmp_path) == []
    files.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == [FAILURES, HISTOGRAMS, TIMELINE]


def test_equal_failures_add_up() -> None:
    one = Failure(*PUT, "connection reset", 2, 5.0, 8.0)
    two = Failure(*PUT, "connection reset", 3, 4.0, 6.0)
    assert one + two == Failure(*PUT, "connection reset", 5, 4.0, 8.0)

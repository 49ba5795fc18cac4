"""CPU and memory of a server's processes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from harness.experiments.compare import files, server_load
from harness.experiments.compare.files import ServerSecond
from harness.processes import start_process, stop_process

FORKS = """
import os, sys, time
os.fork()
text = bytearray(30_000_000)
end = time.process_time() + 0.3
while time.process_time() < end: pass
print("ready", flush=True)
time.sleep(60)
"""


def row(at_s: float, cpu_s: float, memory_mb: float = 50.0) -> ServerSecond:
    return ServerSecond(at_s=at_s, cpu_s=cpu_s, memory_mb=memory_mb, processes=3)


def test_cpu_time_is_interpolated_to_the_seconds_that_count() -> None:
    rows = [row(9.5, 1.0), row(10.5, 2.0, 60.0), row(11.5, 2.0, 70.0), row(12.5, 6.0, 99.0)]
    found = server_load.load_between(rows, 10.0, 12.0, requests=100)
    assert found is not None
    assert found.cpu_percent == pytest.approx((4.0 - 1.5) / 2 * 100)
    assert found.cpu_ms_per_request == pytest.approx(25.0)
    assert found.memory_mb == 70.0  # of the looks in between


@pytest.mark.parametrize(
    ("rows", "requests"),
    [
        ([], 5),
        ([row(10.5, 1.0), row(13, 2.0)], 5),  # begins too late
        ([row(9, 1.0), row(11, 2.0)], 5),  # ends too early
        ([row(9, 1.0), row(11, 1.5), row(13, 2.0)], 0),
    ],
)
def test_what_is_not_known_is_not_guessed(rows: list[ServerSecond], requests: int) -> None:
    assert server_load.load_between(rows, 10.0, 12.0, requests) is None


def test_a_sample_adds_up_a_program_and_its_children(tmp_path: Path) -> None:
    log = tmp_path / "log"
    process = start_process([sys.executable, "-c", FORKS], log=log)
    try:
        while not log.exists() or log.read_text().count("ready") < 2:
            assert process.poll() is None
        found = server_load.sample([process.pid])
    finally:
        stop_process(process, 1.0)
    assert found is not None and found.processes == 2
    assert 0.55 < found.cpu_s < 5
    assert 60 < found.memory_mb < 120  # 30 MB of its own in each, the interpreter shared
    assert server_load.sample([process.pid]) is None


def test_rows_are_read_as_they_were_written(tmp_path: Path) -> None:
    rows = [row(1.0, 0.5), row(2.0, 0.75)]
    for each in rows:
        files.append_server_second(tmp_path, each)
    with (tmp_path / files.SERVER_LOAD).open("a") as stream:
        stream.write("3.0,0.9")  # the disk was full
    assert files.read_server_load(tmp_path) == rows

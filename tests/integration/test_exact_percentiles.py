"""What a run records, beside a raw log of every request of the same run.

Locust's own percentiles are the reason for the histograms: it keeps two digits, so that a p95 of
1,049 ms becomes 1,000 ms.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest

from harness.config.settings import PROJECT_DIR
from harness.processes import free_port, locustfiles
from harness.recording import histograms
from harness.results import timeline
from support.commands import PATIENCE_S, Commands, Finished, full_seconds, interrupt, wait_until

LOCUSTFILE = PROJECT_DIR / "tests" / "integration" / "locustfiles" / "raw_log.py"
SHARES = (0.5, 0.95, 0.99, 0.999)


def raw_times_ms(folder: Path) -> dict[str, list[float]]:
    times_ms: dict[str, list[float]] = defaultdict(list)
    for path in folder.glob("*.txt"):
        for line in path.read_text().splitlines():
            name, time_ms, _ = line.split("\t")
            times_ms[name].append(float(time_ms))
    return times_ms


def exact_ms(times_ms: list[float], share: float) -> float:
    """Return the least of the times within which at least this share of them lies."""
    within = (round(1000 * share) * len(times_ms) + 999) // 1000
    return sorted(times_ms)[within - 1]


def check(run: Finished, raw: Path) -> None:
    times_ms = raw_times_ms(raw)
    recorded: dict[str, list] = defaultdict(list)
    for line in timeline.read_histograms(run.folder):
        if not line.is_failed:
            recorded[" ".join(line.key)].append(line.histogram)
    assert set(recorded) == set(times_ms)
    everything = histograms.empty()
    for name, parts in recorded.items():
        together = histograms.empty()
        for part in parts:
            together.add(part)
        everything.add(together)
        assert together.get_total_count() == len(times_ms[name])
        compare(together, times_ms[name])
    compare(everything, [time_ms for each in times_ms.values() for time_ms in each])
    total = run.summary["total"]["whole_run"]
    all_ms = [time_ms for each in times_ms.values() for time_ms in each]
    assert total["requests"] == len(all_ms)
    for key, share in (("p50_ms", 0.5), ("p95_ms", 0.95), ("p99_ms", 0.99)):
        assert total[key] == pytest.approx(exact_ms(all_ms, share), rel=0.001, abs=0.0005001)


def compare(histogram: object, times_ms: list[float]) -> None:
    found = histograms.percentiles_ms(histogram, SHARES)
    for share, value_ms in zip(SHARES, found, strict=True):
        assert value_ms == pytest.approx(exact_ms(times_ms, share), rel=0.001, abs=0.0005001)


@pytest.mark.parametrize("workers", [0, 2])
def test_percentiles_are_those_of_all_requests(
    workers: int, commands: Commands, notice_server, tmp_path: Path
) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    load = ("--users=80", "--spawn-rate=40", "--host", notice_server.url)
    paths = f"{PROJECT_DIR}:{LOCUSTFILE.parent}"
    given = {"RAW_LOG": str(raw), "PYTHONPATH": paths}
    command = ("-m", "locust", "-f", locustfiles(LOCUSTFILE))
    started = []
    if not workers:
        leader = commands.start(*command, "--headless", *load, **given)
    else:
        port = free_port()
        leader = commands.start(
            *command,
            "--headless",
            "--master",
            f"--master-bind-port={port}",
            f"--expect-workers={workers}",
            *load,
            **given,
        )
        worker_of = (*command, "--worker", f"--master-port={port}")
        started = [commands.start(*worker_of, **given) for _ in range(workers)]
    wait_until(lambda: full_seconds(commands.results) >= 6, "a steady state is recorded")
    interrupt(leader)
    run = commands.finish(leader)
    for worker in started:
        worker.communicate(timeout=PATIENCE_S)
    assert len(list(raw.glob("*.txt"))) == workers + 1
    assert run.faults == [], run.stderr
    check(run, raw)

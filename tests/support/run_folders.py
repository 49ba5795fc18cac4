"""Writes run folders as the suite does, with the contents that a test chooses."""

from __future__ import annotations

from collections.abc import Sequence
from math import log
from pathlib import Path
from random import Random

import msgspec

from harness.recording import histograms
from harness.recording.samples import ConnectionCounts, Failure, Key
from harness.results import run_folder
from harness.results.run_folder import DeviceCounts, Manifest, RunEnd, Versions
from harness.results.timeline import Second, TimelineWriter

START = 1_795_392_000
KEYS: tuple[Key, ...] = (
    ("GET", "/notice/all?page"),
    ("GET", "/notice/all?q"),
    ("GET", "/notice/list"),
    ("PUT", "/accounts/device alarm"),
)
OBJECTIVES = "[total]\np50_ms = 30\np95_ms = 80\nrequests_per_s = 1\nfail_ratio = 0.5\n"


def write_run(
    folder: Path,
    *,
    steps: Sequence[tuple[int, int]] = ((4, 8),),
    keys: Sequence[Key] = KEYS,
    requests: int = 5,
    failures: Sequence[Failure] = (),
    objectives: str = OBJECTIVES,
    ended: bool = True,
    host: str = "http://127.0.0.1:8000",
    slower_by: float = 1.0,
    median_ms: float = 7.4,
    seed: int = 1,
    **planned: object,
) -> Path:
    """Write the folder of a run and return it.

    Args:
        folder: folder to create.
        steps: (users, seconds) of each step; all users run in each second.
        keys: endpoints that are called.
        requests: requests per second to each endpoint.
        failures: rows of failures.csv; the first second also counts one failure for each key.
        objectives: text of slo.toml.
        ended: whether the run has ended.
        host: base URL of the server.
        slower_by: factor of the response times from one step to the next.
        median_ms: median response time of the first step.
        seed: random seed of the response times.
        planned: fields of the manifest that differ from the default.
    """
    folder.mkdir(parents=True, exist_ok=True)
    manifest = Manifest(
        run_id=folder.name,
        started_at="2026-11-23T00:00:00+00:00",
        host=host,
        deployment=None,
        profile=None,
        users=max((users for users, _ in steps), default=None),
        spawn_rate_per_s=10.0,
        run_time_s=None,
        seed=7,
        task_mix={"search_notices": 3, "list_boards": 1},
        endpoints=[" ".join(key) for key in keys],
        client="session",
        vary_data=False,
        data_sha256="0" * 64,
        workers=None,
        tags=[],
        exclude_tags=[],
        versions=Versions("1", "2", "3"),
    )
    run_folder.write(folder, msgspec.structs.replace(manifest, **planned))
    run_folder.write_objectives(folder, objectives)
    files, random, number = TimelineWriter(folder, START), Random(seed), 0
    failed = {(failure.method, failure.name) for failure in failures}
    for place, (users, seconds) in enumerate(steps):
        for _ in range(seconds):
            middle = log(median_ms * slower_by**place)
            times_ms = {
                key: [random.lognormvariate(middle, 0.5) for _ in range(requests)] for key in keys
            }
            wrong = {key: histograms.from_ms([5.0]) for key in failed if number == 0}
            together = histograms.from_ms(time for times in times_ms.values() for time in times)
            p50_ms, p95_ms, p99_ms = histograms.percentiles_ms(together, (0.5, 0.95, 0.99))
            row = Second(
                second=START + number,
                users=users,
                target_users=users,
                requests=len(keys) * requests,
                failures=len(wrong),
                p50_ms=p50_ms,
                p95_ms=p95_ms,
                p99_ms=p99_ms,
                cpu_percent=12.5,
                lag_ms=1.25,
            )
            hit = {key: histograms.from_ms(times) for key, times in times_ms.items() if times}
            files.append(row, hit, wrong)
            number += 1
    files.write_failures(failures)
    files.close()
    if ended:
        ending = RunEnd(
            ended_at="2026-11-23T00:10:00+00:00",
            devices=DeviceCounts(registered=4, deleted=3, left_behind=1),
            connections=ConnectionCounts(opened=4, reconnects=1, connecting_ms=2.0),
            exceptions=0,
            lost_workers=0,
            was_reset=False,
        )
        run_folder.write(folder, ending)
    return folder


def failure(error: str, key: Key = KEYS[0], count: int = 3) -> Failure:
    """Return a row for failures.csv."""
    return Failure(*key, error, count, START + 0.5, START + 2.0)

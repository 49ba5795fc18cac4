"""Writes folders of runs as the suite does, with what a test wants in them."""

from __future__ import annotations

from collections.abc import Sequence
from math import log
from pathlib import Path
from random import Random

import msgspec

from harness import histograms, runfolder
from harness.runfolder import ConnectionCounts, DeviceCounts, Ending, Manifest, Versions
from harness.timeseries import Failure, Files, Key, Second

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
    """Write a run.

    Args:
        folder: to be made.
        steps: (users, seconds) of each; all users are there from its second second on.
        keys: endpoints that are hit.
        requests: to each of them, a second.
        failures: rows of failures.csv; each is one of the first second too.
        objectives: the text of slo.toml.
        ended: whether the run came to its end.
        host: of the server.
        slower_by: factor of the response times from one step to the next.
        median_ms: of the response times of the first.
        seed: of the response times.
        planned: fields of the manifest that differ from the usual.
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
    runfolder.write(folder, msgspec.structs.replace(manifest, **planned))
    runfolder.write_objectives(folder, objectives)
    files, random, number = Files(folder, START), Random(seed), 0
    failed = {(failure.method, failure.name) for failure in failures}
    for place, (users, seconds) in enumerate(steps):
        for _ in range(seconds):
            middle = log(median_ms * slower_by**place)
            times_ms = {
                key: [random.lognormvariate(middle, 0.5) for _ in range(requests)] for key in keys
            }
            wrong = {key: histograms.of([5.0]) for key in failed if number == 0}
            together = histograms.of(time for times in times_ms.values() for time in times)
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
            hit = {key: histograms.of(times) for key, times in times_ms.items() if times}
            files.append(row, hit, wrong)
            number += 1
    files.write_failures(failures)
    files.close()
    if ended:
        ending = Ending(
            ended_at="2026-11-23T00:10:00+00:00",
            devices=DeviceCounts(registered=4, deleted=3, left_behind=1),
            connections=ConnectionCounts(opened=4, reconnects=1, connecting_ms=2.0),
            exceptions=0,
            lost_workers=0,
            was_reset=False,
        )
        runfolder.write(folder, ending)
    return folder


def failure(error: str, key: Key = KEYS[0], count: int = 3) -> Failure:
    """Return a row of failures.csv."""
    return Failure(*key, error, count, START + 0.5, START + 2.0)

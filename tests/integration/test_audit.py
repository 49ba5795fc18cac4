"""What a server has lost of what it said it has is found, and nothing else is.

AUDITS=20 makes more runs against the real server.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable

import pytest

from harness.config.settings import PROJECT_DIR
from harness.processes import free_port, locustfiles
from support.commands import PATIENCE_S, Commands, Finished, full_seconds, interrupt, wait_until
from support.notice_server import answers

WRITERS = PROJECT_DIR / "tests" / "integration" / "locustfiles" / "writers.py"
AUDITS = int(os.environ.get("AUDITS", "2"))


def run_writers(
    commands: Commands,
    host: str,
    *arguments: str,
    workers: int = 0,
    until: Callable[[], object] | None = None,
    **env: str,
) -> Finished:
    """Run them headless, alone or with a master and so many workers, and until something is so."""
    commands.objectives.write_text("[total]\np99_ms = 60000\n[generator]\nlag_ms = 60000\n")
    env = {"VARY_DATA": "1", **env}
    led, port = ("-m", "locust", "-f", locustfiles(WRITERS)), free_port()
    others = [
        commands.start(*led, "--worker", f"--master-port={port}", **env) for _ in range(workers)
    ]
    if workers:
        master = ("--master", f"--master-bind-port={port}", f"--expect-workers={workers}")
        arguments = (*arguments, *master)
    process = commands.start(
        *led, "--headless", "--only-summary", "--tags=write", "--host", host, *arguments, **env
    )
    if until is not None:
        wait_until(until, "enough has happened")
        interrupt(process)
    run = commands.finish(process)
    for other in others:
        commands.finish(other)
    return run


def test_one_write_in_a_thousand_that_is_lost_behind_a_200_is_found(commands, notice_server):
    """Of 4,000 devices with three fields about ten end with a write that was lost.

    That takes some writes to each of these fields, and no more than that.
    """
    notice_server.drop_every = 1000
    run = run_writers(
        commands,
        notice_server.url,
        "--users=4000",
        "--spawn-rate=2000",
        until=lambda: len(notice_server.devices) == 4000 and notice_server.written > 20_000,
        AUDIT_SAMPLE="4000",
        CLEANUP_PER_S="5000",
        # A user whose POST comes to nothing has no device, and does not register again.
        CONNECT_TIMEOUT_S=str(PATIENCE_S),
        ANSWER_TIMEOUT_S=str(PATIENCE_S),
        CLEANUP_TIMEOUT_S=str(PATIENCE_S),
    )
    audit = run.summary["audit"]
    assert notice_server.dropped
    assert audit["wrong_values"] > 0, (audit, len(notice_server.dropped))
    assert audit["wrong_values"] <= len(notice_server.dropped)
    assert (audit["devices"], audit["lost_devices"], audit["unread"]) == (4000, 0, 0)
    lost = {(id_, field) for id_, changes in notice_server.dropped for field in changes}
    for example in audit["examples"]:
        field, id_ = re.fullmatch(r"(\w+) of (\w+) is .*, not .*", example).groups()
        assert (id_, field) in lost, "it was dropped at some time"
    assert run.exit_code != 0
    told = f"{audit['wrong_values']} of 12,000 values read"
    assert f"- lost writes: 0 of 4,000 devices and {told}" in " ".join(run.stdout.split())
    assert notice_server.devices == {}


@pytest.mark.timeout(300 * AUDITS)
@pytest.mark.parametrize("workers", [0, 2])
def test_an_honest_server_under_concurrent_writes_is_not_accused(commands, target, workers):
    """Forty writers without think time hit five devices a process with values of their own."""
    load = ("--users=40", "--spawn-rate=40")
    for number in range(AUDITS):
        name = f"run-{number}"
        options = (*load, "--run-id", name)
        env = {"DEVICE_POOL_LIMIT": "5"}
        run = run_writers(
            commands,
            target.url,
            *options,
            workers=workers,
            until=lambda name=name: full_seconds(commands.results, name) >= 3,
            **env,
        )
        summary = json.loads((commands.results / name / "summary.json").read_text())
        audit, devices = summary["audit"], summary["devices"]
        assert (audit["lost_devices"], audit["wrong_values"], audit["unread"]) == (0, 0, 0), audit
        assert (audit["devices"], audit["values"]) == (40, 120)
        assert "lost writes: none of 40 devices and 120 values read back\n" in run.stdout
        assert devices == {"registered": 40, "deleted": 40, "left_behind": 0}
        assert summary["total"]["whole_run"]["requests"] > 80
        assert summary["total"]["whole_run"]["failures"] == 0


def test_a_device_that_is_gone_fails_the_run(commands, notice_server):
    process = commands.start_locust(
        "--headless",
        "--only-summary",
        "--users=20",
        "--spawn-rate=20",
        "--tags",
        "read",
        "--host",
        notice_server.url,
    )
    wait_until(lambda: len(notice_server.devices) == 20, "all are registered")
    lost, _ = notice_server.devices.popitem()
    wait_until(lambda: full_seconds(commands.results) > 5, "a steady state is written down")
    interrupt(process)
    run = commands.finish(process)
    assert (run.exit_code, run.summary["verdict"]) == (1, "fail"), run.stdout
    said = (
        f"lost writes: 1 of 20 devices and 0 of 57 values read back (for example: {lost} is gone)"
    )
    assert run.summary["reasons"][-1] == said
    assert run.summary["devices"] == {"registered": 20, "deleted": 20, "left_behind": 0}


def test_a_server_that_shows_no_device_is_not_trusted(commands, notice_server):
    notice_server.faults["GET", "/accounts/device"] = answers(405, {"detail": "x"})
    options = ("--users=30", "--spawn-rate=30", "--run-time=3s", "--host", notice_server.url)
    run = commands.locust("--only-summary", *options)
    assert "- of 30 devices none could be read back at the end" in run.stdout
    assert run.exit_code in (1, 3)
    assert notice_server.seen["GET", "/accounts/device"] <= 40, "it gives up early"
    again = commands.locust("--only-summary", *options, "--run-id=without", AUDIT_SAMPLE="0")
    assert "read back" not in again.stdout
    assert notice_server.seen["GET", "/accounts/device"] <= 40

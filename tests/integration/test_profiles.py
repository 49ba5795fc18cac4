"""Each profile for a few seconds, with the command that `make run PROFILE=` calls."""

from __future__ import annotations

import csv

import pytest

from harness.config.settings import PROJECT_DIR
from support.commands import interrupt, wait_until
from support.notice_server import answers_late

PROFILES = sorted(path.stem for path in (PROJECT_DIR / "conf/profiles").glob("*.conf"))


def test_there_are_five():
    assert PROFILES == ["average", "smoke", "soak", "spike", "stress"]


def user_counts(run):
    with (run.folder / "locust_stats_history.csv").open() as stream:
        return [int(row["User Count"]) for row in csv.DictReader(stream)]


@pytest.mark.parametrize("profile", ["average", "smoke", "soak"])
def test_a_level_profile(commands, notice_server, profile):
    run = commands.harness(
        "run",
        "--profile",
        profile,
        "--users=10",
        "--spawn-rate=10",
        "--run-time=2s",
        "--host",
        notice_server.url,
    )
    assert run.faults == [], run.stdout + run.stderr
    assert run.manifest["profile"] == profile
    assert max(user_counts(run)) == 10


@pytest.mark.parametrize(("profile", "lowest"), [("spike", 2), ("stress", 4)])
def test_a_curve(commands, notice_server, profile, lowest):
    run = commands.harness(
        "run",
        "--profile",
        profile,
        "--users=20",
        "--run-time=12s",
        "--host",
        notice_server.url,
    )
    assert run.faults == [], run.stdout + run.stderr
    counts = [count for count in user_counts(run) if count]
    assert min(counts[:3]) <= lowest and max(counts) == 20 and counts[-1] < 20
    assert run.summary["devices"]["left_behind"] == 0
    assert run.summary["devices"]["registered"] >= 20


def test_ctrl_c_after_the_end_of_a_curve_waits_for_the_result(commands, notice_server):
    """Locust ends the curve's greenlet then, which is the one that ends the run."""
    notice_server.faults["DELETE", "/accounts/device"] = answers_late(2)
    process = commands.start(
        "-m",
        "harness",
        "run",
        "--profile=spike",
        "--users=10",
        "--run-time=6s",
        "--host",
        notice_server.url,
    )
    wait_until(lambda: notice_server.seen["DELETE", "/accounts/device"], "it is cleaned up")
    interrupt(process)
    run = commands.finish(process)
    registered = len(notice_server.ever_registered)
    assert run.summary["devices"]["deleted"] == registered > 0, run.stdout + run.stderr
    assert notice_server.devices == {}

"""A master and two workers on hosts of their own, and the network between them broken."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.config.settings import PROJECT_DIR
from harness.processes import locustfiles
from harness.results import timeline
from support.commands import Commands, Finished, wait_until
from support.networks import Networks
from support.notice_server import NoticeServer
from support.parts import puts_after_deletes

LOCUSTFILE = PROJECT_DIR / "tests" / "integration" / "locustfiles" / "raw_log.py"
WORKERS = ("one", "two")
USERS = 40
FROZEN_AFTER_S = 12
CLOCK_S = 0.1

Parts = list[subprocess.Popen[str]]


@pytest.fixture
def networks() -> Iterator[Networks]:
    try:
        made = Networks(*WORKERS)
    except OSError as error:
        pytest.skip(f"needs network namespaces (root, and ip of iproute2): {error}")
    yield made
    made.close()


@pytest.fixture
def server(networks: Networks) -> Iterator[NoticeServer]:
    """Yield a server of this process that listens on the host `target`."""
    address = networks.address("target", "load")
    listening = NoticeServer(listener=networks.hosts["target"].listener(address))
    yield listening
    listening.stop()


def start(
    commands: Commands, networks: Networks, server: NoticeServer, *options: str
) -> tuple[subprocess.Popen[str], Parts]:
    """Start a headless run; return (master, workers) when its first users are there."""
    address = networks.address("master", "control")
    command = ("-m", "locust", "-f", locustfiles(LOCUSTFILE))
    env = {
        "ALLOWED_HOSTS": networks.address("target", "load"),
        "PYTHONPATH": str(PROJECT_DIR),
        "RAW_LOG": str(commands.folder),
    }
    workers = [
        commands.start(
            *command,
            "--worker",
            f"--master-host={address}",
            by=networks.hosts[name].command,
            **env,
        )
        for name in WORKERS
    ]
    master = commands.start(
        *command,
        "--headless",
        "--only-summary",
        "--seed=1",
        "--master",
        f"--master-bind-host={address}",
        "--expect-workers=2",
        f"--users={USERS}",
        f"--spawn-rate={USERS}",
        "--host",
        server.url,
        *options,
        by=networks.hosts["master"].command,
        **env,
    )
    wait_until(lambda: len(server.devices) > USERS / 4, "users come")
    return master, workers


def finish(commands: Commands, master: subprocess.Popen[str], workers: Parts) -> Finished:
    run = commands.finish(master)
    for worker in workers:
        commands.finish(worker)
    return run


def broken(run: Finished) -> set[str]:
    return {rule["name"] for rule in run.summary["validity"] if not rule["kept"]}


def answered_s(folder: Path) -> list[float]:
    """Return when the requests were answered, as the workers' own raw logs say."""
    lines = (line for path in folder.glob("*.txt") for line in path.read_text().splitlines())
    return sorted(float(line.split("\t")[2]) for line in lines)


def check_that_each_request_stands_in_its_second(run: Finished, raw: Path) -> None:
    times_s, interim_summary = answered_s(raw), 0
    for row in timeline.read_timeline(run.folder):
        interim_summary += row.requests
        end_s = row.second + 1
        assert sum(time_s < end_s - CLOCK_S for time_s in times_s) <= interim_summary, row
        assert sum(time_s < end_s + CLOCK_S for time_s in times_s) >= interim_summary, row
    assert interim_summary == len(times_s)


def check_that_nothing_is_lost(run: Finished, server: NoticeServer, raw: Path) -> None:
    assert broken(run) == set(), run.stdout + run.stderr
    assert sum(run.requests.values()) == server.workload
    check_that_each_request_stands_in_its_second(run, raw)
    registered = len(server.ever_registered)
    counts = {"registered": registered, "deleted": registered, "left_behind": 0}
    assert run.summary["devices"] == counts
    assert server.devices == {}


@pytest.mark.parametrize(
    "names", [("one",), WORKERS], ids=["of one worker", "of all workers at once"]
)
def test_a_break_of_five_seconds_costs_nothing(
    commands: Commands, networks: Networks, server: NoticeServer, names: tuple[str, ...]
) -> None:
    """Locust gives a worker up after 4 s, and a run without workers with it."""
    master, workers = start(commands, networks, server, "--run-time=20s")
    time.sleep(3)
    for name in names:
        networks.cut(name)
    time.sleep(5)
    for name in names:
        networks.heal(name)
    run = finish(commands, master, workers)
    check_that_nothing_is_lost(run, server, commands.folder)
    assert len(server.ever_registered) == USERS, "no user was there twice"
    assert len(run.summary["steps"]) == 1, "all users were there all the time"


def test_a_break_in_the_ramp_up_doubles_no_users(
    commands: Commands, networks: Networks, server: NoticeServer
) -> None:
    """The worker has told nothing yet when it begins; the users for it arrive when it ends."""
    master, workers = start(commands, networks, server, "--run-time=24s", "--spawn-rate=3")
    networks.cut("one")
    time.sleep(5)
    networks.heal("one")
    run = finish(commands, master, workers)
    check_that_nothing_is_lost(run, server, commands.folder)
    assert len(server.ever_registered) == USERS
    *_, last = (row for row in timeline.read_timeline(run.folder) if row.target_users)
    assert last.users == USERS


def test_a_worker_that_stays_out_of_reach_is_declared_lost(
    commands: Commands, networks: Networks, server: NoticeServer
) -> None:
    master, (one, two) = start(commands, networks, server, "--run-time=8s")
    time.sleep(3)
    networks.cut("one")
    run = finish(commands, master, [two])
    assert run.exit_code == 3
    assert "workers" in broken(run), run.stdout + run.stderr
    assert "lost workers: 1, and with them" in run.stdout
    assert 0 < sum(run.requests.values()) < server.workload
    assert commands.finish(one).exit_code == 3, "it has stopped by itself"
    assert server.devices == {}
    assert set(puts_after_deletes(server)) == {"DELETE"}


def test_a_worker_that_is_cut_off_and_stands_still_as_well_writes_to_nothing_deleted(
    commands: Commands, networks: Networks, server: NoticeServer
) -> None:
    """Its time is up while it stands still; what it reads first when it goes on is old."""
    master, (one, two) = start(commands, networks, server, "--run-time=12s", "--tags=write")
    time.sleep(3)
    networks.cut("one")
    time.sleep(FROZEN_AFTER_S)
    one.send_signal(signal.SIGSTOP)
    wait_until(lambda: server.seen["DELETE", "/accounts/device"], "cleaning up has begun")
    networks.heal("one")
    one.send_signal(signal.SIGCONT)
    run = finish(commands, master, [two])
    assert commands.finish(one).exit_code == 3
    assert (run.exit_code, "workers" in broken(run)) == (3, True), run.stdout + run.stderr
    assert server.devices == {}
    assert set(puts_after_deletes(server)) == {"DELETE"}


@pytest.mark.parametrize("break_s", [1.0, 5.0])
def test_a_break_over_the_end_of_a_run_costs_nothing(
    commands: Commands, networks: Networks, server: NoticeServer, break_s: float
) -> None:
    """The master waits for a worker's last word, until it can have no users any more."""
    master, workers = start(commands, networks, server, "--run-time=9s")
    time.sleep(8.4)
    networks.cut("one")
    time.sleep(break_s)
    networks.heal("one")
    run = finish(commands, master, workers)
    check_that_nothing_is_lost(run, server, commands.folder)


def test_what_a_reset_connection_loses_is_declared(
    commands: Commands, networks: Networks, server: NoticeServer
) -> None:
    """Reports are on their way when the connection ends; zmq makes another, and tells nobody."""
    master, workers = start(commands, networks, server, "--run-time=20s")
    time.sleep(2)
    networks.cut("one")
    time.sleep(7)
    if not networks.reset("one"):
        pytest.skip("needs ss of iproute2 and a kernel that lets it end connections")
    networks.heal("one")
    run = finish(commands, master, workers)
    assert (run.exit_code, broken(run)) == (3, {"reports"}), run.stdout + run.stderr
    assert "- reports of workers that never arrived: " in run.stdout
    assert 0 < sum(run.requests.values()) < server.workload
    assert len(server.ever_registered) == USERS
    assert server.devices == {}

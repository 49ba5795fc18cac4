"""One pool for all workers, however they come and go, and a server that is left as it was."""

from __future__ import annotations

import re
import signal
import time

from harness.devices.ledger import read_left
from harness.distributed.worker import LEASE_S
from harness.results import timeline
from support.commands import interrupt, wait_until
from support.parts import WRITE_LOG, broken_rules, puts_after_deletes

HASTY = WRITE_LOG.with_name("hasty.py")
OF_LOCUST = re.compile(r"/(INFO|WARNING)/locust")


def test_every_worker_writes_to_the_devices_of_all_and_a_late_one_does_too(parts, notice_server):
    for _ in range(2):
        parts.worker()
    master = parts.master(20, 2)
    parts.wait(lambda: parts.writes().get(0) == parts.writes().get(1) == {0, 1}, "they share")
    parts.worker()
    parts.wait(lambda: parts.writes().get(2, set()) >= {0, 1, 2}, "the late one shares too")
    parts.wait(lambda: seconds_with(20, parts.folder) > 4, "a steady state")
    interrupt(master)
    run = parts.end(master)
    assert run.faults == [], run.stdout + run.stderr
    assert broken_rules(run) == [], run.stdout
    devices = run.summary["devices"]
    assert devices["registered"] == len(set(notice_server.ever_registered))
    assert devices == {**devices, "deleted": devices["registered"], "left_behind": 0}
    assert notice_server.devices == {}
    assert set(puts_after_deletes(notice_server)) == {"DELETE"}
    assert read_left(run.folder) == {}


def test_a_worker_killed_in_mid_run_leaves_its_devices_to_the_others(parts, notice_server):
    workers = [parts.worker() for _ in range(3)]
    master = parts.master(30, 3, "--enable-rebalancing")
    everybody = {0, 1, 2}
    parts.wait(
        lambda: all(parts.writes().get(each) == everybody for each in everybody), "they share"
    )
    registered = len(notice_server.devices)
    workers[0].kill()
    killed_s = time.time()
    # Its users go to the others when they surely have stopped.
    others = [process for process in parts.started if process is not workers[0]]
    parts.wait(lambda: len(notice_server.ever_registered) >= registered + 10, "rebalanced", others)
    interrupt(master)
    run = parts.end(master)
    left = parts.writes(since_s=killed_s + 0.5)
    assert len(left) == 2, "two workers went on"
    for written in left.values():
        assert written >= everybody
    assert run.exit_code == 3
    assert "workers" in broken_rules(run)
    assert "lost workers: 1, and with them their last requests" in run.stdout
    assert notice_server.devices == {}
    assert run.summary["devices"]["left_behind"] == 0
    assert run.summary["devices"]["deleted"] == len(notice_server.ever_registered)
    assert run.summary["audit"]["are_values_known"] is False
    assert set(puts_after_deletes(notice_server)) == {"DELETE"}


def seconds_with(users, folder):
    """Return how many seconds with so many users are written down."""
    if not (folder / timeline.TIMELINE).exists():
        return 0
    return sum(row.users == users for row in timeline.read_timeline(folder))


def test_a_run_may_be_told_that_workers_can_be_lost(parts, notice_server):
    """It goes on until the master has forgotten the lost one: of 20 users 10 are left then.

    Locust would start the 20 anew, on the worker that is left.
    """
    parts.commands.objectives.write_text("[total]\np95_ms = 9e4\n[generator]\nlag_ms = 60000\n")
    hasty = {"file": HASTY, "ALLOW_WORKER_LOSS": "1"}
    workers = [parts.worker(**hasty) for _ in range(2)]
    master = parts.master(20, 2, "--run-time=36s", **hasty)
    parts.wait(lambda: seconds_with(20, parts.folder) > 4, "a steady state")
    workers[0].kill()
    run = parts.end(master)
    assert (run.exit_code, run.summary["verdict"]) == (0, "pass"), run.stdout
    assert "- note: lost workers: 1, and with them their last requests, which" in run.stdout
    assert run.summary["notes"] == [
        "lost workers: 1, and with them their last requests, which ALLOW_WORKER_LOSS allows"
    ]
    assert len(notice_server.ever_registered) == 20, "no user was started in another's place"
    assert notice_server.devices == {}


def test_after_all_were_killed_the_devices_can_be_deleted_and_again(parts, notice_server):
    workers = [parts.worker() for _ in range(3)]
    master = parts.master(40, 3, "--run-time=60s")
    parts.wait(lambda: notice_server.seen["PUT", "/accounts/device"] > 100, "the run is under way")
    parts.wait(lambda: len(notice_server.devices) == 40, "all are registered")
    for process in (master, *workers):
        process.kill()
    for process in (master, *workers):
        process.communicate()
    assert len(notice_server.devices) == 40
    first = parts.commands.harness("cleanup", str(parts.folder), ANSWER_TIMEOUT_S="2")
    assert first.exit_code == 0, first.stderr
    assert "devices: 40 deleted, 0 left behind; " in first.stdout
    assert notice_server.devices == {}
    again = parts.commands.harness("cleanup", str(parts.folder))
    assert (again.exit_code, again.stdout) == (0, "nothing is left of this run\n")


def test_workers_whose_master_is_killed_stop_by_themselves(parts, notice_server):
    workers = [parts.worker() for _ in range(2)]
    master = parts.master(20, 2, "--run-time=120s")
    parts.wait(lambda: notice_server.seen["PUT", "/accounts/device"] > 100, "the run is under way")
    parts.wait(lambda: len(notice_server.devices) == 20, "all are registered")
    master.kill()
    master.communicate()
    for worker in workers:
        run = parts.end(worker)
        assert run.exit_code == 3
        assert f"error: no word of the master for {LEASE_S:g} s: this worker" in run.stderr
        assert "Traceback" not in run.stderr
    before = sum(notice_server.seen.values())
    assert len(notice_server.devices) == 20, "who does not lead deletes nothing"
    done = parts.commands.harness("cleanup", str(parts.folder))
    assert done.exit_code == 0, done.stderr
    assert notice_server.devices == {}
    assert sum(notice_server.seen.values()) > before


def test_a_worker_that_stood_still_until_all_was_over_sends_nothing_any_more(parts, notice_server):
    workers = [parts.worker() for _ in range(2)]
    master = parts.master(40, 2)
    parts.wait(lambda: notice_server.seen["PUT", "/accounts/device"] > 100, "the run is under way")
    parts.wait(lambda: len(notice_server.devices) == 40, "all are registered")
    workers[0].send_signal(signal.SIGSTOP)
    interrupt(master)
    run = parts.end(master)
    assert "workers" in broken_rules(run)
    assert notice_server.devices == {}
    before = len(notice_server.requests)
    workers[0].send_signal(signal.SIGCONT)
    woken = parts.end(workers[0])
    assert notice_server.requests[before:] == []
    assert set(puts_after_deletes(notice_server)) == {"DELETE"}
    assert "Traceback" not in woken.stderr


def test_a_worker_that_stood_still_in_mid_run_is_lost_and_says_why_in_one_line(
    parts, notice_server
):
    workers = [parts.worker() for _ in range(2)]
    master = parts.master(40, 2)
    parts.wait(lambda: notice_server.seen["PUT", "/accounts/device"] > 100, "the run is under way")
    parts.wait(lambda: len(notice_server.devices) == 40, "all are registered")
    workers[0].send_signal(signal.SIGSTOP)
    time.sleep(LEASE_S + 2)
    workers[0].send_signal(signal.SIGCONT)
    woken = parts.end(workers[0])
    assert woken.exit_code == 3
    (error,) = (line for line in woken.stderr.splitlines() if not OF_LOCUST.search(line))
    assert re.match(r"error: stood still for \d\d s, the run may be over: this worker", error)
    interrupt(master)
    run = parts.end(master)
    assert "workers" in broken_rules(run)
    registered = len(notice_server.ever_registered)  # its users' places were taken
    counts = {"registered": registered, "deleted": registered, "left_behind": 0}
    assert run.summary["devices"] == counts
    assert notice_server.devices == {}
    assert set(puts_after_deletes(notice_server)) == {"DELETE"}


def test_a_cleanup_during_the_run_is_refused(parts, notice_server):
    parts.worker()
    master = parts.master(5, 1, "--run-time=30s")
    parts.wait(lambda: notice_server.seen["PUT", "/accounts/device"] > 20, "the run is under way")
    done = parts.commands.harness("cleanup", str(parts.folder))
    assert done.exit_code == 2
    assert done.stderr.endswith("goes on, or is being cleaned up; wait for its end\n")
    assert ("DELETE", "/accounts/device") not in notice_server.seen
    interrupt(master)
    parts.end(master)
    assert notice_server.devices == {}


def test_devices_can_be_kept_and_deleted_later(commands, notice_server):
    run = commands.locust(
        "--users=10",
        "--spawn-rate=10",
        "--run-time=3s",
        "--host",
        notice_server.url,
        KEEP_DEVICES="1",
    )
    assert "devices: 10 registered, 0 deleted, 10 left behind\n" in run.stdout
    assert f"delete them: python -m harness cleanup {run.folder}\n" in run.stdout.replace(
        "results/", f"{commands.results}/"
    )
    assert len(notice_server.devices) == 10
    done = commands.harness("cleanup", str(run.folder))
    assert done.stdout == "devices: 10 deleted, 0 left behind\n"
    assert notice_server.devices == {}


def test_a_run_alone_that_was_killed_can_be_cleaned_up_after(commands, notice_server):
    process = commands.start_locust(
        "--headless",
        "--users=30",
        "--spawn-rate=30",
        "--run-time=60s",
        "--run-id=run",
        "--host",
        notice_server.url,
    )
    wait_until(lambda: len(notice_server.devices) == 30, "all are registered")
    process.kill()
    process.communicate()
    done = commands.harness("cleanup", str(commands.results / "run"))
    assert done.exit_code == 0, done.stderr
    assert done.stdout.startswith("devices: 30 deleted, ")
    assert notice_server.devices == {}


def test_the_same_seed_gives_the_same_ids(commands, notice_server):
    for _ in range(2):
        options = ("--workers=2", "--users=20", "--spawn-rate=20", "--run-time=6s", "--seed=5")
        run = commands.harness("run", *options, "--host", notice_server.url)
        assert run.exit_code in (0, 3), run.stderr
        assert notice_server.devices == {}
    ids = notice_server.ever_registered
    assert len(ids) == 40
    assert set(ids[:20]) == set(ids[20:])

"""A master and its workers, as processes on this machine."""

from __future__ import annotations

import json
import logging
import re
import time

from locust.event import Events

import pytest
import requests

from harness.distributed import messages
from harness.processes import free_port
from harness.results.timeline import read_timeline
from harness.run import install
from notice_api import SUITE
from support import direct
from support.commands import Commands, interrupt, wait_until
from support.notice_server import NoticeServer

SHORT = ("--users=40", "--spawn-rate=40", "--run-time=4s")


@pytest.fixture(scope="module")
def run_of_two(tmp_path_factory):
    """Return a run of two workers, and the server that it ran on."""
    server = NoticeServer()
    commands = Commands(tmp_path_factory.mktemp("two"))
    options = (*SHORT, "--host", server.url, "--seed=9")
    yield commands.harness("run", "--workers=2", *options), server
    server.stop()


def test_two_workers_lose_no_request_and_leave_no_device(run_of_two):
    run, server = run_of_two
    assert run.faults == [], run.stdout + run.stderr
    assert sum(run.requests.values()) == server.workload
    assert run.summary["devices"] == {"registered": 40, "deleted": 40, "left_behind": 0}
    assert run.summary["connections"]["opened"] >= 40
    assert run.manifest["workers"] == 2
    assert server.devices == {}


def test_a_hello_that_comes_too_early_is_nothing_to_be_warned_of(caplog):
    """Master and workers start at the same time; who misses a hello asks for another one."""
    install(Events(), SUITE)
    for unknown in (messages.HELLO, "somebody_elses"):
        text = f"Unknown message type received from worker one (index 0): {unknown}"
        logging.getLogger("locust.runners").warning(text)
    (warning,) = caplog.messages
    assert warning.endswith("somebody_elses")


def test_each_worker_writes_from_its_first_task_on(commands, notice_server):
    run = commands.harness(
        "run", "--workers=2", *SHORT, "--host", notice_server.url, "--tags", "write"
    )
    assert run.faults == [], run.failures
    assert run.requests["POST /accounts/device"] == 40
    puts = [body for method, _, body in notice_server.requests if method == "PUT"]
    written = {json.loads(body)["id"] for body in puts}
    assert len(written) > 20


def test_workers_draw_different_ids_from_one_seed(run_of_two):
    run, server = run_of_two
    assert run.manifest["seed"] == 9
    assert len(set(server.ever_registered)) == len(server.ever_registered) == 40


def test_ctrl_c_in_the_ramp_up_ends_with_a_report_of_all_workers(commands, notice_server):
    process = commands.start(
        "-m",
        "harness",
        "run",
        "--workers=2",
        "--users=200",
        "--spawn-rate=10",
        "--run-time=60s",
        "--host",
        notice_server.url,
    )
    wait_until(lambda: notice_server.seen["GET", "/notice/all"] > 20, "the run is under way")
    interrupt(process)
    run = commands.finish(process)
    (fault,) = run.faults
    assert fault.startswith("the run was stopped after "), run.stdout + run.stderr
    assert sum(run.requests.values()) == notice_server.workload
    assert run.summary["devices"]["left_behind"] == 0
    assert notice_server.devices == {}


def test_a_run_that_ends_in_the_ramp_up_wakes_nobody_again(commands, notice_server):
    """Its end and a step of the ramp-up come in the same moment, a whole second."""
    master, *workers = start_parts(
        commands,
        notice_server,
        "--users=400",
        "--spawn-rate=10",
        "--run-time=6s",
    )
    run = commands.finish(master)
    registered = len(notice_server.ever_registered)
    assert run.summary["devices"] == {
        "registered": registered,
        "deleted": registered,
        "left_behind": 0,
    }
    assert len(set(notice_server.ever_registered)) == registered, "no number is used twice"
    audit = run.summary["audit"]
    assert (audit["devices"], audit["lost_devices"], audit["wrong_values"]) == (registered, 0, 0)
    assert notice_server.devices == {}
    assert [commands.finish(worker).exit_code for worker in workers] == [0, 0]


def all_are_reading(server, users):
    """Say whether the users of both workers are there, and not only the first of them."""
    return len(server.devices) >= users and server.seen["GET", "/notice/all"] > 20


def start_parts(commands, notice_server, *options):
    """Start a headless master and two workers by hand; return (master, worker, worker)."""
    port = str(free_port())
    workers = [commands.start_locust("--worker", f"--master-port={port}") for _ in range(2)]
    master = commands.start_locust(
        "--headless",
        "--master",
        f"--master-bind-port={port}",
        "--expect-workers=2",
        "--users=20",
        "--spawn-rate=20",
        "--host",
        notice_server.url,
        *options,
    )
    wait_until(lambda: all_are_reading(notice_server, 20), "the run is under way")
    return master, *workers


def test_workers_that_are_stopped_report_before_they_go(commands, notice_server):
    """A container engine stops the workers first; nothing of the run may be missing then."""
    master, *workers = start_parts(commands, notice_server)
    for worker in workers:
        worker.terminate()
    for worker in workers:
        commands.finish(worker)
    run = commands.finish(master)
    assert run.faults == [], run.stderr
    assert sum(run.requests.values()) == notice_server.workload
    assert run.summary["devices"] == {"registered": 20, "deleted": 20, "left_behind": 0}


def test_the_waiting_of_the_workers_is_no_part_of_the_run(commands, notice_server):
    port = str(free_port())
    workers = [commands.start_locust("--worker", f"--master-port={port}") for _ in range(2)]
    time.sleep(5)
    began_s = time.time()
    master = commands.start_locust(
        "--headless",
        "--master",
        f"--master-bind-port={port}",
        "--expect-workers=2",
        "--users=20",
        "--spawn-rate=20",
        "--host",
        notice_server.url,
        "--run-time=4s",
    )
    run = commands.finish(master)
    for worker in workers:
        commands.finish(worker)
    assert run.faults == [], run.stderr
    assert 2 < run.summary["duration_s"] < time.time() - began_s
    assert min(row.second for row in read_timeline(run.folder)) >= int(began_s)
    total = run.summary["total"]["whole_run"]
    assert total["requests_per_s"] == pytest.approx(
        total["requests"] / run.summary["duration_s"], rel=0.05
    )


LATE_CLOCK = """
import time

now = time.time
time.time = lambda: now() - 5

from locustfile import NoticeUser
"""


def test_a_worker_with_a_wrong_clock_makes_the_run_invalid(commands, notice_server):
    """Its requests of the ramp-up would be taken for those of other seconds, say."""
    (commands.folder / "late.py").write_text(LATE_CLOCK)
    port = str(free_port())
    options = ("--worker", f"--master-port={port}")
    workers = [commands.start_locust(*options)]
    workers.append(commands.start("-m", "locust", "-f", "late.py", *options))
    master = commands.start_locust(
        "--headless",
        "--master",
        f"--master-bind-port={port}",
        "--expect-workers=2",
        "--users=20",
        "--spawn-rate=20",
        "--host",
        notice_server.url,
        "--run-time=4s",
    )
    run = commands.finish(master)
    for worker in workers:
        commands.finish(worker)
    assert run.exit_code == 3
    off = re.search(r"- the clock of a worker is off by (\d+\.\d) s", run.stdout)
    assert off, run.stdout + run.stderr
    assert 5 <= float(off[1]) < 8, "more by what the fastest report took, on a busy machine"


def test_a_second_run_of_the_same_workers_stands_by_itself(commands, notice_server):
    port, web_port = str(free_port()), free_port()
    workers = [commands.start_locust("--worker", f"--master-port={port}") for _ in range(2)]
    master = commands.start_locust(
        "--master",
        f"--master-bind-port={port}",
        f"--web-port={web_port}",
        "--stop-timeout=4s",
        "--host",
        notice_server.url,
    )
    url = f"http://127.0.0.1:{web_port}"
    wait_until(lambda: ready_workers(url) == 2, "both workers are ready")
    for number in (1, 2):
        wait_until(lambda: is_started(url), "both are ready again")
        wait_until(lambda: all_are_reading(notice_server, 10), "users are reading")
        assert direct.post(f"{url}/stop").json()["success"] is True
        summaries = sorted(commands.results.glob("*/summary.json"))
        assert len(summaries) == number
        summary = json.loads(summaries[-1].read_text())
        assert summary["total"]["whole_run"]["requests"] == notice_server.workload
        assert summary["devices"] == {"registered": 10, "deleted": 10, "left_behind": 0}
        notice_server.seen.clear()
    wait_until(lambda: ready_workers(url) == 2, "both hear that the master goes")
    interrupt(master)
    for process in (master, *workers):
        commands.finish(process)


def is_started(url):
    """Say whether a run could be started; asked for again, as the refusal tells."""
    form = {"user_count": 10, "spawn_rate": 10}
    return direct.post(f"{url}/swarm", data=form).json()["success"]


def ready_workers(url):
    try:
        workers = direct.get(f"{url}/stats/requests").json()["workers"]
    except requests.ConnectionError:
        return 0
    return [worker["state"] for worker in workers].count("ready")


def test_a_worker_refuses_a_host_that_its_own_settings_do_not_allow(commands, notice_server):
    """The master may be told to allow a host; a worker answers for its own machine."""
    port = str(free_port())
    host = f"http://this-machine.invalid:{notice_server.port}"
    (commands.folder / "probe.py").write_text(UNCHECKED_MASTER)
    worker = commands.start_locust("--worker", f"--master-port={port}")
    master = commands.start(
        "-m",
        "locust",
        "-f",
        "probe.py",
        "--master",
        f"--master-bind-port={port}",
        "--headless",
        "--expect-workers=1",
        "--users=1",
        "--run-time=5s",
        "--host",
        host,
    )
    refused = commands.finish(worker)
    master.terminate()
    commands.finish(master)
    assert refused.exit_code == 2
    assert "this-machine.invalid is not this machine" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert sum(notice_server.seen.values()) == 0


UNCHECKED_MASTER = """
from locust import User, task

class NoticeUser(User):
    @task
    def nothing(self):
        pass
"""

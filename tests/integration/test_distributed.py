"""A master and its workers, as processes on this machine."""

from __future__ import annotations

import json

from commands import interrupt, wait_until

SHORT = ("--users=40", "--spawn-rate=40", "--run-time=6s")


def counted(server):
    """Return what the server saw of the workload: no deletions, not the look before the start."""
    return sum(server.seen.values()) - server.seen["DELETE", "/accounts/device"] - 1


def test_two_workers_lose_no_request_and_leave_no_device(commands, notice_server):
    run = commands.harness("run", "--workers=2", *SHORT, "--host", notice_server.url)
    assert run.exit_code == 0, run.stdout + run.stderr
    assert sum(run.requests.values()) == counted(notice_server)
    assert run.summary["devices"] == {"registered": 40, "deleted": 40, "left_behind": 0}
    assert run.manifest["workers"] == 2
    assert notice_server.devices == {}


def test_each_worker_writes_from_its_first_task_on(commands, notice_server):
    run = commands.harness(
        "run", "--workers=2", *SHORT, "--host", notice_server.url, "--tags", "write"
    )
    assert run.exit_code == 0, run.failures
    assert run.requests["POST /accounts/device"] == 40
    puts = [body for method, _, body in notice_server.requests if method == "PUT"]
    written = {json.loads(body)["id"] for body in puts}
    assert len(written) > 20


def test_workers_draw_different_ids_from_one_seed(commands, notice_server):
    run = commands.harness("run", "--workers=2", *SHORT, "--host", notice_server.url, "--seed=9")
    assert run.exit_code == 0, run.failures
    assert len(set(notice_server.ever_registered)) == len(notice_server.ever_registered) == 40


def test_ctrl_c_in_the_ramp_up_ends_with_a_report_of_all_workers(commands, notice_server):
    process = commands.start(
        *("-m", "harness", "run", "--workers=2", "--users=200", "--spawn-rate=10"),
        *("--run-time=60s", "--host", notice_server.url),
    )
    wait_until(lambda: notice_server.seen["GET", "/notice/all"] > 20, "the run is under way")
    interrupt(process)
    run = commands.finish(process)
    assert run.exit_code == 0, run.stdout + run.stderr
    assert sum(run.requests.values()) == counted(notice_server)
    assert run.summary["devices"]["left_behind"] == 0
    assert notice_server.devices == {}


def test_a_worker_refuses_a_host_that_its_own_settings_do_not_allow(commands, notice_server):
    """The master may be told to allow a host; a worker answers for its own machine."""
    from harness.deployments import free_port

    port = str(free_port())
    host = f"http://this-machine.invalid:{notice_server.port}"
    (commands.folder / "probe.py").write_text(UNCHECKED_MASTER)
    worker = commands.start_locust("--worker", f"--master-port={port}")
    master = commands.start(
        *("-m", "locust", "-f", "probe.py", "--master", f"--master-bind-port={port}"),
        *("--headless", "--expect-workers=1", "--users=1", "--run-time=5s", "--host", host),
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

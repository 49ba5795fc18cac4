"""docker-compose.yml on a real engine: healthy, confined, measured, scaled, a worker killed.

The tests are one story, and follow the README's words. What they need is in `make test-compose`.
"""

from __future__ import annotations

import pytest

from support import direct
from support.commands import wait_until
from support.compose_stack import POLL_S, Stack, docker, health, service, user_ids

pytestmark = pytest.mark.timeout(1800)  # images are pulled and built; each wait has a limit

HEALTHY_S = 90
SERVICES = {"db", "fill", "app", "nginx", "master", "worker"}
USERS = 40
END_S = 120
"""What a run may take besides: its master starts, devices are deleted, charts are drawn."""


def all_healthy(stack: Stack) -> bool:
    running = [each for each in stack.containers() if each["State"]["Running"]]
    return all(health(each) == "healthy" for each in running)


def test_every_service_gets_healthy(stack: Stack) -> None:
    def states() -> set[tuple[str, str]]:
        return {(service(each), health(each)) for each in stack.containers()}

    wanted = {(each, "healthy") for each in SERVICES - {"fill"}} | {("fill", "exited 0")}
    wait_until(lambda: states() == wanted, f"{wanted}", HEALTHY_S, poll_s=POLL_S)
    assert len(stack.containers("worker")) == 2
    answer = direct.get(f"{stack.web_url}/stats/requests").json()
    assert [worker["state"] for worker in answer["workers"]] == ["ready", "ready"]


def test_no_container_runs_as_root(stack: Stack) -> None:
    for each in stack.containers():
        assert each["Config"]["User"] not in ("", "0", "root"), each["Name"]
        if each["State"]["Running"]:
            ids = user_ids(each)
            assert ids and "0" not in ids, each["Name"]


def test_containers_are_confined(stack: Stack) -> None:
    for each in stack.containers():
        host = each["HostConfig"]
        assert host["CapDrop"] == ["ALL"] and not host["Privileged"], each["Name"]
        assert any("no-new-privileges" in option for option in host["SecurityOpt"]), each["Name"]
        assert host["ReadonlyRootfs"] or service(each) == "db", each["Name"]


def test_only_the_web_ui_is_published_and_only_to_this_machine(stack: Stack) -> None:
    published = [
        (service(each), inside, outside["HostIp"], outside["HostPort"])
        for each in stack.containers()
        for inside, addresses in each["NetworkSettings"]["Ports"].items()
        for outside in addresses or ()
    ]
    assert published == [("master", "8089/tcp", "127.0.0.1", str(stack.web_port))]


def test_a_headless_run_passes_and_leaves_no_device(stack: Stack) -> None:
    stack.compose("stop", "master")
    options = ("--expect-workers=2", f"--users={USERS}", "--spawn-rate=20", "--run-time=30s")
    with stack.headless("first", *options) as run:
        assert run.finish(30 + END_S) == 0, run.output
    assert "PASS: the run is valid and met every objective" in run.output
    summary = stack.summary(run)
    assert summary["verdict"] == "pass", summary["reasons"]
    assert '"workers": 2' in (stack.result(run) / "run.json").read_text()
    assert summary["total"]["whole_run"]["requests"] > USERS
    assert summary["total"]["whole_run"]["failures"] == 0
    assert summary["devices"] == {"registered": USERS, "deleted": USERS, "left_behind": 0}
    assert stack.devices_in_database() == 0
    assert (stack.result(run) / "report.html").stat().st_size > 0


def test_workers_come_and_go_in_mid_run(stack: Stack) -> None:
    """Four share the users of two; of a killed one the others take them, and delete its devices.

    By the restart policy, docker starts no container again that `docker kill` has ended. Nothing
    here would be different if it did: the worker would come back as another one.
    """
    options = ("--expect-workers=2", f"--users={USERS}", "--spawn-rate=20", "--run-time=120s")
    with stack.headless("scaled", *options) as run:
        stack.await_users(lambda users: users == [USERS // 2] * 2, "two workers have all users")
        stack.compose("up", "--detach", "--no-deps", "--no-recreate", "--scale=worker=4", "worker")
        stack.await_users(lambda users: users == [USERS // 4] * 4, "four have as many each")
        wait_until(lambda: all_healthy(stack), "all are healthy", HEALTHY_S, poll_s=POLL_S)
        assert stack.devices_in_database() >= USERS // 2

        killed, *_ = stack.users_of_workers()
        docker("kill", "--signal=KILL", killed)
        stack.await_users(lambda users: sum(users) == USERS, "the others have its users")
        assert run.process.poll() is None, run.output
        assert run.finish(120 + END_S) == 3, run.output

    summary = stack.summary(run)
    assert summary["verdict"] == "invalid"
    assert [rule["name"] for rule in summary["validity"] if not rule["kept"]] == ["workers"]
    (reason,) = summary["reasons"]
    assert reason.startswith("lost workers: 1, ")
    assert "- lost workers: 1, " in run.output
    assert summary["total"]["whole_run"]["failures"] == 0
    assert summary["devices"]["left_behind"] == 0
    assert stack.devices_in_database() == 0


def test_down_leaves_nothing(stack: Stack) -> None:
    assert stack.left()
    stack.compose("down", "-v", timeout_s=120)
    assert stack.left() == []

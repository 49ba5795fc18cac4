"""Workers that would not do what the others do, and when they come."""

from __future__ import annotations

import shutil
from pathlib import Path

from gevent.event import Event

import pytest

from harness.config.settings import PROJECT_DIR
from harness.results import timeline
from support.commands import PATIENCE_S, interrupt
from support.notice_server import answers_after
from support.parts import broken_rules


def other_suite(folder: Path, changed: str) -> Path:
    """Return a locustfile of the same project in which one file has another line of code."""
    for name in ("harness", "notice_api", "tasks", "data", "conf"):
        shutil.copytree(PROJECT_DIR / name, folder / name)
    shutil.copy(PROJECT_DIR / "locustfile.py", folder)
    with (folder / changed).open("a") as stream:
        stream.write("# another version\n")
    return folder / "locustfile.py"


@pytest.mark.parametrize(
    "how", ["another suite", "another contract", "other data", "another mix", "other users"]
)
def test_a_worker_that_would_do_something_else_is_refused(parts, notice_server, how):
    usual, options, word = PROJECT_DIR / "locustfile.py", {}, ""
    if how in ("another suite", "another contract"):
        changed = "notice_api/contract.py" if "contract" in how else "tasks/notices.py"
        options["file"] = other_suite(parts.commands.folder / "other", changed)
        options["PYTHONPATH"], word = str(options["file"].parent), "suite"
    elif how == "other data":
        options, word = {"file": usual, "VARY_DATA": "1"}, "data"
    elif how == "other users":
        options["file"], word = parts.commands.folder / "mine.py", "locustfile"
        options["file"].write_text(usual.read_text() + "\n# in which a wait may have changed\n")
    else:
        options["file"] = parts.commands.folder / "mine.py"
        options["file"].write_text(OTHER_MIX)
        word = "task mix"
    master = parts.start(
        "--headless",
        "--master",
        f"--master-bind-port={parts.port}",
        "--expect-workers=1",
        "--users=5",
        "--run-time=5s",
        "--host",
        notice_server.url,
        file=usual,
    )
    refused, led = parts.end(parts.worker(**options)), parts.end(master)
    for process in (refused, led):
        assert process.exit_code == 2, process.stderr
        assert f" is refused: its {word} is " in process.stderr
        assert "Traceback" not in process.stderr
    assert notice_server.devices == {}
    assert notice_server.seen["POST", "/accounts/device"] == 0


OTHER_MIX = """
import locustfile


class NoticeUser(locustfile.NoticeUser):
    tasks = {locustfile.search_notices: 1}
"""


def test_late_workers_that_would_do_something_else_get_no_users(parts, notice_server):
    """Locust gives some to whoever is ready, and takes them from those that do right."""
    (parts.commands.folder / "plain.py").write_text(PLAIN)
    parts.worker()
    master = parts.master(10, 1)
    parts.wait(lambda: notice_server.seen["PUT", "/accounts/device"] > 10, "the run is under way")
    other_data = parts.worker(VARY_DATA="1")
    stranger = parts.worker(file=parts.commands.folder / "plain.py")
    refused = parts.end(other_data)
    parts.end(stranger)
    interrupt(master)
    run = parts.end(master)
    assert refused.exit_code == 2, refused.stderr
    assert "its data is " in refused.stderr
    assert "is refused: its locustfile is not of this suite" in run.stderr
    assert run.faults == [], run.stdout
    assert not {"workers", "reports", "requests"} & {*broken_rules(run)}
    assert ("GET", "/foreign") not in notice_server.seen
    assert len(notice_server.ever_registered) == 10, "nobody's users were moved"
    steady = [row for row in timeline.read_timeline(run.folder) if row.target_users][3:]
    assert {row.users for row in steady} == {10}
    assert sum(run.requests.values()) == notice_server.workload
    assert run.summary["devices"]["left_behind"] == 0


def test_a_wrong_worker_that_comes_during_cleanup_does_not_cost_the_result(parts, notice_server):
    patience = {"ANSWER_TIMEOUT_S": f"{PATIENCE_S}", "CLEANUP_TIMEOUT_S": f"{PATIENCE_S}"}
    may_go_on = Event()
    notice_server.faults["DELETE", "/accounts/device"] = answers_after(may_go_on)
    parts.worker(**patience)
    master = parts.master(40, 1, "--run-time=4s", **patience)
    parts.wait(lambda: notice_server.seen["DELETE", "/accounts/device"], "cleaning up has begun")
    refused = parts.worker(VARY_DATA="1", **patience)
    assert parts.end(refused).exit_code == 2
    may_go_on.set()
    run = parts.end(master)
    assert run.summary["devices"] == {"registered": 40, "deleted": 40, "left_behind": 0}
    assert notice_server.devices == {}


def test_a_worker_of_another_suite_altogether_is_not_waited_for(parts, notice_server):
    (parts.commands.folder / "plain.py").write_text(PLAIN)
    worker = parts.worker(file=parts.commands.folder / "plain.py")
    led = parts.end(parts.master(5, 1, "--run-time=30s"))
    parts.end(worker)
    assert led.exit_code == 2
    assert "is refused: its locustfile is not of this suite; use the same files" in led.stderr
    assert notice_server.seen["POST", "/accounts/device"] == 0


PLAIN = """
from locust import HttpUser, constant, task


class NoticeUser(HttpUser):
    wait_time = constant(0.1)

    @task
    def foreign(self):
        self.client.get("/foreign")
"""

"""Tasks in Locust's classic style run beside ours, and are counted, recorded and judged."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.config.settings import HTTP_CLIENTS, PROJECT_DIR
from harness.processes import locustfiles
from support.commands import Commands, Finished
from support.notice_server import NoticeServer, answers

LOCUSTFILES = PROJECT_DIR / "tests" / "integration" / "locustfiles"
CLASSIC = LOCUSTFILES / "classic.py"
ROWS = {"GET search", "GET pages", "PUT keywords", "GET boards", "PUT /accounts/device alarm"}
START_CHECK = 1


def run(commands: Commands, server: NoticeServer, file: Path = CLASSIC, **env: str) -> Finished:
    users = ("--users=12", "--spawn-rate=12", "--run-time=8s", "--host", server.url)
    command = ("-m", "locust", "--headless", "-f", locustfiles(file), *users)
    return commands.finish(commands.start(*command, **env))


@pytest.mark.parametrize("client", HTTP_CLIENTS)
def test_classic_tasks_are_counted_recorded_and_judged(
    client: str, commands: Commands, notice_server: NoticeServer
) -> None:
    found = run(commands, notice_server, HTTP_CLIENT=client)
    assert found.faults == [], found.stderr
    assert set(found.requests) >= ROWS
    read_back, deleted = found.summary["audit"]["devices"], found.summary["devices"]["deleted"]
    seen = sum(notice_server.seen.values()) - read_back - deleted - START_CHECK
    assert sum(found.requests.values()) == seen, "each request is counted once"
    assert {each[:7] for each in notice_server.devices} == {"CLASSIC"}, "ours are deleted"


def test_a_classic_check_that_fails_is_a_failure_of_the_run(
    commands: Commands, notice_server: NoticeServer
) -> None:
    notice_server.faults["PUT", "/accounts/device"] = answers(200, {"keywords": "others"})
    found = run(commands, notice_server)
    assert found.exit_code != 0
    assert "keywords are not kept" in found.failures
    (row,) = (each for each in found.summary["endpoints"] if each["name"] == "keywords")
    assert row["whole_run"]["failures"] == row["whole_run"]["requests"] > 0


def test_the_original_runs_to_the_letter_and_what_it_raises_makes_the_run_invalid(
    commands: Commands, notice_server: NoticeServer
) -> None:
    found = run(commands, notice_server, LOCUSTFILES / "original_2020.py")
    assert found.exit_code == 3
    assert found.requests["GET /notice/all?target=cse+main&q=%EC%9E%A5%ED%95%99"] > 0
    assert found.requests["GET /notice/all?target=cse+main&page=10"] > 0
    assert found.requests["PUT /accounts/device"] > 0, "it was sent and counted"
    (reason,) = (each for each in found.summary["reasons"] if "exceptions in users" in each)
    assert "see locust_exceptions.csv" in reason
    assert "with-block" in (found.folder / "locust_exceptions.csv").read_text()


def test_the_readmes_example_runs_as_it_is_written(
    commands: Commands, notice_server: NoticeServer
) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (PROJECT_DIR / "README.md").read_text(), re.DOTALL)
    (example,) = (block for block in blocks if block.startswith("# mylocustfile.py"))
    file = commands.folder / "mylocustfile.py"
    file.write_text(example)
    found = run(commands, notice_server, file)
    assert found.faults == [], found.stderr
    assert found.requests["GET /notice/all?page=1"] > 0
    assert found.manifest["task_mix"]["open_first_page"] == 1

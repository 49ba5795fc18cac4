"""`python -m harness cleanup`: what a run has left goes, and what is wrong is said in one line."""

from __future__ import annotations

import shutil

import pytest

from harness.config.settings import PROJECT_DIR
from harness.devices.ledger import LEDGER, Ledger, read_left
from harness.devices.pool import device_id
from support.notice_server import answers
from support.run_folders import write_run

NOWHERE = "http://127.0.0.1:1"
SEED = 7
DELETE = ("DELETE", "/accounts/device")


def one_line(run, *parts):
    assert run.exit_code == 2, run.stderr
    (line,) = run.stderr.splitlines()
    assert line.startswith("error: ")
    for part in parts:
        assert part in line


@pytest.fixture
def folder(commands):
    return commands.results / "run"


def left(folder, host, count=3, ended=True, **planned):
    """Write the folder of a run that has left some devices."""
    write_run(folder, host=host, ended=ended, seed=SEED, **planned)
    with Ledger(folder) as ledger:
        ledger.reserve(0, 0, count - 1)
    return [device_id(SEED, 0, number) for number in range(count)]


def put_on(server, ids):
    for id_ in ids:
        server.devices[id_] = {"id": id_}


# What is wrong.


def test_no_folder(commands, folder):
    one_line(commands.harness("cleanup", str(folder)), "there is no folder", "results/ID")
    one_line(commands.harness("cleanup"), "results/RUN_ID")


def test_a_folder_of_something_else(commands):
    one_line(commands.harness("cleanup", str(commands.folder)), "run.json")


def test_a_run_without_a_ledger(commands, folder):
    write_run(folder)
    one_line(commands.harness("cleanup", str(folder)), f"has no {LEDGER}")
    assert not (folder / LEDGER).exists()


def test_a_host_that_is_refused(commands, folder):
    left(folder, "http://example.com")
    one_line(commands.harness("cleanup", str(folder)), "ALLOWED_HOSTS=example.com")
    assert read_left(folder) == {0: [0, 1, 2]}


def test_a_host_that_is_silent(commands, folder):
    left(folder, NOWHERE)
    one_line(commands.harness("cleanup", str(folder)), "does not answer", "is it running?")
    assert read_left(folder) == {0: [0, 1, 2]}


def test_a_run_that_goes_on(commands, folder, notice_server):
    ids = left(folder, notice_server.url)
    put_on(notice_server, ids)
    with Ledger(folder):
        one_line(commands.harness("cleanup", str(folder)), "goes on", "wait for its end")
    assert {*notice_server.devices} == {*ids}


def test_a_broken_ledger(commands, folder):
    left(folder, NOWHERE)
    (folder / LEDGER).write_bytes("장학".encode("euc-kr"))
    one_line(commands.harness("cleanup", str(folder)), f"{LEDGER} is broken")


def test_a_ledger_that_cannot_be_opened(commands, folder):
    write_run(folder)
    (folder / LEDGER).mkdir()
    one_line(commands.harness("cleanup", str(folder)), LEDGER)


# What is right.


def test_what_is_left_is_deleted_and_what_is_not_of_the_run_stays(commands, folder, notice_server):
    ids = left(folder, notice_server.url)
    put_on(notice_server, [*ids[:2], "ANOTHER"])
    run = commands.harness("cleanup", str(folder))
    assert run.exit_code == 0, run.stderr
    assert "devices: 2 deleted, 0 left behind; 1 more were reserved and not there\n" in run.stdout
    assert [*notice_server.devices] == ["ANOTHER"]
    again = commands.harness("cleanup", str(folder))
    assert (again.exit_code, again.stdout) == (0, "nothing is left of this run\n")


def test_what_the_server_refuses_is_left_for_another_day(commands, folder, notice_server):
    ids = left(folder, notice_server.url)
    put_on(notice_server, ids)
    notice_server.faults[DELETE] = answers(500, {})
    run = commands.harness("cleanup", str(folder))
    assert run.exit_code == 1, run.stderr
    assert "3 left behind" in run.stdout and "run it again" in run.stdout
    del notice_server.faults[DELETE]
    again = commands.harness("cleanup", str(folder))
    assert again.exit_code == 0, again.stderr
    assert "0 left behind" in again.stdout


def test_a_run_that_was_killed_with_half_a_row_written(commands, folder, notice_server):
    ids = left(folder, notice_server.url, ended=False)
    put_on(notice_server, ids)
    with (folder / LEDGER).open("a") as stream:
        stream.write("gone,0,1,")
    run = commands.harness("cleanup", str(folder))
    assert run.exit_code == 0, run.stderr
    assert "3 deleted" in run.stdout
    assert notice_server.devices == {}


def test_a_locustfile_that_does_not_load(commands, folder, notice_server):
    """Somebody is just editing it; the devices of the run before are still to be deleted."""
    ids = left(folder, notice_server.url)
    put_on(notice_server, ids)
    other = commands.folder / "project"
    for name in ("harness", "notice_api", "tasks", "data", "conf"):
        shutil.copytree(PROJECT_DIR / name, other / name)
    (other / "locustfile.py").write_text("import nowhere\n")
    path = {"PYTHONPATH": str(other)}
    ended = commands.harness("cleanup", str(folder), **path)
    one_line(ended, "locustfile.py does not load", "No module named 'nowhere'")
    shutil.copy(PROJECT_DIR / "locustfile.py", other)
    assert commands.harness("cleanup", str(folder), **path).exit_code == 0
    assert notice_server.devices == {}

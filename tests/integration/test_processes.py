"""Whatever dies first, no process is left behind."""

from __future__ import annotations

import contextlib
import signal
import time

import psutil
import pytest

from support.commands import interrupt, wait_until

RUN = ("-m", "harness", "run", "--users=10", "--spawn-rate=10", "--run-time=60s")


def children(process, word):
    descendants = psutil.Process(process.pid).children(recursive=True)
    return [child for child in descendants if not gone(child) and word in command_of(child)]


def gone(child):
    try:
        return child.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def command_of(child):
    try:
        return " ".join(child.cmdline())
    except psutil.NoSuchProcess:
        return ""


def started(commands, *arguments, **env):
    """Start a run with a server of its own; return the process and all its descendants."""
    process = commands.start(*RUN, *arguments, **env)
    wait_until(lambda: list(commands.results.glob("*/run.json")), "the run has begun")
    assert len(children(process, "gunicorn")) == 3, "gunicorn and its two workers"
    return process, psutil.Process(process.pid).children(recursive=True)


def all_gone(processes):
    return all(gone(child) for child in processes)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_ends_the_run_with_a_report(commands, name):
    process, descendants = started(commands)
    process.send_signal(signal.Signals[name])
    run = commands.finish(process)
    (fault,) = run.faults
    assert fault.startswith("the run was stopped after "), run.stdout + run.stderr
    assert run.exit_code == 3
    assert run.summary["devices"]["left_behind"] == 0
    assert all_gone(descendants)


def test_the_command_is_killed(commands):
    process, descendants = started(commands, "--workers=2", CLEANUP_TIMEOUT_S="2")
    process.kill()
    commands.finish(process)
    wait_until(lambda: all_gone(descendants), "server, master and workers are gone")


def test_locust_is_killed(commands):
    process, descendants = started(commands)
    (locust,) = children(process, "locust.conf")
    locust.kill()
    run = commands.finish(process)
    assert run.exit_code == 3
    assert "error: locust ended with -9" in run.stderr
    assert all_gone(descendants)


def test_the_server_is_killed(commands):
    process, descendants = started(commands, CLEANUP_TIMEOUT_S="2")
    for server in children(process, "gunicorn"):
        with contextlib.suppress(psutil.NoSuchProcess):  # a worker ends with its master
            server.kill()
    wait_until(lambda: not children(process, "gunicorn"), "the server is gone")
    time.sleep(6)  # longer than any user waits between two tasks
    interrupt(process)
    run = commands.finish(process)
    assert any("requests failed" in fault for fault in run.faults), run.stdout + run.stderr
    assert "connection refused" in run.failures
    assert run.summary["devices"]["left_behind"] > 0
    assert "delete them: python -m harness cleanup " in run.stdout
    assert all_gone(descendants)


def test_the_servers_database_is_dropped_and_its_log_kept(commands):
    run = commands.harness("run", "--users=2", "--run-time=2s")
    assert run.faults == [], run.stderr
    names = {path.name for path in run.folder.iterdir()}
    assert {"target.log", "locust.log", "summary.json"} <= names
    assert not any("sqlite3" in name for name in names)

"""Locust's web UI, started and stopped over its HTTP API."""

from __future__ import annotations

import json
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest
import requests

from harness.processes import free_port
from support import direct
from support.commands import PATIENCE_S, wait_until
from support.notice_server import answers_late


@pytest.fixture
def web_ui(commands, notice_server):
    """Start the web UI on a free port; yield a function that starts it with more settings."""
    started = []

    def start(*arguments, **env):
        port = free_port()
        process = commands.start_locust(
            f"--web-port={port}", *arguments, **{"HOST": notice_server.url, **env}
        )
        started.append(process)
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: answers(url), "the web UI answers")
        return process, url

    yield start
    for process in started:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=PATIENCE_S)


def answers(url):
    try:
        return direct.get(url).ok
    except requests.ConnectionError:
        return False


def swarm(url, **fields):
    form = {"user_count": 5, "spawn_rate": 5, **fields}
    return direct.post(f"{url}/swarm", data=form).json()


def all_are_reading(notice_server):
    """Say whether the five users are there, and not only the first of them."""
    return len(notice_server.devices) == 5 and notice_server.seen["GET", "/notice/all"] > 5


def folders(commands):
    return sorted(path.parent for path in commands.results.glob("*/summary.json"))


def test_a_run_is_started_watched_and_stopped(commands, notice_server, web_ui):
    _, url = web_ui()
    assert notice_server.url in direct.get(url).text, "the host field is filled in"
    assert swarm(url)["success"] is True
    wait_until(lambda: all_are_reading(notice_server), "users are reading")
    stats = direct.get(f"{url}/stats/requests").json()
    assert stats["user_count"] == 5 and stats["fail_ratio"] == 0
    assert direct.post(f"{url}/stop").json()["success"] is True
    (folder,) = folders(commands)
    assert (folder / "locust.html").exists()
    assert notice_server.devices == {}


def test_each_run_gets_a_folder_of_its_own_and_a_new_seed(commands, notice_server, web_ui):
    _, url = web_ui()
    for run_time in ("9m", ""):
        swarm(url, run_time=run_time)
        wait_until(lambda: notice_server.seen["POST", "/accounts/device"] >= 5, "registered")
        direct.post(f"{url}/stop")
        notice_server.seen.clear()
    runs = [json.loads((folder / "run.json").read_text()) for folder in folders(commands)]
    assert {run["run_time_s"] for run in runs} == {540, None}, "a field left empty is none"
    assert len({run["seed"] for run in runs}) == 2


@pytest.mark.parametrize(
    ("host", "message"),
    [
        ("http://example.com", "example.com is not this machine"),
        ("127.0.0.1:8000", "has no scheme"),
        ("http://127.0.0.1:1", "does not answer (connection refused)"),
    ],
)
def test_a_wrong_host_in_the_host_field_is_refused(commands, web_ui, host, message):
    _, url = web_ui(HOST="")
    answer = swarm(url, host=host)
    assert answer["success"] is False and message in answer["message"]
    assert direct.get(f"{url}/stats/requests").json()["state"] == "ready"
    assert folders(commands) == []


def test_nothing_listens_beyond_loopback(web_ui):
    process, _ = web_ui("--master", f"--master-bind-port={free_port()}")
    listening = [
        connection.laddr.ip
        for connection in psutil.Process(process.pid).net_connections()
        if connection.status == psutil.CONN_LISTEN
    ]
    assert len(listening) == 2, "the web UI and the master port"
    assert set(listening) == {"127.0.0.1"}


def test_it_listens_elsewhere_when_told(commands, notice_server):
    port = free_port()
    options = ("--web-host=127.0.0.2", f"--web-port={port}", "--host", notice_server.url)
    process = commands.start_locust(*options)
    wait_until(lambda: answers(f"http://127.0.0.2:{port}"), "the web UI answers")
    assert not answers(f"http://127.0.0.1:{port}")
    process.terminate()
    commands.finish(process)


def test_another_host_in_mid_run_is_refused(notice_server, web_ui):
    _, url = web_ui()
    swarm(url)
    wait_until(lambda: notice_server.seen["GET", "/notice/all"] > 5, "users are reading")
    answer = swarm(url, host=notice_server.url.replace("127.0.0.1", "127.0.0.2"))
    assert answer["success"] is False and "a run is open" in answer["message"]
    assert swarm(url, user_count=6)["success"] is True, "more users are no other host"
    fields = {"user_class_name": "NoticeUser", "host": "http://example.com"}
    answer = direct.post(f"{url}/user", json=fields).json()
    assert answer["success"] is False


def test_no_run_starts_before_the_last_one_has_ended(commands, notice_server, web_ui):
    """The two would share a record, or the second would get none."""
    notice_server.faults["GET", "/notice/all"] = answers_late(4)
    _, url = web_ui()
    swarm(url)
    wait_until(lambda: notice_server.seen["GET", "/notice/all"] >= 3, "users are waiting")
    with ThreadPoolExecutor() as pool:
        stop = pool.submit(direct.post, f"{url}/stop")
        wait_until(lambda: phase(url) == "stopping", "the run is being ended")
        answer = swarm(url)
        assert answer["success"] is False and "wait for its verdict" in answer["message"]
        assert stop.result().json()["success"] is True
    (folder,) = folders(commands)
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["devices"] == {"registered": 5, "deleted": 5, "left_behind": 0}
    assert swarm(url)["success"] is True, "a new one starts when the last has its verdict"


def phase(url):
    return direct.get(f"{url}/verdict/state").json()["phase"]


def test_a_reset_in_mid_run_makes_the_run_invalid(commands, notice_server, web_ui):
    _, url = web_ui()
    swarm(url)
    wait_until(lambda: notice_server.seen["GET", "/notice/all"] > 5, "users are reading")
    direct.post(f"{url}/stats/reset")
    direct.post(f"{url}/stop")
    summary = json.loads((folders(commands)[0] / "summary.json").read_text())
    assert summary["exit_code"] == 3
    assert "the statistics were reset in mid-run" in summary["reasons"]


def test_a_form_cannot_choose_the_folder(commands, notice_server, web_ui):
    _, url = web_ui()
    swarm(url, run_id="../../elsewhere", seed="7")
    wait_until(lambda: notice_server.seen["GET", "/notice/all"] > 5, "users are reading")
    direct.post(f"{url}/stop")
    assert len(folders(commands)) == 1


def test_ctrl_c_closes_the_run(commands, notice_server, web_ui):
    process, url = web_ui()
    swarm(url)
    wait_until(lambda: all_are_reading(notice_server), "users are reading")
    process.send_signal(signal.SIGINT)
    run = commands.finish(process)
    assert run.faults == [], run.stderr
    assert run.summary["devices"] == {"registered": 5, "deleted": 5, "left_behind": 0}


def test_a_login_keeps_strangers_out(notice_server, web_ui):
    login = {"WEB_LOGIN": "1", "WEB_USERNAME": "kim", "WEB_PASSWORD": "correct horse"}
    _, url = web_ui(**login)
    stranger = direct.session()
    assert "/login" in stranger.get(url).url
    stranger.post(f"{url}/swarm", data={"user_count": 1, "spawn_rate": 1})
    wrong = {"username": "kim", "password": "wrong"}
    assert "/login" in stranger.post(f"{url}/notice-load/login", data=wrong).url
    refused = {"user_count": 1, "spawn_rate": 1, "host": "http://example.com"}
    asked = stranger.post(f"{url}/swarm", data=refused, allow_redirects=False)
    assert asked.status_code == 302, "no answer about hosts before the login"
    time.sleep(1)
    assert notice_server.seen["POST", "/accounts/device"] == 0

    owner = direct.session()
    right = {"username": "kim", "password": "correct horse"}
    assert "/login" not in owner.post(f"{url}/notice-load/login", data=right).url
    started = owner.post(f"{url}/swarm", data={"user_count": 1, "spawn_rate": 1})
    assert started.json()["success"] is True


def test_ctrl_c_after_stop_waits_for_the_result(commands, notice_server, web_ui):
    """Devices are being deleted meanwhile, and the record is still open."""
    notice_server.faults["DELETE", "/accounts/device"] = answers_late(2)
    process, url = web_ui(AUDIT_SAMPLE="0")
    swarm(url)
    wait_until(lambda: all_are_reading(notice_server), "users are reading")
    with ThreadPoolExecutor() as pool:
        pool.submit(direct.post, f"{url}/stop")
        wait_until(lambda: notice_server.seen["DELETE", "/accounts/device"], "cleaning up")
        process.send_signal(signal.SIGINT)
        run = commands.finish(process)
    assert run.summary["devices"] == {"registered": 5, "deleted": 5, "left_behind": 0}


def test_ctrl_c_twice_ends_at_once_and_says_what_is_left(commands, notice_server, web_ui):
    notice_server.faults["DELETE", "/accounts/device"] = answers_late(9 * PATIENCE_S)
    process, url = web_ui(AUDIT_SAMPLE="0", CLEANUP_TIMEOUT_S=f"{9 * PATIENCE_S}")
    swarm(url)
    wait_until(lambda: all_are_reading(notice_server), "users are reading")
    process.send_signal(signal.SIGINT)
    wait_until(lambda: notice_server.seen["DELETE", "/accounts/device"], "cleaning up")
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=PATIENCE_S)
    (folder,) = commands.results.iterdir()
    assert process.returncode == 3
    assert f"python -m harness cleanup results/{folder.name} deletes what is left" in said
    assert not (folder / "summary.json").exists()

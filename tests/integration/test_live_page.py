"""The live page beside locust's web UI: what it says of real runs, and what it keeps to itself."""

from __future__ import annotations

import contextlib
import json

import pytest
import requests

from harness.processes import free_port
from support import direct
from support.commands import PATIENCE_S, wait_until
from support.notice_server import answers as answering
from support.web_ui import end, post, state, verdict, web_ui

MANY = {"user_count": 40, "spawn_rate": 40}
PRIVATE = ("/verdict", "/verdict/state", "/verdict/files/summary.json")


@pytest.fixture
def easy(tmp_path):
    """Return the settings of objectives that a busy machine keeps, its generator's too."""
    slo = tmp_path / "easy.toml"
    slo.write_text('[total]\np95_ms = 30000\n[generator]\nlag_ms = 60000\n["GET /notice/list"]\n')
    return {"SLO_FILE": str(slo)}


def get(url):
    return direct.get(url)


def run_until(url, wanted, **fields):
    post(f"{url}/swarm", **{**MANY, **fields})
    wait_until(lambda: verdict(url) == wanted, f"the verdict so far is {wanted}")


def test_before_a_run_it_says_that_nothing_has_run(commands, notice_server):
    with web_ui(commands, HOST=notice_server.url) as url:
        page = get(f"{url}/verdict")
        assert page.ok and "Nothing has run yet" in page.text
        assert (state(url)["phase"], state(url)["standing"]) == ("none", None)
        assert get(f"{url}/verdict/files/summary.json").status_code == 404


def test_it_follows_a_run_to_its_end(commands, notice_server, easy):
    with web_ui(commands, HOST=notice_server.url, **easy) as url:
        post(f"{url}/swarm", **MANY)
        first = state(url)
        assert (first["phase"], first["standing"]["verdict"]) == ("running", "too early")
        assert first["files"] == []
        assert get(f"{url}/verdict/files/summary.json").status_code == 404, "not before the end"
        wait_until(lambda: verdict(url) == "pass", "the verdict so far is pass")
        later = state(url)
        assert later["requests"] > 0 and 0 < later["written_s"] <= later["moment"]["elapsed_s"]
        assert later["moment"]["users"] == later["moment"]["target_users"] == 40
        assert "Pass so far" in get(f"{url}/verdict").text
        direct.post(f"{url}/stop")

        over = state(url)
        (folder,) = commands.results.iterdir()
        summary = json.loads((folder / "summary.json").read_text())
        assert over["phase"] == "over" and over["run_id"] == summary["run_id"]
        assert over["standing"]["verdict"] == summary["verdict"] == "pass"
        assert over["requests"] == summary["total"]["whole_run"]["requests"]
        assert "summary.json" in over["files"]
        for name in over["files"]:
            left = get(f"{url}/verdict/files/{name}")
            assert left.content == (folder / name).read_bytes()
            assert left.headers["Content-Disposition"].startswith("attachment")


@pytest.mark.parametrize(
    "name", ["run.json", "locust.html", "nothing.json", "..%2f..%2feasy.toml", "../state", ""]
)
def test_nothing_else_is_handed_out(commands, notice_server, easy, name):
    with web_ui(commands, HOST=notice_server.url, **easy) as url:
        run_until(url, "too early", user_count=1)
        direct.post(f"{url}/stop")
        assert get(f"{url}/verdict/files/summary.json").ok
        asked = requests.Request("GET", f"{url}/").prepare()
        asked.url = f"{url}/verdict/files/{name}"  # requests would tidy the dots away
        with direct.session() as session:
            assert session.send(asked, timeout=PATIENCE_S).status_code == 404


def test_wrong_answers_fail_at_once(commands, notice_server):
    notice_server.faults["GET", "/notice/list"] = answering(500, {"detail": "x"})
    with web_ui(commands, HOST=notice_server.url) as url:
        run_until(url, "fail")
        (reason, *_) = state(url)["standing"]["reasons"]
        assert "requests failed" in reason


def test_a_reset_in_mid_run_makes_it_invalid_at_once_and_for_good(commands, notice_server, easy):
    with web_ui(commands, HOST=notice_server.url, **easy) as url:
        run_until(url, "too early")
        direct.post(f"{url}/stats/reset")
        assert verdict(url) == "invalid"
        assert state(url)["standing"]["reasons"] == ["the statistics were reset in mid-run"]
        direct.post(f"{url}/stop")
        assert verdict(url) == "invalid"


def test_the_next_run_begins_anew(commands, notice_server, easy):
    with web_ui(commands, HOST=notice_server.url, **easy) as url:
        run_until(url, "too early")
        direct.post(f"{url}/stats/reset")
        direct.post(f"{url}/stop")
        first = state(url)["run_id"]
        run_until(url, "too early")
        second = state(url)
        assert second["run_id"] != first and second["files"] == []


def test_locusts_own_ui_leads_to_it(commands, notice_server, easy):
    with web_ui(commands, HOST=notice_server.url, **easy) as url:
        index = get(url).text
        assert '"extended_tabs": [{"key": "verdict", "title": "Verdict"}]' in index
        assert '"href": "./verdict"' in index
        run_until(url, "too early")
        statistics = get(f"{url}/stats/requests").json()
        assert statistics["state"] in ("spawning", "running"), "what locust says stays"
        (table,) = statistics["extended_stats"]
        assert table["key"] == "verdict"
        assert table["data"][0]["state"] == "Too early to say"
        assert f"{url}/verdict" in table["data"][0]["words"]


def test_it_stands_below_the_base_path_of_the_web_ui(commands, notice_server):
    options = ("--web-base-path=/load",)
    with web_ui(commands, *options, HOST=notice_server.url) as url:
        assert "Nothing has run yet" in get(f"{url}/load/verdict").text
        assert get(f"{url}/verdict").status_code == 404


def test_a_login_keeps_strangers_out(commands, notice_server):
    login = {"WEB_LOGIN": "1", "WEB_USERNAME": "kim", "WEB_PASSWORD": "correct horse"}
    with web_ui(commands, HOST=notice_server.url, **login) as url:
        for path in (*PRIVATE, "/verdict/files/nothing", "/stats/requests"):
            stranger = direct.get(url + path, allow_redirects=False)
            assert stranger.status_code == 302 and "/login" in stranger.headers["Location"], path
            assert "verdict-title" not in stranger.text
        owner = direct.session()
        right = {"username": "kim", "password": "correct horse"}
        owner.post(f"{url}/notice-load/login", data=right, timeout=PATIENCE_S)
        assert "Nothing has run yet" in owner.get(f"{url}/verdict", timeout=PATIENCE_S).text
        assert owner.get(f"{url}/verdict/state", timeout=PATIENCE_S).json()["phase"] == "none"


def test_of_two_workers_it_shows_both_and_the_loss_of_one(commands, notice_server, easy):
    port = free_port()
    with contextlib.ExitStack() as stack:
        workers = [commands.start_locust("--worker", f"--master-port={port}") for _ in range(2)]
        for worker in workers:
            stack.callback(end, worker)
        options = ("--master", f"--master-bind-port={port}")
        url = stack.enter_context(web_ui(commands, *options, HOST=notice_server.url, **easy))
        wait_until(lambda: get(f"{url}/worker-count").json()["worker_count"] == 2, "two workers")
        run_until(url, "pass")
        found = state(url)
        assert found["moment"]["users"] == 40
        assert found["moment"]["elapsed_s"] - found["written_s"] >= 7, "workers report late"
        workers[0].kill()
        wait_until(lambda: verdict(url) == "invalid", "the loss is told")
        (reason,) = state(url)["standing"]["reasons"]
        assert "lost" in reason and "workers" in reason
        direct.post(f"{url}/stop")
        assert (state(url)["phase"], verdict(url)) == ("over", "invalid")

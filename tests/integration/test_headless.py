"""Plain locust without a browser, against the reference server and against the honest one."""

from __future__ import annotations

import csv
import json
import re
import time

import pytest
from scipy.stats import chisquare

from harness.config.settings import HTTP_CLIENTS, PROJECT_DIR
from harness.processes import locustfiles, open_directly
from harness.results import figures, run_folder
from harness.results.objectives import Saturation
from harness.results.timeline import TIMELINE, read_failures, read_timeline
from notice_api.contract import ENDPOINTS
from notice_api.words import load
from support.commands import PATIENCE_S, interrupt, wait_until
from support.notice_server import answers, answers_late

NAMES = {f"{endpoint.method} {endpoint.name}" for endpoint in ENDPOINTS}
SHORT = ("--users=20", "--spawn-rate=20", "--run-time=3s")


def tasks_of(requests):
    """Return how often each task ran: browsing sends ten requests, listing five."""
    return {
        "search": requests["GET /notice/all?q"],
        "browse": requests["GET /notice/all?page"] / 10,
        "list": requests["GET /notice/list"] / 5,
        "subscriptions": requests["PUT /accounts/device subscriptions"],
        "keywords": requests["PUT /accounts/device keywords"],
        "alarm": requests["PUT /accounts/device alarm"],
    }


def test_the_mix_of_a_run_is_that_of_the_weights(commands, notice_server):
    """A server that is too slow for the users would cut the longer tasks short."""
    run = commands.locust_until(
        lambda _: notice_server.workload > 2500,
        "hundreds of tasks",
        "--users=300",
        "--spawn-rate=150",
        "--seed=7",
        "--host",
        notice_server.url,
    )
    assert run.faults == [], run.stderr
    assert set(run.requests) == NAMES
    tasks = tasks_of(run.requests)
    weights = {"search": 3, "browse": 3, "list": 1, "subscriptions": 1, "keywords": 1, "alarm": 1}
    total = sum(tasks.values())
    assert total > 400
    expected = [weights[name] / 10 * total for name in tasks]
    assert chisquare(list(tasks.values()), expected).pvalue > 0.01


def test_a_run_leaves_a_folder_and_nothing_on_the_server(commands, notice_server):
    run = commands.locust(*SHORT, "--host", notice_server.url, "--run-id=mine")
    assert run.faults == [], run.stderr
    assert {path.name for path in run.folder.iterdir()} == {
        "run.json",
        "summary.json",
        "histograms.hlog",
        "timeline.csv",
        "failures.csv",
        "end.json",
        "slo.toml",
        "ledger.csv",
        "locust.html",
        "locust_stats.csv",
        "locust_stats_history.csv",
        "locust_failures.csv",
        "locust_exceptions.csv",
    }
    assert run.folder.name == "mine"
    manifest = run.manifest
    assert manifest["users"] == 20 and manifest["run_time_s"] == 3
    assert manifest["host"] == notice_server.url
    assert manifest["task_mix"]["search_notices"] == manifest["task_mix"]["browse_pages"] == 3
    assert run.summary["devices"] == {"registered": 20, "deleted": 20, "left_behind": 0}
    connections = run.summary["connections"]
    assert connections["opened"] == 20 + connections["reconnects"]
    assert connections["connecting_ms"] > 0
    assert notice_server.devices == {}
    with (run.folder / "locust_stats.csv").open() as stream:
        rows = {f"{row['Type']} {row['Name']}".strip(): row for row in csv.DictReader(stream)}
    assert int(rows["Aggregated"]["Request Count"]) == sum(run.requests.values())
    assert "Locust" in (run.folder / "locust.html").read_text()


def test_no_request_is_lost_or_counted_twice(commands, notice_server):
    run = commands.locust(*SHORT, "--host", notice_server.url)
    assert sum(run.requests.values()) == notice_server.workload


def test_a_seed_makes_the_choices_repeatable(commands, notice_server):
    def sent(seed, seconds):
        notice_server.requests.clear()
        run_id = f"run-{len(notice_server.ever_registered)}"
        commands.locust(
            *SHORT,
            f"--run-time={seconds}s",
            "--host",
            notice_server.url,
            "--seed",
            seed,
            "--run-id",
            run_id,
            VARY_DATA="1",
        )
        posts = [
            json.loads(body)["id"]
            for method, _, body in notice_server.requests
            if method == "POST"
        ]
        searches = [target for _, target, _ in notice_server.requests if "&q=" in target]
        return sorted(posts), searches

    first_ids, first_searches = sent("5", 4)
    again_ids, again_searches = sent("5", 4)
    other_ids, _ = sent("6", 1)
    assert first_ids == again_ids
    assert other_ids
    assert not set(first_ids) & set(other_ids)
    # How far each user comes depends on timing; what it asks for does not.
    common = set(first_searches) & set(again_searches)
    assert len(common) >= 0.7 * min(len(set(first_searches)), len(set(again_searches)))


def test_varied_data_sends_more_than_the_seeds_words(commands, notice_server):
    def has_varied(_results: object) -> bool:
        return len({target for _, target, _ in notice_server.requests if "&q=" in target}) > 3

    options = ("--users=20", "--spawn-rate=20", "--host", notice_server.url, "--seed=3")
    run = commands.locust_until(has_varied, "four searches", *options, VARY_DATA="1")
    assert run.faults == [], run.failures
    assert has_varied(run.results)
    assert run.manifest["vary_data"] is True and len(run.manifest["data_sha256"]) == 64


def test_every_line_of_the_boards_has_ten_pages_on_the_reference_server(target):
    boards = load(PROJECT_DIR / "data").boards.choices
    for choice in boards:
        url = f"{target.url}/notice/all?target={'+'.join(choice)}&page=10"
        with open_directly(url, PATIENCE_S) as answer:
            assert answer.status == 200


def test_tags_choose_the_tasks(commands, notice_server):
    # The seed makes sure that the first tasks of the users are of all kinds.
    read = commands.locust(*SHORT, "--host", notice_server.url, "--tags", "read", "--seed=1")
    assert set(read.requests) == {
        "POST /accounts/device",
        "GET /notice/all?q",
        "GET /notice/all?page",
        "GET /notice/list",
    }
    assert read.manifest["tags"] == ["read"]


def test_excluded_tags_leave_the_rest(commands, notice_server):
    run = commands.locust(
        *SHORT, "--host", notice_server.url, "--seed=1", "--exclude-tags", "browse", "device"
    )
    assert set(run.requests) == {
        "POST /accounts/device",
        "GET /notice/all?q",
        "GET /notice/list",
    }


@pytest.mark.parametrize("client", HTTP_CLIENTS)
def test_what_is_under_way_at_the_end_is_answered_and_counted(commands, notice_server, client):
    notice_server.faults["GET", "/notice/all"] = answers_late(1.5)
    run = commands.locust(
        "--users=20",
        "--spawn-rate=20",
        "--run-time=3s",
        "--stop-timeout=0s",
        "--host",
        notice_server.url,
        HTTP_CLIENT=client,
    )
    assert run.faults == [], run.failures
    assert sum(run.requests.values()) == notice_server.workload
    assert notice_server.devices == {}


def test_a_registration_that_is_under_way_at_the_end_is_deleted(commands, notice_server):
    """The server takes longer than the users have patience, and makes the device all the same."""
    notice_server.register_late_s = 2.0
    run = commands.locust(
        "--users=5",
        "--spawn-rate=5",
        "--run-time=2s",
        "--host",
        notice_server.url,
        ANSWER_TIMEOUT_S="1",
    )
    assert "answer timeout" in run.failures
    time.sleep(2)  # the server has done by now what it was still at
    assert notice_server.devices == {}, run.summary["devices"]


def test_sigterm_ends_a_curve_with_a_report(commands, notice_server):
    files = locustfiles(PROJECT_DIR / "locustfile.py", PROJECT_DIR / "conf/profiles/spike.py")
    process = commands.start(
        "-m",
        "locust",
        "-f",
        files,
        "--headless",
        "--users=20",
        "--run-time=60s",
        "--host",
        notice_server.url,
    )
    wait_until(lambda: notice_server.seen["GET", "/notice/all"] > 5, "the run is under way")
    process.terminate()
    run = commands.finish(process)
    assert run.exit_code == 3
    (fault,) = run.faults
    assert re.fullmatch(r"the run was stopped after \d+ s of 60 s", fault)
    assert run.summary["devices"]["left_behind"] == 0
    assert notice_server.devices == {}


def test_credentials_in_the_host_are_written_nowhere(commands, notice_server):
    host = notice_server.url.replace("://", "://bob:s3cr3t@")
    run = commands.harness("run", *SHORT, "--host", host)
    assert run.faults == [], run.failures
    assert "s3cr3t" not in run.stdout + run.stderr
    for path in run.folder.iterdir():
        assert "s3cr3t" not in path.read_text(), path.name


def test_ctrl_c_is_the_end_of_a_run_without_a_run_time(commands, notice_server):
    process = commands.start_locust("--headless", "--users=10", "--host", notice_server.url)
    wait_until(lambda: notice_server.seen["GET", "/notice/all"] > 20, "the run is under way")
    interrupt(process)
    run = commands.finish(process)
    assert run.faults == [], run.stderr
    assert run.manifest["is_headless"] is True
    assert run.summary["total"]["whole_run"]["requests"] > 20
    assert run.summary["devices"]["left_behind"] == 0
    assert notice_server.devices == {}
    assert "results:" in run.stdout


def test_failures_are_faults_and_are_named(commands, notice_server):
    notice_server.faults["GET", "/notice/all"] = answers(500, {"detail": "x"})
    run = commands.locust(*SHORT, "--host", notice_server.url)
    assert "expected status 200, got 500" in run.failures
    assert any(re.match(r"\d+ of \d+ requests failed", fault) for fault in run.faults)


def test_a_target_that_dies_is_named_and_found_again(commands, notice_server):
    process = commands.start_locust(
        "--headless",
        "--users=30",
        "--spawn-rate=30",
        "--host",
        notice_server.url,
    )
    wait_until(lambda: notice_server.seen["GET", "/notice/all"] > 20, "the run is under way")
    notice_server.stop()
    time.sleep(6)  # longer than any user waits between two tasks
    before = sum(notice_server.seen.values())
    notice_server.restart()
    wait_until(lambda: sum(notice_server.seen.values()) > before + 20, "requests again")
    interrupt(process)
    run = commands.finish(process)
    assert run.exit_code == 1
    assert "connection refused" in run.failures
    assert run.summary["devices"]["left_behind"] == 0
    assert (run.folder / "locust_exceptions.csv").read_text().count("\n") == 1


STAGES = """
import sys
from locust import events

import locustfile

def note(stage):
    print("stage", stage, file=sys.stderr, flush=True)

@events.init.add_listener
def _(**_): note("init")

@events.test_start.add_listener
def _(**_): note("test_start")

@events.test_stop.add_listener
def _(**_): note("test_stop")

@events.quitting.add_listener
def _(**_): note("quitting")

class StagedUser(locustfile.NoticeUser):
    def on_start(self):
        note("on_start")
        super().on_start()

    def on_stop(self):
        note("on_stop")
        super().on_stop()

@events.request.add_listener
def _(name, **_):
    if name != "/accounts/device":
        note("task")
"""


def test_the_stages_of_a_run_come_in_their_order(commands, notice_server):
    stages = commands.folder / "stages.py"
    stages.write_text(STAGES)
    process = commands.start(
        "-m",
        "locust",
        "-f",
        locustfiles(stages),
        "--headless",
        "--users=1",
        "--run-time=2s",
        "--host",
        notice_server.url,
    )
    run = commands.finish(process)
    assert run.faults == [], run.stderr
    noted = re.findall(r"^stage (\w+)$", run.stderr, re.MULTILINE)
    order = list(dict.fromkeys(noted))
    assert order == [
        "init",
        "test_start",
        "on_start",
        "task",
        "on_stop",
        "test_stop",
        "quitting",
    ]
    for once in ("init", "test_start", "on_start", "on_stop", "test_stop", "quitting"):
        assert noted.count(once) == 1


def test_the_configuration_file_is_a_whole_run_by_itself(commands, notice_server):
    run = commands.locust(
        "--config",
        str(PROJECT_DIR / "conf/locust.conf"),
        "--run-time=3s",
        "--host",
        notice_server.url,
    )
    assert run.faults == []
    assert run.manifest["users"] == 100 and run.manifest["spawn_rate_per_s"] == 20


@pytest.mark.parametrize(
    ("dotenv", "env", "option", "expected"),
    [
        ("SEED=1", {}, [], 1),
        ("SEED=1", {"SEED": "2"}, [], 2),
        ("SEED=1", {"SEED": "2"}, ["--seed=3"], 3),
        ("SEED=1", {"SEED": ""}, [], 1),
    ],
)
def test_settings_precedence(commands, notice_server, dotenv, env, option, expected):
    (commands.folder / ".env").write_text(f"{dotenv}\nHOST={notice_server.url}\n")
    run = commands.locust("--users=1", "--run-time=1s", *option, **env)
    assert run.faults == [], run.stderr
    assert run.manifest["seed"] == expected
    assert run.manifest["host"] == notice_server.url


@pytest.mark.parametrize(
    ("env", "option", "expected"),
    [({}, [], 2), ({"LOCUST_USERS": "3"}, [], 3), ({"LOCUST_USERS": "3"}, ["--users=4"], 4)],
)
def test_locusts_own_precedence(commands, notice_server, env, option, expected):
    config = commands.folder / "my.conf"
    config.write_text("users = 2\nrun-time = 1s\n")
    run = commands.locust("--config", str(config), *option, HOST=notice_server.url, **env)
    assert run.manifest["users"] == expected


def test_the_reference_server_is_as_it_was(commands, target):
    load = ("--users=20", "--spawn-rate=20", "--run-time=2s", "--seed=11")
    run = commands.locust(*load, "--host", target.url)
    assert run.faults == [], run.failures
    again = commands.locust(*load, "--host", target.url, "--run-id=again")
    summary = run_folder.read_summary(again.results / "again")
    assert summary.total.whole_run.failures == 0, "the ids of the first run are free again"
    with open_directly(f"{target.url}/healthz", PATIENCE_S) as answer:
        assert answer.status == 200


def test_a_run_that_is_killed_leaves_valid_files(commands, notice_server):
    process = commands.start_locust(
        "--headless",
        "--users=20",
        "--spawn-rate=20",
        "--run-time=60s",
        "--host",
        notice_server.url,
        "--run-id=killed",
    )
    folder = commands.results / "killed"
    try:
        wait_until(
            lambda: (folder / TIMELINE).exists() and len(read_timeline(folder)) > 5,
            "seconds are written down",
        )
    finally:
        process.kill()
        process.communicate()
    found = figures.read(folder, Saturation()).figures()
    assert found.total.whole_run.requests > 0
    assert found.total.whole_run.requests == sum(row.requests for row in read_timeline(folder))
    assert found.steady_s >= 3
    assert read_failures(folder) == []
    assert json.loads((folder / "run.json").read_text())["run_id"] == "killed"


def test_failures_are_written_down_with_their_times(commands, notice_server):
    notice_server.faults["GET", "/notice/list"] = answers(500, {"detail": "x"})
    begin_s = time.time()
    run = commands.locust(*SHORT, "--tags", "list", "--host", notice_server.url)
    (failure,) = read_failures(run.folder)
    assert (failure.method, failure.name) == ("GET", "/notice/list")
    assert failure.error == "expected status 200, got 500"
    assert failure.count == run.requests["GET /notice/list"]
    assert begin_s < failure.first_seen_s < failure.last_seen_s < time.time()
    assert run.summary["total"]["whole_run"]["failures"] == failure.count


def test_a_locust_that_is_newer_than_tested_is_one_line_of_warning(commands, notice_server):
    """Pip may install one that the patches were never tested with."""
    package = commands.folder / "newer" / "locust-99.1.dist-info"
    package.mkdir(parents=True)
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: locust\nVersion: 99.1\n")
    path = f"{package.parent}:{PROJECT_DIR}"
    options = ("--users=1", "--run-time=1s", "--host", notice_server.url)
    run = commands.locust(*options, PYTHONPATH=path)
    warnings = [line for line in run.stderr.splitlines() if line.startswith("warning: ")]
    (warning,) = warnings
    assert warning.startswith("warning: Locust 99.1 is newer than ")
    assert run.requests, "the run goes on"
    assert "is newer than" not in commands.locust(*options, "--run-id=as-pinned").stderr

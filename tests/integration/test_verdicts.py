"""Each way in which a run ends, made to happen for real.

With RECORD_RUNS=1 the folders are kept in tests/data/, where the unit tests judge them again.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.config.settings import PROJECT_DIR
from harness.processes import free_port, locustfiles
from harness.results import judging, run_folder, timeline
from support.commands import Commands, Finished, full_seconds, interrupt, wait_until
from support.notice_server import NoticeServer, answers

LOCUSTFILES = Path(__file__).parent / "locustfiles"
RECORDED = PROJECT_DIR / "tests" / "data"
FILES = (
    run_folder.MANIFEST,
    run_folder.ENDING,
    run_folder.OBJECTIVES,
    run_folder.SUMMARY,
    timeline.TIMELINE,
    timeline.HISTOGRAMS,
    timeline.FAILURES,
)
USERS = ("--users=60", "--spawn-rate=60", "--seed=1")
SECONDS = "--run-time=5s"
STEADY_S = 6
PATIENT = "[generator]\nlag_ms = 60000\n"  # other tests run meanwhile

Run = Callable[..., Finished]


@pytest.fixture
def run(commands: Commands, notice_server: NoticeServer) -> Run:
    """Return a function that runs locust on the notice server, with objectives if given.

    Without a run time it ends when a steady state is recorded, however long that takes.
    """

    def begin(
        *arguments: str, slo: str = "", locustfile: Path | None = None, **env: str
    ) -> Finished:
        if slo:
            commands.objectives.write_text(slo + PATIENT)
        file = locustfiles(locustfile or PROJECT_DIR / "locustfile.py")
        command = ("-m", "locust", "-f", file, "--headless", "--host", notice_server.url)
        process = commands.start(*command, *arguments, **env)
        if not any(argument.startswith("--run-time") for argument in arguments):
            wait_until(
                lambda: process.poll() is not None or full_seconds(commands.results) >= STEADY_S,
                "a steady state is written down",
            )
            interrupt(process)
        return commands.finish(process)

    return begin


def verdict(run: Finished, name: str) -> tuple[str, list[str]]:
    """Return the verdict and the rules that were broken; what is printed has to say the same."""
    if os.environ.get("RECORD_RUNS"):
        folder = RECORDED / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for file in FILES:
            shutil.copy(run.folder / file, folder)
    summary = run.summary
    assert (
        run.exit_code
        == summary["exit_code"]
        == {"pass": 0, "fail": 1, "invalid": 3}[summary["verdict"]]
    )
    assert f"{summary['verdict'].upper()}: " in run.stdout
    printed = " ".join(run.stdout.split())
    assert all(" ".join(reason.split()) in printed for reason in summary["reasons"])
    assert run_folder.read_summary(run.folder) == judging.judge(run.folder)[0]
    return summary["verdict"], [rule["name"] for rule in summary["validity"] if not rule["kept"]]


def missed(run: Finished) -> list[str]:
    return [
        f"{each['scope']} {each['key']}" for each in run.summary["objectives"] if not each["met"]
    ]


def test_a_run_that_keeps_everything_passes(run: Run) -> None:
    slo = '[total]\np95_ms = 5000\nrequests_per_s = 1\n["GET /notice/all?q"]\nmax_ms = 60000\n'
    done = run(*USERS, slo=slo)
    assert verdict(done, "pass") == ("pass", []), done.stdout
    assert missed(done) == done.summary["reasons"] == []
    assert done.manifest["endpoints"] == [
        "GET /notice/all?page",
        "GET /notice/all?q",
        "GET /notice/list",
        *(f"PUT /accounts/device {what}" for what in ("alarm", "keywords", "subscriptions")),
    ]


def test_a_missed_objective_fails(run: Run) -> None:
    slo = '["GET /notice/all?q"]\np95_ms = 0.001\n[total]\nrequests_per_s = 1e6\np50_ms = 9e4\n'
    done = run(*USERS, slo=slo)
    assert verdict(done, "objectives-missed") == ("fail", []), done.stdout
    assert missed(done) == ["GET /notice/all?q p95_ms", "total requests_per_s"]
    assert "the objective is 0.001 ms (" in done.stdout


def test_wrong_answers_fail_though_no_objective_says_so(
    run: Run, notice_server: NoticeServer
) -> None:
    notice_server.faults["PUT", "/accounts/device"] = answers(500, {"detail": "x"})
    done = run(*USERS, slo="[total]\np50_ms = 60000\n")
    assert verdict(done, "wrong-answers") == ("fail", []), done.stdout
    assert missed(done) == ["total fail_ratio"]


def test_a_server_that_loses_writes_fails(run: Run, notice_server: NoticeServer) -> None:
    notice_server.drop_every = 2
    done = run(*USERS, slo="[total]\np50_ms = 60000\n", VARY_DATA="1")
    assert verdict(done, "lost-writes") == ("fail", []), done.stdout
    assert missed(done) == ["devices lost_writes"]
    (reason,) = done.summary["reasons"]
    assert re.match(r"lost writes: 0 of 60 devices and [1-9]\d* of 180 values read back", reason)
    assert len(done.summary["audit"]["examples"]) == 5


def test_an_objective_without_samples_fails(run: Run) -> None:
    done = run(*USERS, "--tags", "read", slo='["PUT /accounts/device alarm"]\np95_ms = 5\n')
    assert verdict(done, "objective-without-samples") == ("fail", []), done.stdout
    assert "p95 of PUT /accounts/device alarm has no samples in the steady" in done.stdout


def test_users_that_send_nothing(run: Run) -> None:
    done = run(*USERS, locustfile=LOCUSTFILES / "idle.py")
    assert verdict(done, "no-requests") == ("invalid", ["samples"]), done.stdout


def test_a_target_that_never_answers(run: Run, notice_server: NoticeServer) -> None:
    for method, path in [("GET", "/notice/all"), ("PUT", ""), ("POST", "")]:
        notice_server.faults[method, path or "/accounts/device"] = _silence
    done = run(*USERS, SECONDS, ANSWER_TIMEOUT_S="8")  # longer than the run
    assert verdict(done, "never-answers")[0] == "invalid", done.stdout
    assert "no request was answered in the steady state" in done.stdout


def _silence(connection: object, answer: bytes) -> bool:
    return True


def test_a_mix_without_writes(run: Run, notice_server: NoticeServer) -> None:
    """A server that takes no registration gets no write either."""
    notice_server.faults["POST", "/accounts/device"] = lambda connection, answer: False
    done = run(*USERS)
    assert verdict(done, "no-writes") == ("invalid", ["mix"]), done.stdout
    assert missed(done) == ["total fail_ratio"]
    names = ", ".join(f"PUT /accounts/device {what}" for what in ("alarm", "keywords", "sub"))
    assert f"never hit, though in the mix: {names}" in " ".join(done.stdout.split())


def test_planned_users_that_never_came(run: Run) -> None:
    done = run("--users=60", "--spawn-rate=3", SECONDS)
    assert verdict(done, "users-missing")[0] == "invalid", done.stdout
    assert "of 60 planned users at most 1" in done.stdout


def test_a_run_that_is_cut_short(commands: Commands, notice_server: NoticeServer) -> None:
    process = commands.start_locust(
        "--headless",
        "--users=200",
        "--spawn-rate=20",
        "--run-time=60s",
        "--host",
        notice_server.url,
    )
    wait_until(lambda: notice_server.seen["POST", "/accounts/device"] > 50, "users come")
    interrupt(process)
    done = commands.finish(process)
    broken = verdict(done, "cut-short")[1]
    assert {"steady state", "planned users", "end"} <= set(broken), done.stdout
    assert "the run ended before its steady state" in done.stdout


def test_a_run_that_is_terminated_after_its_ramp_up_does_not_pass(
    commands: Commands, notice_server: NoticeServer
) -> None:
    """By a CI server that has lost patience, say; all it measured may look well."""
    process = commands.start_locust(
        "--headless",
        *USERS,
        "--run-time=50s",
        "--host",
        notice_server.url,
    )
    wait_until(lambda: full_seconds(commands.results) >= STEADY_S, "a steady state is recorded")
    process.terminate()
    done = commands.finish(process)
    broken = [rule["name"] for rule in done.summary["validity"] if not rule["kept"]]
    assert (done.exit_code, broken) == (3, ["end"]), done.stdout
    assert re.search(r"- the run was stopped after \d+ s of 50 s\n", done.stdout)


def test_a_generator_that_is_busy_itself(run: Run) -> None:
    load = (*USERS, "--users=20", "--run-time=9s")  # users that wait for each other come late
    done = run(*load, locustfile=LOCUSTFILES / "busy.py", SLO_FILE="")
    assert "generator" in verdict(done, "busy-generator")[1], done.stdout
    assert "the generator was saturated in" in done.stdout
    generator = done.summary["generator"]
    assert generator["lag_max_ms"] > 100
    assert generator["cpu_percent_max"] > 1  # neighbours may leave it little of a core


def test_a_worker_that_is_killed(commands: Commands, notice_server: NoticeServer) -> None:
    port = str(free_port())
    workers = [commands.start_locust("--worker", f"--master-port={port}") for _ in range(2)]
    master = commands.start_locust(
        "--headless",
        "--master",
        f"--master-bind-port={port}",
        "--expect-workers=2",
        *USERS,
        "--run-time=9s",
        "--host",
        notice_server.url,
    )
    wait_until(lambda: notice_server.seen["GET", "/notice/all"] > 50, "the run is under way")
    workers[0].kill()
    done = commands.finish(master)
    for worker in workers:
        commands.finish(worker)
    assert "workers" in verdict(done, "lost-worker")[1], done.stdout
    assert "lost workers: 1, and with them" in done.stdout


def test_results_that_were_thrown_away(run: Run) -> None:
    done = run(*USERS, "--reset-stats")
    assert verdict(done, "reset") == ("invalid", ["results"]), done.stdout


def test_users_that_raise(run: Run) -> None:
    done = run(*USERS, locustfile=LOCUSTFILES / "broken.py")
    assert verdict(done, "exceptions") == ("invalid", ["users"]), done.stdout


def test_a_run_that_was_killed_can_be_judged(
    commands: Commands, notice_server: NoticeServer
) -> None:
    process = commands.start_locust(
        "--headless",
        *USERS,
        "--run-time=60s",
        "--host",
        notice_server.url,
        "--run-id=killed",
    )
    folder = commands.results / "killed"
    try:
        wait_until(lambda: _seconds(folder) > 5, "a steady state is written down")
    finally:
        process.kill()
        process.communicate()
    summary = judging.judge(folder)[0]
    assert summary.verdict == "invalid"
    assert summary.reasons[0] == "the run did not come to its end: there is no end.json"
    if os.environ.get("RECORD_RUNS"):
        kept = RECORDED / "killed"
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(folder, kept, ignore=shutil.ignore_patterns("locust*"))


def _seconds(folder: Path) -> int:
    if not (folder / timeline.TIMELINE).exists():
        return 0
    return len(timeline.read_timeline(folder))


def test_objectives_with_a_wrong_line_stop_the_start(run: Run) -> None:
    done = run(*USERS, slo="[total]\np95 = 500\n")
    assert done.exit_code == 2
    assert "Traceback" not in done.stderr
    line = done.stderr.strip().splitlines()[-1]
    assert line.endswith("patient.toml, line 2: unknown key 'p95'; did you mean 'p95_ms'?")
    assert line.startswith("error: ")

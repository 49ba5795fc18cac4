"""The report at the end of a real run: drawn beside it, and never in its way."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import gevent

import psutil
import pytest
import requests

from harness.processes import free_port
from harness.results import run_folder
from harness.run import report_process
from support import direct
from support.commands import PATIENCE_S, Commands, wait_until
from support.notice_server import NoticeServer
from support.run_folders import write_run

LOAD = ("--users=8", "--spawn-rate=8", "--run-time=2s", "--only-summary")
DRAWN = ("report.html", "report.md", "junit.xml", "charts/overview.png")


def drawn(folder: Path) -> bool:
    return all((folder / name).stat().st_size for name in DRAWN) and not [*folder.rglob("*.tmp")]


def test_a_run_ends_with_its_report(commands: Commands, notice_server: NoticeServer) -> None:
    run = commands.locust(*LOAD, "--host", notice_server.url, DRAW_REPORT="1")
    assert drawn(run.folder)
    assert run.exit_code == run.summary["exit_code"]
    path = run.folder.relative_to(commands.folder) / "report.html"
    assert run.stdout.splitlines()[-1] == f"report: {path}"
    assert run.summary["verdict"].upper() in (run.folder / "report.html").read_text()[:3000]
    assert not (run.folder / report_process.LOG).exists()


def test_a_run_without_it_is_drawn_later(commands: Commands, notice_server: NoticeServer) -> None:
    run = commands.locust(*LOAD, "--host", notice_server.url, DRAW_REPORT="0")
    assert not (run.folder / "report.html").exists() and "report:" not in run.stdout
    before = (run.folder / "summary.json").read_bytes()
    later = commands.harness("report", str(run.folder))
    assert (later.exit_code, later.stderr) == (0, "")
    assert drawn(run.folder)
    assert (run.folder / "summary.json").read_bytes() == before


def test_a_report_that_cannot_be_drawn_changes_no_verdict(
    commands: Commands, notice_server: NoticeServer
) -> None:
    folder = commands.results / "first"
    folder.mkdir(parents=True)
    (folder / "charts").write_text("in the way")
    options = (*LOAD, "--host", notice_server.url, "--run-id=first")
    run = commands.locust(*options, DRAW_REPORT="1")
    assert run.exit_code == run.summary["exit_code"]
    (line,) = [line for line in run.stderr.splitlines() if "not drawn" in line]
    assert line.startswith("the report was not drawn: cannot write to ")
    assert line.endswith(f"draw it again: python -m harness report {Path('results/first')}")
    assert "report:" not in run.stdout


def test_the_master_draws_and_loses_no_worker_meanwhile(
    commands: Commands, notice_server: NoticeServer
) -> None:
    options = ("--users=8", "--spawn-rate=8", "--run-time=4s", "--workers=2")
    run = commands.harness("run", *options, "--host", notice_server.url, DRAW_REPORT="1")
    assert drawn(run.folder)
    broken = [rule["name"] for rule in run.summary["validity"] if not rule["kept"]]
    assert "workers" not in broken
    assert run.stdout.splitlines()[-1].endswith("report.html")


def test_a_run_of_the_web_ui_is_drawn(commands: Commands, notice_server: NoticeServer) -> None:
    port = free_port()
    process = commands.start_locust(f"--web-port={port}", HOST=notice_server.url, DRAW_REPORT="1")
    url = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        try:
            return direct.get(url).ok
        except requests.ConnectionError:
            return False

    try:
        wait_until(answers, "the web UI answers")
        form = {"user_count": 3, "spawn_rate": 3}
        assert direct.post(f"{url}/swarm", data=form).json()["success"]
        wait_until(lambda: len(notice_server.devices) == 3, "users are there")
        assert direct.post(f"{url}/stop").json()["success"]
        wait_until(lambda: [*commands.results.glob("*/report.html")], "the report is drawn")
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE_S)
    (folder,) = commands.results.iterdir()
    assert drawn(folder)


def test_it_is_found_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_run(tmp_path / "results" / "run")
    monkeypatch.chdir(tmp_path)
    assert report_process.draw_report(Path("results/run")) is None
    assert drawn(tmp_path / "results" / "run")


def test_all_else_goes_on_meanwhile(tmp_path: Path) -> None:
    """A master has to answer its workers' heartbeats, and the web UI its visitors."""
    ticks: list[float] = []

    def tick() -> None:
        while True:
            gevent.sleep(0.05)
            ticks.append(time.monotonic())

    ticker = gevent.spawn(tick)
    problem = report_process.draw_report(write_run(tmp_path / "run"))
    ticker.kill()
    assert problem is None
    assert len(ticks) > 5


def test_drawing_ends_when_it_takes_too_long(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    assert report_process.draw_report(run, timeout_s=0.05) == "it took longer than 0.05 s"
    me = psutil.Process()
    left = [each for each in me.children(recursive=True) if "report" in each.cmdline()]
    assert not left and not [*run.rglob("*.tmp")]


def test_the_reason_is_the_last_line_and_the_rest_is_kept(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    (run / "run.json").write_text("{")
    problem = report_process.draw_report(run)
    assert problem is not None and "run.json is broken" in problem
    assert not problem.startswith("error")
    assert "run.json is broken" in (run / report_process.LOG).read_text()


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_an_interrupted_command_leaves_whole_files(
    commands: Commands, tmp_path: Path, name: str
) -> None:
    run = write_run(tmp_path / "run", steps=((3, 1500),))
    before = run_folder.read_manifest(run)
    process = commands.start("-m", "harness", "report", str(run))
    wait_until((run / "charts").exists, "the first file is about to be written", poll_s=0.001)
    process.send_signal(getattr(signal, name))
    finished = commands.finish(process)
    assert finished.exit_code in (3, -getattr(signal, name), 0)
    assert "Traceback" not in finished.stderr or finished.exit_code != 0
    assert not [*run.rglob("*.tmp")]
    assert run_folder.read_manifest(run) == before
    for path in run.rglob("*.png"):
        assert path.read_bytes().endswith(b"IEND\xaeB`\x82")

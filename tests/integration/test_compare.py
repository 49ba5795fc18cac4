"""Experiments for real: servers that are started, loaded, killed and compared."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
from pathlib import Path

import psutil
import pytest

from harness.config.settings import PROJECT_DIR
from harness.experiments.compare import files
from harness.experiments.compare.files import Comparison
from support.commands import PATIENCE_S, Commands, interrupt, wait_until
from support.programs import needed

DELAY_S = 0.1
"""So long that next to it the processor's part of an answer hardly counts."""
USERS = 20
DEPLOYMENT = """
[{name}]
command = ["{{python}}", "-m", "gunicorn", "slow_wsgi:application", "--workers", "{workers}",
           "--bind", "{{address}}", "--env", "TEST={test}"]
environment = {{ PYTHONPATH = "{here}", DELAY_S = "{delay_s}" }}
"""
SHORT = ("--step-time", "4s", "--warm-up", "0s", "--tags", "list")

pytestmark = pytest.mark.timeout(6 * PATIENCE_S)  # the first test waits for all five runs


def prepared(commands: Commands) -> dict[str, str]:
    """Write two deployments, of which one has twice the pace, and objectives that both meet."""
    here = PROJECT_DIR / "tests" / "support"  # slow_wsgi.py
    texts = [
        DEPLOYMENT.format(
            name=name, workers=workers, here=here, delay_s=DELAY_S, test=commands.folder
        )
        for name, workers in (("one", 1), ("two", 2))
    ]
    (commands.folder / "deployments.toml").write_text("".join(texts), encoding="utf-8")
    objectives = "[total]\np95_ms = 60000\n[generator]\nlag_ms = 60000\n"  # others run beside it
    (commands.folder / "slo.toml").write_text(objectives, encoding="utf-8")
    return {
        "DEPLOYMENTS_FILE": "deployments.toml",
        "SLO_FILE": "slo.toml",
        "AUDIT_SAMPLE": "0",  # to read devices back takes this server long
    }


def finished(folder: Path) -> list[str]:
    return sorted(path.parent.name for path in (folder / files.RUNS).glob(f"*/{files.SERVER}"))


def servers(commands: Commands) -> list[psutil.Process]:
    """Return the processes of the slow servers that this test has started."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        words = process.info["cmdline"] or []
        is_of_test = f"TEST={commands.folder}" in words
        if is_of_test and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process)
    return found


def ports_of(folder: Path) -> list[int]:
    """Return the ports that the runs of a comparison used."""
    hosts = [json.loads(path.read_text())["host"] for path in folder.glob("runs/*/run.json")]
    return [int(re.sub(r".*:", "", host)) for host in hosts]


def nothing_runs(commands: Commands, folder: Path) -> bool:
    return not servers(commands) and not any(listens(port) for port in ports_of(folder))


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def nothing_is_left(commands: Commands, folder: Path) -> bool:
    return nothing_runs(commands, folder) and not list(folder.glob("servers/*/*.sqlite3*"))


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Commands, Comparison, str]:
    """Compare both, two rounds, and kill the very first server as soon as it has users."""
    commands = Commands(tmp_path_factory.mktemp("compared"))
    command = ("-m", "harness", "compare", "--rounds", "2", "--steps", str(USERS), "--seed", "5")
    process = commands.start(*command, *SHORT, "--run-id", "unequal", **prepared(commands))
    folder = commands.results / "unequal"
    wait_until(lambda: seconds(folder), "a second of the first run")
    first = min(servers(commands), key=lambda each: each.create_time())
    os.kill(first.pid, signal.SIGKILL)
    stdout, stderr = process.communicate(timeout=5 * PATIENCE_S)
    assert (process.returncode, stderr) == (0, ""), stdout
    return commands, files.read_comparison(folder), stdout


def seconds(folder: Path) -> list[str]:
    """Return the seconds that the first run has written down so far."""
    files = folder.glob("runs/*/timeline.csv")
    return [line for file in files for line in file.read_text().splitlines()[1:]]


def test_twice_the_workers_have_twice_the_pace(
    compared: tuple[Commands, Comparison, str],
) -> None:
    _, comparison, _ = compared
    (ratio,) = (each for each in comparison.ratios if each.metric == "most_requests_per_s")
    assert (ratio.variant, ratio.by, ratio.rounds) == ("two", "one", 2)
    assert ratio.ratio.estimate == pytest.approx(2.0, rel=0.2)
    # How wide this is, is up to the noise of two rounds: whether it is right, is not.
    assert ratio.ratio.low is not None and ratio.ratio.high is not None
    assert ratio.ratio.low < 2.0 * 1.2 and ratio.ratio.high > 2.0 / 1.2
    one = comparison.variants[0].most_requests_per_s
    assert one is not None and 0.7 / DELAY_S < one.estimate < 1.05 / DELAY_S


def test_a_killed_server_marks_its_run_and_no_other(
    compared: tuple[Commands, Comparison, str],
) -> None:
    _, comparison, stdout = compared
    (invalid,) = (run for run in comparison.runs if not run.is_valid)
    assert (invalid.round, invalid.attempt) == (1, 1)
    assert invalid.reasons[0].startswith(
        "the server ended in mid-run: target ended with signal 9: "
    )
    again = {run.folder for run in comparison.runs if run.attempt == 2}
    assert again == {f"{invalid.folder}-again"}
    assert comparison.is_complete and len(comparison.runs) == 5
    assert "invalid: the server ended in mid-run" in stdout
    assert comparison.notes[0] in stdout and comparison.finding in stdout


def test_no_process_no_port_and_no_database_is_left(
    compared: tuple[Commands, Comparison, str],
) -> None:
    commands, _, _ = compared
    assert nothing_is_left(commands, commands.results / "unequal")


def test_every_run_says_what_its_server_took(compared: tuple[Commands, Comparison, str]) -> None:
    commands, comparison, _ = compared
    for run in comparison.runs:
        if run.is_valid:
            assert run.server is not None
            assert 10 < run.server.memory_mb < 1000
            # A request takes 1 to 10 ms: only a wrong unit, or processes left out, leave this.
            assert 0.2 < run.server.cpu_ms_per_request < 200
            manifest = commands.results / "unequal" / run.folder / "run.json"
            assert json.loads(manifest.read_text())["deployment"] == run.variant


def test_both_met_the_same_users(compared: tuple[Commands, Comparison, str]) -> None:
    """Their seeds are those of the round and the step, not of the variant."""
    commands, comparison, _ = compared
    seeds: dict[int, set[int]] = {}
    for run in comparison.runs:
        manifest = commands.results / "unequal" / run.folder / "run.json"
        seeds.setdefault(run.round, set()).add(json.loads(manifest.read_text())["seed"])
    assert [len(each) for each in seeds.values()] == [1, 1]
    assert seeds[1] != seeds[2]


def test_an_interrupted_comparison_goes_on_where_it_was(commands: Commands) -> None:
    env = prepared(commands)
    folder = commands.results / "stopped"
    compare = ("-m", "harness", "compare")
    command = (*compare, "--rounds", "1", "--steps", "10", *SHORT, "--run-id", "stopped")

    process = commands.start(*command, **env)
    wait_until(lambda: len(finished(folder)) == 1, "the first run")
    kept = finished(folder)
    wait_until(lambda: len(list(folder.glob("runs/*/timeline.csv"))) == 2, "the second run")
    interrupt(process)
    ended = commands.finish(process)
    assert ended.exit_code == 3
    assert ended.stderr == (
        "interrupted; go on with: python -m harness compare --resume results/stopped\n"
    )
    assert nothing_is_left(commands, folder) and finished(folder) == kept
    before = (folder / files.RUNS / kept[0] / files.SERVER).stat().st_mtime_ns

    process = commands.start(*compare, "--resume", "results/stopped", **env)
    wait_until(lambda: servers(commands), "the server of the second run")
    wait_until(lambda: len(list(folder.glob("runs/*/timeline.csv"))) == 2, "the second run")
    process.kill()
    commands.finish(process)
    wait_until(lambda: nothing_runs(commands, folder), "no process is left")

    ended = commands.finish(commands.start(*compare, "--resume", "results/stopped", **env))
    assert ended.exit_code == 0, ended.stderr
    assert len(finished(folder)) == 2 and nothing_is_left(commands, folder)
    assert (folder / files.RUNS / kept[0] / files.SERVER).stat().st_mtime_ns == before
    assert "start 2 of 2" in ended.stdout and "start 1 of 2" not in ended.stdout


def test_what_a_run_refuses_ends_the_comparison(commands: Commands) -> None:
    ended = commands.harness("compare", "--steps", "10", "--tags", "lst", **prepared(commands))
    assert ended.exit_code == 2
    assert ended.stderr.startswith("error: unknown tags: lst; choose from browse, device, ")
    assert len(ended.stderr.splitlines()) == 1 and not servers(commands)


def test_an_objective_of_an_unknown_endpoint_is_refused_before_anything_is_made(
    commands: Commands,
) -> None:
    env = prepared(commands)
    (commands.folder / "slo.toml").write_text('["GET /notice/all?pge"]\np95_ms = 500\n')
    ended = commands.harness("compare", "--steps", "10", **env)
    assert ended.exit_code == 2
    (line,) = ended.stderr.splitlines()
    assert line.startswith("error: ") and "unknown table ['GET /notice/all?pge']" in line
    assert not commands.results.exists()


@pytest.fixture
def nginx() -> str:
    return needed("nginx")


@pytest.mark.usefixtures("nginx")
def test_a_variant_behind_nginx_needs_no_rights(commands: Commands) -> None:
    slo_file = prepared(commands)["SLO_FILE"]
    command = ("compare", "--variants", "gunicorn-nginx", "--rounds", "1", "--steps", "10")
    ended = commands.harness(*command, *SHORT, "--run-id", "nginx", SLO_FILE=slo_file)
    assert ended.exit_code == 0, ended.stderr
    folder = commands.results / "nginx"
    comparison = files.read_comparison(folder)
    assert [run.verdict for run in comparison.runs] == ["pass"]
    load = files.read_server_load(folder / comparison.runs[0].folder)
    assert max(row.processes for row in load) >= 5  # gunicorn and two workers, nginx and its own
    assert {path.name for path in folder.glob("servers/*/*")} == {"target.log", "nginx.log"}

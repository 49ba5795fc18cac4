"""Two runs are compared by the command: what a pull request sees of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.commands import Commands
from support.run_folders import KEYS, write_run

STEPS = ((4, 41),)
FACTOR = "write a factor such as 1.10, 1 or more"


@pytest.fixture
def results(commands: Commands) -> Path:
    """Return a folder with a run, one of the same server, and a slower one."""
    for seed, (name, factor) in enumerate({"usual": 1, "same": 1, "slow": 1.5}.items()):
        write_run(
            commands.results / name,
            steps=STEPS,
            keys=KEYS[:2],
            requests=20,
            seed=seed,
            median_ms=7 * factor,
        )
    return commands.results


@pytest.mark.parametrize(
    ("after", "options", "exit_code", "headline"),
    [
        ("same", (), 0, "NOT SLOWER: no slowdown beyond 1.10 "),
        ("same", ("--max-slowdown=1.0",), 0, "UNDECIDED: no slowdown beyond 1.00 "),
        ("slow", (), 1, "SLOWER: a slowdown beyond 1.10 "),
        ("slow", ("--max-slowdown", "2"), 0, "NOT SLOWER: no slowdown beyond 2.00 "),
    ],
)
def test_the_exit_code_says_what_the_headline_says(
    commands: Commands,
    results: Path,
    after: str,
    options: tuple[str, ...],
    exit_code: int,
    headline: str,
) -> None:
    done = commands.harness("compare", "results/usual", f"results/{after}", *options)
    assert (done.exit_code, done.stderr) == (exit_code, "")
    assert headline in done.stdout
    assert "p95 of all requests became " in done.stdout
    assert "not from run to run" in " ".join(done.stdout.split())
    assert done.stdout.splitlines()[-1].endswith(f"results/{after}/against-usual.md")
    assert headline.partition(":")[0] in (results / after / "against-usual.md").read_text()


def test_a_run_is_kept_and_the_next_compared_with_it(commands: Commands, results: Path) -> None:
    without = commands.harness("compare", "results/slow")
    assert without.exit_code == 2
    assert without.stderr == (
        "error: there is no results/baseline: keep a run to compare with by "
        "make baseline RUN=results/RUN_ID, or name two runs\n"
    )
    kept = commands.harness("baseline", "results/usual")
    assert (kept.exit_code, kept.stderr) == (0, "")
    assert kept.stdout.startswith("usual (pass) is the baseline, in results/baseline/\n")
    compared = commands.harness("compare", "results/slow")
    assert compared.exit_code == 1
    assert (results / "slow" / "against-usual.md").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("compare", "results/usual", "results/gone"), "there is no folder results/gone; give"),
        (("compare", "results/usual", "results/usual"), "are the same run; give two"),
        (("compare", "results/usual", "results/other"), "not loaded alike: users 4 and 8; --any"),
        (("compare", "--anyway"), "--max-slowdown and --anyway are of two runs; give their fol"),
        (("compare", "results/usual", "--max-slowdown=0.9"), f"0.9: {FACTOR}"),
        (("compare", "results/usual", "--max-slowdown=x"), f"x: {FACTOR}"),
        (("baseline", "results"), "results is not the folder of a run: it has no run.json"),
        (("baseline",), "the following arguments are required: results/RUN_ID"),
    ],
)
def test_what_cannot_be_compared_is_said_in_a_line(
    commands: Commands, results: Path, arguments: tuple[str, ...], said: str
) -> None:
    write_run(results / "other", steps=STEPS, keys=KEYS[:2], users=8)
    done = commands.harness(*arguments)
    assert done.exit_code == 2
    assert done.stderr.startswith("error: ") and said in done.stderr
    assert len(done.stderr.splitlines()) == 1 and not done.stdout


def test_an_invalid_run_says_nothing_of_the_server(commands: Commands, results: Path) -> None:
    (results / "slow" / "end.json").unlink()
    done = commands.harness("compare", "results/usual", "results/slow")
    assert (done.exit_code, done.stdout) == (3, "")
    assert done.stderr == (
        "error: the run in results/slow is invalid: the run did not come to its end: "
        "there is no end.json\n"
    )
    assert commands.harness("baseline", "results/slow").exit_code == 3
    assert not (results / "baseline").exists()

"""The order of an experiment, its seeds, its pace, and what it is told."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from harness import __main__ as command_line
from harness.commands import compare_options
from harness.experiments import deployments
from harness.experiments.compare import experiment, files, progress
from support.compare_plans import plan

ALL = ("runserver", "gunicorn", "gunicorn-threads", "gunicorn-nginx")


def test_each_round_has_every_variant_once_in_an_order_of_the_seed() -> None:
    told = plan(ALL, rounds=40)
    order = list(experiment.turns(told))
    assert order == list(experiment.turns(told))
    rounds = [order[place : place + 4] for place in range(0, 160, 4)]
    assert all({name for _, name in each} == set(ALL) for each in rounds)
    assert [{number for number, _ in each} for each in rounds] == [{n} for n in range(1, 41)]
    first = Counter(each[0][1] for each in rounds)
    assert min(first[name] for name in ALL) >= 4  # nobody is first always, or never
    assert order != list(experiment.turns(msgspec.structs.replace(told, seed=8)))


def test_a_step_has_the_same_seed_whoever_meets_it() -> None:
    told = plan()
    seeds = {
        (number, users): experiment.seed_of(told, number, users)
        for number in (1, 2, 3)
        for users in (100, 200)
    }
    assert len(set(seeds.values())) == 6
    assert all(0 <= seed < 2**32 for seed in seeds.values())


def test_users_come_within_seconds_and_not_at_once() -> None:
    assert progress.spawn_rate_per_s(50) == 10
    assert progress.spawn_rate_per_s(5000) == 100
    assert progress.step_s(plan(), 50) == 5 + 5 + 15 + 2
    assert progress.step_s(plan(), 2000) == 20 + 5 + 15 + 2


def test_the_pace_is_that_of_the_turns_before() -> None:
    pace = progress.Pace(plan(steps=[50]), turns_left=4)
    expected = progress.step_s(plan(), 50) + progress.OVERHEAD_S
    assert pace.left_s(0) == pytest.approx(4 * expected)
    pace.end_turn(100.0)
    assert pace.left_s(0) == pytest.approx(300.0)
    assert pace.left_s(40) == pytest.approx(260.0)
    assert pace.left_s(500) == pytest.approx(200.0)  # late, but two are still to come
    pace.end_turn(300.0)
    pace.end_turn(200.0)
    assert pace.left_s(0) == pytest.approx(200.0)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--rounds", "0"], "argument --rounds: 0: write a whole number from 1 to 1000"),
        (["--steps", "100,50"], "each above the one before, such as 50,100,200"),
        (["--steps", "100,,200"], "each above the one before, such as 50,100,200"),
        (["--step-time", "fast"], "fast: write a duration such as 30s, 2.5s or 1m30s, at most 1h"),
        (["--step-time", "2s"], "--step-time 2s: a step needs 3 s or more"),
        (["--warm-up", "2h"], "2h: write a duration such as 30s, 2.5s or 1m30s, at most 1h"),
        (["--seed", "-1"], "argument --seed"),
        (["--variants", "gunicor"], "unknown variant 'gunicor'; there are runserver, gunicorn, "),
        (["--variants", "gunicorn", "gunicorn"], "gunicorn is named twice; --aa compares it"),
        (["--aa", "apache"], "unknown variant 'apache'"),
        (["--aa", "gunicorn", "--variants", "gunicorn"], "leave --variants out"),
        (["--first-users", "900", "--most-users", "800"], "--first-users 900 is more than"),
        (["--resume", "nowhere"], "there is no folder nowhere; give that of a comparison"),
        (["--resume", "nowhere", "--rounds", "5"], "leave --rounds out"),
        (["results/a", "results/b", "--steps", "50"], "--steps: not with run folders"),
        (["--run-id", "a/b"], "the run id 'a/b' cannot name a folder"),
        ([], "the deployment gunicorn-nginx needs nginx: install it"),
    ],
)
def test_what_is_wrong_gets_one_line_and_a_missing_program_is_the_last_of_it(
    arguments: list[str],
    expected: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr(deployments, "find_program", lambda _: None)
    try:
        code = command_line.main(["compare", *arguments])
    except SystemExit as end:
        code = int(str(end.code))
    said = capsys.readouterr()
    assert (code, said.out, len(said.err.splitlines())) == (2, "", 1), said
    assert said.err.startswith("error: ") and expected in said.err
    assert not list(tmp_path.iterdir())


def test_a_check_of_the_method_can_be_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command_of = deployments.load()["gunicorn"].command
    told = plan(["gunicorn-a", "gunicorn-b"], is_aa=True)
    variants = [msgspec.structs.replace(each, command=command_of) for each in told.variants]
    files.write(tmp_path, msgspec.structs.replace(told, variants=variants))
    begun = []
    monkeypatch.setattr(experiment, "run", lambda *arguments: begun.append(arguments[2]))
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setenv("DRAW_REPORT", "0")
    assert command_line.main(["compare", "--resume", str(tmp_path)]) == 3  # no round is whole
    assert {name: each.name for name, each in begun[0].items()} == {
        "gunicorn-a": "gunicorn",
        "gunicorn-b": "gunicorn",
    }


@pytest.mark.parametrize(
    ("text", "expected"), [("20s", 20), ("20", 20), ("1m30s", 90), ("0s", 0), ("1h", 3600)]
)
def test_durations(text: str, expected: float) -> None:
    parser = argparse.ArgumentParser()
    compare_options.add_to(parser)
    assert parser.parse_args(["--warm-up", text]).warm_up == expected

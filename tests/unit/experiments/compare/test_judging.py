"""An experiment's folder -> what came of it, and how it is said."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from harness import ConfigurationError
from harness.commands import compare
from harness.experiments.compare import files, judging
from harness.experiments.compare.files import Comparison, Plan, ServerEnd, ServerSecond
from harness.results import run_folder
from harness.results.judging import judge as judge_run
from support.compare_plans import plan
from support.run_folders import START, write_run

MET, MISSED = "[total]\np95_ms = 80\n", "[total]\np95_ms = 10\n"


def begun(folder: Path, planned: Plan) -> Path:
    folder.mkdir()
    files.write(folder, planned)
    return folder


def add_run(
    folder: Path,
    variant: str,
    number: int,
    users: int,
    *,
    holds: bool = True,
    attempt: int = 1,
    died: str | None = None,
    ended: bool = True,
    requests: int = 5,
    cpu_s_per_s: float = 0.5,
) -> None:
    run = folder / files.RUNS / f"r{number}-{variant}-{users}{'-again' * (attempt - 1)}"
    write_run(
        run,
        steps=[(users, 8)],
        objectives=MET if holds else MISSED,
        ended=ended,
        requests=requests,
    )
    run_folder.write(run, judge_run(run)[0])
    for place in range(10):
        row = ServerSecond(
            at_s=START + place, cpu_s=place * cpu_s_per_s, memory_mb=90.0 + place, processes=3
        )
        files.append_server_second(run, row)
    end = ServerEnd(variant=variant, round=number, users=users, attempt=attempt, died=died)
    files.write(run, end)


def judged(folder: Path) -> Comparison:
    comparison = judging.judge(folder)
    files.write(folder, comparison)
    assert files.read_comparison(folder) == comparison == judging.judge(folder)
    return comparison


def two_rounds(folder: Path, **planned: object) -> Path:
    """Make two variants meet three steps: one holds one of them, the other two."""
    told = plan(rounds=2, steps=[100, 200, 400], **planned)  # type: ignore[arg-type]
    begun(folder, told)
    first, second = (variant.name for variant in told.variants)
    for number in (1, 2):
        for users in (100, 200, 400):
            add_run(folder, first, number, users, holds=users < 200, requests=4)
            add_run(folder, second, number, users, holds=users < 400, requests=8)
    return folder


def test_a_comparison_says_who_carried_more(tmp_path: Path) -> None:
    found = judged(two_rounds(tmp_path / "compare-1"))
    first, second = found.variants
    assert found.is_complete
    assert [(each.held, each.missed) for each in first.by_round] == [(100, 200)] * 2
    assert [(each.held, each.missed) for each in second.by_round] == [(200, 400)] * 2
    assert (first.at_least, second.at_least) == (100, 200)
    assert [step.users for step in first.steps] == [100, 200, 400]
    assert [step.held for step in first.steps] == [2, 0, 0]
    ratios = {ratio.metric: ratio for ratio in found.ratios}
    assert list(ratios) == ["carried_users", "most_requests_per_s", "p95_ms", "cpu_ms_per_request"]
    assert ratios["most_requests_per_s"].ratio.estimate == pytest.approx(2.0)
    assert ratios["cpu_ms_per_request"].at_users == 100  # the highest step that both held
    assert ratios["cpu_ms_per_request"].ratio.estimate == pytest.approx(0.5, rel=0.01)
    assert ratios["most_requests_per_s"].is_shown
    assert found.finding == f"{ratios['carried_users'].sentence.capitalize()}."
    assert found.finding.startswith("The gunicorn carried 2.")
    assert "the users of the runserver" in found.finding
    assert found.finding.endswith(", 2 rounds).")


def test_what_the_server_took_is_of_the_seconds_that_count(tmp_path: Path) -> None:
    found = judged(two_rounds(tmp_path / "compare-1"))
    server = found.runs[0].server
    assert server is not None and found.runs[0].figures is not None
    assert server.cpu_percent == pytest.approx(50.0)
    assert server.cpu_ms_per_request == pytest.approx(500 / found.runs[0].figures.requests_per_s)
    assert server.memory_mb == 98.0  # second 8 is the end of the last one that counts


def test_an_invalid_run_is_named_and_never_averaged_in(tmp_path: Path) -> None:
    folder = two_rounds(tmp_path / "compare-1")
    before = judged(folder)
    wrong = folder / files.RUNS / "r1-gunicorn-200"
    wrong.rename(folder / files.RUNS / "r1-gunicorn-200-again")
    end = msgspec.json.decode((wrong.with_name(f"{wrong.name}-again") / files.SERVER).read_bytes())
    (wrong.with_name(f"{wrong.name}-again") / files.SERVER).write_bytes(
        msgspec.json.encode({**end, "attempt": 2})
    )
    add_run(folder, "gunicorn", 1, 200, died="target ended with signal 9: bye", requests=100)
    found = judged(folder)
    assert found.variants == before.variants and found.ratios == before.ratios
    (invalid,) = (run for run in found.runs if not run.is_valid)
    assert (invalid.attempt, invalid.folder) == (1, "runs/r1-gunicorn-200")
    assert found.notes == [
        "Round 1, gunicorn with 200 users was invalid and made again: the server ended in "
        "mid-run: target ended with signal 9: bye."
    ]


def test_twice_invalid_leaves_the_step_open(tmp_path: Path) -> None:
    folder = begun(tmp_path / "compare-1", plan(rounds=1))
    add_run(folder, "gunicorn", 1, 100)
    add_run(folder, "gunicorn", 1, 200, ended=False)
    rounds = judging.Rounds(folder)
    assert rounds.held("gunicorn", 1) == {100: True}  # to be made again
    add_run(folder, "gunicorn", 1, 200, ended=False, attempt=2)
    rounds = judging.Rounds(folder)
    assert rounds.held("gunicorn", 1) == {100: True, 200: None}
    assert rounds.is_done("gunicorn", 1)
    add_run(folder, "runserver", 1, 100, holds=False)
    add_run(folder, "runserver", 1, 50)
    add_run(folder, "runserver", 1, 71, holds=False)
    add_run(folder, "runserver", 1, 60, holds=False)
    found = judged(folder)
    assert [ratio.metric for ratio in found.ratios] == ["most_requests_per_s"]
    assert found.finding.endswith("; the gunicorn carried at least 100 users.")
    assert any("with 200 users was invalid and left out" in note for note in found.notes)


def test_an_open_round_does_not_count(tmp_path: Path) -> None:
    folder = two_rounds(tmp_path / "compare-1")
    whole = judged(folder)
    planned = msgspec.structs.replace(files.read_plan(folder), rounds=3)
    files.write(folder, planned)
    add_run(folder, "runserver", 3, 100, holds=False)
    found = judged(folder)
    assert not found.is_complete
    assert (found.variants, found.ratios) == (whole.variants, whole.ratios)
    assert found.notes[0] == "2 of 3 planned rounds are whole."


def test_without_a_round_nothing_is_said(tmp_path: Path) -> None:
    folder = begun(tmp_path / "compare-1", plan())
    assert judged(folder).finding == "Nothing can be said yet: no round is whole."


@pytest.mark.slow
def test_what_was_interrupted_is_drawn_as_far_as_it_goes(tmp_path: Path) -> None:
    folder = begun(tmp_path / "compare-1", plan(rounds=2, steps=[100]))
    run_folder.write_objectives(folder, MET)
    add_run(folder, "gunicorn", 1, 100)
    found = compare.judge(folder)
    assert found == files.read_comparison(folder) and not found.is_complete
    assert found.finding in (folder / "report.html").read_text(encoding="utf-8")


def test_one_round_has_no_certainty(tmp_path: Path) -> None:
    folder = two_rounds(tmp_path / "compare-1")
    files.write(folder, msgspec.structs.replace(files.read_plan(folder), rounds=1))
    found = judged(folder)
    assert found.finding.endswith("(1 round, so nothing is known of its certainty).")
    assert found.notes == ["One round says nothing of its own certainty; make at least three."]
    assert not any(ratio.is_shown for ratio in found.ratios)


def test_when_nobody_was_broken_there_is_no_difference_to_show(tmp_path: Path) -> None:
    folder = begun(tmp_path / "compare-1", plan(rounds=2, steps=[100]))
    for number in (1, 2):
        for variant in ("runserver", "gunicorn"):
            add_run(folder, variant, number, 100)
    found = judged(folder)
    assert found.finding.startswith("Every variant carried 100 users, the most that were tried")


def test_a_variant_against_itself(tmp_path: Path) -> None:
    folder = begun(
        tmp_path / "compare-1", plan(["same-a", "same-b"], rounds=2, is_aa=True, steps=[100, 200])
    )
    for number in (1, 2):
        for variant in ("same-a", "same-b"):
            for users in (100, 200):
                add_run(folder, variant, number, users, holds=users < 200)
    found = judged(folder)
    assert found.finding.startswith("No difference shown between the same-a and itself")
    for number in (1, 2):
        add_run(folder, "same-b", number, 100, requests=20)
    found = judged(folder)
    assert found.finding.startswith("A difference was called where there is none")


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        (files.PLAN, None, "is not the folder of a comparison: it has no plan.json"),
        (files.PLAN, "{", "plan.json is broken: Input data was truncated"),
        ("runs/r1-gunicorn-100/summary.json", "[]", "summary.json is broken: Expected `object`"),
        ("runs/r1-gunicorn-100/server.json", "{}", "server.json is broken: Object missing"),
        ("runs/r1-gunicorn-100/server.csv", "at_s\nx\n", "server.csv is broken: "),
    ],
)
def test_a_broken_file_is_named(
    tmp_path: Path, name: str, content: str | None, expected: str
) -> None:
    folder = two_rounds(tmp_path / "compare-1")
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_text(content)
    with pytest.raises(ConfigurationError) as caught:
        judging.judge(folder)
    assert expected in str(caught.value) and len(str(caught.value).splitlines()) == 1


def test_a_run_that_left_no_result_is_invalid(tmp_path: Path) -> None:
    folder = two_rounds(tmp_path / "compare-1")
    (folder / files.RUNS / "r1-gunicorn-100" / run_folder.SUMMARY).unlink()
    run = next(run for run in judged(folder).runs if not run.is_valid)
    assert run.reasons == ["the run left no summary.json"]

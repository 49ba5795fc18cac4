"""The verdict, on run folders that were recorded when each state was made to happen for real.

`RECORD_RUNS=1 python -m pytest tests/integration/test_verdicts.py` records them anew.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import msgspec
import pytest

from harness import ConfigurationError
from harness.config.settings import PROJECT_DIR
from harness.recording import histograms
from harness.results import figures, judging, objectives, run_folder
from harness.results.objectives import Objectives, Saturation
from harness.results.run_folder import Figures, Manifest, RunEnd, Step, Summary
from harness.results.verdict import summarize

RECORDED = PROJECT_DIR / "tests" / "data"
STATES = {
    "pass": ("pass", set()),
    "objectives-missed": ("fail", set()),
    "wrong-answers": ("fail", set()),
    "objective-without-samples": ("fail", set()),
    "lost-writes": ("fail", set()),
    "no-requests": ("invalid", {"samples"}),
    "never-answers": ("invalid", {"samples", "mix"}),
    "no-writes": ("invalid", {"mix"}),
    "users-missing": ("invalid", {"planned users", "steady state"}),
    "cut-short": ("invalid", {"planned users", "steady state", "end"}),
    "busy-generator": ("invalid", {"generator"}),
    "lost-worker": ("invalid", {"workers"}),
    "reset": ("invalid", {"results"}),
    "exceptions": ("invalid", {"users"}),
    "killed": ("invalid", {"end"}),
}


def broken(summary: Summary) -> set[str]:
    return {rule.name for rule in summary.validity if not rule.kept}


@pytest.mark.parametrize("state", STATES)
def test_a_recorded_run_is_judged_as_it_was(state: str) -> None:
    summary = judging.judge(RECORDED / state)[0]
    verdict, rules = STATES[state]
    assert summary.verdict == verdict
    assert broken(summary) >= rules
    if state not in ("cut-short", "users-missing", "lost-worker"):
        assert broken(summary) == rules
    if state != "killed":
        assert summary == run_folder.read_summary(RECORDED / state)


def test_every_recorded_state_is_tested() -> None:
    assert {path.name for path in RECORDED.iterdir()} == set(STATES)


def test_every_rule_was_broken_by_some_run_and_kept_by_another() -> None:
    kept = {rule.name for rule in judging.judge(RECORDED / "pass")[0].validity}
    assert kept == {rule for _, rules in STATES.values() for rule in rules}


# Rules, one by one: the run that passes, with one thing changed.


class Evidence(msgspec.Struct):
    """What `summarize` judges."""

    manifest: Manifest
    found: figures.RunFigures
    ending: RunEnd | None
    wanted: Objectives

    def judged(self) -> Summary:
        return summarize(self.manifest, self.found, self.ending, self.wanted)


@pytest.fixture
def passing() -> Evidence:
    folder = RECORDED / "pass"
    wanted = objectives.load(folder / run_folder.OBJECTIVES)
    return Evidence(
        run_folder.read_manifest(folder),
        figures.read(folder, wanted.saturation).figures(),
        run_folder.read_ending(folder),
        wanted,
    )


def found(evidence: Evidence, **changed: object) -> Evidence:
    evidence.found = msgspec.structs.replace(evidence.found, **changed)
    return evidence


def ending(evidence: Evidence, **changed: object) -> Evidence:
    assert evidence.ending is not None
    evidence.ending = msgspec.structs.replace(evidence.ending, **changed)
    return evidence


def planned(evidence: Evidence, is_headless: bool = True, **changed: object) -> Evidence:
    changed["is_headless"] = is_headless
    evidence.manifest = msgspec.structs.replace(evidence.manifest, **changed)
    return evidence


def generator(evidence: Evidence, **changed: object) -> Evidence:
    return found(evidence, generator=msgspec.structs.replace(evidence.found.generator, **changed))


def test_a_run_that_keeps_all_has_no_reasons(passing: Evidence) -> None:
    summary = passing.judged()
    assert (summary.verdict, summary.exit_code, summary.reasons) == ("pass", 0, [])
    assert all(rule.kept and rule.sentence for rule in summary.validity)


@pytest.mark.parametrize(
    ("changed", "rule", "sentence"),
    [
        (
            lambda e: found(e, users=59),
            "planned users",
            "of 60 planned users at most 59 ran at a time",
        ),
        (
            lambda e: found(planned(e, users=400), planned_users=60),  # cut short on the way up
            "planned users",
            "of 400 planned users at most 60 ran at a time",
        ),
        (
            lambda e: ending(planned(e, run_time_s=120), stopped_after_s=37.2),
            "end",
            "the run was stopped after 37 s of 120 s",
        ),
        (
            lambda e: found(e, steady_s=0.0),
            "steady state",
            "the run ended before its steady state, which takes 3 s with all planned users",
        ),
        (
            lambda e: generator(e, watched_s=10, saturated_s=2),
            "generator",
            "the generator was saturated in 2 of 10 steady seconds (CPU over 90 % of a core, or "
            "its event loop late by more than 10,000 ms): the response times are its own as well",
        ),
        (
            lambda e: generator(e, watched_s=0, saturated_s=0),
            "generator",
            "nothing is known of the generator's own load",
        ),
        (
            lambda e: ending(e, lost_workers=2),
            "workers",
            "lost workers: 2, and with them their last requests",
        ),
        (
            lambda e: ending(e, clock_off_s=-4.2),
            "clocks",
            "the clock of a worker is off by 4.2 s: its requests stand in wrong seconds",
        ),
        (
            lambda e: ending(e, lost_reports=2),
            "reports",
            "reports of workers that never arrived: 2, and with them their requests",
        ),
        (
            lambda e: ending(e, late_reports=1),
            "late reports",
            "reports of workers that came too late: 1, their requests stand in wrong seconds",
        ),
        (
            lambda e: ending(e, was_reset=True),
            "results",
            "the statistics were reset in mid-run",
        ),
        (
            lambda e: ending(e, exceptions=1),
            "users",
            "exceptions in users: 1, see locust_exceptions.csv",
        ),
        (
            lambda e: Evidence(e.manifest, e.found, None, e.wanted),
            "end",
            "the run did not come to its end: there is no end.json",
        ),
        (
            lambda e: found(e, endpoints=e.found.endpoints[:-1]),
            "mix",
            "never hit, though in the mix: GET /notice/list",
        ),
    ],
)
def test_one_broken_rule_makes_a_run_invalid(
    passing: Evidence, changed: object, rule: str, sentence: str
) -> None:
    summary = changed(passing).judged()  # type: ignore[operator]
    assert (summary.verdict, summary.exit_code) == ("invalid", 3)
    assert broken(summary) == {rule}
    assert summary.reasons == [sentence]


def test_clocks_are_of_workers(passing: Evidence) -> None:
    assert "clocks" not in {rule.name for rule in passing.judged().validity}
    for off_s, kept in ((0.9, True), (1.9, True), (2.1, False), (-0.9, True), (-1.1, False)):
        rules = ending(passing, clock_off_s=off_s).judged().validity
        assert [rule.kept for rule in rules if rule.name == "clocks"] == [kept]


def test_reports_are_of_workers(passing: Evidence) -> None:
    names = {"reports", "late reports"}
    assert not names & {rule.name for rule in passing.judged().validity}
    rules = ending(passing, lost_reports=0, late_reports=0).judged().validity
    assert [rule.kept for rule in rules if rule.name in names] == [True, True]


def test_users_may_be_changed_in_the_web_ui(passing: Evidence) -> None:
    assert planned(passing, is_headless=False, users=400).judged().verdict == "pass"


def test_a_share_of_saturated_seconds_is_allowed(passing: Evidence) -> None:
    assert generator(passing, watched_s=10, saturated_s=1).judged().verdict == "pass"
    passing.wanted = msgspec.structs.replace(
        passing.wanted, saturation=Saturation(saturated_share=0.0)
    )
    assert broken(passing.judged()) == {"generator"}


def test_an_invalid_run_tells_its_missed_objectives_after_the_rules(passing: Evidence) -> None:
    passing.wanted = objectives.parse("[total]\np95_ms = 0.001\n", "slo.toml")
    summary = ending(passing, lost_workers=1).judged()
    assert summary.verdict == "invalid"
    assert [reason.split()[0] for reason in summary.reasons] == ["lost", "p95"]


# Objectives.


def judged(evidence: Evidence, text: str) -> Summary:
    evidence.wanted = objectives.parse(text, "slo.toml")
    return evidence.judged()


def steady(evidence: Evidence) -> Figures:
    assert evidence.found.total.steady is not None
    return evidence.found.total.steady


@pytest.mark.parametrize("key", ["p50_ms", "p95_ms", "p99_ms", "max_ms"])
def test_a_time_may_be_as_long_as_the_objective_and_no_longer(passing: Evidence, key: str) -> None:
    value = getattr(steady(passing), key)
    assert judged(passing, f"[total]\n{key} = {value!r}\n").verdict == "pass"
    summary = judged(passing, f"[total]\n{key} = {value * 0.99 - 0.001!r}\n")
    assert (summary.verdict, summary.exit_code) == ("fail", 1)
    (reason,) = summary.reasons
    samples = f"{steady(passing).requests:,}"
    name = key.removesuffix("_ms")
    assert re.fullmatch(
        rf"{name} of all requests was [\d.]+ ms, the objective is [\d.]+ ms \({samples} samples\)",
        reason,
    )


@pytest.mark.parametrize(("time_ms", "met"), [(999.95, True), (1000.4, True), (1000.6, False)])
def test_a_time_that_a_histogram_cannot_tell_from_the_limit_meets_it(
    passing: Evidence, time_ms: float, met: bool
) -> None:
    """Else p95 of 999.95 ms, the bucket of 1000 ms, would miss an objective of 1000 ms."""
    (p95_ms,) = histograms.percentiles_ms(histograms.from_ms([time_ms] * 20), (0.95,))
    total = passing.found.total
    of_steady = msgspec.structs.replace(steady(passing), p95_ms=p95_ms)
    found(passing, total=msgspec.structs.replace(total, steady=of_steady))
    summary = judged(passing, "[total]\np95_ms = 1000\n")
    assert summary.verdict == ("pass" if met else "fail")
    assert all("was 1,001 ms, the objective is 1,000 ms" in reason for reason in summary.reasons)


def test_the_rate_has_to_be_at_least_the_objective(passing: Evidence) -> None:
    rate = steady(passing).requests_per_s
    assert judged(passing, f"[total]\nrequests_per_s = {rate!r}\n").verdict == "pass"
    summary = judged(passing, f"[total]\nrequests_per_s = {rate + 0.001!r}\n")
    assert summary.verdict == "fail"
    assert "requests/s, the objective is at least" in summary.reasons[0]


def test_failures_count_over_the_whole_run(passing: Evidence) -> None:
    total = passing.found.total
    whole_run = msgspec.structs.replace(
        total.whole_run, requests=10_000, failures=13, fail_ratio=0.0013
    )
    found(passing, total=msgspec.structs.replace(total, whole_run=whole_run))
    summary = judged(passing, "")
    assert summary.verdict == "fail"
    assert summary.reasons == [
        "13 of 10,000 requests failed (all requests: 0.13 %), the objective is 0 %"
    ]
    assert judged(passing, "[total]\nfail_ratio = 0.0013\n").verdict == "pass"
    assert judged(passing, "[total]\nfail_ratio = 0.0012\n").verdict == "fail"


def test_an_objective_is_for_its_endpoint_alone(passing: Evidence) -> None:
    endpoint = passing.found.endpoints[-1]
    assert endpoint.steady is not None and endpoint.steady.p95_ms is not None
    name = f"{endpoint.method} {endpoint.name}"
    summary = judged(passing, f'["{name}"]\np95_ms = {endpoint.steady.p95_ms / 2!r}\n')
    (reason,) = summary.reasons
    assert reason.startswith(f"p95 of {name} was ")
    of_one = [each for each in summary.objectives if each.scope == name]
    assert [each.samples for each in of_one] == [endpoint.steady.requests]


@pytest.mark.parametrize("key", ["p50_ms", "p95_ms", "p99_ms", "max_ms", "requests_per_s"])
def test_an_objective_without_samples_is_missed(passing: Evidence, key: str) -> None:
    found(passing, endpoints=passing.found.endpoints[:-1])
    passing.manifest = msgspec.structs.replace(passing.manifest, endpoints=[])
    summary = judged(passing, f'["GET /notice/list"]\n{key} = 0.5\n')
    name, unit = (key[:-3], " ms") if key.endswith("_ms") else ("requests/s", "/s")
    assert summary.verdict == "fail"
    missing = f"{name} of GET /notice/list has no samples in the steady state"
    assert summary.reasons == [f"{missing}; the objective is 0.5{unit}"]


def test_without_a_steady_state_no_objective_of_times_is_met(passing: Evidence) -> None:
    total = msgspec.structs.replace(passing.found.total, steady=None)
    summary = judged(found(passing, total=total, steady_s=0.0), "[total]\np95_ms = 60000\n")
    assert [each.met for each in summary.objectives] == [True, False, True], "of [total], audit"


# Steps.


def steps(*p95s_ms: float) -> list[Step]:
    def total(p95_ms: float) -> Figures:
        return Figures(
            requests=100,
            failures=0,
            fail_ratio=0.0,
            requests_per_s=10.0,
            p50_ms=1.0,
            p95_ms=p95_ms,
            p99_ms=p95_ms,
            max_ms=p95_ms,
        )

    return [
        Step(users=100 * number, first_second=0, last_second=9, total=total(p95_ms))
        for number, p95_ms in enumerate(p95s_ms, 1)
    ]


@pytest.mark.parametrize(
    ("p95s_ms", "carried"),
    [
        ((10, 20, 30), 300),
        ((10, 20, 60), 200),
        ((10, 60, 20), 100),  # what a higher step did says nothing when a lower one missed
        ((60, 10, 10), None),
        ((), None),
    ],
)
def test_carried_are_the_users_of_the_highest_step_up_to_which_all_met(
    passing: Evidence, p95s_ms: tuple[float, ...], carried: int | None
) -> None:
    found(passing, steps=steps(*p95s_ms))
    assert judged(passing, "[total]\np95_ms = 50\n").carried_users == carried


def test_two_steps_of_as_many_users_both_have_to_meet(passing: Evidence) -> None:
    again = [*steps(10), *steps(60), *steps(10, 10)[1:]]
    assert judged(found(passing, steps=again), "[total]\np95_ms = 50\n").carried_users is None


def test_a_step_of_the_way_down_says_nothing_of_the_way_up(passing: Evidence) -> None:
    """A server that has not recovered yet from too many users carried the fewer before."""
    up = steps(10, 10, 60)
    for down in (steps(60), [*steps(10), *steps(10, 10, 10, 10)]):
        found(passing, steps=[*up, *down])
        assert judged(passing, "[total]\np95_ms = 50\n").carried_users == 200


def test_a_step_without_an_answer_was_not_carried(passing: Evidence) -> None:
    """Also when failures alone are limited: there were none."""
    one, two = steps(10, 10)
    silent = msgspec.structs.replace(two.total, requests=0, p95_ms=None)
    found(passing, steps=[one, msgspec.structs.replace(two, total=silent)])
    assert judged(passing, "").carried_users == 100


# Files.


def test_a_folder_without_a_manifest_is_no_run(tmp_path: Path) -> None:
    shutil.copytree(RECORDED / "pass", tmp_path / "run")
    (tmp_path / "run" / run_folder.MANIFEST).unlink()
    with pytest.raises(ConfigurationError, match=r"it has no run\.json"):
        judging.judge(tmp_path / "run")

"""What is said of a run that goes on: bad news at once, good news when nothing is missing."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.recording import histograms
from harness.recording.samples import ConnectionCounts
from harness.results import verdict
from harness.results.figures import EndpointHistograms, RunningFigures
from harness.results.formatting import NONE
from harness.results.interim_verdict import END, InterimVerdict, interim_verdict
from harness.results.objectives import Objectives, Saturation
from harness.results.run_folder import DeviceCounts, Manifest, RunEnd, Summary, Versions
from harness.results.timeline import Second

SEARCH, LIST = ("GET", "/notice/all?q"), ("GET", "/notice/list")
WANTED = Objectives(
    limits={
        "total": {"fail_ratio": 0.0, "p95_ms": 500.0, "requests_per_s": 1.0},
        "GET /notice/all?q": {"max_ms": 1500.0},
    }
)
MANIFEST = Manifest(
    run_id="r",
    started_at="2026-11-22T16:42:07+00:00",
    host="http://127.0.0.1:8000",
    deployment=None,
    profile=None,
    users=5,
    spawn_rate_per_s=5.0,
    run_time_s=None,
    seed=1,
    task_mix={},
    endpoints=["GET /notice/all?q", "GET /notice/list"],
    client="own",
    vary_data=False,
    data_sha256="",
    workers=None,
    tags=[],
    exclude_tags=[],
    versions=Versions("0", "0", "0"),
)
ENDING = RunEnd(
    ended_at="",
    devices=DeviceCounts(),
    connections=ConnectionCounts(),
    exceptions=0,
    lost_workers=0,
    was_reset=False,
)
GOOD = {SEARCH: [20_000] * 5, LIST: [5_000] * 5}


def second(number, users=5, times_us=GOOD, failures=0, cpu_percent=10.0, target_users=5):
    sums = EndpointHistograms()
    for key, times in times_us.items():
        sums.all_of[key] = histograms.empty()
        for time_us in times:
            sums.all_of[key].record_value(time_us)
    sums.failures_of[SEARCH] = failures
    row = Second(
        second=number,
        users=users,
        target_users=target_users,
        requests=sum(map(len, times_us.values())),
        failures=failures,
        p50_ms=None,
        p95_ms=None,
        p99_ms=None,
        cpu_percent=cpu_percent,
        lag_ms=1.0,
    )
    return row, sums


def judged(*seconds, wanted=WANTED, **ending) -> Summary:
    running = RunningFigures(Saturation())
    for row, sums in seconds:
        running.add(row, sums)
    ended = msgspec.structs.replace(ENDING, **ending)
    return verdict.summarize(MANIFEST, running.figures(), ended, wanted)


def interim_of(*seconds, **ending) -> InterimVerdict:
    return interim_verdict(judged(*seconds, **ending), is_over=False)


def steady(count=10, **more):
    return [second(number, **more) for number in range(count)]


def states(found: InterimVerdict) -> dict[str, str]:
    return {rule.name: rule.state for rule in found.rules}


def test_before_the_first_second_nothing_is_wrong_and_nothing_is_known() -> None:
    found = interim_of()
    assert (found.verdict, found.headline) == ("too early", "Too early to say")
    assert states(found) == {
        "samples": "pending",
        "mix": "pending",
        "planned users": "pending",
        "steady state": "pending",
        "generator": "pending",
        "workers": "good",
        "results": "good",
        "users": "good",
    }
    assert "no users yet" in found.reasons
    assert {line.word for line in found.objectives} == {"no samples yet"}


def test_while_users_are_still_coming_it_is_too_early() -> None:
    found = interim_of(second(0, users=1), second(1, users=2))
    assert found.verdict == "too early"
    assert states(found)["samples"] == "good"
    assert found.reasons == [
        "of 5 planned users at most 2 ran at a time",
        "no steady state yet: 3 s with all planned users",
        "no second of the steady state yet in which the generator was watched",
    ]


def test_an_endpoint_that_was_not_hit_yet_may_still_be() -> None:
    found = interim_of(*steady(times_us={SEARCH: [20_000] * 9}))
    assert found.verdict == "too early"
    assert found.reasons == ["not hit yet: GET /notice/list"]
    over = interim_verdict(judged(*steady(times_us={SEARCH: [20_000] * 9})), is_over=True)
    assert over.verdict == "invalid"
    assert over.reasons == ["never hit, though in the mix: GET /notice/list"]


def test_an_objective_without_samples_is_no_miss_until_the_run_is_over() -> None:
    summary = judged(*steady(times_us={LIST: [5_000] * 9}))
    (line,) = (
        each for each in interim_verdict(summary, is_over=False).objectives if "?q" in each.what
    )
    assert (line.state, line.word, line.value) == ("pending", "no samples yet", NONE)
    (line,) = (
        each for each in interim_verdict(summary, is_over=True).objectives if "?q" in each.what
    )
    assert (line.state, line.word) == ("bad", "no samples")


def test_a_good_run_passes_so_far_from_its_steady_state_on() -> None:
    assert interim_of(*steady(3)).verdict == "too early", "its first second is ramp-up still"
    found = interim_of(*steady(4))
    assert (found.verdict, found.headline, found.reasons) == ("pass", "Pass so far", [])


def test_a_failure_is_told_before_there_is_a_steady_state() -> None:
    found = interim_of(second(0, users=1, failures=1))
    assert found.verdict == "fail"
    (reason,) = found.reasons
    assert reason.startswith("1 of 10 requests failed")


def test_a_slow_server_fails_so_far() -> None:
    found = interim_of(*steady(times_us={SEARCH: [900_000] * 5, LIST: [5_000] * 5}))
    assert (found.verdict, found.headline) == ("fail", "Fail so far")
    assert [line.word for line in found.objectives] == ["met", "missed", "met", "met"]


@pytest.mark.parametrize(
    ("ending", "rule"),
    [
        ({"was_reset": True}, "results"),
        ({"lost_workers": 1}, "workers"),
        ({"exceptions": 2}, "users"),
        ({"lost_reports": 1}, "reports"),
        ({"late_reports": 1}, "late reports"),
    ],
)
def test_what_is_broken_for_good_is_told_at_once(ending, rule) -> None:
    for seconds in ([], steady()):
        found = interim_of(*seconds, **ending)
        assert found.verdict == "invalid"
        assert states(found)[rule] == "bad"
        assert len(found.reasons) == 1, "what is pending is no reason"


def test_invalid_outranks_missed() -> None:
    found = interim_of(*steady(failures=1), was_reset=True)
    assert found.verdict == "invalid"
    assert len(found.reasons) == 2


def test_a_saturated_generator_is_told_as_soon_as_it_was_watched() -> None:
    found = interim_of(*steady(cpu_percent=99.0))
    assert (found.verdict, states(found)["generator"]) == ("invalid", "bad")
    assert states(interim_of(*steady(cpu_percent=None)))["generator"] == "pending"


def test_more_users_than_before_are_waited_for_again() -> None:
    found = interim_of(*steady(), second(10, users=5, target_users=9))
    assert (found.verdict, states(found)["planned users"]) == ("too early", "pending")


def test_the_end_is_no_rule_of_a_run_that_goes_on() -> None:
    summary = judged(*steady())
    assert END not in states(interim_verdict(summary, is_over=False))
    assert states(interim_verdict(summary, is_over=True))[END] == "good"


def test_limits_and_values_have_their_units() -> None:
    lines = interim_of(*steady()).objectives
    assert [(line.what, line.limit, line.value) for line in lines] == [
        ("failures of all requests", "≤ 0 %", "0 %"),
        ("p95 of all requests", "≤ 500 ms", "20.02 ms"),
        ("requests/s of all requests", "≥ 1/s", "10/s"),
        ("max of GET /notice/all?q", "≤ 1,500 ms", "20.02 ms"),
    ]


runs = st.lists(
    st.builds(
        second,
        st.just(0),
        users=st.integers(0, 5),
        times_us=st.sampled_from([{}, GOOD, {SEARCH: [900_000]}, {LIST: [5_000]}]),
        failures=st.integers(0, 1),
        cpu_percent=st.sampled_from([None, 10.0, 99.0]),
    ),
    max_size=8,
)
endings = st.fixed_dictionaries(
    {
        "was_reset": st.booleans(),
        "lost_workers": st.integers(0, 1),
        "exceptions": st.integers(0, 1),
        "lost_reports": st.sampled_from([None, 0, 1]),
        "late_reports": st.sampled_from([None, 0, 1]),
    }
)


@given(runs, endings)
def test_over_it_says_what_the_summary_says_and_before_it_never_says_more(seconds, ending) -> None:
    summary = judged(*seconds, **ending)
    over, early = interim_verdict(summary, is_over=True), interim_verdict(summary, is_over=False)
    assert (over.verdict, over.reasons) == (summary.verdict, summary.reasons)
    assert "pending" not in {line.state for line in (*over.rules, *over.objectives)}
    if early.verdict == "pass":
        assert summary.verdict == "pass"
    if early.verdict == "invalid":
        assert summary.verdict == "invalid"
    if early.verdict == "fail":
        assert summary.verdict in ("fail", "invalid")

"""The bench's arithmetic and words; nothing here is measured."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import locust  # noqa: F401 - first, for gevent's monkey patching

import pytest

from bench import REPORT, BenchError, answers, command, process, report, results
from bench.__main__ import main, rotated
from bench.generators import GENERATORS, Job, Reported
from bench.measure import check_right, check_seen
from bench.results import Client, Comparison, Conditions, Sample, Series, Step, UserSteps
from harness import ConfigurationError
from harness.config import atomic
from harness.http.request import Request
from harness.recording.histograms import nearest_rank
from harness.results.formatting import TIMES
from locustfile import NoticeUser
from notice_api import contract

CONDITIONS = Conditions(
    measured_at="2026-11-22 20:00 UTC",
    cpu="Example 9000",
    cores=2,
    kernel="Linux 6.1",
    versions={"Python": "3.11.7", "wrk": "missing"},
)


def sample(requests: int, server_cpu_s: float = 2.0, generator_cpu_s: float = 10.0) -> Sample:
    return Sample(
        seconds=10.0,
        requests=requests,
        generator_cpu_s=generator_cpu_s,
        server_cpu_s=server_cpu_s,
        reported=requests,
        seen=requests + 1,
    )


def series(name: str, *samples: Sample, **fields: object) -> Series:
    told = {"title": name, "checked": False, "goal": None, **fields}
    return Series(name=name, samples=list(samples), **told)


def compared(*others: Series) -> Comparison:
    ours = series(results.OURS, sample(100_000), sample(300_000), sample(200_000), checked=True)
    return Comparison(CONDITIONS, users=50, seconds=10, rounds=3, series=[ours, *others])


def row(measured: str, name: str) -> list[str]:
    (line,) = (line for line in measured.splitlines() if line.startswith(f"| {name}"))
    return [cell.strip() for cell in line.strip("|").split("|")]


@pytest.mark.parametrize("request_, body", answers.every_kind())
def test_the_fixed_answers_are_right(request_: Request, body: bytes) -> None:
    assert request_.problem(request_.endpoint.status, body) is None


@pytest.mark.parametrize(
    "request_, status, body",
    [pytest.param(*case, id=name) for name, *case in answers.wrong()],
)
def test_the_wrong_answers_are_wrong(request_: Request, status: int, body: bytes) -> None:
    assert request_.problem(status, body) is not None


def test_the_page_is_as_large_as_a_real_one() -> None:
    assert 2_500 < len(answers.encoded(answers.page())) < 3_500
    assert 2_500 < len(answers.encoded(answers.boards())) < 3_500


def test_the_mix_is_that_of_the_original_test() -> None:
    """Tasks that somebody adds to the suite do not change what the bench compares."""
    weights = Counter(task.__name__ for task in NoticeUser.tasks)
    original = {
        "search_notices": answers.SEARCHES,
        "browse_pages": answers.BROWSES,
        "list_boards": answers.LISTS,
        **dict.fromkeys(("subscribe", "set_keywords", "switch_alarm"), answers.WRITES_OF_A_KIND),
    }
    assert {name: weights[name] for name in original} == original
    counts = Counter(request.endpoint for request in answers.cycle())
    assert counts == {
        contract.SEARCH: 6,
        contract.BROWSE: 60,
        contract.LIST: 10,
        contract.SUBSCRIPTIONS: 2,
        contract.KEYWORDS: 2,
        contract.ALARM: 2,
    }
    alarms = [r.body for r in answers.cycle() if r.endpoint is contract.ALARM]
    assert len(set(alarms)) == 2
    assert len(answers.cycle()) / 20 == results.REQUESTS_PER_TASK


def test_only_an_alarm_that_goes_off_has_its_length() -> None:
    *others, alarm_off = (json.loads(put.body or b"") for put in answers.writes())
    assert alarm_off[answers.ALARM_FIELD] is False
    lengths = {
        len(text)
        for other in others
        for text in (answers.encoded(other), json.dumps(other), json.dumps(other).encode())
    }
    assert not lengths & answers.alarm_off_lengths()


def test_more_requests_than_the_server_saw_fail_the_bench() -> None:
    check_seen("wrk", Reported(100, 0), seen=100)
    with pytest.raises(BenchError, match="wrk reports 101 requests, the server saw 100"):
        check_seen("wrk", Reported(101, 0), seen=100)


@pytest.mark.parametrize("reported", [Reported(100, 1), Reported(0, 0)])
def test_failures_and_silence_fail_the_bench(reported: Reported) -> None:
    with pytest.raises(BenchError, match="failures"):
        check_right("wrk", reported)


def test_the_table_holds_medians_ranges_and_ratios_by_round() -> None:
    peer = series("peer", sample(10_000), sample(20_000), sample(40_000), goal=10.0)
    measured = report.comparison(compared(peer))
    assert row(measured, results.OURS) == [
        results.OURS,
        "yes",
        "20,000 (10,000 to 30,000)",
        "50 (33.3 to 100)",
        "100 %",
        "20 %",
        "",
        "",
    ]
    assert row(measured, "peer")[-2:] == [f"10 (5.0 to 15) {TIMES}", "at least 10: met"]
    assert "2 cores of Example 9000" in measured and "50 users without wait" in measured


def test_a_goal_that_is_missed_is_said_to_be() -> None:
    peer = series("peer", *[sample(100_000)] * 3, goal=2.1)
    assert row(report.comparison(compared(peer)), "peer")[-1] == "at least 2.1: **not met**"


def test_a_missing_generator_is_named_everywhere() -> None:
    results_ = compared(series("wrk", goal=0.45, missing="wrk not installed"))
    measured = report.comparison(results_)
    assert row(measured, "wrk")[0] == "wrk (missing)"
    assert row(measured, "wrk")[-1] == "at least 0.45: not measured"
    assert "**Missing: wrk** (wrk not installed)." in measured
    assert "not measured: wrk" in report.chart_caption(results_)


def test_who_was_not_the_bottleneck_is_marked() -> None:
    bound = series("bound", *[sample(100_000, server_cpu_s=9.8, generator_cpu_s=5.0)] * 3)
    disturbed = series("disturbed", *[sample(100_000, generator_cpu_s=6.0)] * 3)
    measured = report.comparison(compared(bound, disturbed))
    assert row(measured, "bound")[0] == "bound (server-bound)"
    assert row(measured, "disturbed")[0] == "disturbed (disturbed)"
    assert "**Server-bound**" in measured and "**Disturbed**" in measured


def step(users: int, rss_mb: float, **fields: float) -> Step:
    measured = {
        "seconds": 20.0,
        "requests": users * 27,
        "failures": 0,
        "cpu_s": 10.0,
        "spawned_s": 2.0,
        "ramp_up_stop_ms": 50.0,
        "lag_p50_ms": 0.1,
        "lag_p99_ms": 4.0,
        "lag_max_ms": 9.0,
        "response_p99_ms": 3.0,
        "response_max_ms": 11.0,
        **fields,
    }
    return Step(users=users, rss_kb=rss_mb * 1024, **measured)


def user_steps(**last: float) -> UserSteps:
    first, last_step = step(1_000, 100), step(10_000, 280, **last)
    client = Client(name="session", steps=[first, last_step])
    return UserSteps(CONDITIONS, seconds=20, spawn_rate_per_s=500, clients=[client])


def test_memory_is_counted_beyond_the_first_step() -> None:
    measured = report.users(user_steps())
    assert "20.5 KB, met" in measured and "4 ms at 50 % of the core, met" in measured


@pytest.mark.parametrize("busy", [{"cpu_s": 20.0}, {"requests": 240_000}])
def test_a_process_that_can_do_no_more_is_shown_and_misses_the_goal(
    busy: dict[str, float],
) -> None:
    measured = report.users(user_steps(**busy))
    assert "session (saturated)" in measured
    assert "% of the core, **not met**" in measured


def test_a_percentile_is_the_nearest_rank() -> None:
    assert nearest_rank(range(1, 101), 0.99) == 99
    assert nearest_rank(range(1, 101), 0.50) == 50
    assert nearest_rank([7.0], 0.99) == 7.0


def test_goals_that_were_not_measured_are_not_met_in_silence() -> None:
    few = UserSteps(CONDITIONS, seconds=20, spawn_rate_per_s=500, clients=[])
    assert "goals: not measured" in report.users(few)


@pytest.mark.parametrize("measured", [compared(series("peer", *[sample(1)] * 3)), user_steps()])
def test_results_can_be_read_again(measured: Comparison | UserSteps, tmp_path: Path) -> None:
    atomic.write_json(tmp_path / "results.json", measured)
    assert command.read(tmp_path / "results.json", type(measured)) == measured


def test_results_that_are_not_there_are_an_error_of_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"no generators\.json .*; measure first"):
        command.read(tmp_path / "generators.json", Comparison)


def test_only_the_part_between_the_marks_is_replaced() -> None:
    text = "a\n<!-- users: measured -->\nold\n<!-- users: end -->\nb\n"
    renewed = report.replaced(text, "users", "new")
    assert renewed == text.replace("old", "new")
    with pytest.raises(ConfigurationError, match="generators: measured"):
        report.replaced(text, "generators", "new")


def test_the_report_has_both_parts() -> None:
    text = REPORT.read_text(encoding="utf-8")
    for mark in (report.GENERATORS_MARK, report.USERS_MARK):
        assert report.replaced(text, mark, "new") != text


def test_each_round_begins_with_another_generator() -> None:
    orders = [rotated(GENERATORS, number) for number in range(len(GENERATORS))]
    assert {order[0].name for order in orders} == {generator.name for generator in GENERATORS}
    assert all(
        sorted(g.name for g in order) == sorted(g.name for g in GENERATORS) for order in orders
    )


def test_what_hey_says_is_read(tmp_path: Path) -> None:
    job = Job("127.0.0.1:1", 1, tmp_path)
    job.log.write_text(
        "Status code distribution:\n  [200]\t90 responses\n  [502]\t8 responses\n\n"
        "Error distribution:\n  [2]\tGet http://127.0.0.1:1/: connection refused\n"
    )
    (hey,) = (generator for generator in GENERATORS if generator.name == "hey")
    assert hey.reported(job) == Reported(98, 10)


@pytest.mark.parametrize("arguments", [["--rounds", "2"], ["--redraw"]])
def test_what_cannot_be_done_is_one_line_and_exit_code_2(
    arguments: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(command, "BENCH_DIR", tmp_path)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("error: ") and captured.err.count("\n") == 1


def test_without_nginx_there_is_one_line_that_says_how_to_get_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    monkeypatch.setattr(process, "two_cores", lambda: (0, 1))
    monkeypatch.setattr("signal.signal", lambda *_: None)
    assert main([]) == 2
    captured = capsys.readouterr()
    assert captured.err == "error: nginx is missing; install it: apt-get install nginx-light\n"
    assert "missing: wrk, so not measured: wrk" in captured.out


def test_too_few_files_are_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resource.getrlimit", lambda _: (1024, 4096))
    monkeypatch.setattr("resource.setrlimit", lambda *_: None)
    process.allow_open_files(4096)
    with pytest.raises(ConfigurationError, match="only 4096 files may be open, 10100 are needed"):
        process.allow_open_files(10_100)

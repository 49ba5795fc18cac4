"""The folder of a run: its name, its files, and that they are whole."""

from __future__ import annotations

import datetime
import errno
import json
import os
import platform
import re
import typing
from importlib.metadata import version
from pathlib import Path

import msgspec
import pytest

from harness import ConfigurationError, __version__
from harness.recording.samples import ConnectionCounts
from harness.results import run_folder
from harness.results.run_folder import (
    DeviceCounts,
    EndpointFigures,
    Figures,
    Generator,
    Manifest,
    Objective,
    Rule,
    RunEnd,
    Step,
    Summary,
    Total,
    Versions,
)

FIGURES = Figures(
    requests=120,
    failures=3,
    fail_ratio=0.025,
    requests_per_s=2.0,
    p50_ms=12.0,
    p95_ms=48.0,
    p99_ms=110.0,
    max_ms=1043.7,
)
NONE = Figures(
    requests=0,
    failures=0,
    fail_ratio=0.0,
    requests_per_s=0.0,
    p50_ms=None,
    p95_ms=None,
    p99_ms=None,
    max_ms=None,
)
MANIFEST = Manifest(
    run_id="20200920-100000-ab12",
    started_at="2020-09-20T10:00:00+00:00",
    host="http://127.0.0.1:8000",
    deployment=None,
    profile="장학",
    users=100,
    spawn_rate_per_s=20.0,
    run_time_s=None,
    seed=2**63,
    task_mix={"search_notices": 3},
    endpoints=["GET /notice/all?q"],
    client="requests",
    vary_data=False,
    data_sha256="0" * 64,
    workers=None,
    tags=["read"],
    exclude_tags=[],
    versions=Versions("1", "2", "3"),
)
SUMMARY = Summary(
    run_id="20200920-100000-ab12",
    verdict="fail",
    exit_code=1,
    reasons=["3 of 120 requests failed"],
    validity=[Rule(name="samples", kept=True, sentence="120 requests were measured")],
    objectives=[
        Objective(
            scope="total",
            key="p95_ms",
            limit=5.0,
            value=None,
            samples=0,
            met=False,
            sentence="no samples",
        )
    ],
    carried_users=None,
    duration_s=60.0,
    steady_s=50.0,
    total=Total(steady=FIGURES, whole_run=FIGURES),
    endpoints=[EndpointFigures(method="GET", name="/x?q", steady=None, whole_run=NONE)],
    steps=[Step(users=100, first_second=1_600_596_000, last_second=1_600_596_049, total=FIGURES)],
    generator=Generator(
        watched_s=50,
        saturated_s=1,
        cpu_percent_p50=4.0,
        cpu_percent_max=91.0,
        lag_p99_ms=2.5,
        lag_max_ms=7.0,
    ),
    devices=DeviceCounts(registered=5, deleted=4, left_behind=1),
    connections=ConnectionCounts(opened=4, reconnects=2, connecting_ms=6.0),
)


def refusal(function: typing.Callable[..., object], *arguments: object) -> str:
    with pytest.raises(ConfigurationError) as caught:
        function(*arguments)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


# Names.


def test_a_run_id_says_when() -> None:
    time = datetime.datetime(2026, 11, 22, 16, 42, 7, tzinfo=datetime.UTC)
    assert re.fullmatch(r"20261122-164207-[0-9a-f]{4}", run_folder.new_run_id(time))
    assert len({run_folder.new_run_id(time) for _ in range(50)}) > 25


def test_run_ids_are_in_utc_and_sort_by_time() -> None:
    before = datetime.datetime.now(datetime.UTC).replace(microsecond=0, tzinfo=None)
    run_id = run_folder.new_run_id()
    after = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
    assert before <= datetime.datetime.strptime(run_id[:15], "%Y%m%d-%H%M%S") <= after
    ids = [
        run_folder.new_run_id(datetime.datetime(2026, month, 1, tzinfo=datetime.UTC))
        for month in range(1, 13)
    ]
    assert ids == sorted(ids)
    assert run_folder.checked_run_id(run_id) == run_id


def test_times_carry_their_offset_and_whole_seconds() -> None:
    now = run_folder.now()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", now)
    gap = datetime.datetime.now(datetime.UTC) - datetime.datetime.fromisoformat(now)
    assert gap >= datetime.timedelta(0)


@pytest.mark.parametrize("run_id", ["a", "0", "nightly-2026.11_22", "A" * 100, "run..1"])
def test_good_run_ids(run_id: str) -> None:
    assert run_folder.checked_run_id(run_id) == run_id


@pytest.mark.parametrize(
    "run_id",
    [
        "",
        ".",
        "..",
        "../x",
        "a/b",
        "/etc",
        "a\\b",
        ".hidden",
        "-x",
        "_x",
        "a b",
        " a",
        "a\n",
        "a\x00b",
        "장학",
        "a:b",
        "A" * 101,
        "$HOME",
        "a*",
    ],
)
def test_run_ids_that_are_no_folder_name(run_id: str) -> None:
    assert "cannot name a folder" in refusal(run_folder.checked_run_id, run_id)


# Folders.


def test_each_run_gets_a_folder_of_its_own(tmp_path: Path) -> None:
    results = tmp_path / "deep" / "results"
    folders = []
    for _ in range(4):
        folder = run_folder.create(results, "nightly")
        run_folder.write(folder, MANIFEST)
        folders.append(folder.name)
    assert folders == ["nightly", "nightly-2", "nightly-3", "nightly-4"]


def test_a_folder_without_a_run_is_taken(tmp_path: Path) -> None:
    (tmp_path / "nightly").mkdir()
    (tmp_path / "nightly" / "target.log").write_text("kept")
    folder = run_folder.create(tmp_path, "nightly")
    assert folder == tmp_path / "nightly"
    assert (folder / "target.log").read_text() == "kept"


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "nightly").write_text("not a folder")
    message = refusal(run_folder.create, tmp_path, "nightly")
    assert str(tmp_path / "nightly") in message and "RESULTS_DIR" in message
    assert (tmp_path / "nightly").read_text() == "not a folder"
    message = refusal(run_folder.create, tmp_path / "nightly", "x")
    assert str(tmp_path / "nightly" / "x") in message and "RESULTS_DIR" in message


# Files.


def test_the_manifest_comes_back_as_it_was(tmp_path: Path) -> None:
    run_folder.write(tmp_path, MANIFEST)
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]
    assert run_folder.read_manifest(tmp_path) == MANIFEST
    content = json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))
    assert content == msgspec.to_builtins(MANIFEST)
    assert content["run_time_s"] is None and content["seed"] == 2**63
    assert content["versions"] == {"suite": "1", "locust": "2", "python": "3"}


def test_the_summary_comes_back_as_it_was(tmp_path: Path) -> None:
    run_folder.write(tmp_path, SUMMARY)
    assert [path.name for path in tmp_path.iterdir()] == ["summary.json"]
    assert run_folder.read_summary(tmp_path) == SUMMARY
    content = json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))
    assert content == msgspec.to_builtins(SUMMARY)
    assert content["endpoints"][0]["whole_run"]["p95_ms"] is None
    assert content["devices"] == {"registered": 5, "deleted": 4, "left_behind": 1}


def test_files_can_be_read_by_people(tmp_path: Path) -> None:
    run_folder.write(tmp_path, MANIFEST)
    text = (tmp_path / "run.json").read_text(encoding="utf-8")
    assert text.startswith('{\n  "run_id": "20200920-100000-ab12",\n') and text.endswith("\n}\n")
    assert "장학" in text


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch) -> None:
    run_folder.write(tmp_path, SUMMARY)
    later = msgspec.structs.replace(SUMMARY, exit_code=0)
    write_bytes = Path.write_bytes

    def disk_full(path: Path, content: bytes) -> int:
        write_bytes(path, content[: len(content) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", disk_full)
    with pytest.raises(OSError, match="No space left"):
        run_folder.write(tmp_path, later)
    monkeypatch.undo()
    assert run_folder.read_summary(tmp_path) == SUMMARY
    run_folder.write(tmp_path, later)
    assert run_folder.read_summary(tmp_path) == later
    assert [path.name for path in tmp_path.iterdir()] == ["summary.json"]


@pytest.mark.parametrize("content", [b"", b"{}", b'{"run_id": "x"', b"null"])
def test_a_file_that_is_cut_off_is_not_taken_for_a_result(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "summary.json").write_bytes(content)
    (tmp_path / "run.json").write_bytes(content)
    with pytest.raises(msgspec.DecodeError):
        run_folder.read_summary(tmp_path)
    with pytest.raises(msgspec.DecodeError):
        run_folder.read_manifest(tmp_path)


# Units.

COUNTS = {"requests", "failures", "registered", "deleted", "left_behind", "exit_code"}
COUNTS |= {"opened", "reconnects", "seed", "users", "workers", "whole_run", "total", "steady"}
COUNTS |= {"first_second", "last_second", "carried_users", "exceptions", "lost_workers"}
COUNTS |= {"samples", "lost_reports", "late_reports"}
UNITS = ("_ms", "_s", "_per_s", "_ratio")
PARTS = (Figures, EndpointFigures, Total, Step, DeviceCounts, ConnectionCounts, Versions, Rule)
STRUCTS = (Manifest, Summary, RunEnd, *PARTS)


@pytest.mark.parametrize("struct", STRUCTS)
def test_every_number_with_a_unit_names_it(struct: type[msgspec.Struct]) -> None:
    for name, kind in typing.get_type_hints(struct).items():
        kinds = set(typing.get_args(kind)) or {kind}
        if float in kinds:
            assert name.endswith(UNITS), f"{struct.__name__}.{name}"
        elif int in kinds:
            assert name in COUNTS or typing.get_origin(kind) is dict, f"{struct.__name__}.{name}"


def test_latencies_end_in_ms_and_rates_in_per_s() -> None:
    keys = set(msgspec.to_builtins(FIGURES))
    assert keys >= {"requests", "failures", "fail_ratio"}
    latencies = {key for key in keys if re.match(r"p\d|max|min|mean|average|median", key)}
    assert latencies == {"p50_ms", "p95_ms", "p99_ms", "max_ms"}
    rates = {key for key in [*keys, *msgspec.to_builtins(MANIFEST)] if re.search("rate|per", key)}
    assert rates == {"requests_per_s", "spawn_rate_per_s"}


# Sums, versions, hashes.


def test_counts_of_processes_add_up() -> None:
    one, two = DeviceCounts(registered=5, deleted=3, left_behind=2), DeviceCounts(registered=1)
    assert one + two == two + one == DeviceCounts(registered=6, deleted=3, left_behind=2)
    total = DeviceCounts(registered=10, deleted=6, left_behind=4)
    assert sum([one, one], DeviceCounts()) == total
    opened = ConnectionCounts(opened=2, reconnects=1, connecting_ms=2.5)
    assert sum([opened] * 2, ConnectionCounts()) == ConnectionCounts(
        opened=4, reconnects=2, connecting_ms=5.0
    )


def test_versions_are_those_that_run() -> None:
    assert run_folder.versions() == Versions(
        __version__, version("locust"), platform.python_version()
    )


def test_the_hash_of_the_data_tells_names_and_contents_apart(tmp_path: Path) -> None:
    def hash_of(**contents: str) -> str:
        for path in tmp_path.iterdir():
            path.unlink()
        for name, content in contents.items():
            (tmp_path / name).write_text(content)
        return run_folder.data_hash(tmp_path.iterdir())

    same = hash_of(a="1", b="2")
    assert re.fullmatch("[0-9a-f]{64}", same)
    assert hash_of(b="2", a="1") == same
    for backwards in (False, True):
        files = sorted(tmp_path.iterdir(), reverse=backwards)
        assert run_folder.data_hash(files) == same
    others = [hash_of(a="2", b="1"), hash_of(a="1", c="2"), hash_of(a="1"), hash_of(a="12", b="")]
    others += [hash_of(a="1b2"), hash_of(), hash_of(ab="2"), hash_of(a="b2")]
    assert len({same, *others}) == 9


def test_objectives_are_written_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that is full in the middle leaves what was there before, and nothing beside it."""
    run_folder.write_objectives(tmp_path, "[total]\np95_ms = 500\n")

    def write_a_part(path: Path, content: bytes) -> None:
        with path.open("wb") as stream:
            stream.write(content[:3])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", write_a_part)
    with pytest.raises(OSError, match="No space left"):
        run_folder.write_objectives(tmp_path, "[total]\np95_ms = 900\n")
    assert [path.name for path in tmp_path.iterdir()] == [run_folder.OBJECTIVES]
    assert (tmp_path / run_folder.OBJECTIVES).read_text() == "[total]\np95_ms = 500\n"

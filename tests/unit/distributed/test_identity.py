"""Two processes that would not put the same load on a server know it of each other."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

from locust import HttpUser, task

import msgspec
import pytest

from harness import __version__
from harness.config.settings import PROJECT_DIR, Settings
from harness.distributed import identity
from harness.distributed.identity import Identity, own
from harness.users.workload import task_mix
from notice_api import SUITE

TOLD = Settings()
MIX = "Reader(read 3, write 1)"


class Common(HttpUser):
    abstract = True


class Reader(Common):
    @task(3)
    def read(self) -> None: ...

    @task(1)
    def write(self) -> None: ...


class Writer(HttpUser):
    @task
    def write(self) -> None: ...


def test_the_same_are_the_same() -> None:
    first, second = own(TOLD, SUITE, MIX), own(Settings(), SUITE, MIX)
    assert first == second
    assert first.difference(second) is None


def test_it_survives_the_way_to_another_process() -> None:
    sent = msgspec.msgpack.encode(own(TOLD, SUITE, MIX))
    assert msgspec.msgpack.decode(sent, type=Identity) == own(TOLD, SUITE, MIX)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"http_client": "requests"}, "its HTTP_CLIENT is requests, the master's session"),
        ({"accept_gzip": True}, "its ACCEPT_GZIP is 1, the master's 0"),
        ({"answer_timeout_s": 2.5}, "its ANSWER_TIMEOUT_S is 2.5, the master's 10.0"),
        ({"connect_timeout_s": 1.0}, "its CONNECT_TIMEOUT_S is 1.0, the master's 5.0"),
        ({"device_pool_limit": 7}, "its DEVICE_POOL_LIMIT is 7, the master's 100000"),
        ({"audit_sample": 0}, "its AUDIT_SAMPLE is 0, the master's 200"),
        (
            {"alarm_fields": ("alarm_switch_sub", "alarm_switch_key")},
            "its ALARM_FIELDS is alarm_switch_sub,alarm_switch_key, the master's alarm_switch",
        ),
    ],
)
def test_another_setting_of_the_workload_is_named(change: dict[str, object], told: str) -> None:
    mine, other = own(TOLD, SUITE, MIX), own(replace(TOLD, **change), SUITE, MIX)
    assert mine.difference(other) == told


@pytest.mark.parametrize(
    "change",
    [
        {"host": "http://127.0.0.1:9"},
        {"seed": 5},
        {"results_dir": Path("elsewhere")},
        {"keep_devices": True},
        {"cleanup_timeout_s": 1.0},
        {"web_password": "secret"},
    ],
)
def test_what_only_the_master_uses_may_differ(change: dict[str, object]) -> None:
    assert own(TOLD, SUITE, MIX).difference(own(replace(TOLD, **change), SUITE, MIX)) is None


def test_another_mix_of_tasks_is_shown() -> None:
    told = own(TOLD, SUITE, MIX).difference(own(TOLD, SUITE, "Writer(write 1)"))
    assert told == f"its task mix is Writer(write 1), the master's {MIX}"


def test_the_mix_are_all_users_that_were_defined_with_their_tasks() -> None:
    mix = task_mix().split("; ")
    assert mix == sorted(mix)
    assert {"Reader(read 3, write 1)", "Writer(write 1)"} <= {*mix}
    assert not any(each.startswith("Shared(") for each in mix)


def test_other_words_matter_when_they_are_sent(tmp_path: Path) -> None:
    for path in (PROJECT_DIR / "data").glob("*.csv"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    varied = replace(TOLD, vary_data=True)
    mine = own(varied, SUITE, MIX)
    assert mine.difference(own(replace(varied, data_dir=tmp_path), SUITE, MIX)) is None
    with (tmp_path / "keywords.csv").open("a", encoding="utf-8") as stream:
        stream.write("another,1\n")
    other = replace(varied, data_dir=tmp_path)
    assert "its data is " in str(mine.difference(own(other, SUITE, MIX)))
    assert (
        own(TOLD, SUITE, MIX).difference(own(replace(TOLD, data_dir=tmp_path), SUITE, MIX)) is None
    )
    assert "the master's the words of the suite" in str(
        own(TOLD, SUITE, MIX).difference(own(other, SUITE, MIX))
    )


@pytest.fixture
def suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Take a small suite for this one."""
    for folder in ("harness/parts", "notice_api", "tasks"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "harness/parts/one.py").write_bytes(b"a = 1\nb = 2\n")
    (tmp_path / "notice_api/contract.py").write_bytes(b"PAGE_SIZE = 10\n")
    (tmp_path / "tasks/two.py").write_bytes(b"c = 3\n")
    monkeypatch.setattr(identity, "PROJECT_DIR", tmp_path)
    return tmp_path


def test_ends_of_lines_are_no_other_code(suite: Path) -> None:
    """Git on Windows writes them as it likes."""
    before = own(TOLD, SUITE, MIX)
    (suite / "harness/parts/one.py").write_bytes(b"a = 1\r\nb = 2\r\n")
    (suite / "tasks/notes.txt").write_bytes(b"of no account")
    assert own(TOLD, SUITE, MIX) == before
    assert before.facts["suite"].startswith(f"{__version__} (code ")


@pytest.mark.parametrize(
    "change",
    [
        lambda suite: (suite / "tasks/two.py").write_bytes(b"c = 4\n"),
        lambda suite: (suite / "tasks/two.py").rename(suite / "tasks/three.py"),
        lambda suite: (suite / "tasks/two.py").rename(suite / "harness/two.py"),
        lambda suite: (suite / "tasks/three.py").write_bytes(b""),
        lambda suite: (suite / "notice_api/contract.py").write_bytes(b"PAGE_SIZE = 20\n"),
        lambda suite: (suite / "harness/parts/one.py").unlink(),
    ],
)
def test_any_other_code_is_told(suite: Path, change: object) -> None:
    before = own(TOLD, SUITE, MIX)
    change(suite)
    assert str(before.difference(own(TOLD, SUITE, MIX))).startswith("its suite is ")


def test_another_locustfile_with_the_same_tasks_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its users may wait less; the file may have any name, as one that the master has sent."""

    def with_users_of(name: str, text: bytes) -> Identity:
        (tmp_path / name).write_bytes(text)
        module = SimpleNamespace(__file__=str(tmp_path / name))
        monkeypatch.setitem(sys.modules, Reader.__module__, module)
        return own(TOLD, SUITE, MIX)

    mine = with_users_of("locustfile.py", b"wait_time = between(1, 5)\n")
    assert mine.difference(with_users_of("sent.py", b"wait_time = between(1, 5)\r\n")) is None
    other = with_users_of("locustfile.py", b"wait_time = between(0, 0)\n")
    assert str(mine.difference(other)).startswith("its locustfile is ")


def test_the_first_difference_explains_those_behind_it() -> None:
    mine = Identity({"locust": "1", "suite": "a", "data": "x"})
    assert mine.difference(Identity({"locust": "1", "suite": "b", "data": "y"})) == (
        "its suite is b, the master's a"
    )


def test_an_older_or_newer_suite_may_not_know_a_fact() -> None:
    less, more = Identity({"locust": "1"}), Identity({"locust": "1", "NEW": "5"})
    assert less.difference(more) == "its NEW is 5, the master's unknown"
    assert more.difference(less) == "its NEW is unknown, the master's 5"
    assert Identity({}).difference(Identity({})) is None

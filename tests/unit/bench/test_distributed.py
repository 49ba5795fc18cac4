"""What the bench of master and workers counts and says; nothing here is measured."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import locust  # noqa: F401 - first, for gevent's monkey patching
from locust.rpc.protocol import Message

import pytest
from msgspec.structs import replace

from bench import command as commands
from bench.distributed import __main__ as command
from bench.distributed import chart, cluster, measuring, text
from bench.distributed.counter import Counter, read_counts
from bench.distributed.messages import (
    Amount,
    Counts,
    minus,
    sharing,
    sharing_bytes,
    total,
)
from bench.distributed.results import (
    Devices,
    DevicesRun,
    Load,
    Phase,
    Rounds,
    Sample,
    Scaling,
    Snapshot,
    difference,
)
from bench.report import replaced
from bench.results import Conditions
from harness import ConfigurationError
from harness.config import atomic
from harness.distributed.messages import (
    DEVICES,
    FINISH,
    FINISHED,
    HELLO,
    MEASURED,
    REGISTERED,
    RESERVE,
    RESERVED,
)
from harness.recording.samples import Report
from harness.results.formatting import TIMES

CONDITIONS = Conditions(
    "2026-11-23 07:00 UTC", "Example 9000", 2, "Linux 6.1", {"Python": "3.11.7"}
)
INTERVAL_OF_A_WORKER = {
    "second": 1_000,
    "method": "GET",
    "name": "/notice/list",
    "histogram": b"H" * 200,
    "failed": None,
}
REPORT_OF_A_WORKER: dict[str, Any] = {
    "stats": [{"name": "/notice/list", "num_reqs_per_sec": {1_000: 7, 1_001: 5}}],
    "stats_total": {"num_requests": 12, "num_reqs_per_sec": {1_000: 7, 1_001: 5}},
    "errors": {},
    "user_classes_count": {"PacedUser": 3},
    "user_count": 3,
    MEASURED: {
        "intervals": [INTERVAL_OF_A_WORKER] * 2,
        "failures": [],
        "process_samples": [{"second": 1_000, "cpu_percent": 3.0, "lag_ms": 1.0}],
        "until": 1_001,
        "run": "20261122-100000",
        "number": 7,
        "sent_s": 1_001.5,
    },
    REGISTERED: {"numbers": [[0, 12]]},
}


def row(measured: str, name: str) -> list[str]:
    lines = (line for line in measured.splitlines() if line.startswith(f"| {name}"))
    return [cell.strip() for cell in next(lines).strip("|").split("|")]


def sample(workers: int, users: int, *, each: float = 0.001) -> Sample:
    """Return one in which each worker costs the master 0.1 % of a core, and 1,000 users 0.02 %."""
    seconds = 10.0
    size = (20_000 + 4 * users // max(workers, 1)) * workers
    share = 0.003 + each * workers + 0.0002 * users / 1_000
    return Sample(
        load=Load(workers, users, (1.0, 5.0)),
        seconds=seconds,
        requests=users * 10,
        master=Counts(
            cpu_s=share * seconds if workers else 0.0,
            received={
                "stats": Amount(4 * workers, size),
                "heartbeat": Amount(10 * workers, 1_000),
            },
            sent={"heartbeat": Amount(10, 490)},
        ),
        master_rss_kb=80_000.0,
        workers=Counts(
            parts={"locust": 5_000 * workers, "notice_load.intervals": 15_000 * workers},
            histograms=60 * workers,
        ),
        workers_cpu_s=[9.8] * max(workers, 1),
        server_cpu_s=5.0,
        tcp=None,
    )


def scaling() -> Scaling:
    cheap, dear = (
        [
            *(sample(count, 20 * count, each=each) for count in (1, 2, 4, 8, 16)),
            *(sample(4, users, each=each) for users in (1_080, 10_080)),
        ]
        for each in (0.001, 0.002)
    )
    throughput = [sample(0, 50), sample(1, 50), sample(2, 100)]
    master = Counts(8.0, 0.5, received={"stats": Amount(4, 100)})
    quiet = [Phase("registering", master, Counts(8.0, 3.0, parts={"locust": 100}))]
    return Scaling(
        throughput=Rounds(CONDITIONS, 1, 10, throughput),
        master=Rounds(CONDITIONS, 2, 10, [*cheap, *dear]),
        devices=Devices(CONDITIONS, [DevicesRun(Load(4, 100, (600.0, 600.0)), 100, 100, quiet)]),
    )


@pytest.fixture
def counter() -> Iterator[Counter]:
    serialize, unserialize = Message.__dict__["serialize"], Message.__dict__["unserialize"]
    yield Counter()
    Message.serialize, Message.unserialize = serialize, unserialize


def test_every_message_counts_with_its_bytes(counter: Counter) -> None:
    sent = [Message("heartbeat", {"state": "ready"}, "me"), Message("stats", {"x": 1}, "me")]
    sizes = [len(message.serialize()) for message in sent]
    received = Message.unserialize(Message("ack", {"index": 3}, "me").serialize())
    assert (received.type, received.data) == ("ack", {"index": 3})
    counted = counter.counts()
    assert counted.sent["heartbeat"] == Amount(1, sizes[0])
    assert counted.sent["stats"] == Amount(1, sizes[1]) == Amount(1, counted.parts["locust"])
    assert counted.received == {"ack": counted.sent["ack"]}
    assert counted.cpu_s > 0


def test_a_report_is_weighed_part_by_part(counter: Counter) -> None:
    message = Message("stats", REPORT_OF_A_WORKER, "me").serialize()
    counted = counter.counts()
    assert counted.histograms == 2
    assert sum(counted.parts.values()) == len(message)
    assert 400 < counted.parts["notice_load.intervals"] < 600
    assert 20 < sharing_bytes(counted.parts) < 60


def test_counts_are_read_again_but_for_an_unfinished_line(
    counter: Counter, tmp_path: Path
) -> None:
    path = tmp_path / "counts"
    assert read_counts(path) == []
    Message("stats", REPORT_OF_A_WORKER, "me").serialize()
    counter.write(path)
    with path.open("ab") as stream:
        stream.write(b'{"at_s":')
    (counted,) = read_counts(path)
    assert counted.sent == counter.counts().sent
    path.write_bytes(b"{]\n")
    with pytest.raises(ConfigurationError, match="cannot read counts"):
        read_counts(path)


BEFORE = Counts(1.0, 0.5, {"stats": Amount(1, 10)}, {}, {"locust": 10}, 2)
AFTER = Counts(4.0, 0.7, {"stats": Amount(3, 40), "quit": Amount(1, 5)}, {}, {"locust": 40}, 9)


def test_what_lies_between_two_counts() -> None:
    between = AFTER.since(BEFORE)
    assert (between.at_s, between.histograms, between.parts) == (3.0, 7, {"locust": 30})
    assert between.cpu_s == pytest.approx(0.2)
    assert between.sent == {"stats": Amount(2, 30), "quit": Amount(1, 5)}
    assert total((between + between).sent) == Amount(6, 70)
    assert minus(AFTER.sent, AFTER.sent) == {}


@pytest.mark.parametrize("workers", [0, 2])
def test_what_lies_between_two_snapshots(workers: int) -> None:
    load = Load(workers, 100, (1.0, 5.0))
    processes = workers + 1
    begin = Snapshot(1.0, 50, 2.0, 900.0, [BEFORE] * processes, (1_000, 500))
    end = Snapshot(4.0, 350, 2.6, 950.0, [AFTER] * processes, (1_030, 520))
    found = difference(load, begin, end)
    assert (found.seconds, found.requests_per_s, found.tcp) == (3.0, 100.0, (30, 20))
    assert found.server_share == pytest.approx(0.2)
    assert found.workers_cpu_s == pytest.approx([0.2] * max(workers, 1))
    assert found.workers.histograms == 7 * max(workers, 1)
    assert found.master == (AFTER.since(BEFORE) if workers else Counts())
    assert difference(load, replace(begin, tcp=None), end).tcp is None


def test_sharing_is_told_from_the_rest() -> None:
    others = ("stats", "spawn", "heartbeat", HELLO, FINISH, FINISHED)
    amounts = {name: Amount(1, 10) for name in (*others, RESERVE, RESERVED, DEVICES)}
    assert sharing(amounts) == Amount(3, 30)
    fields = {f"{MEASURED}.{field}": 10 for field in Report.__struct_fields__}
    assert REGISTERED not in fields
    assert sharing_bytes({**fields, "locust": 10}) == 0
    assert sharing_bytes({**fields, REGISTERED: 7}) == 7


def test_what_ss_says_is_added_up() -> None:
    told = (
        "0 0 127.0.0.1:1 127.0.0.1:2\n\t cubic bytes_sent:9 bytes_acked:8 bytes_received:70\n"
        "0 0 127.0.0.1:1 127.0.0.1:3\n\t cubic bytes_received:5\n"
    )
    assert cluster.carried_bytes(told) == (75, 8)


@pytest.mark.parametrize(
    "few, tcp",
    [({"stats": Amount(10, 1), "heartbeat": Amount(2, 1)}, None), ({}, (10**9, 0))],
)
def test_what_the_master_did_not_read_is_marked(
    few: dict[str, Amount], tcp: tuple[int, int] | None
) -> None:
    measured = scaling().master
    assert measured is not None
    *others, last = measured.samples
    received = last.master.received | few
    behind = replace(last, master=replace(last.master, received=received), tcp=tcp)
    assert last.kept_up and not behind.kept_up
    told = text.master(replace(measured, samples=[*others, behind]))
    assert row(told, "4 (behind)")[1] == "10,080"
    assert "(behind)" not in text.master(measured)


def test_one_load_is_shown_without_a_slope(tmp_path: Path) -> None:
    few = Scaling(master=Rounds(CONDITIONS, 3, 10, [sample(4, 80)] * 3))
    told = command.BENCHMARK.sections(few)
    assert list(told) == ["slope", "master"]
    assert "each further" not in told["slope"]
    assert "4 workers with 80 users used 0.702 % of its core." in told["slope"]
    chart.draw(few, tmp_path / "few.png")
    assert (tmp_path / "few.png").exists()


def test_the_slopes_are_those_of_each_round_and_nothing_is_extrapolated() -> None:
    """A worker costs 0.1 % of a core in one round and 0.2 % in the other."""
    measured = scaling().master
    assert measured is not None
    told = text.slope(measured)
    assert row(told, "worker") == [
        "worker",
        "1 worker with 20 users to 16 workers with 320 users",
        "0.15 (0.1 to 0.2)",
        "2.01 (2.01 to 2.01)",
        "0 (0 to 0)",
    ]
    assert row(told, "1,000 users") == [
        "1,000 users",
        "4 workers with 80 users to 4 workers with 10,080 users",
        "0.02 (0.02 to 0.02)",
        "0.4 (0.4 to 0.4)",
        "0 (0 to 0)",
    ]
    most = "16 workers with 320 users used 2.71 % of its core, and 4 workers with 10,080 users"
    assert most in told


def test_throughput_stands_beside_one_process_and_what_limits_it() -> None:
    rounds = scaling().throughput
    assert rounds is not None
    measured = text.throughput(rounds)
    assert row(measured, "one process")[1:3] == ["50 (50 to 50)", ""]
    assert row(measured, "one process")[-1] == "the generator's core"
    assert row(measured, "2 workers")[2] == f"2.0 (2.0 to 2.0) {TIMES}"
    assert row(measured, "2 workers")[-1] == "the machine"


def test_without_sharing_devices_cost_nothing_of_their_own() -> None:
    devices = scaling().devices
    assert devices is not None
    assert row(text.devices(devices), "100, 4")[3:8] == ["0 / 0", "0 / 0", "0", "0", "0.1 / 0"]


def test_sharing_is_counted_in_messages_and_in_reports() -> None:
    master = Counts(
        at_s=8.0,
        cpu_s=0.5,
        received={"stats": Amount(4, 5_000), "notice_load.devices": Amount(2, 1_000)},
        sent={"notice_load.devices": Amount(8, 4_000), "spawn": Amount(4, 8_000)},
    )
    workers = Counts(parts={"locust": 2_000, "notice_load.registered": 3_000})
    phase = Phase("registering", master, workers)
    run = DevicesRun(Load(4, 100, (600.0, 600.0)), 100, 100, [phase])
    assert row(text.devices(Devices(CONDITIONS, [run])), "100, 4")[3:] == [
        "2 / 8",
        "4 / 4",
        "80",
        "2,000",
        "2 / 8",
        "0.5",
    ]


def test_what_the_master_costs_is_told_with_its_content() -> None:
    measured = scaling().master
    assert measured is not None
    told = text.master(measured)
    assert row(told, "16")[1:5] == ["320", "320", "96", "2.71 (1.91 to 3.51)"]
    assert row(told, "histograms") == ["histograms", *["1,500"] * 3]
    assert row(told, "Locust's report") == ["Locust's report", *["500"] * 3]
    assert "What TCP carried is unknown" in told
    known = [
        replace(each, tcp=(total(each.master.received).bytes, 490)) for each in measured.samples
    ]
    told = text.master(replace(measured, samples=known))
    assert "TCP carried 100 % of the bytes of these messages" in told


def test_what_workers_and_what_users_cost_is_measured_apart() -> None:
    loads = measuring.master_loads((1, 4, 16))
    assert len(loads) == len(set(loads)) == 6, "4 workers with 100 users are in both series"
    rounds = Rounds(CONDITIONS, 1, 9, [sample(load.workers, load.users) for load in loads])
    assert [load.workers for load in rounds.by_workers()] == [1, 4, 16]
    assert [load.users for load in rounds.by_users()] == [100, 1_000, 5_000, 10_000]


def test_the_document_has_a_place_for_every_measured_part() -> None:
    whole = command.BENCHMARK.document.read_text(encoding="utf-8")
    for mark, measured in command.BENCHMARK.sections(scaling()).items():
        whole = replaced(whole, mark, measured)
    assert command.BENCHMARK.sections(Scaling()) == {}


def test_a_window_that_cuts_a_report_off_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("signal.signal", lambda *_: None)
    assert command.main(["--seconds", "10"]) == 2
    assert capsys.readouterr().err.startswith("error: --seconds 10: write a multiple of 3")


def test_results_are_drawn_again_from_their_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    document = tmp_path / "scaling.md"
    shutil.copy(command.BENCHMARK.document, document)
    benchmark = dataclasses.replace(command.BENCHMARK, document=document)
    monkeypatch.setattr(command, "BENCHMARK", benchmark)
    monkeypatch.setattr(commands, "BENCH_DIR", tmp_path)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    assert command.main(["--redraw"]) == 2
    assert "no scaling.json to draw from; measure first" in capsys.readouterr().err
    atomic.write_json(tmp_path / "scaling.json", scaling())
    assert commands.read(tmp_path / "scaling.json", Scaling) == scaling()
    assert command.main(["--redraw"]) == 0
    assert "| worker | 1 worker with 20 users to 16 workers" in document.read_text(
        encoding="utf-8"
    )
    assert document.with_suffix(".png").read_bytes().startswith(b"\x89PNG")

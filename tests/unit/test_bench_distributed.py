"""What the bench of master and workers counts, fits and says; nothing here is measured."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gevent
import locust  # noqa: F401 - first, for gevent's monkey patching
from locust.rpc.protocol import Message

import msgspec
import pytest

from bench import results as bench_results
from bench.distributed import __main__ as command
from bench.distributed import chart, master_text, measuring, model_text, moments, replay, text
from bench.distributed.counter import Counter, Words, own_part, read_looks
from bench.distributed.messages import (
    Amount,
    Look,
    minus,
    sharing,
    sharing_bytes,
    total,
)
from bench.distributed.model import Coefficient, Model, fit, limit
from bench.distributed.results import Load, Part, Phase, Pool, PoolRun, Sample, Scaling
from bench.report import replaced
from bench.results import Conditions
from harness import ConfigurationError, histograms
from harness.identity import Identity
from harness.messages import (
    DEVICES,
    FINISH,
    FINISHED,
    HELLO,
    MEASURED,
    REGISTERED,
    RESERVE,
    RESERVED,
    Finish,
    Finished,
    Registered,
    packed,
    unpacked,
)
from harness.timeseries import Report

CONDITIONS = Conditions(
    "2026-11-23 07:00 UTC", "Example 9000", 2, "Linux 6.1", {"Python": "3.11.7"}
)
BASE, WORKER, INTERVAL, SIZE, WAKING = 0.002, 0.0003, 0.00004, 0.02, 0.0005
INTERVAL_OF_A_WORKER = {
    "second": 1_000,
    "method": "GET",
    "name": "/notice/list",
    "histogram": histograms.of([0.1 * n for n in range(1, 60)]).encode(),
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
        "health": [{"second": 1_000, "cpu_percent": 3.0, "lag_ms": 1.0}],
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


def modelled(workers: int, intervals_per_s: float, bytes_per_s: float) -> float:
    waking = WAKING * workers
    reports = INTERVAL * intervals_per_s + SIZE * bytes_per_s / 1e6
    return (BASE + WORKER * workers + reports + waking) / (1 + waking)


def sample(workers: int, users: int, *, replayed: bool = False, each: float = 6.0) -> Sample:
    seconds = 10.0
    size = (20_000 + 4 * users // max(workers, 1)) * workers
    bytes_per_s = (size + 1_000) / seconds
    return Sample(
        load=Load(workers, users, (1.0, 5.0), replayed),
        seconds=seconds,
        requests=users * 10,
        master_cpu_s=modelled(workers, each * workers, bytes_per_s) * seconds if workers else None,
        master_rss_kb=80_000.0 if workers else None,
        workers_cpu_s=[] if replayed else [9.8] * max(workers, 1),
        server_cpu_s=5.0,
        intervals=int(each * workers * seconds),
        to_master={"stats": Amount(4 * workers, size), "heartbeat": Amount(10 * workers, 1_000)},
        to_workers={"heartbeat": Amount(10, 490)},
        parts={"locust": 5_000 * workers, "notice_load.intervals": 15_000 * workers},
        kernel_to_master=None,
    )


def scaling() -> Scaling:
    counts = (1, 2, 4, 8, 16, 32)
    samples = [sample(count, 20 * count, each=1.5 + count % 3) for count in counts]
    samples += [sample(4, users) for users in (4_000, 20_000)]
    samples += [sample(count, 20 * count, replayed=True) for count in (32, 512, 2_048)]
    carried = [sample(0, 50), sample(1, 50), sample(2, 100)]
    quiet = [Phase("registering", 8.0, 0.5, 3.0, {"stats": Amount(4, 100)}, {}, {"locust": 100})]
    return Scaling(
        carried=Part(CONDITIONS, 1, 10, carried),
        master=Part(CONDITIONS, 1, 10, samples),
        pool=Pool(CONDITIONS, [PoolRun(Load(4, 100, (600.0, 600.0)), 100, 100, quiet)]),
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
    look = counter.look()
    assert look.sent["heartbeat"] == Amount(1, sizes[0])
    assert look.sent["stats"] == Amount(1, sizes[1]) == Amount(1, look.parts["locust"])
    assert look.received == {"ack": look.sent["ack"]}
    assert look.cpu_s > 0


def test_a_report_is_weighed_part_by_part(counter: Counter) -> None:
    message = Message("stats", REPORT_OF_A_WORKER, "me").serialize()
    look = counter.look()
    assert look.intervals == 2
    assert sum(look.parts.values()) == len(message)
    assert 400 < look.parts["notice_load.intervals"] < 600
    assert 20 < sharing_bytes(look.parts) < 60
    assert own_part(message) == (2, 12, look.parts)


def test_looks_are_read_again_but_for_a_line_that_is_not_finished(
    counter: Counter, tmp_path: Path
) -> None:
    looks = tmp_path / "looks"
    assert read_looks(looks) == []
    Message(HELLO, packed(Identity({"suite": "1"})), "me").serialize()
    Message("stats", REPORT_OF_A_WORKER, "me").serialize()
    counter.write(looks)
    with looks.open("ab") as stream:
        stream.write(b'{"at_s":')
    (look,) = read_looks(looks)
    assert look.sent == counter.look().sent
    words = msgspec.msgpack.decode(looks.with_suffix(".words").read_bytes(), type=Words)
    assert Message.unserialize(words.hello).data == {"facts": {"suite": "1"}}
    assert Message.unserialize(words.report).type == "stats"
    looks.write_bytes(b"{]\n")
    with pytest.raises(ConfigurationError, match="cannot read looks"):
        read_looks(looks)


def test_what_lies_between_two_looks() -> None:
    before = Look(1.0, 0.5, {"stats": Amount(1, 10)}, {}, {"locust": 10}, 2)
    after = Look(4.0, 0.7, {"stats": Amount(3, 40), "quit": Amount(1, 5)}, {}, {"locust": 40}, 9)
    between = after.since(before)
    assert (between.at_s, between.intervals, between.parts) == (3.0, 7, {"locust": 30})
    assert between.cpu_s == pytest.approx(0.2)
    assert between.sent == {"stats": Amount(2, 30), "quit": Amount(1, 5)}
    assert total((between + between).sent) == Amount(6, 70)
    assert minus(after.sent, after.sent) == {}


def test_sharing_is_told_from_the_rest() -> None:
    others = ("stats", "spawn", "heartbeat", HELLO, FINISH, FINISHED)
    amounts = {name: Amount(1, 10) for name in (*others, RESERVE, RESERVED, DEVICES)}
    assert sharing(amounts) == Amount(3, 30)
    fields = {f"{MEASURED}.{field}": 10 for field in Report.__struct_fields__}
    assert REGISTERED not in fields
    assert sharing_bytes({**fields, "locust": 10}) == 0
    assert sharing_bytes({**fields, REGISTERED: 7}) == 7


def test_a_report_is_repeated_with_the_time_put_right() -> None:
    moved = replay.now(REPORT_OF_A_WORKER, {"PacedUser": 9}, 5_001.25)
    assert moved["user_count"] == 9 and moved[MEASURED]["sent_s"] == 5_001.25
    assert {each["second"] for each in moved[MEASURED]["intervals"]} == {5_000}
    assert moved[MEASURED]["health"][0]["second"] == moved[MEASURED]["until"] - 1 == 5_000
    assert unpacked(moved[REGISTERED], Registered).numbers == []
    assert moved["stats"][0]["num_reqs_per_sec"] == {5_000: 7, 5_001: 5}
    assert moved["stats_total"]["num_reqs_per_sec"] == {5_000: 7, 5_001: 5}
    assert REPORT_OF_A_WORKER[MEASURED]["intervals"][0]["second"] == 1_000
    assert len(Message("stats", moved, "me").serialize()) > 0


def test_a_replayed_worker_answers_as_a_real_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told what a master tells, and what it says is held against what a master reads."""
    hello = Identity({"suite": "1"})
    told = [
        Message("ack", {"index": 0}, "replayed-3"),
        Message(
            "spawn",
            {"user_classes_count": {"PacedUser": 2}, "parsed_options": {"run_id": "this"}},
            "replayed-3",
        ),
        Message(FINISH, packed(Finish("this")), "replayed-3"),
        Message("quit", None, "replayed-3"),
    ]
    said: list[Message] = []

    class Client:
        def __init__(self, *_: object) -> None: ...

        def send(self, message: Message) -> None:
            said.append(Message.unserialize(message.serialize()))  # type: ignore[no-untyped-call]

        def recv(self) -> Message:
            gevent.sleep(0.02)
            return told.pop(0)

    monkeypatch.setattr(replay.rpc, "Client", Client)
    monkeypatch.setattr(replay, "WORKER_REPORT_INTERVAL", 0.005)
    words = Words(
        Message(HELLO, packed(hello), "me").serialize(),
        Message("stats", REPORT_OF_A_WORKER, "me").serialize(),
    )
    replay.Talker(5557, 3, words, 0.0).talk()
    kinds = [message.type for message in said]
    assert kinds[:2] == ["client_ready", HELLO] and kinds[-1] == "quit"
    assert unpacked(said[1].data, Identity) == hello
    reports = [unpacked(m.data[MEASURED], Report) for m in said if m.type == "stats"]
    assert [report.number for report in reports] == [*range(1, len(reports) + 1)]
    assert {report.run for report in reports} == {"this"}
    (last,) = [unpacked(m.data, Finished) for m in said if m.type == FINISHED]
    assert (last.run, last.reports, last.devices) == ("this", len(reports), None)


def test_what_replayed_workers_sent_is_known_by_their_report() -> None:
    message = Message("stats", REPORT_OF_A_WORKER, "me").serialize()
    known = measuring.with_known_reports(sample(2, 6, replayed=True), message)
    assert (known.intervals, known.requests) == (16, 96)
    assert sum(known.parts.values()) == 8 * len(message)


def test_what_ss_says_is_added_up() -> None:
    told = (
        "0 0 127.0.0.1:1 127.0.0.1:2\n\t cubic bytes_sent:9 bytes_acked:8 bytes_received:70\n"
        "0 0 127.0.0.1:1 127.0.0.1:3\n\t cubic bytes_received:5\n"
    )
    assert moments.carried_bytes(told) == (75, 8)


def test_the_fit_finds_the_coefficients_again() -> None:
    master = scaling().master
    assert master is not None
    model = fit(master.samples)
    found = [each.value for each in model.coefficients]
    assert found == pytest.approx([BASE, WORKER, INTERVAL, SIZE, WAKING], rel=1e-6)
    assert all((each.half_width or 1) < each.value * 1e-6 for each in model.coefficients)
    assert model.residual < 1e-9 and abs(model.over) < 1e-9
    workers = model.workers_at(0.8, master.samples[0])
    assert model.share(workers, master.samples[0]) == pytest.approx(0.8)


@pytest.mark.parametrize(
    "starved", [{"to_master": {"stats": Amount(1_000, 1)}}, {"kernel_to_master": 10**9}]
)
def test_what_the_master_did_not_read_is_left_out_and_named(starved: dict[str, Any]) -> None:
    measured = scaling()
    assert measured.master is not None
    *others, last = measured.master.samples
    behind = msgspec.structs.replace(last, **starved)
    master = msgspec.structs.replace(measured.master, samples=[*others, behind])
    assert last.kept_up and not behind.kept_up
    assert master.to_fit() == others
    told = model_text.model(Scaling(master=master))
    assert "**Left out: 2,048 workers.**" in told and "Fitted to 10 samples" in told
    if "stats" in behind.to_master and "heartbeat" in behind.to_master:
        assert "| 2,048 (replayed) (behind) |" in master_text.master(master)


def test_few_loads_are_shown_without_a_fit(tmp_path: Path) -> None:
    few = Scaling(master=Part(CONDITIONS, 3, 10, [sample(1, 20), sample(4, 80)] * 3))
    assert list(command.sections(few)) == ["master"]
    chart.draw(few, tmp_path / "few.png")
    assert (tmp_path / "few.png").exists()


def test_the_fit_tells_how_sure_it_is() -> None:
    master = scaling().master
    assert master is not None
    noisy = [
        msgspec.structs.replace(each, master_cpu_s=(each.master_cpu_s or 0) * factor)
        for each, factor in zip(master.samples, [0.9, 1.1] * 6, strict=False)
    ]
    model = fit(noisy)
    assert 0.05 < model.residual < 0.15 and -0.25 < model.under < -0.05 < 0.05 < model.over < 0.25
    assert all(each.value >= 0 for each in model.coefficients)
    assert [each.half_width is None for each in model.coefficients] == [
        each.value == 0 for each in model.coefficients
    ]
    assert model.workers_at(0.8, master.samples[0]) > 0


@pytest.mark.parametrize("bytes_a_worker, ends", [(2_000, "core"), (10_000_000, "link")])
def test_one_master_ends_where_core_or_link_does(bytes_a_worker: int, ends: str) -> None:
    values = (0.0, 0.001, 0.0, 0.0, 0.0)
    model = Model(*(Coefficient("", value, 0.0) for value in values), 0.1, -0.1, 0.25, 16)
    like = msgspec.structs.replace(
        sample(4, 20_000), to_master={"stats": Amount(16, 4 * 10 * bytes_a_worker)}
    )
    found = limit(model, like)
    assert (found.core_workers, found.sure_workers) == (800, 640)
    assert found.link_workers == 125_000_000 // bytes_a_worker
    assert found.workers == (found.sure_workers if ends == "core" else found.link_workers)
    assert found.users == found.workers * 5_000


def test_what_is_carried_stands_beside_one_process_and_what_ends_it() -> None:
    carried = scaling().carried
    assert carried is not None
    measured = text.carried(carried)
    assert row(measured, "one process")[1:3] == ["50 (50 to 50)", ""]
    assert row(measured, "one process")[-1] == "the generator's core"
    assert row(measured, "2 workers")[2] == "2.00 (2.00 to 2.00)"
    assert row(measured, "2 workers")[-1] == "the machine"


def test_without_sharing_devices_cost_nothing_of_their_own() -> None:
    pool = scaling().pool
    assert pool is not None
    assert row(text.pool(pool), "100, 4")[3:8] == ["0 / 0", "0.0 / 0.0", "0.0", "0", "0.1"]


def test_sharing_is_counted_in_messages_and_in_reports() -> None:
    phase = Phase(
        name="registering",
        seconds=8.0,
        master_cpu_s=0.5,
        workers_cpu_s=3.0,
        to_master={"stats": Amount(4, 5_000), "notice_load.devices": Amount(2, 1_000)},
        to_workers={"notice_load.devices": Amount(8, 4_000), "spawn": Amount(4, 8_000)},
        parts={"locust": 2_000, "notice_load.registered": 3_000},
    )
    run = PoolRun(Load(4, 100, (600.0, 600.0)), 100, 100, [phase])
    assert row(text.pool(Pool(CONDITIONS, [run])), "100, 4")[3:] == [
        "2 / 8",
        "4.0 / 4.0",
        "80.0",
        "2,000",
        "2.0",
        "8.0",
        "0.50",
    ]


def test_the_master_and_its_end_are_told_with_their_numbers() -> None:
    measured = scaling()
    assert measured.master is not None
    told = master_text.master(measured.master)
    assert row(told, "2,048 (replayed)")[1:4] == ["40,960", "1 to 5", "40,960"]
    assert "took 1.00 (1.00 to 1.00) times what it says" in model_text.model(measured)
    assert "Replayed workers stand for real ones: 32 workers" in model_text.model(measured)
    assert row(model_text.limits(measured), "5,000 users")[4].endswith("workers")
    assert "**One master carries about" in model_text.headline(measured)


def test_the_document_has_a_place_for_every_measured_part() -> None:
    whole = command.DOCUMENT.read_text(encoding="utf-8")
    for mark, measured in command.sections(scaling()).items():
        whole = replaced(whole, mark, measured)
    assert "none" not in command.sections(Scaling())


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
    shutil.copy(command.DOCUMENT, document)
    monkeypatch.setattr(command, "DOCUMENT", document)
    monkeypatch.setattr(command, "BENCH_DIR", tmp_path)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    assert command.main(["--redraw"]) == 2
    assert "no scaling.json to draw from; measure first" in capsys.readouterr().err
    bench_results.write(tmp_path / "scaling.json", scaling())
    assert bench_results.read(tmp_path / "scaling.json", Scaling) == scaling()
    assert command.main(["--redraw"]) == 0
    assert "One master carries about" in document.read_text(encoding="utf-8")
    assert document.with_suffix(".png").read_bytes().startswith(b"\x89PNG")

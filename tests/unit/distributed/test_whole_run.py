"""The rules that devices live by at all times, held against anything that can happen to a run."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from locust.rpc import Message

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from harness.config.settings import Settings
from harness.devices.ledger import LEDGER, read_left
from harness.devices.write_history import MAX_CLOCK_DIFFERENCE_S
from harness.distributed.messages import FINISHED, HELLO, REFUSED, Finished, packed
from harness.results.run_folder import Audit, DeviceCounts
from support.simulated_run import Process, SimulatedRun, SimulatedUser
from tasks.devices import register, set_keywords

Doings = list[tuple[str, int]]
MAX_WORKERS = 6
LONGEST_ENDING_S = 60.0
EARLIEST_END, EARLIEST_CRASH = 6, 20
ANY = st.integers(0, 1000)


def write_on(user: SimulatedUser) -> None:
    """Write again and again, as users do."""
    for _ in range(3):
        set_keywords(user)


TASKS = {"register": register, "write": set_keywords, "write on": write_on}
ANSWERS = ("right", "again", "lost", "late", "refused")
DOINGS = (
    "register",
    "register",
    "write",
    "write",
    "write on",
    "write on",
    "right",
    "right",
    "right",
    "right",
    "again",
    "lost",
    "late",
    "refused",
    "up",
    "up",
    "up",
    "down",
    "down",
    "down",
    "report",
    "wait",
)
WORK = st.lists(st.tuples(st.sampled_from(DOINGS), ANY), max_size=20)
AHEAD = st.sampled_from([0.0, 1.0, MAX_CLOCK_DIFFERENCE_S])


def account(folder: Path) -> dict[str, set[tuple[int, int]]]:
    """Return what the rows of a ledger say, by an account of its own."""
    said: dict[str, set[tuple[int, int]]] = {"reserved": set(), "gone": set(), "unused": set()}
    for line in (folder / LEDGER).read_text().splitlines()[1:]:
        state, *numbers = line.split(",")
        worker, first, last = map(int, numbers)
        said[state] |= {(worker, number) for number in range(first, last + 1)}
    return said


class WholeRun(RuleBasedStateMachine):
    """Any order of what users, workers, the network, the server and the clock may do."""

    def __init__(self) -> None:
        super().__init__()
        self.temporary = tempfile.TemporaryDirectory()
        self.run: SimulatedRun | None = None
        self.runs = itertools.count(1)

    @initialize(
        workers=st.integers(1, 4),
        limit=st.sampled_from([2, 1000]),
        sample=st.sampled_from([2, 1000]),
        seed=ANY,
        ahead=AHEAD,
    )
    def start(self, workers: int, limit: int, sample: int, seed: int, ahead: float) -> None:
        told = Settings(device_pool_limit=limit, audit_sample=sample)
        self.run = SimulatedRun(Path(self.temporary.name), told, seed)
        for number in range(workers):
            self.run.join(ahead_s=ahead if number else 0.0)
        self.run.deliver_all()
        self.run.meanwhile = self.users_go_on
        self.steps = 0
        self.begin()
        self.run.deliver_all()
        for process in self.run.processes:
            process.act(register)
        self.all_is_well()

    def begin(self) -> None:
        number = next(self.runs)
        self.run.begin(f"run-{number}", seed=number)
        self.is_open = True

    def teardown(self) -> None:
        try:
            if self.run is not None:
                self.see_it_through()
        finally:
            if self.run is not None:
                self.run.close()
            self.temporary.cleanup()

    def see_it_through(self) -> None:
        """End the run, if it goes on: in the end nothing is left of any."""
        self.run.server.is_away = False
        if self.run.is_alive and self.is_open:
            if self.run.ending is None:
                self.end([])
            self.wait_for_the_end()
            self.audit_and_delete()
        self.clean_up()
        assert self.run.left() == set()
        assert self.on_the_server() == set()
        self.the_rules_hold()

    # What is there.

    def on_the_server(self) -> set[str]:
        return {*self.run.server.devices} & self.run._reservable()

    def process(self, number: int, which: Callable[[Process], bool]) -> Process | None:
        found = [process for process in self.run.processes if which(process)]
        return found[number % len(found)] if found else None

    # Users, the server and the network: mostly as it should be.

    @rule(doings=WORK)
    def work(self, doings: Doings) -> None:
        for what, number in doings:
            process = self.process(number, lambda each: each.has_users)
            alive = self.process(number, lambda each: each.is_alive)
            if what in TASKS and process is not None:
                process.act(TASKS[what])
            elif what in ANSWERS:
                self.answer(number, what)
            elif what in ("up", "down") and alive is not None:
                self.run.deliver(alive, to_master=what == "up")
            elif what == "report" and alive is not None:
                alive.send_stats()
            elif what == "wait":
                self.run.pass_on(0.4)

    def answer(self, number: int, how: str) -> None:
        under_way = self.run.server.under_way
        self.run.pass_on(0.001)
        if under_way:
            self.run.server.answer(under_way[number % len(under_way)], how)
        self.run.pass_on(0.001)

    def users_go_on(self) -> None:
        """Let those write that do not know yet that the run ends, while others wait for that."""
        if self.is_open and not self.run.is_ending:
            return
        for process in self.run.processes:
            if process.has_users and self.run.random.random() < 0.5:
                process.act(set_keywords)
        for sent in [*self.run.server.under_way]:
            if self.run.random.random() < 0.5:
                self.run.server.answer(sent, self.run.random.choice(ANSWERS))

    @rule()
    def all_is_well(self) -> None:
        """What is under way arrives, is answered, and is passed on."""
        self.run.deliver_all()
        while self.run.server.under_way:
            self.answer(0, "right")
        for process in self.run.processes:
            if process.is_alive:
                process.send_stats()
        self.run.deliver_all()
        self.run.pass_on(1.5)
        self.run.deliver_all()

    @precondition(lambda self: self.run.server.overdue)
    @rule(number=ANY)
    def come_to_what_is_overdue(self, number: int) -> None:
        overdue = self.run.server.overdue
        self.run.server.do(overdue.pop(number % len(overdue)))

    # Workers.

    @precondition(lambda self: len(self.run.processes) < MAX_WORKERS and self.run.is_alive)
    @rule(ahead=AHEAD, doings=WORK)
    def join(self, ahead: float, doings: Doings) -> None:
        self.run.join(ahead)
        self.work(doings)

    @precondition(lambda self: self.run.is_alive and self.steps > EARLIEST_END)
    @rule(doings=WORK)
    def join_as_a_stranger(self, doings: Doings) -> None:
        self.run.join_stranger()
        self.work(doings)

    @rule(number=ANY, seconds=st.sampled_from([0.0, 5.0, 12.0, 21.0]), doings=WORK)
    def freeze(self, number: int, seconds: float, doings: Doings) -> None:
        """Let a worker stand still for a while, or for as long as it stays so."""
        if process := self.process(number, lambda each: each.is_alive and not each.is_frozen):
            process.freeze()
        self.run.pass_on(seconds)
        self.work(doings)

    @precondition(lambda self: any(each.is_frozen for each in self.run.processes))
    @rule(doings=WORK, messages_first=st.booleans())
    def thaw(self, doings: Doings, messages_first: bool) -> None:
        for process in self.run.processes:
            process.thaw(messages_first=messages_first)
        self.work(doings)

    @rule(
        number=ANY,
        seconds=st.sampled_from([0.0, 2.0, 6.0, 14.0]),
        is_lossy=st.booleans(),
        doings=WORK,
    )
    def cut(self, number: int, seconds: float, is_lossy: bool, doings: Doings) -> None:
        """Cut a worker off: what the master says meanwhile arrives later, or never."""
        if process := self.process(number, lambda each: each.is_alive):
            process.is_cut, process.is_lossy = True, is_lossy
            if is_lossy:
                process.to_worker.clear()
        self.run.pass_on(seconds)
        self.work(doings)

    @precondition(lambda self: any(each.is_cut for each in self.run.processes))
    @rule(doings=WORK)
    def heal(self, doings: Doings) -> None:
        for process in self.run.processes:
            process.is_cut = process.is_lossy = False
        self.work(doings)

    @precondition(lambda self: sum(each.is_alive for each in self.run.processes) > 2)
    @rule(number=ANY, doings=WORK)
    def crash(self, number: int, doings: Doings) -> None:
        self.work(doings)
        if process := self.process(number, lambda each: each.is_alive):
            process.crash()

    @rule(seconds=st.sampled_from([0.5, 1.0, 2.5, 6.0]), doings=WORK)
    def wait(self, seconds: float, doings: Doings) -> None:
        self.run.pass_on(seconds)
        self.work(doings)

    # The end.

    @precondition(
        lambda self: self.steps > EARLIEST_END and self.is_open and self.run.ending is None
    )
    @rule(doings=WORK)
    def end(self, doings: Doings) -> None:
        self.work(doings)
        self.run.end()

    @precondition(lambda self: self.run.ending is not None and self.run.is_alive)
    @rule()
    def wait_for_the_end(self) -> None:
        latest_s = self.run.time.now_s + LONGEST_ENDING_S
        while not self.run.ending.ready():
            assert self.run.time.now_s < latest_s, "nobody waits for so long"
            self.run.deliver_all()
            self.run.pass_on(0.5)

    @precondition(lambda self: self.run.ending is not None and self.run.ending.ready())
    @rule()
    def audit_and_delete(self) -> None:
        counts, audit = self.run.audit_and_delete()
        self.is_open = False
        self.judge(counts, audit)

    def judge(self, counts: DeviceCounts, audit: Audit | None) -> None:
        """An honest server is not accused, and the counts are what it says itself."""
        if audit is not None:
            assert (audit.lost_devices, audit.wrong_values) == (0, 0), audit.examples
        assert counts.left_behind == len(self.run.left())
        if not self.run.server.is_away:
            created = len(self.run.server.created & self.run._reservable())
            assert counts == DeviceCounts(registered=created, deleted=created, left_behind=0)

    @precondition(lambda self: not self.is_open)
    @rule()
    def clean_up(self) -> None:
        before = self.run.left()
        self.run.clean_up()
        after = self.run.left()
        assert after <= before
        if not self.run.server.is_away:
            assert after == set()

    @precondition(lambda self: not self.is_open and self.run.is_alive)
    @rule()
    def begin_again(self) -> None:
        self.begin()

    @precondition(lambda self: self.steps > EARLIEST_CRASH and self.run.is_alive)
    @rule(doings=WORK)
    def crash_the_master(self, doings: Doings) -> None:
        self.work(doings)
        self.run.crash()
        self.is_open = False

    @rule(is_away=st.booleans())
    def the_server_goes_away_or_comes_back(self, is_away: bool) -> None:
        """For what comes after the users: theirs is dealt with one by one."""
        self.run.server.is_away = is_away

    # At all times.

    @invariant()
    def the_rules_hold(self) -> None:
        if self.run is not None:
            self.steps += 1
            assert self.run.server.wrongs == []

    @invariant()
    def nobody_else_has_users(self) -> None:
        for process in self.run.processes if self.run is not None else ():
            if process.is_stranger:
                kinds = {Message.unserialize(each.message).type for each in process.to_worker}
                assert kinds <= {"ack", "heartbeat", REFUSED, HELLO, "quit"}

    @invariant()
    def pools_hold_what_is_registered_and_no_more_than_they_may(self) -> None:
        for process in self.run.processes if self.run is not None else ():
            if process.devices is not None and process.has_users:
                assert len(process.devices.pool) <= self.run.settings.device_pool_limit
                assert {*process.devices.pool._ids} <= self.run.server.confirmed

    @invariant()
    def the_ledger_adds_up_and_knows_whatever_is_there(self) -> None:
        if self.run is None:
            return
        said = account(self.run.run_folder)
        assert not said["gone"] & said["unused"]
        assert said["gone"] | said["unused"] <= said["reserved"]
        assert self.on_the_server() <= self.run.left()
        over = said["gone"] | said["unused"]
        left = {
            (worker, number)
            for worker, numbers in read_left(self.run.run_folder).items()
            for number in numbers
        }
        assert left == said["reserved"] - over


TestWholeRun = WholeRun.TestCase
TestWholeRun.pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(3600),  # making a failure small takes long
]
TestWholeRun.settings = settings(
    deadline=None,
    derandomize=True,
    max_examples=150,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    stateful_step_count=40,
)


# Cases that it takes luck to come upon.


@pytest.fixture
def run(tmp_path: Path) -> Iterator[SimulatedRun]:
    run = SimulatedRun(tmp_path, Settings())
    yield run
    run.close()


def with_a_device(run: SimulatedRun, process: Process) -> None:
    """Begin a run in which a process has registered a device."""
    run.deliver_all()
    run.begin("run-1", seed=1)
    run.deliver_all()
    process.act(register)
    run.deliver_all()
    run.server.answer(run.server.under_way[0], "right")


def test_a_worker_that_is_back_takes_part_before_it_says_what_it_does(run: SimulatedRun) -> None:
    """Missing at the start, given users by locust when its heart beats again, and cut off anew.

    It goes on writing until it has heard nothing for long enough, and is waited for.
    """
    run.join()
    late = run.join()
    run.deliver_all()
    late.is_cut = True
    run.pass_on(6.0)
    run.begin("run-1", seed=1)
    late.is_cut = False
    run.pass_on(0.5)
    run.deliver_all()
    late.act(register)
    run.deliver_all()
    run.server.answer(run.server.under_way[0], "right")
    run.pass_on(0.5)
    late.is_cut = True
    run.pass_on(6.0)

    def write() -> None:
        if late.has_users:
            late.act(set_keywords)
        for sent in [*run.server.under_way]:
            run.server.answer(sent, "right")

    run.meanwhile = write
    run.end()
    while not run.ending.ready():
        run.deliver_all()
        run.pass_on(0.5)
    counts, audit = run.audit_and_delete()
    assert run.server.wrongs == []
    assert counts == DeviceCounts(registered=1, deleted=1, left_behind=0)
    assert audit is None
    assert run.master.final_reports()[2] == 1


@pytest.mark.parametrize("messages_first", [False, True])
def test_what_was_cut_off_and_stood_still_writes_to_nothing_deleted(
    run: SimulatedRun, messages_first: bool
) -> None:
    """What it reads first was said long ago, and a user of it is about to go on."""
    process = run.join()
    with_a_device(run, process)
    process.send_stats()
    run.deliver(process, to_master=True)
    process.is_cut = process.is_lossy = True  # but the answer to that report is on its way
    run.pass_on(10.0)
    process.act(write_on)
    process.freeze()
    run.server.answer(run.server.under_way[0], "right")
    run.end()
    while not run.ending.ready():
        run.pass_on(0.5)
    counts, _ = run.audit_and_delete()
    assert counts == DeviceCounts(registered=1, deleted=1, left_behind=0)
    process.is_cut = process.is_lossy = False
    process.thaw(messages_first=messages_first)
    run.pass_on(2.0)
    assert run.server.wrongs == []
    assert run.server.writes == 1


def test_a_worker_that_does_not_finish_in_time_writes_to_nothing_deleted(
    run: SimulatedRun,
) -> None:
    """It is there, and goes on: until it is told no more that it may."""
    process = run.join()
    with_a_device(run, process)
    process.stop = lambda: run.time.sleep(1e6)  # type: ignore[method-assign]

    def write() -> None:
        process.act(set_keywords)
        for sent in [*run.server.under_way]:
            run.server.answer(sent, "right")

    run.meanwhile = write
    counts, _ = ended(run)
    assert counts == DeviceCounts(registered=1, deleted=1, left_behind=0)
    assert run.server.wrongs == []
    assert run.server.writes > 20
    assert run.master.final_reports()[2] == 1


def test_a_dropped_last_write_is_found_in_a_run_of_several_processes(run: SimulatedRun) -> None:
    """Each of them writes to the device of one; the last of all is not done."""
    for ahead_s in (0.0, 1.0, MAX_CLOCK_DIFFERENCE_S):
        run.join(ahead_s)
    with_a_device(run, run.processes[0])
    for process in run.processes:
        process.send_stats()
    run.deliver_all()
    run.pass_on(1.5)
    run.deliver_all()
    for process in reversed(run.processes):
        run.pass_on(2 * MAX_CLOCK_DIFFERENCE_S + 1)
        process.act(set_keywords)
        (sent,) = run.server.under_way
        before = {id_: {**fields} for id_, fields in run.server.devices.items()}
        run.server.answer(sent, "right")
    run.server.devices.update(before)
    run.end()
    while not run.ending.ready():
        run.deliver_all()
        run.pass_on(0.5)
    _, audit = run.audit_and_delete()
    assert (audit.devices, audit.wrong_values) == (1, 1)
    assert audit.examples[0].endswith('is "word1", not "word2"')


def ended(run: SimulatedRun) -> tuple[DeviceCounts, Audit | None]:
    """Let a run end, and return what came of it."""
    run.end()
    while not run.ending.ready():
        run.deliver_all()
        run.pass_on(0.5)
    return run.audit_and_delete()


def test_a_worker_that_never_heard_the_end_of_a_run_begins_the_next_one(run: SimulatedRun) -> None:
    """It said its last word; locust's own "stop" was lost with the connection."""
    worker = run.join()
    run.deliver_all()
    for key in ("run-1", "run-2"):
        run.begin(key, seed=int(key[-1]))
        run.deliver_all()
        worker.act(register)
        run.deliver_all()
        run.server.answer(run.server.under_way[0], "right")
        worker.act(set_keywords)
        run.server.answer(run.server.under_way[0], "right")
        counts, _ = ended(run)
        assert run.server.wrongs == []
        assert counts == DeviceCounts(registered=1, deleted=1, left_behind=0)
        worker.to_worker.clear()


def test_a_late_word_of_a_worker_without_users_is_not_its_last_of_the_next_run(
    run: SimulatedRun,
) -> None:
    """It was asked twice whether it had users in a run; one answer arrives in the next one."""
    worker = run.join()
    run.deliver_all()
    run.begin("run-1", seed=1)
    worker.to_worker.clear()  # and with it the users of this run
    worker.send_message(FINISHED, packed(Finished()))
    late = worker.to_master.copy()
    ended(run)
    worker.to_worker.clear()
    run.begin("run-2", seed=2)
    worker.to_master.extend(late)
    run.deliver_all()
    worker.act(register)
    run.deliver_all()
    run.server.answer(run.server.under_way[0], "right")
    run.end()
    run.pass_on(0.5)
    assert not run.ending.ready()
    while not run.ending.ready():
        run.deliver_all()
        run.pass_on(0.5)
    counts, audit = run.audit_and_delete()
    assert run.server.wrongs == []
    assert audit == Audit(devices=1, values=3, unread=0, lost_devices=0, wrong_values=0)
    assert counts == DeviceCounts(registered=1, deleted=1, left_behind=0)


def test_a_worker_that_is_lost_with_what_it_wrote_makes_nobody_a_liar(run: SimulatedRun) -> None:
    """It had registered no device, so the ledger does not know of it."""
    run.join()
    lost = run.join()
    with_a_device(run, run.processes[0])
    for process in run.processes:
        process.send_stats()
    run.deliver_all()
    run.pass_on(1.5)
    run.deliver_all()
    lost.act(set_keywords)
    run.server.answer(run.server.under_way[0], "right")
    lost.crash()
    _, audit = ended(run)
    assert (audit.devices, audit.wrong_values, audit.are_values_known) == (1, 0, False)

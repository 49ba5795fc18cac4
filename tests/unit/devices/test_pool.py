"""Ids that never meet, numbers that are in the ledger first, and a pool that is a fair sample."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from random import Random

import gevent

import pytest
from scipy.stats import chi2, chisquare

from harness.devices import pool as module
from harness.devices.pool import (
    RESERVATION_TIMEOUT_S,
    RESERVED_AT_ONCE,
    DeviceReport,
    Devices,
    NumberAllocator,
    Pool,
    device_id,
)
from harness.devices.write_history import Write
from support.virtual_time import VirtualTime, settle

DRAWS = 20_000
UNLIKELY = 0.001


# Ids.


def test_ids_are_thirty_capitals_and_digits() -> None:
    ids = [device_id(1, 0, number) for number in range(2000)]
    assert all(re.fullmatch("[A-Z0-9]{30}", id_) for id_ in ids)


@pytest.mark.parametrize("seed", [1, 2])
def test_every_character_is_as_frequent_as_any_other_at_every_place(seed: int) -> None:
    ids = [device_id(seed, 3, number) for number in range(4000)]
    together = Counter("".join(ids))
    assert len(together) == 36
    assert chisquare([*together.values()]).pvalue > UNLIKELY
    for place in range(30):
        counts = Counter(id_[place] for id_ in ids)
        assert chisquare([counts[each] for each in together]).pvalue > UNLIKELY / 30


def test_a_character_tells_nothing_of_the_next_one() -> None:
    pairs = Counter(
        pair for number in range(2000) for pair in itertools.pairwise(device_id(1, 0, number))
    )
    assert len(pairs) == 36 * 36
    assert chisquare([*pairs.values()]).pvalue > UNLIKELY


def test_ids_follow_from_seed_worker_and_number_and_never_meet() -> None:
    keys = list(itertools.product((0, 1, 11, 2**32, 10**99), (0, 1, 11, 111), range(200)))
    ids = {key: device_id(*key) for key in keys}
    assert len(set(ids.values())) == len(keys)
    assert ids == {key: device_id(*key) for key in keys}


def test_an_id_is_what_it_was_in_the_last_version() -> None:
    """A ledger of an older run is cleaned up by a newer suite."""
    assert device_id(42, 1, 17) == "6Q76RX1SHZ7CE3AX6OYZD6PHI3KH56"


def test_processes_of_one_seed_never_make_the_same_id() -> None:
    made = [devices.new_id() for devices in map(lambda w: Devices(7, w), range(6)) for _ in "ab"]
    made += [Devices(8, 0).new_id() for _ in "a"]
    assert len(set(made)) == len(made)
    assert [Devices(7, 3).new_id() for _ in "ab"] == [device_id(7, 3, 0)] * 2


# Numbers.


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> VirtualTime:
    time = VirtualTime()
    monkeypatch.setattr(module, "clock_s", time.now)
    monkeypatch.setattr(module, "Event", time.event)
    return time


class Asked:
    """Numbers whose ledger answers when a test says so."""

    def __init__(self) -> None:
        self.requests: list[tuple[int, int]] = []
        self.numbers = NumberAllocator(lambda first, last: self.requests.append((first, last)))
        self.got: list[int] = []
        self.users: list[gevent.Greenlet] = []

    def use(self, count: int) -> None:
        """Let so many users take a number each, for as long as it takes them."""
        self.users += [
            gevent.spawn(lambda: self.got.append(self.numbers.next())) for _ in range(count)
        ]
        settle()

    def answer(self, last: int) -> None:
        self.numbers.reserved(last)
        settle()

    def stop(self) -> None:
        gevent.killall(self.users)


@pytest.fixture
def asked(time: VirtualTime):
    asked = Asked()
    yield asked
    asked.stop()


def test_nothing_is_asked_for_before_the_first_device(asked: Asked) -> None:
    assert asked.requests == []
    assert asked.numbers.used == 0


def test_a_number_waits_for_its_reservation(asked: Asked) -> None:
    asked.use(3)
    assert (asked.requests, asked.got) == ([(0, RESERVED_AT_ONCE - 1)], [])
    asked.answer(RESERVED_AT_ONCE - 1)
    assert asked.got == [0, 1, 2]


def test_those_behind_the_reserved_ones_wait_on(asked: Asked) -> None:
    asked.use(5)
    asked.answer(2)
    assert asked.got == [0, 1, 2]
    asked.answer(3)
    assert asked.got == [0, 1, 2, 3]
    asked.answer(4)
    assert asked.got == [0, 1, 2, 3, 4]


def test_more_is_asked_for_before_the_last_one_is_used(asked: Asked) -> None:
    """Nobody waits while half of a reservation lasts."""
    asked.use(1)
    asked.answer(RESERVED_AT_ONCE - 1)
    asked.use(RESERVED_AT_ONCE // 2 - 1)
    assert len(asked.requests) == 1
    asked.use(1)
    assert asked.requests[1:] == [(RESERVED_AT_ONCE, 2 * RESERVED_AT_ONCE - 1)]
    asked.use(RESERVED_AT_ONCE // 2 - 1)
    assert asked.got == [*range(RESERVED_AT_ONCE)]
    assert len(asked.requests) == 2
    asked.use(1)
    assert len(asked.got) == RESERVED_AT_ONCE


def test_a_crowd_at_the_start_asks_for_as_much_as_it_needs(asked: Asked) -> None:
    crowd = 5 * RESERVED_AT_ONCE + 7
    asked.use(crowd)
    assert asked.got == []
    assert max(last for _, last in asked.requests) >= crowd - 1
    assert len(asked.requests) <= crowd / RESERVED_AT_ONCE + 2
    for _, last in asked.requests:
        asked.answer(last)
        assert all(number <= last for number in asked.got)
    assert sorted(asked.got) == [*range(crowd)]


def test_a_lost_answer_is_asked_for_again_once_in_a_while_however_many_wait(
    asked: Asked, time: VirtualTime
) -> None:
    asked.use(RESERVED_AT_ONCE // 4)
    for round_ in range(1, 6):
        time.pass_on(RESERVATION_TIMEOUT_S / 2)
        assert len(asked.requests) == round_
        time.pass_on(RESERVATION_TIMEOUT_S / 2)
        assert asked.requests == [(0, RESERVED_AT_ONCE - 1)] * (round_ + 1)
    assert asked.got == []
    asked.answer(RESERVED_AT_ONCE - 1)
    assert asked.got == [*range(RESERVED_AT_ONCE // 4)]
    time.pass_on(10 * RESERVATION_TIMEOUT_S)
    assert len(asked.requests) == 6


def test_those_that_came_later_do_not_ask_more_often(asked: Asked, time: VirtualTime) -> None:
    for _ in range(40):
        asked.use(1)
        time.pass_on(RESERVATION_TIMEOUT_S / 10)
    assert 2 <= len(asked.requests) <= 1 + 40 / 10
    assert asked.got == []


def test_what_is_asked_for_again_is_all_that_is_missing(asked: Asked, time: VirtualTime) -> None:
    """The first answer came, the second was lost."""
    asked.use(2 * RESERVED_AT_ONCE)
    asked.answer(RESERVED_AT_ONCE - 1)
    del asked.requests[:]
    time.pass_on(RESERVATION_TIMEOUT_S)
    ((first, last),) = asked.requests
    assert first == RESERVED_AT_ONCE and last >= 2 * RESERVED_AT_ONCE - 1


@pytest.mark.parametrize("order", [*itertools.permutations((49, 199, 399))])
def test_answers_may_come_late_twice_and_in_any_order(
    asked: Asked, order: tuple[int, ...]
) -> None:
    asked.use(300)
    known = -1
    for last in (*order, *order):
        asked.answer(last)
        known = max(known, last)
        assert sorted(asked.got) == [*range(min(300, known + 1))]


def test_a_number_is_used_by_one_user_only_and_counts_from_then_on(asked: Asked) -> None:
    """Also of one that is killed while it waits: what has it asked for? The master may know."""
    asked.use(2)
    assert asked.numbers.used == 2
    asked.stop()
    asked.use(1)
    asked.answer(RESERVED_AT_ONCE - 1)
    assert asked.got == [2]
    assert asked.numbers.used == 3


def test_a_ledger_that_cannot_be_written_fails_one_user_and_no_number_is_used_without_it(
    time: VirtualTime,
) -> None:
    def refuse(first: int, last: int) -> None:
        raise OSError("No space left on device")

    numbers = NumberAllocator(refuse)
    with pytest.raises(OSError, match="No space"):
        numbers.next()
    user = gevent.spawn(numbers.next)
    settle()
    assert not user.ready()
    user.kill()


# The pool.


@pytest.mark.parametrize(("limit", "came"), [(1, 0), (1, 1), (5, 3), (5, 5), (5, 500)])
def test_the_pool_holds_at_most_as_many_as_it_may(limit: int, came: int) -> None:
    pool = Pool(limit, Random(1))
    for number in range(came):
        pool.add(f"{number}")
        assert len(pool) == min(limit, number + 1)
    assert len(held(pool)) == min(limit, came)
    assert bool(pool) == (came > 0)


def held(pool: Pool) -> set[str]:
    random = Random(1)
    return {pool.draw(random) for _ in range(40 * len(pool))}


def test_an_empty_pool_gives_nothing() -> None:
    with pytest.raises(IndexError):
        Pool(5, Random(1)).draw(Random(1))


@pytest.mark.parametrize("seed", [1, 2])
def test_every_device_is_drawn_equally_often(seed: int) -> None:
    pool = Pool(11, Random(seed))
    for id_ in "ABCDEFGHIJK":
        pool.add(id_)
    random = Random(seed)
    counts = Counter(pool.draw(random) for _ in range(DRAWS))
    assert set(counts) == set("ABCDEFGHIJK")
    assert chisquare([*counts.values()]).pvalue > UNLIKELY


def test_draws_follow_the_seed() -> None:
    pool = Pool(8, Random(1))
    for id_ in "ABCDEFGH":
        pool.add(id_)

    def draws(seed: int) -> list[str]:
        random = Random(seed)
        return [pool.draw(random) for _ in range(30)]

    assert draws(3) == draws(3) != draws(4)


@pytest.mark.parametrize(("limit", "came"), [(1, 12), (5, 6), (5, 40), (39, 40)])
def test_each_device_that_came_stays_with_the_same_probability(limit: int, came: int) -> None:
    """The first, the one that filled it, and the last: limit / came each."""
    rounds, counts = 4000, Counter()
    for round_ in range(rounds):
        pool = Pool(limit, Random(f"{limit}/{came}/{round_}"))
        for number in range(came):
            pool.add(number)  # type: ignore[arg-type]
        counts.update(pool._ids)
    share = limit / came
    squares = sum((counts[number] - rounds * share) ** 2 for number in range(came))
    # Drawn without replacement: the variance of a count is that of a coin of this share, and
    # counts go down as others go up.
    value = squares / (rounds * share * (1 - share)) * (came - 1) / came
    assert chi2.sf(value, came - 1) > UNLIKELY


def test_drawing_costs_the_same_however_many_there_are() -> None:
    """One number and one look at the list; `random` is asked once, the list never walked."""

    class Counted(list):
        looks = 0

        def __getitem__(self, index: object) -> object:
            Counted.looks += 1
            return super().__getitem__(index)  # type: ignore[call-overload]

        def __iter__(self) -> object:
            raise AssertionError("walked")

        def __contains__(self, _: object) -> bool:
            raise AssertionError("walked")

    pool = Pool(10_000, Random(1))
    for number in range(10_000):
        pool.add(f"{number}")
    pool._ids = Counted(pool._ids)
    random, twin = Random(5), Random(5)
    for _ in range(100):
        pool.draw(random)
        twin.random()
    assert Counted.looks == 100
    assert random.getstate() == twin.getstate()


# The devices of a process.


def test_a_device_is_drawn_once_it_is_confirmed() -> None:
    devices = Devices(1)
    id_ = devices.new_id()
    assert len(devices.pool) == 0
    devices.confirm(id_)
    assert held(devices.pool) == {id_}


def test_a_device_is_confirmed_once_and_never_without_a_number() -> None:
    devices = Devices(1)
    id_ = devices.new_id()
    devices.confirm(id_)
    for stranger in (id_, device_id(1, 0, 1), device_id(1, 1, 0)):
        with pytest.raises(KeyError):
            devices.confirm(stranger)
    assert len(devices.pool) == 1
    assert devices.take_unreported() == [(0, 0)]


def test_what_is_confirmed_is_told_once() -> None:
    devices = Devices(1, 2)
    ids = [devices.new_id() for _ in range(6)]
    for number in (4, 1, 0):
        devices.confirm(ids[number])
    assert devices.take_unreported() == [(0, 1), (4, 4)]
    assert devices.take_unreported() == []
    devices.confirm(ids[5])
    assert devices.take_unreported() == [(5, 5)]


def test_others_devices_are_learnt_and_not_told_of() -> None:
    devices = Devices(1, 2)
    devices.add_remote(0, 3, 5)
    devices.add_remote(1, 0, 0)
    others = {device_id(1, 0, number) for number in (3, 4, 5)} | {device_id(1, 1, 0)}
    assert held(devices.pool) == others
    assert devices.take_unreported() == []
    assert devices.device_report() == DeviceReport(
        worker=2, used=0, confirmed=[], writes=devices.history.writes
    )


def test_the_pool_of_a_process_is_a_sample_of_its_own_and_the_others_devices() -> None:
    devices = Devices(1, 0, limit=10)
    for _ in range(30):
        devices.confirm(devices.new_id())
        devices.add_remote(1, 0, 0)
    assert len(devices.pool) == 10
    assert devices.device_report().confirmed == [(0, 29)]


def test_the_handover_says_what_was_used_and_what_of_it_is_confirmed() -> None:
    devices = Devices(1, 4, sample=1)
    ids = [devices.new_id() for _ in range(4)]
    for number in (0, 1, 3):
        devices.confirm(ids[number])
    devices.take_unreported()
    first = min(ids[0], ids[1], ids[3])
    for id_ in ids:
        devices.history.add(id_, "keywords", Write("x", 1.0, 2.0))
    assert devices.device_report() == DeviceReport(
        worker=4,
        used=4,
        confirmed=[(0, 1), (3, 3)],
        writes={first: {"keywords": [Write("x", 1.0, 2.0)]}},
    )


def test_a_device_has_a_number_that_the_ledger_had_before(time: VirtualTime) -> None:
    rows: list[tuple[int, int]] = []

    def reserve(first: int, last: int) -> None:
        rows.append((first, last))
        devices.numbers.reserved(last)

    devices = Devices(1, ask=reserve)
    for number in range(1000):
        assert devices.new_id() == device_id(1, 0, number)
        assert number <= rows[-1][1]
    assert rows == [
        (first, first + RESERVED_AT_ONCE - 1) for first in range(0, rows[-1][1], RESERVED_AT_ONCE)
    ]


def test_two_runs_of_one_seed_pool_the_same_sample() -> None:
    def sample(seed: int, worker: int) -> list[str]:
        devices = Devices(seed, worker, limit=5)
        for _ in range(100):
            devices.confirm(devices.new_id())
        return devices.pool._ids

    assert sample(1, 0) == sample(1, 0)
    assert {id_ for id_ in sample(1, 0)} != {id_ for id_ in sample(2, 0)}


def test_a_lease_ends_and_can_be_renewed_until_later_only(time: VirtualTime) -> None:
    devices = Devices(seed=1, lease_ends_s=time.now_s + 15)
    for until_s in (time.now_s + 20, time.now_s + 18):
        devices.renew_lease(until_s)
    time.now_s += 20
    assert devices.has_lease()
    time.now_s += 0.1
    assert not devices.has_lease()


def test_a_process_alone_needs_no_lease(time: VirtualTime) -> None:
    devices = Devices(seed=1)
    time.now_s += 1e9
    assert devices.has_lease()

"""The device pool and its ledger: nothing is written to too early or too late, nothing is lost."""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from random import Random

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    precondition,
    rule,
)
from scipy.stats import chisquare

from harness.devices import Devices, draw_id

DRAWS = 20_000
UNLIKELY = 0.001


def filled(*device_ids: str) -> Devices:
    devices = Devices()
    for device_id in device_ids:
        devices.note(device_id)
        devices.confirm(device_id)
    return devices


def drawable(devices: Devices) -> set[str | None]:
    """Return whatever 200 draws can give."""
    random, seen = Random(1), set()
    for _ in range(200):
        with devices.lease(random) as device_id:
            seen.add(device_id)
    return seen


# Ids.


def test_ids_are_thirty_capitals_and_digits() -> None:
    random = Random(1)
    ids = [draw_id(random) for _ in range(2000)]
    assert all(re.fullmatch("[A-Z0-9]{30}", device_id) for device_id in ids)
    assert len(set(ids)) == len(ids)
    counts = Counter("".join(ids))
    assert len(counts) == 36
    assert chisquare([*counts.values()]).pvalue > UNLIKELY


def test_ids_follow_the_seed() -> None:
    first, same, other = Random(5), Random(5), Random(6)
    ids = [draw_id(first) for _ in range(5)]
    assert ids == [draw_id(same) for _ in range(5)]
    assert not set(ids) & {draw_id(other) for _ in range(5)}


# The way of a device.


def test_an_empty_pool_lends_nothing() -> None:
    devices = Devices()
    with devices.lease(Random(1)) as device_id:
        assert device_id is None
    assert (len(devices), devices.registered, devices.deleted) == (0, 0, 0)
    assert not devices


def test_a_noted_device_is_remembered_and_not_drawn() -> None:
    devices = Devices()
    devices.note("A")
    assert devices.remaining() == ["A"]
    assert (len(devices), devices.registered) == (0, 0)
    assert drawable(devices) == {None}


def test_a_confirmed_device_is_drawn() -> None:
    devices = filled("A")
    assert (len(devices), devices.registered, devices.remaining()) == (1, 1, ["A"])
    assert drawable(devices) == {"A"}


def test_a_device_is_confirmed_once_and_never_unnoted() -> None:
    devices = filled("A")
    for device_id in ("A", "B"):
        with pytest.raises(KeyError):
            devices.confirm(device_id)
    assert (len(devices), devices.registered) == (1, 1)


@pytest.mark.parametrize("retired", ["A", "B", "C"])
def test_a_retired_device_is_not_drawn_but_remembered(retired: str) -> None:
    devices = filled("A", "B", "C")
    devices.retire(retired)
    devices.retire(retired)
    assert drawable(devices) == {"A", "B", "C"} - {retired}
    assert devices.remaining() == ["A", "B", "C"]
    assert (len(devices), devices.registered, devices.deleted) == (2, 3, 0)


def test_a_confirmation_after_the_retirement_comes_too_late_for_the_pool() -> None:
    devices = Devices()
    devices.note("A")
    devices.retire("A")
    with contextlib.suppress(KeyError):
        devices.confirm("A")
    assert drawable(devices) == {None}
    assert devices.remaining() == ["A"]


@pytest.mark.parametrize("deleted", [True, False])
def test_a_device_that_is_gone_is_forgotten(deleted: bool) -> None:
    devices = filled("A", "B")
    devices.gone("A", deleted)
    devices.gone("A", deleted)
    assert drawable(devices) == {"B"}
    assert devices.remaining() == ["B"]
    assert (len(devices), devices.registered, devices.deleted) == (1, 2, 1)


def test_an_id_can_come_back_after_it_is_gone() -> None:
    devices = filled("A")
    devices.gone("A", deleted=True)
    devices.note("A")
    assert drawable(devices) == {None}
    devices.confirm("A")
    assert (devices.registered, devices.deleted, devices.remaining()) == (2, 1, ["A"])
    assert drawable(devices) == {"A"}


def test_a_device_that_the_server_never_had_does_not_count() -> None:
    devices = Devices()
    devices.note("A")
    devices.gone("A", deleted=False)
    assert (devices.registered, devices.deleted, devices.remaining()) == (0, 0, [])


def test_a_device_whose_confirmation_was_lost_counts_when_it_is_deleted() -> None:
    devices = Devices()
    devices.note("A")
    devices.gone("A", deleted=True)
    assert (devices.registered, devices.deleted, devices.remaining()) == (1, 1, [])


def test_a_stranger_does_not_count() -> None:
    devices = filled("A")
    devices.retire("B")
    devices.gone("B", deleted=True)
    assert (devices.registered, devices.deleted, devices.remaining()) == (1, 0, ["A"])
    assert drawable(devices) == {"A"}


def test_a_device_is_leased_until_its_last_write_is_over() -> None:
    devices = filled("A")
    first, second = devices.lease(Random(1)), devices.lease(Random(2))
    assert not devices.is_leased("A")
    first.__enter__()
    second.__enter__()
    devices.retire("A")
    first.__exit__(None, None, None)
    assert devices.is_leased("A")
    second.__exit__(None, None, None)
    assert not devices.is_leased("A")


def test_a_write_that_fails_ends_its_lease() -> None:
    devices = filled("A")
    with pytest.raises(ValueError, match="broken"), devices.lease(Random(1)):
        raise ValueError("broken")
    assert not devices.is_leased("A")
    assert drawable(devices) == {"A"}


# Drawing.


@pytest.mark.parametrize("seed", [1, 2])
def test_every_device_is_drawn_equally_often(seed: int) -> None:
    devices = filled(*"ABCDEFGHIJKLMN")
    for device_id in "ADN":
        devices.retire(device_id)
    random, counts = Random(seed), Counter()
    for _ in range(DRAWS):
        with devices.lease(random) as device_id:
            counts[device_id] += 1
    assert set(counts) == set("BCEFGHIJKLM")
    assert chisquare([*counts.values()]).pvalue > UNLIKELY


def test_draws_follow_the_seed() -> None:
    devices = filled(*"ABCDEFGH")

    def draws(seed: int) -> list[str | None]:
        random, drawn = Random(seed), []
        for _ in range(30):
            with devices.lease(random) as device_id:
                drawn.append(device_id)
        return drawn

    assert draws(3) == draws(3) != draws(4)


# Any order of events.


class Ledger(RuleBasedStateMachine):
    """Keeps its own, slow account beside the one under test."""

    ids = Bundle("ids")
    leases = Bundle("leases")

    def __init__(self) -> None:
        super().__init__()
        self.devices = Devices()
        self.noted: list[str] = []
        self.confirmed: set[str] = set()
        self.retired: set[str] = set()
        self.gone_ids: set[str] = set()
        self.lent: Counter[str] = Counter()
        self.registered = self.deleted = 0

    @property
    def pool(self) -> set[str]:
        return self.confirmed - self.retired - self.gone_ids

    @rule(target=ids)
    def note(self) -> str:
        device_id = f"D{len(self.noted)}"
        self.devices.note(device_id)
        self.noted.append(device_id)
        return device_id

    @rule(device_id=ids)
    def confirm(self, device_id: str) -> None:
        if device_id in self.confirmed | self.gone_ids:
            with pytest.raises(KeyError):
                self.devices.confirm(device_id)
            return
        self.devices.confirm(device_id)
        self.confirmed.add(device_id)
        self.registered += 1

    @rule(target=leases, seed=st.integers(0, 2**32))
    def lend(self, seed: int) -> tuple[object, str | None]:
        lease = self.devices.lease(Random(seed))
        device_id = lease.__enter__()
        assert device_id in self.pool if self.pool else device_id is None
        if device_id is not None:
            self.lent[device_id] += 1
        return lease, device_id

    @rule(lent=consumes(leases))
    def give_back(
        self, lent: tuple[contextlib.AbstractContextManager[object], str | None]
    ) -> None:
        lease, device_id = lent
        lease.__exit__(None, None, None)
        if device_id is not None:
            self.lent[device_id] -= 1

    @rule(device_id=ids)
    def retire(self, device_id: str) -> None:
        self.devices.retire(device_id)
        self.retired.add(device_id)

    @rule(device_id=ids, deleted=st.booleans())
    def gone(self, device_id: str, deleted: bool) -> None:
        self.devices.gone(device_id, deleted)
        if device_id in self.gone_ids:
            return
        self.gone_ids.add(device_id)
        if device_id in self.confirmed:
            self.deleted += 1
        elif deleted:
            self.registered += 1
            self.deleted += 1

    @precondition(lambda self: self.noted)
    @rule()
    def strike_a_stranger_off(self) -> None:
        self.devices.retire("stranger")
        self.devices.gone("stranger", deleted=True)

    @invariant()
    def the_pool_is_what_may_be_drawn(self) -> None:
        assert len(self.devices) == len(self.pool)
        if len(self.pool) < 5:
            assert drawable(self.devices) == (self.pool or {None})

    @invariant()
    def what_remains_is_noted_and_not_gone(self) -> None:
        assert self.devices.remaining() == [i for i in self.noted if i not in self.gone_ids]

    @invariant()
    def the_counts_add_up(self) -> None:
        assert self.devices.registered == self.registered
        assert self.devices.deleted == self.deleted
        alive = self.confirmed - self.gone_ids
        assert self.devices.registered - self.devices.deleted == len(alive)

    @invariant()
    def leases_are_known(self) -> None:
        for device_id in self.noted:
            assert self.devices.is_leased(device_id) == (self.lent[device_id] > 0)


TestLedger = Ledger.TestCase
TestLedger.settings = settings(
    deadline=None,
    derandomize=True,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow],
    stateful_step_count=40,
)

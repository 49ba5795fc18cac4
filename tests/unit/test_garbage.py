"""A run's users are not looked at by the garbage collector, and an earlier run's are let go."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from harness import garbage


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    threshold = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*threshold)


class Cycle:
    def __init__(self) -> None:
        self.me = self


def test_what_is_there_when_all_users_are_is_set_aside() -> None:
    garbage.begin_run()
    users = [Cycle() for _ in range(1000)]
    before = gc.get_freeze_count()
    garbage.users_are_there()
    assert gc.get_freeze_count() >= before + len(users)


def test_the_next_run_lets_go_of_what_was_set_aside() -> None:
    garbage.begin_run()
    user = Cycle()
    alive = weakref.ref(user)
    garbage.users_are_there()
    del user
    gc.collect()
    assert alive() is not None
    garbage.begin_run()
    assert alive() is None


def test_cycles_made_while_the_run_goes_on_are_still_collected() -> None:
    garbage.begin_run()
    garbage.users_are_there()
    made = [weakref.ref(Cycle()) for _ in range(3 * garbage.YOUNG)]
    assert sum(cycle() is not None for cycle in made) < 2 * garbage.YOUNG

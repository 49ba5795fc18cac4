"""A run's users are not looked at by the garbage collector, and an earlier run's are let go."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from harness.recording import gc_pauses


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    threshold = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*threshold)


class Cycle:
    def __init__(self) -> None:
        self.me = self


def looked_at(objects: list[Cycle]) -> int:
    """Return how many of these a collection would look at: what is frozen is in no generation."""
    return len({id(each) for each in objects} & {id(each) for each in gc.get_objects()})


def test_what_is_there_when_all_users_are_is_set_aside() -> None:
    gc_pauses.begin_run()
    users = [Cycle() for _ in range(1000)]
    assert looked_at(users) == len(users)
    gc_pauses.after_ramp_up()
    assert looked_at(users) == 0


def test_the_next_run_lets_go_of_what_was_set_aside() -> None:
    gc_pauses.begin_run()
    user = Cycle()
    alive = weakref.ref(user)
    gc_pauses.after_ramp_up()
    del user
    gc.collect()
    assert alive() is not None
    gc_pauses.begin_run()
    assert alive() is None


def test_cycles_made_while_the_run_goes_on_are_still_collected() -> None:
    gc_pauses.begin_run()
    gc_pauses.after_ramp_up()
    made = [weakref.ref(Cycle()) for _ in range(3 * gc_pauses.YOUNG)]
    assert sum(cycle() is not None for cycle in made) < 2 * gc_pauses.YOUNG

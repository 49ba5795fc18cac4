"""What a field may hold in the end: no false alarm, and no lost write that could be told."""

from __future__ import annotations

import heapq
import time
from dataclasses import dataclass

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from harness.devices.write_history import (
    MAX_CLOCK_DIFFERENCE_S,
    Value,
    Write,
    WriteHistory,
    Writes,
    possible_values,
    was_acknowledged,
)

DEVICE, FIELD = "A", "keywords"
UNTOUCHED = "what it held at first"


def history_of(*writes: Write) -> dict[str, Writes]:
    history = WriteHistory(1)
    history.consider(DEVICE)
    for write in writes:
        history.add(DEVICE, FIELD, write)
    return history.writes


def possible(*histories: dict[str, Writes]) -> set[Value]:
    return possible_values(histories, DEVICE, FIELD)


# One process.


def test_nobody_wrote() -> None:
    assert possible(history_of(), {}) == set()
    assert not was_acknowledged([history_of(), {}], DEVICE, FIELD)


@pytest.mark.parametrize(
    ("writes", "values"),
    [
        ([Write("x", 1, 2)], {"x"}),
        ([Write("x", 1, 2), Write("y", 3, 4)], {"y"}),
        ([Write("x", 1, 2), Write("x", 3, 4)], {"x"}),
        # They overlap: at one point of time, in part, one in the other.
        ([Write("x", 1, 2), Write("y", 2, 3)], {"x", "y"}),
        ([Write("x", 1, 3), Write("y", 2, 4)], {"x", "y"}),
        ([Write("y", 2, 3), Write("x", 1, 4)], {"x", "y"}),
        # The third follows both, or one of them.
        ([Write("x", 1, 3), Write("y", 2, 4), Write("z", 5, 6)], {"z"}),
        ([Write("y", 2, 3), Write("x", 1, 5), Write("z", 4, 6)], {"x", "z"}),
        # One in doubt may come at any time, and follows nothing.
        ([Write("x", 1, None)], {"x"}),
        ([Write("x", 1, None), Write("y", 30, 40)], {"x", "y"}),
        ([Write("x", 1, 2), Write("y", 30, None)], {"x", "y"}),
        # Sent twice by one request: the second may have come first, and the first still come.
        ([Write("x", 1, None), Write("x", 1, 4), Write("y", 5, 6)], {"x", "y"}),
    ],
)
def test_what_may_have_been_last(writes: list[Write], values: set[str]) -> None:
    assert possible(history_of(*writes)) == values


def test_a_field_says_nothing_of_another_nor_a_device_of_another() -> None:
    history = WriteHistory(2)
    for device in ("A", "B"):
        history.consider(device)
    history.add("A", "keywords", Write("x", 1, 2))
    history.add("A", "alarm_switch", Write(True, 3, 4))
    history.add("B", "keywords", Write("y", 5, 6))
    assert possible_values([history.writes], "A", "keywords") == {"x"}
    assert possible_values([history.writes], "A", "alarm_switch") == {True}
    assert possible_values([history.writes], "B", "keywords") == {"y"}


def test_a_doubt_is_no_acknowledgement() -> None:
    assert not was_acknowledged([history_of(Write("x", 1, None))], DEVICE, FIELD)
    both = [history_of(Write("x", 1, None)), history_of(Write("y", 1, 2))]
    assert was_acknowledged(both, DEVICE, FIELD)


def test_little_is_kept_however_much_is_written() -> None:
    writes = [Write(number % 2 == 0, number, number + 0.5) for number in range(1000)]
    unconfirmed = [Write(number % 2 == 0, number, None) for number in range(1000)]
    assert len(history_of(*writes)[DEVICE][FIELD]) == 1
    assert len(history_of(*writes, *unconfirmed)[DEVICE][FIELD]) == 3


def test_the_clock_goes_on_when_that_of_the_machine_is_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    history = WriteHistory(1)
    times = [history.now_s() for _ in range(1000)]
    assert times == sorted(times)
    assert times[-1] == pytest.approx(time.time(), abs=5)
    wrong_s = time.time() - 3600
    monkeypatch.setattr("harness.devices.write_history.time", lambda: wrong_s)
    assert history.now_s() >= times[-1]
    assert WriteHistory(1).now_s() == pytest.approx(wrong_s, abs=5), "set before the run began"


# Several.


@pytest.mark.parametrize(
    ("later", "values"),
    [
        (Write("y", 2.5, 3), {"x", "y"}),
        (Write("y", 2 + MAX_CLOCK_DIFFERENCE_S, 9), {"x", "y"}),
        (Write("y", 2.125 + MAX_CLOCK_DIFFERENCE_S, 9), {"y"}),
    ],
)
def test_a_write_follows_that_of_another_process_when_clocks_cannot_be_to_blame(
    later: Write, values: set[str]
) -> None:
    first, second = history_of(Write("x", 1, 2)), history_of(later)
    assert possible(first, second) == possible(second, first) == values


def test_a_process_knows_the_order_of_its_own_writes_better() -> None:
    writes = Write("x", 1, 2), Write("y", 2.125, 3)
    assert possible(history_of(*writes), {}) == {"y"}
    assert possible(history_of(writes[0]), history_of(writes[1])) == {"x", "y"}


# A register that is honest, and any way of writing to it.


@dataclass(frozen=True)
class Event:
    """A write as nobody sees it: in true time, in quarters of a second, which are exact.

    Attributes:
        process: that sends it.
        value: that it writes.
        sent: when.
        applied: when the server did it; None for never.
        over: when the process had its answer, or gave up.
        is_right: whether it was the right answer.
        place: which comes first of those that are done at the same time.
    """

    process: int
    value: Value
    sent: int
    applied: int | None
    over: int
    is_right: bool
    place: int

    def seen(self, ahead: int) -> Write:
        """Return what the process, whose clock is ahead by this, writes down."""
        return Write(
            self.value,
            (self.sent + ahead) / 4,
            (self.over + ahead) / 4 if self.is_right else None,
        )


@st.composite
def an_event(draw: st.DrawFn, values: st.SearchStrategy[Value]) -> Event:
    sent = draw(st.integers(0, 60))
    lasts = draw(st.integers(0, 30))
    is_right = draw(st.booleans() | st.just(True))
    if is_right:
        applied: int | None = draw(st.integers(sent, sent + lasts))
    else:
        applied = draw(st.none() | st.integers(sent, 200))  # also long after
    place, process = draw(st.integers(0, 99)), draw(st.integers(0, 2))
    return Event(process, draw(values), sent, applied, sent + lasts, is_right, place)


CLOCKS = st.lists(st.integers(0, int(4 * MAX_CLOCK_DIFFERENCE_S)), min_size=3, max_size=3)
"""By how much each of three is ahead of the slowest that there may be."""


def journals_of(events: list[Event], ahead: list[int]) -> list[dict[str, Writes]]:
    return [
        history_of(
            *(
                event.seen(ahead[process])
                for event in sorted(events, key=lambda event: event.over)
                if event.process == process
            )
        )
        for process in range(len(ahead))
    ]


def held_in_the_end(events: list[Event]) -> Value:
    done = [event for event in events if event.applied is not None]
    order = sorted(done, key=lambda event: (event.applied, event.place))
    return order[-1].value if order else UNTOUCHED


def allowed(histories: list[dict[str, Writes]]) -> set[Value]:
    """Return what the audit takes for right."""
    initial_values = set() if was_acknowledged(histories, DEVICE, FIELD) else {UNTOUCHED}
    return possible(*histories) | initial_values


@pytest.mark.slow
@given(
    st.lists(an_event(st.sampled_from("uvwxyz")) | an_event(st.booleans()), max_size=12), CLOCKS
)
@settings(deadline=None, derandomize=True, max_examples=700)
def test_an_honest_server_is_never_accused(events: list[Event], ahead: list[int]) -> None:
    assert held_in_the_end(events) in allowed(journals_of(events, ahead))


@given(st.lists(an_event(st.just("")), max_size=10), CLOCKS)
@settings(deadline=None, derandomize=True, max_examples=150)
def test_exactly_what_was_certainly_overwritten_is_out(
    events: list[Event], ahead: list[int]
) -> None:
    """By an account of its own, from everything that each process saw; nothing is forgotten."""
    named = [Event(**{**vars(event), "value": f"{number}"}) for number, event in enumerate(events)]
    seen = {event.value: event.seen(ahead[event.process]) for event in named}

    def is_overwritten(earlier: Event) -> bool:
        before = seen[earlier.value]
        if before.acknowledged_s is None:
            return False
        gaps = [
            seen[later.value].sent_s
            - before.acknowledged_s
            - (0 if later.process == earlier.process else MAX_CLOCK_DIFFERENCE_S)
            for later in named
            if later.is_right
        ]
        return any(gap > 0 for gap in gaps)

    expected = {event.value for event in named if not is_overwritten(event)}
    assert possible(*journals_of(named, ahead)) == expected


@given(
    st.lists(an_event(st.just("")), min_size=1, max_size=10),
    CLOCKS,
    st.integers(1, 20),
)
@settings(deadline=None, derandomize=True, max_examples=150)
def test_a_last_write_that_was_dropped_behind_a_right_answer_is_found(
    events: list[Event], ahead: list[int], pause: int
) -> None:
    """What all others were done with long before: the field holds one of theirs, or the first."""
    done = [
        Event(**{**vars(event), "value": f"{number}", "is_right": True, "applied": event.sent})
        for number, event in enumerate(events)
    ]
    long_after = max(event.over for event in done) + 2 * int(4 * MAX_CLOCK_DIFFERENCE_S) + pause
    dropped = Event(0, "dropped", long_after, None, long_after + 1, True, 0)
    assert allowed(journals_of([*done, dropped], ahead)) == {"dropped"}


# The sample.


@given(
    st.integers(0, 6),
    st.lists(st.integers(0, 2), max_size=25),
    st.randoms(use_true_random=False),
)
@example(2, [0, 0, 1, 1], None)
@settings(deadline=None, derandomize=True, max_examples=150)
def test_each_process_keeps_what_the_sample_of_all_of_them_needs(
    size: int, owners: list[int], random: object
) -> None:
    """Whoever knows what, and in whatever order it came to know it."""
    ids = [f"{number * 7919 % 1000:03}" for number in range(len(owners))]
    sample = heapq.nsmallest(size, ids)
    for process in range(3):
        known = [
            id_
            for id_, owner in zip(ids, owners, strict=True)
            if owner == process or random is None or random.random() < 0.5
        ]
        if random is not None:
            random.shuffle(known)
        history, written = WriteHistory(size), {}
        for number, id_ in enumerate(known):
            history.consider(id_)
            for device in known[: number + 1]:
                written[device] = Write(f"{process}/{number}", 2 * number, 2 * number + 1)
                history.add(device, FIELD, written[device])
        assert len(history.writes) == min(size, len(known))
        for id_ in set(sample) & set(known):
            assert history.writes[id_] == {FIELD: [written[id_]]}


def test_a_stranger_to_the_sample_leaves_nothing() -> None:
    history = WriteHistory(2)
    for id_ in ("C", "B", "A", "D"):
        history.consider(id_)
        history.add(id_, FIELD, Write("x", 1, 2))
    history.add("never seen", FIELD, Write("x", 1, 2))
    assert sorted(history.writes) == ["A", "B"]


def test_without_a_sample_nothing_is_kept() -> None:
    history = WriteHistory(0)
    history.consider("A")
    history.add("A", FIELD, Write("x", 1, 2))
    assert history.writes == {}

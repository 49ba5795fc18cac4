"""Numbers and durations as people write them, in `.env`, on the command line, and in make."""

from __future__ import annotations

import argparse
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import ConfigurationError
from harness.config.parsing import RUN_TIME_S, SEED, SPAWN_RATE, USERS, argument, duration_s, whole


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("90", 90),
        ("2.5", 2.5),
        (".5", 0.5),
        ("2.", 2),
        ("30s", 30),
        ("5m", 300),
        ("1h30m", 5400),
        ("1h1m1.5s", 3661.5),
        ("1m30", 90),
    ],
)
def test_a_duration_is_seconds_or_has_units(text: str, seconds: float) -> None:
    assert duration_s()(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "s", ".", "h", "-1", "+1", "1e3", "1,5", "inf", "nan", "30 s", "5m1h", "٣", "1_0"]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"write a duration such as"):
        duration_s()(text)


@pytest.mark.parametrize("text", ["9" * 400, "9" * 400 + "h", "0." + "9" * 400, "9" * 5000 + "m"])
def test_a_duration_too_long_to_be_meant_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"write a duration such as"):
        duration_s(is_whole=True)(text)


def test_bounds_of_a_duration_are_named() -> None:
    with pytest.raises(ConfigurationError, match=r"more than 0, at most 1h$"):
        duration_s(1e-9, 3600)("0")
    with pytest.raises(ConfigurationError, match=r"more than 0, at most 1h$"):
        duration_s(1e-9, 3600)("1h0m1s")


@pytest.mark.parametrize("text", ["0", "0s", "2.5", "2.5s", "soon"])
def test_a_run_time_is_in_whole_seconds_as_locust_wants_it(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"30s, 5m or 1h30m, at least 1s$"):
        RUN_TIME_S(text)
    assert str(RUN_TIME_S("1h30m")) == "5400"


@pytest.mark.parametrize("text", ["", "0", "-1", "1.0", "1e3", "²", "0x10", "1" * 101])
def test_users_are_a_whole_number(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^write a whole number, 1 or more$"):
        USERS(text)


@pytest.mark.parametrize("text", ["0", "-1", "inf", "nan", "fast", ""])
def test_a_spawn_rate_is_more_than_0(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^write users per second, more than 0$"):
        SPAWN_RATE(text)


def test_an_argument_names_the_text() -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=r"^9: write a whole number from 1 to 8$"):
        argument(whole(1, 8))("9")
    assert argument(whole(1, 8))("8") == 8


@given(st.integers(0, 10**20), st.floats(1e-3, 1e6))
def test_what_is_written_is_read(number: int, rate: float) -> None:
    assert SEED(str(number)) == number
    assert math.isclose(SPAWN_RATE(repr(rate)), rate)

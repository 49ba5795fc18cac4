"""Parse numbers and durations from `.env`, the command line, make and TOML; pure.

Invariant: a parser raises only a ConfigurationError, whose text says what to write; the caller
adds where the value came from.
"""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Callable
from typing import TypeVar

from harness import ConfigurationError

MAX_DIGITS = 100
"""Longest accepted text. int() refuses more than 4,300 digits, and float() ends at 1e308."""
DURATION = re.compile(
    r"(?=\d|\.\d)(?:(?P<hours>\d+)h)?(?:(?P<minutes>\d+)m)?(?:(?P<seconds>\d*\.?\d+|\d+\.)s?)?",
    re.ASCII,
)

T = TypeVar("T")
Parser = Callable[[str], T]


def whole(least: int, most: int | None = None) -> Parser[int]:
    """Return a parser of whole numbers from `least` to `most`, written as ASCII digits only."""
    bounds = f" from {least} to {most}" if most is not None else f", {least} or more"

    def parse(text: str) -> int:
        is_number = text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS
        if not is_number or int(text) < least or (most is not None and int(text) > most):
            raise ConfigurationError(f"write a whole number{bounds}")
        return int(text)

    return parse


def decimal(what: str, least: float, *, is_above: bool = False) -> Parser[float]:
    """Return a parser of finite numbers from `least` up; with `is_above`, `least` is refused.

    `what` names the quantity in the error message.
    """
    bounds = f"more than {least:g}" if is_above else f"{least:g} or more"

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value) or value < least or (is_above and value == least):
            raise ConfigurationError(f"write {what}, {bounds}")
        return value

    return parse


def duration_s(
    least: float = 0.0, most: float = math.inf, *, is_whole: bool = False
) -> Parser[float]:
    """Return a parser of durations such as 90, 2.5, 30s, 5m or 1h30m; its result is in seconds.

    With `is_whole`, fractions of a second are refused, as Locust's `--run-time` refuses them.
    """
    example = "30s, 5m or 1h30m" if is_whole else "30s, 2.5s or 1m30s"
    lower = ", more than 0" if 0 < least < 1 else f", at least {least:g}s" if least else ""
    upper = f", at most {most / 3600:g}h" if math.isfinite(most) else ""

    def parse(text: str) -> float:
        found = DURATION.fullmatch(text) if len(text) <= MAX_DIGITS else None
        seconds = math.nan
        if found is not None:
            hours, minutes = int(found["hours"] or 0), int(found["minutes"] or 0)
            seconds = hours * 3600 + minutes * 60 + float(found["seconds"] or 0)
        # NaN, which stands for no duration, fails the first comparison.
        if not least <= seconds <= most or (is_whole and seconds != int(seconds)):
            raise ConfigurationError(f"write a duration such as {example}{lower}{upper}")
        return int(seconds) if is_whole else seconds

    return parse


def argument(parse: Parser[T]) -> Parser[T]:
    """Return a parser for argparse's `type`, whose error message shows the given text."""

    def parse_argument(text: str) -> T:
        try:
            return parse(text)
        except ConfigurationError as error:
            raise argparse.ArgumentTypeError(f"{text}: {error}") from None

    return parse_argument


POSITIVE_S = 1e-9
"""A lower bound in seconds that excludes only 0."""

USERS = whole(1)
SPAWN_RATE = decimal("users per second", 0, is_above=True)
RUN_TIME_S = duration_s(1, is_whole=True)
SEED = whole(0)

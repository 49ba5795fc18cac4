"""Rows of a timeline, made up."""

from __future__ import annotations

from msgspec import structs

from harness.results.timeline import Second

SEARCH, PUT = ("GET", "/notice/all?q"), ("PUT", "/accounts/device alarm")
START = 1_800_000_000


def second(number: int, users: int = 3, target_users: int = 3, **given: object) -> Second:
    """Return the row of a second, counted from START, with other values where given."""
    usual = Second(
        second=START + number,
        users=users,
        target_users=target_users,
        requests=2,
        failures=1,
        p50_ms=1.5,
        p95_ms=2.5,
        p99_ms=2.501,
        cpu_percent=12.5,
        lag_ms=0.25,
    )
    return structs.replace(usual, **given)


EMPTY = dict.fromkeys(("p50_ms", "p95_ms", "p99_ms", "cpu_percent", "lag_ms"))

"""The values a process reports about a second or a run; those of several processes add up."""

from __future__ import annotations

from typing import TypeVar

from hdrh.histogram import HdrHistogram
from msgspec import Struct

Counts = TypeVar("Counts", bound=Struct)

Key = tuple[str, str]
"""Method and name of an endpoint, as in Locust's statistics."""


class Interval(Struct, frozen=True):
    """The requests of one process to one endpoint whose responses came in one second.

    Attributes:
        second: start of the second, in whole seconds since the epoch.
        method: HTTP method.
        name: the endpoint's name in the statistics.
        histogram: response times of all requests in µs; encoded only on the way to a master.
        failed: those of the failed requests; None if there are none.
    """

    second: int
    method: str
    name: str
    histogram: HdrHistogram
    failed: HdrHistogram | None


class Failure(Struct, frozen=True):
    """A row of `failures.csv`: failures of one kind; times are in seconds since the epoch."""

    method: str
    name: str
    error: str
    count: int
    first_seen_s: float
    last_seen_s: float

    def __add__(self, other: Failure) -> Failure:
        return Failure(
            self.method,
            self.name,
            self.error,
            self.count + other.count,
            min(self.first_seen_s, other.first_seen_s),
            max(self.last_seen_s, other.last_seen_s),
        )


class ProcessSample(Struct, frozen=True):
    """The state of a process in one second.

    Attributes:
        second: start of the second, in whole seconds since the epoch.
        cpu_percent: CPU time as a share of one core.
        lag_ms: worst event-loop lag of about 50 measurements.
        users: users running in the process at the end of the second.
    """

    second: int
    cpu_percent: float
    lag_ms: float
    users: int = 0


class Report(Struct, frozen=True):
    """What a process recorded since its last report; times are by its own clock.

    Attributes:
        until: the first second of which more may follow, in seconds since the epoch.
        run: name of the run; empty if there is only one process.
        number: number of the report among those of this process in the run, from 1.
        sent_s: when a worker sent it, in seconds since the epoch.
        written_s: the same moment by the clock of its write history, which is never adjusted.
    """

    intervals: list[Interval] = []
    failures: list[Failure] = []
    process_samples: list[ProcessSample] = []
    until: int = 0
    run: str = ""
    number: int = 0
    sent_s: float | None = None
    written_s: float | None = None


def added(one: Counts, other: Counts) -> Counts:
    """Return the field-by-field sum of two structs."""
    names = one.__struct_fields__
    return type(one)(**{name: getattr(one, name) + getattr(other, name) for name in names})


class ConnectionCounts(Struct, kw_only=True):
    """What the users' connections cost; counted by our own session only.

    Attributes:
        opened: connections opened.
        reconnects: kept-alive connections that the server had closed, except before a POST.
        connecting_ms: total time spent connecting, which is part of the response times too.
    """

    opened: int = 0
    reconnects: int = 0
    connecting_ms: float = 0.0

    __add__ = added

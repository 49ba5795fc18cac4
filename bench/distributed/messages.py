"""Counts of the messages between master and workers, by type of message.

Bytes are those of Locust's serialized messages, without ZeroMQ's frames or TCP and IP headers.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from harness.distributed.messages import (
    DEVICES,
    MEASURED,
    REGISTERED,
    REPORT_ACCEPTED,
    RESERVE,
    RESERVED,
)

STATS = "stats"
OWN = f"{MEASURED}."
LOCUSTS = "locust"
SHARING = frozenset({RESERVE, RESERVED, DEVICES, REPORT_ACCEPTED})
"""Types of the suite's messages about shared devices; reports carry more under `REGISTERED`."""


class Amount(Struct, frozen=True):
    """A number of messages and their total size in bytes."""

    messages: int = 0
    bytes: int = 0

    def __add__(self, other: Amount) -> Amount:
        """Add number and size."""
        return Amount(self.messages + other.messages, self.bytes + other.bytes)

    def __sub__(self, other: Amount) -> Amount:
        """Subtract number and size."""
        return Amount(self.messages - other.messages, self.bytes - other.bytes)


Amounts = dict[str, Amount]
"""Amounts by type of message."""


class Counts(Struct, frozen=True):
    """What one process has sent and received so far.

    Attributes:
        at_s: time of the counts, in seconds since the epoch.
        cpu_s: CPU time of the process with all its threads.
        sent: messages sent.
        received: messages received.
        parts: bytes of the reports sent (`stats`), by part: Locust's and each of the suite's.
        histograms: number of histograms in the reports, one per second and called endpoint.
    """

    at_s: float = 0.0
    cpu_s: float = 0.0
    sent: Amounts = {}
    received: Amounts = {}
    parts: dict[str, int] = {}
    histograms: int = 0

    def since(self, earlier: Counts) -> Counts:
        """Return the difference to earlier counts; `at_s` becomes the time between the two."""
        return Counts(
            self.at_s - earlier.at_s,
            self.cpu_s - earlier.cpu_s,
            minus(self.sent, earlier.sent),
            minus(self.received, earlier.received),
            {part: size - earlier.parts.get(part, 0) for part, size in self.parts.items()},
            self.histograms - earlier.histograms,
        )

    def __add__(self, other: Counts) -> Counts:
        """Add the counts of another process; keep the later time."""
        names = {**self.parts, **other.parts}
        return Counts(
            max(self.at_s, other.at_s),
            self.cpu_s + other.cpu_s,
            plus(self.sent, other.sent),
            plus(self.received, other.received),
            {part: self.parts.get(part, 0) + other.parts.get(part, 0) for part in names},
            self.histograms + other.histograms,
        )


def plus(some: Amounts, more: Amounts) -> Amounts:
    """Add amounts by type."""
    return {name: some.get(name, Amount()) + more.get(name, Amount()) for name in {**some, **more}}


def minus(some: Amounts, less: Amounts) -> Amounts:
    """Subtract amounts by type; leave out types without new messages."""
    left = {name: amount - less.get(name, Amount()) for name, amount in some.items()}
    return {name: amount for name, amount in left.items() if amount.messages}


def total(amounts: Amounts) -> Amount:
    """Return the sum over all types."""
    return sum(amounts.values(), Amount())


def sharing(amounts: Amounts) -> Amount:
    """Return the sum over the messages about shared devices."""
    return sum((amount for name, amount in amounts.items() if name in SHARING), Amount())


def sharing_bytes(parts: Mapping[str, int]) -> int:
    """Return the bytes of the reports that are about shared devices."""
    return parts.get(REGISTERED, 0)

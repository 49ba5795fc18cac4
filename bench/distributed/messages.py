"""What master and workers send each other, by type of message.

Bytes are those of Locust's messages as handed to ZeroMQ: without its frames and without the
headers of TCP and IP.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from harness.messages import DEVICES, MEASURED, REGISTERED, RESERVE, RESERVED, TAKEN

STATS = "stats"
OWN = f"{MEASURED}."
LOCUSTS = "locust"
SHARING = frozenset({RESERVE, RESERVED, DEVICES, TAKEN})
"""The suite's messages about devices; the key `REGISTERED` of reports is about them too."""


class Amount(Struct, frozen=True):
    """Some messages, and their bytes in total."""

    messages: int = 0
    bytes: int = 0

    def __add__(self, other: Amount) -> Amount:
        """Add."""
        return Amount(self.messages + other.messages, self.bytes + other.bytes)

    def __sub__(self, other: Amount) -> Amount:
        """Subtract."""
        return Amount(self.messages - other.messages, self.bytes - other.bytes)


Amounts = dict[str, Amount]
"""By type of message."""


class Counts(Struct, frozen=True):
    """What one process has sent and received so far.

    Attributes:
        at_s: when, seconds since the epoch.
        cpu_s: CPU time of the process, all its threads.
        sent: messages by type.
        received: likewise.
        parts: bytes of the reports sent (`stats`): Locust's part, and each of the suite's.
        histograms: how many of them the reports held, one a second and endpoint that was called.
    """

    at_s: float = 0.0
    cpu_s: float = 0.0
    sent: Amounts = {}
    received: Amounts = {}
    parts: dict[str, int] = {}
    histograms: int = 0

    def since(self, earlier: Counts) -> Counts:
        """Return the difference; `at_s` is the time between the two."""
        return Counts(
            self.at_s - earlier.at_s,
            self.cpu_s - earlier.cpu_s,
            minus(self.sent, earlier.sent),
            minus(self.received, earlier.received),
            {part: size - earlier.parts.get(part, 0) for part, size in self.parts.items()},
            self.histograms - earlier.histograms,
        )

    def __add__(self, other: Counts) -> Counts:
        """Add the counts of another process."""
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
    """Add, type by type."""
    return {name: some.get(name, Amount()) + more.get(name, Amount()) for name in {**some, **more}}


def minus(some: Amounts, less: Amounts) -> Amounts:
    """Subtract, type by type; leave out types without new messages."""
    left = {name: amount - less.get(name, Amount()) for name, amount in some.items()}
    return {name: amount for name, amount in left.items() if amount.messages}


def total(amounts: Amounts) -> Amount:
    """Add all types."""
    return sum(amounts.values(), Amount())


def sharing(amounts: Amounts) -> Amount:
    """Add the messages that share devices."""
    return sum((amount for name, amount in amounts.items() if name in SHARING), Amount())


def sharing_bytes(parts: Mapping[str, int]) -> int:
    """Return how many bytes of the reports share devices."""
    return parts.get(REGISTERED, 0)

"""Counts what master and workers send each other, by type of message, where it is made and read.

Bytes are those of locust's messages as they are given to ZeroMQ: without its frames, and without
the headers of TCP and IP.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgpack
import msgspec
from msgspec import Struct

from harness import ConfigurationError
from harness.lifecycle import FINISH, FINISHED, REPORT

STATS = "stats"
OWN = f"{REPORT}."
LOCUSTS = "locust"
END_MESSAGES = frozenset({FINISH, FINISHED})
"""Our messages that end a run; every other one shares devices."""
MEASURED_FIELDS = frozenset({"intervals", "failures", "health", "sent_s"})
"""What a report of ours holds that has to do with measuring; every other field shares devices."""


class Amount(Struct, frozen=True):
    """Some messages, and their bytes together."""

    messages: int = 0
    bytes: int = 0

    def __add__(self, other: Amount) -> Amount:
        """Add."""
        return Amount(self.messages + other.messages, self.bytes + other.bytes)

    def __sub__(self, other: Amount) -> Amount:
        """Return what came after another."""
        return Amount(self.messages - other.messages, self.bytes - other.bytes)


Amounts = dict[str, Amount]
"""By type of message."""


class Look(Struct, frozen=True):
    """What one process has sent and received so far.

    Attributes:
        at_s: when, seconds since the epoch.
        cpu_s: CPU time of the process, of all its threads.
        sent: messages by type.
        received: likewise.
        parts: bytes of the reports sent (`stats`): those of locust, and of each field of ours.
        intervals: how many histograms these held, one a second and endpoint that was hit.
    """

    at_s: float = 0.0
    cpu_s: float = 0.0
    sent: Amounts = {}
    received: Amounts = {}
    parts: dict[str, int] = {}
    intervals: int = 0

    def since(self, earlier: Look) -> Look:
        """Return what came after an earlier look; `at_s` is how long that took."""
        return Look(
            self.at_s - earlier.at_s,
            self.cpu_s - earlier.cpu_s,
            minus(self.sent, earlier.sent),
            minus(self.received, earlier.received),
            {part: size - earlier.parts.get(part, 0) for part, size in self.parts.items()},
            self.intervals - earlier.intervals,
        )

    def __add__(self, other: Look) -> Look:
        """Add what another process has sent and received."""
        names = {**self.parts, **other.parts}
        return Look(
            max(self.at_s, other.at_s),
            self.cpu_s + other.cpu_s,
            plus(self.sent, other.sent),
            plus(self.received, other.received),
            {part: self.parts.get(part, 0) + other.parts.get(part, 0) for part in names},
            self.intervals + other.intervals,
        )


def plus(some: Amounts, more: Amounts) -> Amounts:
    """Add, type by type."""
    return {name: some.get(name, Amount()) + more.get(name, Amount()) for name in {**some, **more}}


def minus(some: Amounts, less: Amounts) -> Amounts:
    """Subtract, type by type; what did not grow is left out."""
    left = {name: amount - less.get(name, Amount()) for name, amount in some.items()}
    return {name: amount for name, amount in left.items() if amount.messages}


def total(amounts: Amounts) -> Amount:
    """Add all types up."""
    return sum(amounts.values(), Amount())


def shares_devices(message: str) -> bool:
    """Say whether messages of this type are about devices that workers share."""
    return message.startswith(OWN) and message not in END_MESSAGES


def is_of_devices(part: str) -> bool:
    """Say whether this part of a report is about devices that workers share."""
    return part.startswith(OWN) and part.removeprefix(OWN) not in MEASURED_FIELDS


def sharing(amounts: Amounts) -> Amount:
    """Add the messages up that share devices."""
    return sum((a for name, a in amounts.items() if shares_devices(name)), Amount())


def sharing_bytes(parts: Mapping[str, int]) -> int:
    """Return how many bytes of the reports share devices."""
    return sum(size for part, size in parts.items() if is_of_devices(part))


class Counter:
    """Counts the messages of this process from now on."""

    def __init__(self) -> None:
        """Stand between locust and its messages."""
        from locust.rpc.protocol import Message

        self._sent: dict[str, list[int]] = {}
        self._received: dict[str, list[int]] = {}
        self._parts: dict[str, int] = {}
        self._intervals = 0
        self._report = b""
        serialize, unserialize = Message.serialize, Message.unserialize

        def counted_serialize(message: Any) -> bytes:
            data: bytes = serialize(message)  # type: ignore[no-untyped-call]
            _count(self._sent, message.type, len(data))
            if message.type == STATS:
                self._count_parts(message.data, len(data))
                self._report = data
            return data

        def counted_unserialize(_class: type[Message], data: bytes) -> Message:
            message: Message = unserialize(data)  # type: ignore[no-untyped-call]
            _count(self._received, message.type, len(data))
            return message

        Message.serialize = counted_serialize  # type: ignore[method-assign]
        Message.unserialize = classmethod(counted_unserialize)  # type: ignore[assignment,method-assign]

    def look(self) -> Look:
        """Return what was counted so far."""
        return Look(
            time.time(),
            time.process_time(),
            {name: Amount(*counts) for name, counts in self._sent.items()},
            {name: Amount(*counts) for name, counts in self._received.items()},
            dict(self._parts),
            self._intervals,
        )

    def write(self, path: Path) -> None:
        """Append a look to a file, a line of JSON in one piece, and keep the last report by it."""
        if self._report:
            path.with_suffix(".report").write_bytes(self._report)
        with path.open("ab", buffering=0) as stream:
            stream.write(msgspec.json.encode(self.look()) + b"\n")

    def _count_parts(self, data: dict[str, Any], size: int) -> None:
        self._intervals += len(data.get(REPORT, {}).get("intervals", ()))
        for part, part_size in parts_of(data, size).items():
            self._parts[part] = self._parts.get(part, 0) + part_size


def parts_of(report: dict[str, Any], size: int) -> dict[str, int]:
    """Return the bytes of our fields of a report that has `size` in all; the rest is locust's."""
    fields: dict[str, Any] = report.get(REPORT, {})
    parts = {
        OWN + field: len(_packed(field)) + len(_packed(content))
        for field, content in fields.items()
    }
    return {LOCUSTS: size - sum(parts.values()), **parts}


def own_part(message: bytes) -> tuple[int, int, dict[str, int]]:
    """Return how many histograms and requests a message with a report holds, and its parts."""
    _, report, _ = msgpack.loads(message, raw=False, strict_map_key=False)
    requests = report["stats_total"]["num_requests"]
    return len(report[REPORT]["intervals"]), requests, parts_of(report, len(message))


def _packed(content: object) -> bytes:
    packed: bytes = msgpack.dumps(content)
    return packed


def _count(counts: dict[str, list[int]], message: str, size: int) -> None:
    known = counts.setdefault(message, [0, 0])
    known[0] += 1
    known[1] += size


def read_looks(path: Path) -> list[Look]:
    """Read what `Counter.write` wrote so far, without a last line that is not finished.

    Raises:
        ConfigurationError: the lines are of another version of the bench.
    """
    if not path.exists():
        return []
    finished, _, _ = path.read_bytes().rpartition(b"\n")
    try:
        return [msgspec.json.decode(line, type=Look) for line in finished.splitlines()]
    except msgspec.DecodeError as error:
        raise ConfigurationError(f"cannot read {path.name}: {error}") from None

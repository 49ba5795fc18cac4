"""Counts the messages of the process it runs in, where Locust serializes and parses them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from locust.rpc.protocol import Message

import msgpack
import msgspec

from bench.distributed.messages import LOCUSTS, OWN, STATS, Amount, Counts
from harness import ConfigurationError
from harness.distributed.messages import MEASURED, REGISTERED


class Counter:
    """Counts the messages of this process from its creation on."""

    def __init__(self) -> None:
        """Wrap Locust's serialization of messages."""
        self._sent: dict[str, Amount] = {}
        self._received: dict[str, Amount] = {}
        self._parts: dict[str, int] = {}
        self._histograms = 0
        serialize, unserialize = Message.serialize, Message.unserialize

        def counted_serialize(message: Any) -> bytes:
            data: bytes = serialize(message)  # type: ignore[no-untyped-call]
            _count(self._sent, message.type, len(data))
            if message.type == STATS:
                self._count_parts(message.data, len(data))
            return data

        def counted_unserialize(_class: type[Message], data: bytes) -> Message:
            message: Message = unserialize(data)  # type: ignore[no-untyped-call]
            _count(self._received, message.type, len(data))
            return message

        Message.serialize = counted_serialize  # type: ignore[method-assign]
        Message.unserialize = classmethod(counted_unserialize)  # type: ignore[assignment,method-assign]

    def counts(self) -> Counts:
        """Return the counts so far."""
        return Counts(
            time.time(),
            time.process_time(),
            dict(self._sent),
            dict(self._received),
            dict(self._parts),
            self._histograms,
        )

    def write(self, path: Path) -> None:
        """Append the counts so far to a file as one line of JSON."""
        with path.open("ab", buffering=0) as stream:  # one write per line
            stream.write(msgspec.json.encode(self.counts()) + b"\n")

    def _count_parts(self, report: dict[str, Any], size: int) -> None:
        # The suite packs its parts of a report; the rest of the bytes are Locust's.
        own: dict[str, Any] = report.get(MEASURED, {})
        self._histograms += len(own.get("intervals", ()))
        parts = {OWN + field: _size(field, content) for field, content in own.items()}
        if REGISTERED in report:
            parts[REGISTERED] = _size(REGISTERED, report[REGISTERED])
        parts[LOCUSTS] = size - sum(parts.values())
        for part, part_size in parts.items():
            self._parts[part] = self._parts.get(part, 0) + part_size


def _size(key: str, content: object) -> int:
    return len(msgpack.dumps(key)) + len(msgpack.dumps(content))


def _count(counts: dict[str, Amount], message: str, size: int) -> None:
    counts[message] = counts.get(message, Amount()) + Amount(1, size)


def read_counts(path: Path) -> list[Counts]:
    """Read what `Counter.write` has written so far, without an unfinished last line.

    Raises:
        ConfigurationError: another version of the bench wrote the lines.
    """
    if not path.exists():
        return []
    finished, _, _ = path.read_bytes().rpartition(b"\n")
    try:
        return [msgspec.json.decode(line, type=Counts) for line in finished.splitlines()]
    except msgspec.DecodeError as error:
        raise ConfigurationError(f"cannot read {path.name}: {error}") from None

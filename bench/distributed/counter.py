"""Counts the messages of a process where locust makes and reads them; to be put into it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from locust.rpc.protocol import Message

import msgpack
import msgspec
from msgspec import Struct

from bench.distributed.messages import LOCUSTS, OWN, STATS, Amount, Look
from harness import ConfigurationError
from harness.messages import HELLO, MEASURED, REGISTERED


class Words(Struct):
    """What a worker has said, as locust's messages: its hello, and its last report."""

    hello: bytes = b""
    report: bytes = b""


class Counter:
    """Counts the messages of this process from now on."""

    def __init__(self) -> None:
        """Stand between locust and its messages."""
        self._sent: dict[str, list[int]] = {}
        self._received: dict[str, list[int]] = {}
        self._parts: dict[str, int] = {}
        self._intervals = 0
        self._words = Words()
        serialize, unserialize = Message.serialize, Message.unserialize

        def counted_serialize(message: Any) -> bytes:
            data: bytes = serialize(message)  # type: ignore[no-untyped-call]
            _count(self._sent, message.type, len(data))
            if message.type == STATS:
                self._count_parts(message.data, len(data))
                self._words.report = data
            elif message.type == HELLO:
                self._words.hello = data
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
        """Append a look to a file, a line of JSON in one piece; a worker's words go beside it."""
        if self._words.report:
            path.with_suffix(".words").write_bytes(msgspec.msgpack.encode(self._words))
        with path.open("ab", buffering=0) as stream:
            stream.write(msgspec.json.encode(self.look()) + b"\n")

    def _count_parts(self, data: dict[str, Any], size: int) -> None:
        self._intervals += len(data.get(MEASURED, {}).get("intervals", ()))
        for part, part_size in parts_of(data, size).items():
            self._parts[part] = self._parts.get(part, 0) + part_size


def parts_of(report: dict[str, Any], size: int) -> dict[str, int]:
    """Return the bytes of our parts of a report that has `size` in all; the rest is locust's."""
    fields: dict[str, Any] = report.get(MEASURED, {})
    parts = {OWN + field: _size(field, content) for field, content in fields.items()}
    if REGISTERED in report:
        parts[REGISTERED] = _size(REGISTERED, report[REGISTERED])
    return {LOCUSTS: size - sum(parts.values()), **parts}


def own_part(message: bytes) -> tuple[int, int, dict[str, int]]:
    """Return how many histograms and requests a message with a report holds, and its parts."""
    _, report, _ = msgpack.loads(message, raw=False, strict_map_key=False)
    requests = report["stats_total"]["num_requests"]
    return len(report[MEASURED]["intervals"]), requests, parts_of(report, len(message))


def _size(key: str, content: object) -> int:
    return len(msgpack.dumps(key)) + len(msgpack.dumps(content))


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

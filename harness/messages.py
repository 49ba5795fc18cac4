"""What the master and its workers say to each other, besides what locust lets them say.

A worker says hello when it is there, or is asked to; it asks for numbers for its devices, and says
with each of its reports which devices it has registered. The master refuses a worker that would
not do what the others do, reserves numbers, says which report it has taken, passes devices on, and
in the end asks for last words.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
from hdrh.histogram import HdrHistogram
from msgspec import Struct

from harness import histograms
from harness.devices import Handover
from harness.ledger import Ranges
from harness.runfolder import ConnectionCounts

HELLO = "notice_load.hello"
REFUSED = "notice_load.refused"
RESERVE = "notice_load.reserve"
RESERVED = "notice_load.reserved"
TAKEN = "notice_load.taken"
DEVICES = "notice_load.devices"
FINISH = "notice_load.finish"
FINISHED = "notice_load.finished"

MEASURED = "notice_load"
REGISTERED = "notice_load.registered"
"""Keys of what rides on locust's own reports of a worker."""


class Refused(Struct, frozen=True):
    """A worker may not take part; `reason` says why in a sentence."""

    reason: str


class Reservation(Struct, frozen=True):
    """Asks that numbers of a worker's devices be reserved for a run; the answer is the same."""

    run: str
    first: int
    last: int


class Registered(Struct, frozen=True):
    """Devices that a worker has registered since its last report."""

    numbers: Ranges


class Taken(Struct, frozen=True):
    """The master has taken a report of a run that goes on: its sender's users may go on, too."""

    run: str
    report: int


class Known(Struct, frozen=True):
    """Devices of the others, as (worker, first number, last number)."""

    run: str
    devices: list[tuple[int, int, int]]


class Finish(Struct, frozen=True):
    """Asks a worker to stop its users of a run, and for a last word."""

    run: str


class Finished(Struct, frozen=True):
    """A worker's last word: its users have stopped, and all that they did has been reported.

    It has sent so many `reports` of that `run`. When it never had users, `devices` is None, and
    `run` empty unless it was asked of one: such a word may be older than the run that goes on.
    One that `gave_up` stopped its users because it could not know whether the run went on.
    """

    run: str = ""
    reports: int = 0
    devices: Handover | None = None
    connections: ConnectionCounts = msgspec.field(default_factory=ConnectionCounts)
    gave_up: bool = False


T = TypeVar("T")


def packed(message: Struct) -> dict[str, Any]:
    """Return what locust can send."""
    content: dict[str, Any] = msgspec.to_builtins(
        message,
        builtin_types=(bytes,),
        enc_hook=HdrHistogram.encode,
    )
    return content


def unpacked(content: Any, kind: type[T]) -> T:
    """Return what was sent, or raise a `msgspec.ValidationError`."""
    return msgspec.convert(content, kind, dec_hook=lambda _, encoded: histograms.decoded(encoded))

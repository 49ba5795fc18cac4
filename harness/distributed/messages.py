"""The messages between master and workers, in addition to Locust's own.

A worker sends HELLO when it connects or is asked to, RESERVE to get numbers for its devices, and
the devices it has registered with each of its reports. The master sends REFUSED to a worker that
would not do what the others do, RESERVED and REPORT_ACCEPTED in reply to reservations and reports,
DEVICES with the devices of the others, and at the end FINISH, which the worker answers with its
final report, FINISHED.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
from hdrh.histogram import HdrHistogram
from msgspec import Struct

from harness.devices.ledger import Ranges
from harness.devices.pool import DeviceReport
from harness.recording import histograms
from harness.recording.samples import ConnectionCounts

HELLO = "notice_load.hello"
REFUSED = "notice_load.refused"
RESERVE = "notice_load.reserve"
RESERVED = "notice_load.reserved"
REPORT_ACCEPTED = "notice_load.taken"
DEVICES = "notice_load.devices"
FINISH = "notice_load.finish"
FINISHED = "notice_load.finished"

MEASURED = "notice_load"
REGISTERED = "notice_load.registered"
"""MEASURED and REGISTERED are the keys of our data in Locust's own reports of a worker."""


class Refused(Struct, frozen=True):
    """The worker may not take part; `reason` is a sentence."""

    reason: str


class Reservation(Struct, frozen=True):
    """Requests numbers for a worker's devices in a run; the reply has the same content."""

    run: str
    first: int
    last: int


class Registered(Struct, frozen=True):
    """Devices that a worker has registered since its last report."""

    numbers: Ranges


class ReportAccepted(Struct, frozen=True):
    """The master has accepted a report of the current run, which renews the worker's lease."""

    run: str
    report: int


class KnownDevices(Struct, frozen=True):
    """Devices of other workers, as (worker, first number, last number)."""

    run: str
    devices: list[tuple[int, int, int]]


class Finish(Struct, frozen=True):
    """Asks a worker to stop its users of a run and to send its final report."""

    run: str


class Finished(Struct, frozen=True):
    """A worker's final report: its users have stopped, and everything they did has been reported.

    Attributes:
        run: the run; empty if the worker never had users and was not asked about a run. Such a
            report may be older than the current run.
        reports: how many reports of the run the worker has sent.
        devices: None if it never had users.
        connections: what its users' connections cost.
        lease_expired: it stopped its users because it could not know whether the run went on.
    """

    run: str = ""
    reports: int = 0
    devices: DeviceReport | None = None
    connections: ConnectionCounts = msgspec.field(default_factory=ConnectionCounts)
    lease_expired: bool = False


T = TypeVar("T")


def packed(message: Struct) -> dict[str, Any]:
    """Return a message as built-in types, which Locust can send."""
    content: dict[str, Any] = msgspec.to_builtins(
        message,
        builtin_types=(bytes,),
        enc_hook=HdrHistogram.encode,
    )
    return content


def unpacked(content: Any, kind: type[T]) -> T:
    """Return a message that was sent by `packed`.

    Raises:
        msgspec.ValidationError: the content is of another kind.
    """
    return msgspec.convert(content, kind, dec_hook=lambda _, encoded: histograms.decoded(encoded))

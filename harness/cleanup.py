"""What comes after the users: devices are read back, then deleted, and what is left is counted.

Nothing of this enters the statistics; it is bounded in time and rate, whatever the server does.
"""

from __future__ import annotations

import heapq
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import NamedTuple

import gevent

from harness import contract, errands
from harness.audit import read_back
from harness.devices import Handover, device_id
from harness.ledger import Ledger, numbers_in
from harness.origin import Origin
from harness.runfolder import Audit, DeviceCounts
from harness.session import Session
from harness.settings import Settings

DOUBT_POLL_S = 1.0
ROWS_AT_ONCE = 100


class Numbered(NamedTuple):
    """A device by the process that counted it."""

    worker: int
    number: int


class Swept(NamedTuple):
    """Ids of devices that the server has deleted, and of those that it did not know."""

    deleted: set[str]
    absent: set[str]


def conclude(
    base_url: str,
    seed: int,
    handovers: Sequence[Handover],
    ledger: Ledger,
    settings: Settings,
    *,
    is_all_known: bool = True,
) -> tuple[DeviceCounts, Audit | None]:
    """Read a sample of a run's devices back, delete all, and count.

    Args:
        base_url: of the server.
        seed: of the run.
        handovers: of all processes that took part; no user writes any more.
        ledger: of the run.
        settings: of the run.
        is_all_known: whether each process has handed over its devices itself.

    Returns:
        The counts, and what was found; None when there was nothing to read.
    """
    origin = Origin(base_url, settings)
    used = identified(seed, {each.worker: range(each.used) for each in handovers})
    confirmed = set(
        identified(seed, {each.worker: numbers_in(each.confirmed) for each in handovers})
    )
    audit = None
    if confirmed and settings.audit_sample:
        sample = heapq.nsmallest(settings.audit_sample, confirmed)
        journals = [each.writes for each in handovers] if is_all_known else None
        audit = read_back(origin, sample, journals, settings)
    for each in handovers:
        ledger.give_back(each.worker, each.used)
    if settings.keep_devices:
        counts = DeviceCounts(registered=len(confirmed), deleted=0, left_behind=len(confirmed))
        return counts, audit
    doubtful = used.keys() - confirmed
    settled_s = time.monotonic() + settings.answer_timeout_s
    swept = sweep(origin, used, doubtful, settled_s, ledger, settings)
    counts = DeviceCounts(
        registered=len(confirmed | swept.deleted),
        deleted=len(swept.deleted | (swept.absent & confirmed)),
        left_behind=len(used) - len(swept.deleted) - len(swept.absent),
    )
    return counts, audit


def sweep(
    origin: Origin,
    devices: Mapping[str, Numbered],
    doubtful: Set[str],
    settled_s: float,
    ledger: Ledger,
    settings: Settings,
) -> Swept:
    """Delete devices from the server and strike them off the ledger, within `cleanup_timeout_s`.

    Args:
        origin: of the server.
        devices: by id.
        doubtful: those whose registration nobody has confirmed: the server may still be at work
            on it, so that "not found" means nothing yet.
        settled_s: until when, in seconds of `time.monotonic`; they are asked for again until then.
        ledger: of the run.
        settings: of the run.
    """
    swept = Swept(set(), set())
    to_strike: list[Numbered] = []

    def strike_off() -> None:
        by_worker = defaultdict(list)
        for device in to_strike:
            by_worker[device.worker].append(device.number)
        to_strike.clear()
        for worker, numbers in by_worker.items():
            ledger.strike_off(worker, numbers)

    def delete(session: Session, id_: str) -> None:
        is_settled = id_ not in doubtful or time.monotonic() > settled_s
        request = contract.unregister(id_)
        status, _ = session.ask(request)
        if status == request.endpoint.status:
            swept.deleted.add(id_)
        elif status == 404 and is_settled:
            swept.absent.add(id_)
        else:
            return
        to_strike.append(devices[id_])
        if len(to_strike) >= ROWS_AT_ONCE:
            strike_off()

    latest_s = time.monotonic() + settings.cleanup_timeout_s
    left: list[str] = list(devices)
    try:
        while left and (time_s := latest_s - time.monotonic()) > 0:
            is_last = time.monotonic() > settled_s
            errands.run(origin, left, delete, per_s=settings.cleanup_per_s, timeout_s=time_s)
            left = [id_ for id_ in left if id_ not in swept.deleted and id_ not in swept.absent]
            if is_last or not doubtful & set(left):
                break  # what else is left was refused: asking again is for another day
            gevent.sleep(DOUBT_POLL_S)
    finally:
        strike_off()
    return swept


def identified(seed: int, numbers_of: Mapping[int, Iterable[int]]) -> dict[str, Numbered]:
    """Return devices by their ids."""
    return {
        device_id(seed, worker, number): Numbered(worker, number)
        for worker, numbers in numbers_of.items()
        for number in numbers
    }

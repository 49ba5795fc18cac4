"""What comes after the users: devices are read back, then deleted, and what is left is counted.

Nothing of this enters the statistics; it is bounded in time and rate, whatever the server does.
"""

from __future__ import annotations

import heapq
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
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

logger = logging.getLogger(__name__)


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
) -> tuple[DeviceCounts, Audit | None]:
    """Read a sample of a run's devices back, delete all, and count.

    `handovers` are those of all processes that took part; no user writes any more. The audit is
    None when there was nothing to read.
    """
    origin = Origin(base_url, settings)
    used = identified(seed, {each.worker: range(each.used) for each in handovers})
    confirmed = set(
        identified(seed, {each.worker: numbers_in(each.confirmed) for each in handovers})
    )
    audit = None
    if confirmed and settings.audit_sample:
        sample = heapq.nsmallest(settings.audit_sample, confirmed)
        journals = [each.writes for each in handovers if each.writes is not None]
        are_known = len(journals) == len(handovers)
        audit = read_back(origin, sample, journals if are_known else None, settings)
    for each in handovers:
        ledger.give_back(each.worker, each.used)
    if settings.keep_devices:
        counts = DeviceCounts(registered=len(confirmed), deleted=0, left_behind=len(used))
        return counts, audit
    latest_s = time.monotonic() + settings.answer_timeout_s
    settled_s = {each.worker: latest_s - each.quiet_s for each in handovers}
    doubts = {id_: settled_s[used[id_].worker] for id_ in used.keys() - confirmed}
    swept = sweep(origin, used, doubts, ledger, settings)
    counts = DeviceCounts(
        registered=len(confirmed | swept.deleted),
        deleted=len(swept.deleted | (swept.absent & confirmed)),
        left_behind=len(used) - len(swept.deleted) - len(swept.absent),
    )
    return counts, audit


def sweep(
    origin: Origin,
    devices: Mapping[str, Numbered],
    doubts: Mapping[str, float],
    ledger: Ledger,
    settings: Settings,
    tell: Callable[[str], None] = logger.info,
) -> Swept:
    """Delete devices from the server and strike them off the ledger, within `cleanup_timeout_s`.

    `doubts` are those whose registration nobody has confirmed, and until when, by
    `time.monotonic`, the server may still be working on it: until then "not found" means nothing,
    and they are asked for again. `tell` is told in a sentence why it takes so long.
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
        is_settled = time.monotonic() > doubts.get(id_, 0.0)
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

    latest_s, was_told = time.monotonic() + settings.cleanup_timeout_s, False
    left: list[str] = list(devices)
    try:
        while left and (time_s := latest_s - time.monotonic()) > 0:
            began_s = time.monotonic()
            errands.run(origin, left, delete, per_s=settings.cleanup_per_s, timeout_s=time_s)
            left = [id_ for id_ in left if id_ not in swept.deleted and id_ not in swept.absent]
            settled_s = max((doubts.get(id_, 0.0) for id_ in left), default=0.0)
            if began_s > settled_s:
                break  # what else is left was refused: asking again is for another day
            if not was_told and settled_s > time.monotonic() + DOUBT_POLL_S:
                was_told, wait_s = True, settled_s - time.monotonic()
                tell(f"waiting {wait_s:.0f} s: the server may still be at work on the last POSTs")
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

"""Reads devices back after the users have stopped, then deletes them and counts what is left.

None of these requests enters the statistics. Duration and rate are bounded, whatever the server
does.
"""

from __future__ import annotations

import heapq
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import gevent

from harness.config.settings import Settings
from harness.devices.audit import read_back
from harness.devices.ledger import Ledger, numbers_in
from harness.devices.pool import DeviceReport, device_id
from harness.http import batch
from harness.http.session import Session
from harness.http.suite import DeviceRequests
from harness.http.target import Target
from harness.results.run_folder import Audit, DeviceCounts

UNCONFIRMED_POLL_S = 1.0
"""Pause between two rounds of DELETE while a registration is in doubt."""
ROWS_AT_ONCE = 100
"""Deletions per write to the ledger.

Those not recorded when the process is killed are repeated by `cleanup`, which accepts the 404.
"""

logger = logging.getLogger(__name__)


class DeviceNumber(NamedTuple):
    """A device, identified by its worker and its number."""

    worker: int
    number: int


class DeleteOutcome(NamedTuple):
    """Ids of devices that the server has deleted, and of those that it did not know."""

    deleted: set[str]
    absent: set[str]


def audit_and_delete(
    base_url: str,
    requests: DeviceRequests | None,
    seed: int,
    device_reports: Sequence[DeviceReport],
    ledger: Ledger,
    settings: Settings,
) -> tuple[DeviceCounts, Audit | None]:
    """Read a sample of a run's devices back, delete all of them, and count.

    `device_reports` come from all processes that took part; no user may be writing any more. The
    audit is None if there was nothing to read.
    """
    if requests is None:
        return DeviceCounts(), None
    target = Target(base_url, settings)
    used = identified(seed, {each.worker: range(each.used) for each in device_reports})
    confirmed = set(
        identified(seed, {each.worker: numbers_in(each.confirmed) for each in device_reports})
    )
    audit = None
    if confirmed and settings.audit_sample:
        # The write histories cover the devices with the smallest ids.
        sample = heapq.nsmallest(settings.audit_sample, confirmed)
        histories = [each.writes for each in device_reports if each.writes is not None]
        are_known = len(histories) == len(device_reports)
        audit = read_back(target, requests, sample, histories if are_known else None, settings)
    for each in device_reports:
        ledger.release(each.worker, each.used)
    if settings.keep_devices:
        counts = DeviceCounts(registered=len(confirmed), deleted=0, left_behind=len(used))
        return counts, audit
    # The server may still create the device of a POST without a response, but only until the
    # response timeout after the process has stopped sending.
    latest_s = time.monotonic() + settings.answer_timeout_s
    settled_s = {each.worker: latest_s - each.stopped_for_s for each in device_reports}
    unconfirmed = {id_: settled_s[used[id_].worker] for id_ in used.keys() - confirmed}
    outcome = delete_all(target, requests, used, unconfirmed, ledger, settings)
    # A 404 for a confirmed device counts as deleted; any other was never created.
    counts = DeviceCounts(
        registered=len(confirmed | outcome.deleted),
        deleted=len(outcome.deleted | (outcome.absent & confirmed)),
        left_behind=len(used) - len(outcome.deleted) - len(outcome.absent),
    )
    return counts, audit


def delete_all(
    target: Target,
    requests: DeviceRequests,
    devices: Mapping[str, DeviceNumber],
    unconfirmed: Mapping[str, float],
    ledger: Ledger,
    settings: Settings,
    notify: Callable[[str], None] = logger.info,
) -> DeleteOutcome:
    """Delete devices and mark them in the ledger, within `cleanup_timeout_s`.

    `unconfirmed` maps the ids of unconfirmed registrations to the time (of `time.monotonic`) until
    which the server may still create the device. Until then a 404 proves nothing, and the DELETE
    is repeated. `notify` receives a sentence on why this takes long.
    """
    outcome = DeleteOutcome(set(), set())
    to_mark: list[DeviceNumber] = []

    def mark_deleted() -> None:
        by_worker = defaultdict(list)
        for device in to_mark:
            by_worker[device.worker].append(device.number)
        to_mark.clear()
        for worker, numbers in by_worker.items():
            ledger.mark_deleted(worker, numbers)

    def delete(session: Session, id_: str) -> None:
        # Before the request: a 404 counts only if the DELETE was sent after that time.
        is_settled = time.monotonic() > unconfirmed.get(id_, 0.0)
        request = requests.delete(id_)
        status, _ = session.try_exchange(request)
        if status == request.endpoint.status:
            outcome.deleted.add(id_)
        elif status == 404 and is_settled:
            outcome.absent.add(id_)
        else:
            return
        to_mark.append(devices[id_])
        if len(to_mark) >= ROWS_AT_ONCE:
            mark_deleted()

    latest_s, was_notified = time.monotonic() + settings.cleanup_timeout_s, False
    left: list[str] = list(devices)
    try:
        while left and (time_s := latest_s - time.monotonic()) > 0:
            began_s = time.monotonic()
            batch.run(target, left, delete, per_s=settings.cleanup_per_s, timeout_s=time_s)
            left = [
                id_ for id_ in left if id_ not in outcome.deleted and id_ not in outcome.absent
            ]
            settled_s = max((unconfirmed.get(id_, 0.0) for id_ in left), default=0.0)
            if began_s > settled_s:
                break  # the server refused the rest; a later `cleanup` may try again
            if not was_notified and settled_s > time.monotonic() + UNCONFIRMED_POLL_S:
                was_notified, wait_s = True, settled_s - time.monotonic()
                notify(
                    f"waiting {wait_s:.0f} s: the server may still be at work on the last POSTs"
                )
            gevent.sleep(UNCONFIRMED_POLL_S)
    finally:
        # Also after an interruption: what is deleted is recorded.
        mark_deleted()
    return outcome


def identified(seed: int, numbers_of: Mapping[int, Iterable[int]]) -> dict[str, DeviceNumber]:
    """Return devices by their ids, derived from the numbers of each worker."""
    return {
        device_id(seed, worker, number): DeviceNumber(worker, number)
        for worker, numbers in numbers_of.items()
        for number in numbers
    }

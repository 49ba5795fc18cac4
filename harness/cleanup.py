"""Deletes the devices of a run from the server, outside the statistics and within a time limit."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress

import gevent.pool

from harness import contract
from harness.clients import Client
from harness.devices import Devices
from harness.origin import Origin
from harness.session import Session
from harness.settings import Settings

CONCURRENT_DELETES = 20
WRITE_POLL_S = 0.01
DOUBT_POLL_S = 1.0


def delete_device(client: Client, device_id: str, devices: Devices, settings: Settings) -> None:
    """Delete one device, after the writes to it that are still under way.

    404 counts as done, unless the server may still be at work on the device's registration.
    """
    devices.retire(device_id)
    latest = time.monotonic() + settings.answer_timeout_s
    while devices.is_leased(device_id) and time.monotonic() < latest:
        gevent.sleep(WRITE_POLL_S)
    request = contract.unregister(device_id)
    status = client.send_uncounted(request)
    if status == request.endpoint.status or (status == 404 and not devices.is_in_doubt(device_id)):
        devices.gone(device_id, deleted=status != 404)


def delete_devices(
    client: Client, device_ids: Sequence[str], devices: Devices, settings: Settings
) -> None:
    """Delete the devices of one user, one after the other, within `cleanup_timeout_s`."""
    with suppress(gevent.Timeout), gevent.Timeout(settings.cleanup_timeout_s):
        for device_id in device_ids:
            delete_device(client, device_id, devices, settings)


def sweep(base_url: str, devices: Devices, settings: Settings) -> int:
    """Delete what the users could not; return how many devices are left behind.

    Takes at most `cleanup_timeout_s`, however many there are and whatever the server does. A
    device whose registration was never confirmed is asked for until that would be too late.
    """
    if not devices.remaining():
        return 0
    origin = Origin(base_url, settings)
    doubt_until_s = time.monotonic() + settings.answer_timeout_s

    def delete_some(device_ids: Iterator[str]) -> None:
        session = Session(origin, _unreported)
        try:
            for device_id in device_ids:
                delete_device(session, device_id, devices, settings)
        finally:
            session.close()

    group = gevent.pool.Group()
    with suppress(gevent.Timeout), gevent.Timeout(settings.cleanup_timeout_s):
        while left := devices.remaining():
            if time.monotonic() > doubt_until_s:
                devices.settle_doubts()
            shared = iter(left)
            for _ in range(min(CONCURRENT_DELETES, len(left))):
                group.spawn(delete_some, shared)
            group.join()
            if not any(devices.is_in_doubt(device_id) for device_id in devices.remaining()):
                break
            gevent.sleep(DOUBT_POLL_S)
    group.kill()
    return len(devices.remaining())


def _unreported(**_: object) -> None:
    """Take the place of locust's event: nothing here is part of the workload."""

"""Deletes the devices of a run from the server, outside the statistics and within a time limit."""

from __future__ import annotations

import time
from contextlib import suppress

import gevent.pool

import requests

from harness import contract
from harness.devices import Devices
from harness.session import send_uncounted
from harness.settings import Settings

CONCURRENT_DELETES = 20
WRITE_POLL_S = 0.01


def delete_device(
    client: requests.Session, base_url: str, device_id: str, devices: Devices, settings: Settings
) -> None:
    """Delete one device, after the writes to it that are still under way; 404 counts as done."""
    devices.retire(device_id)
    latest = time.monotonic() + settings.answer_timeout_s
    while devices.is_leased(device_id) and time.monotonic() < latest:
        gevent.sleep(WRITE_POLL_S)
    request = contract.unregister(device_id)
    status = send_uncounted(client, base_url, request, settings.answer_timeout_s)
    if status in (request.endpoint.status, 404):
        devices.gone(device_id, deleted=status != 404)


def sweep(base_url: str, devices: Devices, settings: Settings) -> int:
    """Delete what the users could not; return how many devices are left behind.

    Takes at most `cleanup_timeout_s`, however many there are and whatever the server does.
    """
    pool = gevent.pool.Pool(CONCURRENT_DELETES)
    client = requests.Session()
    client.trust_env = False
    client.mount("http", requests.adapters.HTTPAdapter(pool_maxsize=CONCURRENT_DELETES))
    with suppress(gevent.Timeout), gevent.Timeout(settings.cleanup_timeout_s):
        for device_id in devices.remaining():
            pool.spawn(delete_device, client, base_url, device_id, devices, settings)
        pool.join()
    pool.kill()
    client.close()
    return len(devices.remaining())

"""Devices: register at the start, change settings of any device of the pool, delete at the end."""

from collections.abc import Callable

from locust import tag

from harness import cleanup, contract
from harness.devices import draw_id
from harness.user import NoticeApiUser, sends


def register(user: NoticeApiUser) -> None:
    """Register a device under a new id; others may write to it once the server has said 201."""
    device_id = draw_id(user.random)
    devices = user.shared.devices
    devices.note(device_id)
    user.device_ids.append(device_id)
    if user.send(contract.register(device_id)):
        devices.confirm(device_id)


@tag("write", "device")
@sends(contract.SUBSCRIPTIONS)
def subscribe(user: NoticeApiUser) -> None:
    """Follow some boards."""
    boards = user.shared.vocabulary.boards.draw(user.random)
    _write(user, lambda device_id: contract.subscribe(device_id, boards))


@tag("write", "device")
@sends(contract.KEYWORDS)
def set_keywords(user: NoticeApiUser) -> None:
    """Ask to be told of notices that hold a keyword."""
    keywords = user.shared.vocabulary.keywords.draw(user.random)
    _write(user, lambda device_id: contract.set_keywords(device_id, keywords))


@tag("write", "device")
@sends(contract.ALARM)
def switch_alarm(user: NoticeApiUser) -> None:
    """Turn an alarm on or off."""
    field = user.random.choice(user.shared.settings.alarm_fields)
    on = user.random.random() < 0.5
    _write(user, lambda device_id: contract.switch_alarm(device_id, field, on))


def unregister(user: NoticeApiUser) -> None:
    """Delete the devices that this user registered; no part of the workload, so not counted."""
    shared = user.shared
    cleanup.delete_devices(user.sender, user.device_ids, shared.devices, shared.settings)


def _write(user: NoticeApiUser, request_for: Callable[[str], contract.Request]) -> None:
    """Write to a random device of the pool; register one first when there is none.

    The registration shows in the statistics; when it fails too, its failure is what is left.
    """
    if not user.shared.devices:
        register(user)
    with user.shared.devices.lease(user.random) as device_id:
        if device_id is not None:
            user.send(request_for(device_id))

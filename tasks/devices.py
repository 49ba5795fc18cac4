"""Devices: register one at the start, change settings of any device of the pool."""

from collections.abc import Callable

from locust import tag
from locust.exception import StopUser

from harness import contract
from harness.user import NoticeApiUser
from harness.workload import sends


def register(user: NoticeApiUser) -> None:
    """Register a device under a new id; others may write to it once the server has said 201.

    Nothing is raised when the user is to stop: locust would log that as an error of `on_start`,
    and asks the user itself before its first task.
    """
    devices = user.shared.devices
    try:
        user.stop_if_told()
        device_id = devices.new_id()
        is_registered = user.send(contract.register(device_id))
    except StopUser:
        return
    if is_registered:
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


def _write(user: NoticeApiUser, request_for: Callable[[str], contract.Request]) -> None:
    """Write to a random device of the pool; register one first when there is none.

    The registration shows in the statistics; when it fails too, its failure is what is left.
    """
    pool = user.shared.devices.pool
    if not pool:
        register(user)
    if pool:
        device_id = pool.draw(user.random)
        user.write(device_id, request_for(device_id))

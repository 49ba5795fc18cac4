"""Tasks that write: register a device, then change any device of the pool."""

from collections.abc import Callable

from locust import tag
from locust.exception import StopUser

from harness.http import Request
from harness.users import ApiUser, sends
from notice_api import contract
from notice_api.words import WordLists


def register(user: ApiUser) -> None:
    """Register a device under a new id. Once the server answers 201, all users may write to it.

    This function never raises `StopUser`: in `on_start`, Locust would log it as an error. Locust
    checks by itself before the first task whether the user has to stop.
    """
    devices = user.run_context.devices
    try:
        user.raise_if_stopping()  # before an id is taken that would stay unused
        device_id = devices.new_id()  # in the ledger before the POST, whose response may get lost
        is_registered = user.send(contract.register(device_id))
    except StopUser:
        return
    if is_registered:
        devices.confirm(device_id)


@tag("write", "device")
@sends(contract.SUBSCRIPTIONS)
def subscribe(user: ApiUser) -> None:
    """Subscribe a device to some boards."""
    words: WordLists = user.words
    boards = words.boards.draw(user.random)
    _write(user, lambda device_id: contract.subscribe(device_id, boards))


@tag("write", "device")
@sends(contract.KEYWORDS)
def set_keywords(user: ApiUser) -> None:
    """Set the keywords that a device wants alarms for."""
    words: WordLists = user.words
    keywords = words.keywords.draw(user.random)
    _write(user, lambda device_id: contract.set_keywords(device_id, keywords))


@tag("write", "device")
@sends(contract.ALARM)
def switch_alarm(user: ApiUser) -> None:
    """Switch an alarm of a device on or off."""
    field = user.random.choice(user.run_context.settings.alarm_fields)
    on = user.random.random() < 0.5
    _write(user, lambda device_id: contract.switch_alarm(device_id, field, on))


def _write(user: ApiUser, request_for: Callable[[str], Request]) -> None:
    """Write to a random device of the pool."""
    pool = user.run_context.devices.pool
    if not pool:  # the user's own registration failed, so try again
        register(user)
    if pool:  # otherwise that failed too, which counts as a failed POST
        device_id = pool.draw(user.random)
        user.write(device_id, request_for(device_id))

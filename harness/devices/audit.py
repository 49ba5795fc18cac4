"""Reads devices back after a run: does the server still hold what it has acknowledged?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import gevent

import msgspec

from harness.config.settings import Settings
from harness.devices.write_history import Writes, possible_values, was_acknowledged
from harness.http import batch
from harness.http.request import Request
from harness.http.session import Session
from harness.http.suite import DeviceRequests, Value
from harness.http.target import Target
from harness.results.run_folder import Audit

RECHECK_AFTER_S = 2.0
"""Pause before a wrong result is read again: replicas of the server's data may lag."""
MAX_UNREAD = 20
"""Stop if this many devices fail and none has been read: the server is down."""
MAX_EXAMPLES = 5
LONGEST_SHOWN = 60  # characters


@dataclass
class _Found:
    """Results so far; `wrong` describes wrong values, by device and field."""

    devices: int = 0
    values: int = 0
    unread: int = 0
    lost: list[str] = field(default_factory=list)
    wrong: dict[tuple[str, str], str] = field(default_factory=dict)


def read_back(
    target: Target,
    requests: DeviceRequests,
    ids: Sequence[str],
    histories: Sequence[Mapping[str, Writes]] | None,
    settings: Settings,
) -> Audit:
    """Compare devices with what users wrote to them, within `cleanup_timeout_s`.

    Args:
        target: the server.
        requests: how a device is read.
        ids: of the devices, all of them registered and none deleted.
        histories: of all processes; None if one is missing: then only existence is checked.
        settings: of the run.
    """
    found = _Found()
    initial_values = requests.initial(settings)

    def read(session: Session, id_: str) -> None:
        if found.unread >= MAX_UNREAD and not found.devices:
            found.unread += 1
            return
        status, wrong = _check(session, requests.read(id_), id_, histories, initial_values)
        if status == 404 or (wrong and histories is not None):
            gevent.sleep(RECHECK_AFTER_S)
            status, wrong = _check(session, requests.read(id_), id_, histories, initial_values)
        if status not in (200, 404):
            found.unread += 1
            return
        found.devices += 1
        if status == 404:
            found.lost.append(id_)
        elif histories is not None:
            found.values += len(initial_values)
            found.wrong.update({(id_, name): text for name, text in wrong.items()})

    bounds = {"per_s": settings.cleanup_per_s, "timeout_s": settings.cleanup_timeout_s}
    batch.run(target, ids, read, **bounds)
    examples = [f"{id_} is gone" for id_ in sorted(found.lost)]
    examples += [f"{name} of {id_} {text}" for (id_, name), text in sorted(found.wrong.items())]
    return Audit(
        devices=found.devices,
        values=found.values,
        unread=len(ids) - found.devices,
        lost_devices=len(found.lost),
        wrong_values=len(found.wrong),
        are_values_known=histories is not None,
        examples=examples[:MAX_EXAMPLES],
    )


def _check(
    session: Session,
    request: Request,
    id_: str,
    histories: Sequence[Mapping[str, Writes]] | None,
    initial_values: Mapping[str, Value],
) -> tuple[int, dict[str, str]]:
    """Read a device; return the status, and what is wrong by field.

    The status is 0 if no response came, or an invalid one.
    """
    status, body = session.try_exchange(request)
    if status != request.endpoint.status:
        return status, {}
    if request.problem(status, body) is not None:
        return 0, {}
    device = request.endpoint.decode(body)
    wrong = {}
    for name, initial in initial_values.items():
        actual = getattr(device, name)
        possible = possible_values(histories or (), id_, name)
        # As long as no write is acknowledged, the field may still hold its initial value.
        if not was_acknowledged(histories or (), id_, name):
            possible.add(initial)
        if actual not in possible:
            wrong[name] = f"is {_shown(actual)}, not {' or '.join(sorted(map(_shown, possible)))}"
    return status, wrong


def _shown(value: object) -> str:
    text = "absent" if value is msgspec.UNSET else msgspec.json.encode(value).decode()
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"

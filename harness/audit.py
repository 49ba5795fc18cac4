"""Reads devices back after a run: does the server have what it said it has?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import gevent

import msgspec

from harness import contract, errands
from harness.contract import Device
from harness.journal import Value, Writes, possible_values, was_acknowledged
from harness.origin import Origin
from harness.runfolder import Audit
from harness.session import Session
from harness.settings import Settings

LOOK_AGAIN_S = 2.0
"""What is found wrong is read once more: the server's copies may lag behind each other."""
GIVE_UP_AFTER = 20
"""So many of the first devices without an answer: there is nobody to ask."""
MOST_EXAMPLES = 5
LONGEST_SHOWN = 60


@dataclass
class _Found:
    """What reading has come to so far; `wrong` are values, by device and field."""

    devices: int = 0
    values: int = 0
    unread: int = 0
    lost: list[str] = field(default_factory=list)
    wrong: dict[tuple[str, str], str] = field(default_factory=dict)


def read_back(
    origin: Origin,
    ids: Sequence[str],
    journals: Sequence[Mapping[str, Writes]] | None,
    settings: Settings,
) -> Audit:
    """Compare devices with what users wrote to them; takes at most `cleanup_timeout_s`.

    The devices are registered and none is deleted. `journals` are those of all processes; None
    when one is missing: then only existence is checked.
    """
    found = _Found()
    at_first = contract.at_first(settings.alarm_fields)

    def read(session: Session, id_: str) -> None:
        if found.unread >= GIVE_UP_AFTER and not found.devices:
            found.unread += 1
            return
        status, wrong = _look(session, id_, journals, at_first)
        if status == 404 or wrong:
            gevent.sleep(LOOK_AGAIN_S)
            status, wrong = _look(session, id_, journals, at_first)
        if status not in (200, 404):
            found.unread += 1
            return
        found.devices += 1
        if status == 404:
            found.lost.append(id_)
        elif journals is not None:
            found.values += len(at_first)
            found.wrong.update({(id_, name): text for name, text in wrong.items()})

    bounds = {"per_s": settings.cleanup_per_s, "timeout_s": settings.cleanup_timeout_s}
    errands.run(origin, ids, read, **bounds)
    examples = [f"{id_} is gone" for id_ in sorted(found.lost)]
    examples += [f"{name} of {id_} {text}" for (id_, name), text in sorted(found.wrong.items())]
    return Audit(
        devices=found.devices,
        values=found.values,
        unread=len(ids) - found.devices,
        lost_devices=len(found.lost),
        wrong_values=len(found.wrong),
        are_values_known=journals is not None,
        examples=examples[:MOST_EXAMPLES],
    )


def _look(
    session: Session,
    id_: str,
    journals: Sequence[Mapping[str, Writes]] | None,
    at_first: Mapping[str, Value],
) -> tuple[int, dict[str, str]]:
    """Read a device; return the status, 0 for a wrong answer, and what is wrong by field."""
    request = contract.read_device(id_)
    status, body = session.ask(request)
    if status != request.endpoint.status:
        return status, {}
    if request.problem(status, body) is not None:
        return 0, {}
    device: Device = request.endpoint.decode(body)
    wrong = {}
    for name, initial in at_first.items():
        held = getattr(device, name)
        possible = possible_values(journals or (), id_, name)
        if not was_acknowledged(journals or (), id_, name):
            possible.add(initial)
        if held not in possible:
            wrong[name] = f"is {_shown(held)}, not {' or '.join(sorted(map(_shown, possible)))}"
    return status, wrong


def _shown(value: object) -> str:
    text = "absent" if value is msgspec.UNSET else msgspec.json.encode(value).decode()
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"

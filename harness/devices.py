"""The shared device pool and the ledger of what a run has put on the server.

A device is *noted* before its POST goes out, since the server may create it and its answer still
be lost; it is *confirmed*, and can be drawn, once the server has said 201; it is *retired* before
its DELETE goes out, so that no write follows it; it is *gone* when the server said 204 or 404.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from string import ascii_uppercase, digits

ID_LENGTH = 30
ID_CHARACTERS = ascii_uppercase + digits


def draw_id(random: Random) -> str:
    """Return a new device id, 30 characters of A-Z and 0-9 (155 bits: a collision is not met)."""
    return "".join(random.choices(ID_CHARACTERS, k=ID_LENGTH))


class Devices:
    """The devices of one process; every step and a draw take constant time."""

    def __init__(self) -> None:
        """Start with no device."""
        self._pool: list[str] = []
        self._position: dict[str, int] = {}
        self._leases: Counter[str] = Counter()
        self._noted: dict[str, bool] = {}  # whether it was retired
        self._confirmed: set[str] = set()
        self._settled: set[str] = set()
        self.registered = 0
        self.deleted = 0

    def __len__(self) -> int:
        """Return how many devices can be drawn."""
        return len(self._pool)

    def note(self, device_id: str) -> None:
        """Write an id down, before its POST goes out."""
        self._noted[device_id] = False

    def confirm(self, device_id: str) -> None:
        """Put a device into the pool: the server answered 201.

        Raises:
            KeyError: the id was not noted, or is confirmed already.
        """
        if device_id not in self._noted or device_id in self._confirmed:
            raise KeyError(device_id)
        self._confirmed.add(device_id)
        self.registered += 1
        if self._noted[device_id]:
            return
        self._position[device_id] = len(self._pool)
        self._pool.append(device_id)

    @contextmanager
    def lease(self, random: Random) -> Iterator[str | None]:
        """Lend a random device of the pool for one write, or None when the pool is empty."""
        if not self._pool:
            yield None
            return
        device_id = self._pool[int(random.random() * len(self._pool))]
        self._leases[device_id] += 1
        try:
            yield device_id
        finally:
            self._leases[device_id] -= 1
            if not self._leases[device_id]:
                del self._leases[device_id]

    def retire(self, device_id: str) -> None:
        """Take a device out of the pool, before its DELETE; no later draw returns it."""
        if device_id in self._noted:
            self._noted[device_id] = True
        position = self._position.pop(device_id, None)
        if position is None:
            return
        last = self._pool.pop()
        if last != device_id:
            self._pool[position] = last
            self._position[last] = position

    def is_leased(self, device_id: str) -> bool:
        """Say whether a write to this device is still under way."""
        return device_id in self._leases

    def gone(self, device_id: str, deleted: bool) -> None:
        """Strike a device off: the server deleted it, or (`deleted` false) did not know it."""
        self.retire(device_id)
        if self._noted.pop(device_id, self) is self:
            return
        if deleted and device_id not in self._confirmed:
            self.registered += 1  # the server had it after all: its answer to the POST was lost
        if deleted or device_id in self._confirmed:
            self.deleted += 1
        self._confirmed.discard(device_id)

    def is_in_doubt(self, device_id: str) -> bool:
        """Say whether the registration of a device may still be under way on the server."""
        return device_id in self._noted and not (
            device_id in self._confirmed or device_id in self._settled
        )

    def settle_doubts(self) -> None:
        """Say that no registration can be under way any more."""
        self._settled = set(self._noted)

    def remaining(self) -> list[str]:
        """Return the ids that may still be on the server."""
        return list(self._noted)

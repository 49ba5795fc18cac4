"""What the harness must know of the API under test: the only interface between the two.

Pass a `Suite` to `harness.run.install(events, suite)`; no other part of the harness knows an API.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness import ConfigurationError
from harness.config.settings import Settings
from harness.http.request import Endpoint, Request

Value = str | bool
"""The value of a device's field."""
WordsFor = Callable[[int], object]
"""Returns the data that users send in a run, by the run's seed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRequests:
    """The requests that read back and delete devices that a run leaves on the server.

    Attributes:
        read: returns the request that reads a device, by id.
        delete: returns the request that deletes it; a 404 means that it is gone.
        initial: returns the fields that users change, with their values in a new device.
    """

    read: Callable[[str], Request]
    delete: Callable[[str], Request]
    initial: Callable[[Settings], Mapping[str, Value]]


_installed: list[Suite] = []


def installed() -> Suite:
    """Return the suite that the locustfile has installed, for commands that run outside Locust.

    Raises:
        ConfigurationError: the locustfile has installed none.
    """
    if not _installed:
        raise ConfigurationError(
            "the locustfile installs no suite; call harness.run.install(events, suite)"
        )
    return _installed[-1]


def set_installed(suite: Suite) -> None:
    """Make `installed` return this suite."""
    _installed.append(suite)


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """An API under test.

    Attributes:
        endpoints: every statistics entry that the suite's own requests can make.
        probe: sent once before a run, to see whether the target speaks HTTP.
        packages: folders whose code, besides the harness's, must be the same in all processes.
        words: reads the data that users send, once per process; its result returns the data for
            the seed of a run.
        word_files: the files that `words` reads; none if the data is fixed.
        devices: None if a run leaves nothing on the server.
    """

    endpoints: tuple[Endpoint, ...]
    probe: Request
    packages: tuple[str, ...]
    words: Callable[[Settings], WordsFor] = lambda _settings: lambda _seed: None
    word_files: Callable[[Settings], Sequence[Path]] = lambda _settings: ()
    devices: DeviceRequests | None = None

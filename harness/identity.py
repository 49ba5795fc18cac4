"""What a process of a run is made of: two that differ would not put the same load on a server."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

from msgspec import Struct

from harness import __version__, data, runfolder
from harness.settings import PROJECT_DIR, Settings
from harness.workload import defined_users

SHOWN = 8
KNOWN_PACKAGES = ("locust", "harness", "tasks")
"""Locust has a version, and the code of the others is hashed as a whole."""
WORKLOAD_SETTINGS = (
    "http_client",
    "vary_data",
    "alarm_fields",
    "accept_gzip",
    "connect_timeout_s",
    "answer_timeout_s",
    "device_pool_limit",
    "audit_sample",
)


class Identity(Struct, frozen=True):
    """Locust, the suite's code and the users', the data, the mix of tasks, and some settings.

    Each is a text that another process can be told; `facts` has their names in an order in which
    the first difference says most: what another mix does can be read, what other code does not.
    """

    facts: dict[str, str]

    def difference(self, other: Identity) -> str | None:
        """Say in what another process differs from this one; None when it does not."""
        for name in (*self.facts, *other.facts):
            mine, theirs = self.facts.get(name, "unknown"), other.facts.get(name, "unknown")
            if mine != theirs:
                return f"its {name} is {theirs}, the master's {mine}"
        return None


def own(settings: Settings, mix: str) -> Identity:
    """Return that of this process, with its mix of tasks."""
    facts = {
        "locust": version("locust"),
        "suite": f"{__version__} (code {_code()})",
        "data": _data(settings),
        "task mix": mix,
        "locustfile": _users_code(),
    }
    for name in WORKLOAD_SETTINGS:
        value = getattr(settings, name)
        shown = ",".join(value) if isinstance(value, tuple) else value
        facts[name.upper()] = f"{int(shown) if isinstance(shown, bool) else shown}"
    return Identity(facts)


def _code() -> str:
    folders = (PROJECT_DIR / "harness", PROJECT_DIR / "tasks")
    paths = sorted(path for folder in folders for path in folder.rglob("*.py"))
    names = (path.relative_to(PROJECT_DIR).as_posix().encode() for path in paths)
    return _digest(part for pair in zip(names, map(_text, paths), strict=True) for part in pair)


def _users_code() -> str:
    """Return what the files of the users say that were defined, wherever these are.

    Their names do not count: a worker may get its locustfile from the master, as another file.
    """
    modules = {each.__module__ for user in defined_users() for each in user.__mro__}
    files = (
        getattr(sys.modules.get(module), "__file__", None)
        for module in modules
        if module.partition(".")[0] not in KNOWN_PACKAGES
    )
    return _digest(sorted(_text(Path(file)) for file in files if file))


def _text(path: Path) -> bytes:
    return path.read_bytes().replace(b"\r\n", b"\n")


def _digest(parts: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part + b"\0")
    return digest.hexdigest()[:SHOWN]


def _data(settings: Settings) -> str:
    if not settings.vary_data:
        return "the seed's words (VARY_DATA=0)"
    found = runfolder.data_hash(data.files_in(settings.data_dir))[:SHOWN]
    return f"{found} (VARY_DATA=1)"

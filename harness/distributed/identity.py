"""What a process of a run is made of.

Two processes that differ in it would not put the same load on a server.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

from msgspec import Struct

from harness import __version__
from harness.config.settings import PROJECT_DIR, Settings
from harness.http.suite import Suite
from harness.results import run_folder
from harness.users.workload import defined_users

HASH_DIGITS = 8
"""Hexadecimal digits of a hash that are compared and shown."""
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
"""Settings that change the load. Those that only the master uses may differ."""


class Identity(Struct, frozen=True):
    """Version of Locust, code of suite and users, data, task mix, and settings of a process.

    `facts` holds them as text by name, the most telling first: a different task mix can be read,
    the hash of a different locustfile cannot.
    """

    facts: dict[str, str]

    def difference(self, other: Identity) -> str | None:
        """Return how `other` differs from this one, the master's, in a sentence; None if equal."""
        for name in (*self.facts, *other.facts):
            mine, theirs = self.facts.get(name, "unknown"), other.facts.get(name, "unknown")
            if mine != theirs:
                return f"its {name} is {theirs}, the master's {mine}"
        return None


def own(settings: Settings, suite: Suite, mix: str) -> Identity:
    """Return the identity of this process; `mix` is its task mix."""
    facts = {
        "locust": version("locust"),
        "suite": f"{__version__} (code {_code(suite)})",
        "data": _data(settings, suite),
        "task mix": mix,
        "locustfile": _users_code(suite),
    }
    for name in WORKLOAD_SETTINGS:
        value = getattr(settings, name)
        shown = ",".join(value) if isinstance(value, tuple) else value
        facts[name.upper()] = f"{int(shown) if isinstance(shown, bool) else shown}"
    return Identity(facts)


def _code(suite: Suite) -> str:
    folders = (PROJECT_DIR / name for name in ("harness", *suite.packages))
    paths = sorted(path for folder in folders for path in folder.rglob("*.py"))
    names = (path.relative_to(PROJECT_DIR).as_posix().encode() for path in paths)
    return _digest(part for pair in zip(names, map(_text, paths), strict=True) for part in pair)


def _users_code(suite: Suite) -> str:
    """Return a hash of the files that define the users, wherever they are.

    File names do not count: a worker may receive its locustfile from the master under another
    name.
    """
    # Locust is compared by its version, and the suite's own packages are hashed as a whole.
    known = {"locust", "harness", *suite.packages}
    modules = {each.__module__ for user in defined_users() for each in user.__mro__}
    files = (
        getattr(sys.modules.get(module), "__file__", None)
        for module in modules
        if module.partition(".")[0] not in known
    )
    return _digest(sorted(_text(Path(file)) for file in files if file))


def _text(path: Path) -> bytes:
    return path.read_bytes().replace(b"\r\n", b"\n")  # Git on Windows may change line ends


def _digest(parts: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part + b"\0")
    return digest.hexdigest()[:HASH_DIGITS]


def _data(settings: Settings, suite: Suite) -> str:
    files = suite.word_files(settings)
    if not files:
        return "the words of the suite (VARY_DATA=0)"
    return f"{run_folder.data_hash(files)[:HASH_DIGITS]} (VARY_DATA=1)"

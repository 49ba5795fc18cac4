"""Files that are written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import msgspec
from msgspec import Struct


def write(path: Path, content: bytes) -> None:
    """Write a file beside its place, then move it there: a reader sees the old or the new one.

    Raises:
        OSError: it cannot be written; what was there is still there.
    """
    unfinished = path.with_name(f"{path.name}.tmp")
    try:
        unfinished.write_bytes(content)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def write_json(path: Path, content: Struct) -> None:
    """Write a struct as JSON that people can read."""
    write(path, msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n")

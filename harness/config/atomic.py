"""Write files whole or not at all."""

from __future__ import annotations

from pathlib import Path

import msgspec
from msgspec import Struct


def write(path: Path, content: bytes) -> None:
    """Replace a file: a reader sees the old content or the new, never a part.

    Raises:
        OSError: the file cannot be written; the old content is unchanged.
    """
    # In the same folder, since a rename is atomic only within one file system.
    unfinished = path.with_name(f"{path.name}.tmp")
    try:
        unfinished.write_bytes(content)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def write_json(path: Path, content: Struct) -> None:
    """Write a struct as indented JSON."""
    write(path, msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n")

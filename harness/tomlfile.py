"""TOML files as tables, with the line of a wrong key, which the standard parser does not tell."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from harness import ConfigurationError


def read(path: Path, setting: str) -> str:
    """Return the text of a file.

    Raises:
        ConfigurationError: it cannot be read; says which, and what setting names another.
    """
    try:
        return path.read_text(encoding="utf-8-sig")  # some editors begin a file with a mark
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path} is not UTF-8; save it as UTF-8") from None
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}; see {setting}") from None


def parse(text: str, name: str) -> dict[str, Any]:
    """Return the tables of a text.

    Raises:
        ConfigurationError: it is no TOML; says in which line of the file of that name.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{name}: {error}") from None


def wrong(text: str, name: str, what: str, *keys: str) -> ConfigurationError:
    """Return the error of a key, given as the way to it from the outermost table."""
    return ConfigurationError(f"{name}, line {line_of(text, keys)}: {what}")


def hint(mistaken: str, known: Iterable[str]) -> str:
    """Return what may have been meant."""
    names = list(known)
    close = difflib.get_close_matches(mistaken, names, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"write one of {', '.join(names)}"


def line_of(text: str, keys: Iterable[str]) -> int:
    """Return the line that brings a key: the last of the shortest beginning that holds it."""
    lines = text.splitlines()
    for end in range(1, len(lines)):
        try:
            found: Any = tomllib.loads("\n".join(lines[:end]))
        except tomllib.TOMLDecodeError:
            continue  # ends inside a value of several lines
        for key in keys:
            found = found.get(key) if isinstance(found, dict) else None
        if found is not None:
            return end
    return len(lines)

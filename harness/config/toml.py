"""Read TOML files, with the line number of an invalid key, which tomllib does not report."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from harness import ConfigurationError

PLACE = re.compile(r"`\$\.(\w+)")
"""Finds the key in an error message of msgspec."""

S = TypeVar("S", bound=Struct)


def read(path: Path, setting: str) -> str:
    """Return the text of a file; `setting` is the name of the setting that holds its path.

    Raises:
        ConfigurationError: the file cannot be read; the text names it and the setting.
    """
    try:
        return path.read_text(encoding="utf-8-sig")  # some editors write a byte-order mark
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path} is not UTF-8; save it as UTF-8") from None
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}; see {setting}") from None


def parse(text: str, name: str) -> dict[str, Any]:
    """Parse TOML text; `name` is the file for the error message.

    Raises:
        ConfigurationError: the text is not TOML; names the file and the line.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{name}: {error}") from None


def wrong(text: str, name: str, what: str, *keys: str) -> ConfigurationError:
    """Return the error for a key, given as its path from the top-level table."""
    return ConfigurationError(f"{name}, line {line_of(text, keys)}: {what}")


def check_keys(
    text: str, name: str, table: Mapping[str, Any], known: Collection[str], *keys: str
) -> None:
    """Refuse unknown keys in a table; `keys` is the path to the table.

    Raises:
        ConfigurationError: a key is unknown; names its line.
    """
    for key in table:
        if key not in known:
            raise wrong(text, name, f"unknown key {key!r}; {hint(key, known)}", *keys, key)


def struct(text: str, name: str, table: Mapping[str, Any], kind: type[S], *keys: str) -> S:
    """Convert a table to a struct with the same field names; `keys` is the path to the table.

    Raises:
        ConfigurationError: a key is unknown or missing, or its value has the wrong type; names
            the line.
    """
    check_keys(text, name, table, kind.__struct_fields__, *keys)  # msgspec ignores unknown ones
    try:
        return msgspec.convert(table, kind)
    except msgspec.ValidationError as error:
        place = PLACE.search(str(error))
        key = [place[1]] if place else []
        what = f"{place[1]} is wrong: {error}" if place else str(error)
        raise wrong(text, name, what, *keys, *key) from None


def hint(mistaken: str, known: Iterable[str]) -> str:
    """Suggest the known name closest to a mistaken one, or list all known names."""
    names = list(known)
    close = difflib.get_close_matches(mistaken, names, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"write one of {', '.join(names)}"


def line_of(text: str, keys: Iterable[str]) -> int:
    """Return the line number of a key, given as its path.

    That is the end of the shortest prefix of the text that parses and contains the key; for a
    value of several lines, the last of them.
    """
    lines = text.splitlines()
    for end in range(1, len(lines)):
        try:
            found: Any = tomllib.loads("\n".join(lines[:end]))
        except tomllib.TOMLDecodeError:
            continue  # the prefix ends inside a multi-line value
        for key in keys:
            found = found.get(key) if isinstance(found, dict) else None
        if found is not None:
            return end
    return len(lines)

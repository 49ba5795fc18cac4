"""TOML files as tables, with the line of a wrong key, which the standard parser does not tell."""

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
"""The key in an error of msgspec."""

S = TypeVar("S", bound=Struct)


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


def check_keys(
    text: str, name: str, table: Mapping[str, Any], known: Collection[str], *keys: str
) -> None:
    """Refuse a key that a table cannot have; `keys` is the way to the table.

    Raises:
        ConfigurationError: there is one; says in which line.
    """
    for key in table:
        if key not in known:
            raise wrong(text, name, f"unknown key {key!r}; {hint(key, known)}", *keys, key)


def struct(text: str, name: str, table: Mapping[str, Any], kind: type[S], *keys: str) -> S:
    """Return a table as a struct whose fields are its keys; `keys` is the way to the table.

    Raises:
        ConfigurationError: a key is unknown or missing, or has a value of a wrong type; says in
            which line.
    """
    check_keys(text, name, table, kind.__struct_fields__, *keys)
    try:
        return msgspec.convert(table, kind)
    except msgspec.ValidationError as error:
        place = PLACE.search(str(error))
        key = [place[1]] if place else []
        what = f"{place[1]} is wrong: {error}" if place else str(error)
        raise wrong(text, name, what, *keys, *key) from None


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

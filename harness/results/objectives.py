"""Reads conf/slo.toml: the objectives (SLO) of a run, and when its generator is saturated."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from harness import ConfigurationError
from harness.config import toml
from harness.http.request import Endpoint

TOTAL = "total"
GENERATOR = "generator"
KEYS = ("p50_ms", "p95_ms", "p99_ms", "max_ms", "fail_ratio", "requests_per_s")


class Saturation(Struct, frozen=True, kw_only=True):
    """When the generator counts as the bottleneck.

    Attributes:
        cpu_percent: of the busiest process, in percent of one core.
        lag_ms: worst event-loop lag within a second.
        saturated_share: the share of steady-state seconds, 0 to 1, that may exceed either bound.
    """

    cpu_percent: float = 90.0
    lag_ms: float = 50.0
    saturated_share: float = 0.1


class Objectives(Struct, frozen=True, kw_only=True):
    """What a run has to meet.

    Attributes:
        limits: by scope ("total" or "GET /x"), then by key ("p95_ms").
        saturation: the bounds beyond which the generator makes a run invalid.
        text: the file as it was read, to be copied into the run folder.
    """

    limits: dict[str, dict[str, float]]
    saturation: Saturation = Saturation()
    text: str = ""


def load(path: Path, endpoints: Iterable[Endpoint] | None = None) -> Objectives:
    """Read a file of objectives. With `endpoints`, refuse tables for anything else.

    Raises:
        ConfigurationError: the file cannot be read, or a line is wrong; names the line.
    """
    scopes = None
    if endpoints is not None:
        scopes = (TOTAL, *(f"{each.method} {each.name}" for each in endpoints), GENERATOR)
    return parse(toml.read(path, "SLO_FILE"), str(path), scopes)


def parse(text: str, name: str, scopes: Collection[str] | None = None) -> Objectives:
    """Parse the text of a file of objectives; `name` is the file's name in errors.

    Raises:
        ConfigurationError: a line is wrong; names the file and the line.
    """

    def wrong(what: str, *keys: str) -> ConfigurationError:
        return toml.wrong(text, name, what, *keys)

    limits: dict[str, dict[str, float]] = {}
    saturation = Saturation()
    for scope, table in toml.parse(text, name).items():
        known: Collection[str] = Saturation.__struct_fields__ if scope == GENERATOR else KEYS
        if not isinstance(table, dict) or (scopes is not None and scope not in scopes):
            hint = toml.hint(scope, scopes or (TOTAL, GENERATOR))
            raise wrong(f"unknown table [{scope!r}]; {hint}", scope)
        toml.check_keys(text, name, table, known, scope)
        for key, value in table.items():
            problem = _problem(key, value)
            if problem:
                raise wrong(f"{key} = {value!r}: {problem}", scope, key)
        if scope == GENERATOR:
            saturation = msgspec.convert(table, Saturation)
        else:
            limits[scope] = {key: float(value) for key, value in table.items()}
    # A wrong response misses an objective unless the file allows some.
    limits[TOTAL] = {"fail_ratio": 0.0} | limits.get(TOTAL, {})
    return Objectives(limits=limits, saturation=saturation, text=text)


def _problem(key: str, value: Any) -> str | None:
    # bool is a subclass of int, and TOML knows inf and nan.
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return "write a number, without a unit"
    if key in ("fail_ratio", "saturated_share"):
        return None if 0 <= value <= 1 else "write a share from 0 to 1; 0.01 is one in a hundred"
    return None if value > 0 else "write a number above 0"

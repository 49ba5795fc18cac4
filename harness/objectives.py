"""conf/slo.toml -> the objectives (SLO) of a run, and when its generator counts as saturated."""

from __future__ import annotations

import math
from collections.abc import Collection
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from harness import ConfigurationError, tomlfile
from harness.contract import ENDPOINTS

TOTAL = "total"
GENERATOR = "generator"
KEYS = ("p50_ms", "p95_ms", "p99_ms", "max_ms", "fail_ratio", "requests_per_s")
SCOPES = (TOTAL, *(f"{endpoint.method} {endpoint.name}" for endpoint in ENDPOINTS))


class Saturation(Struct, frozen=True, kw_only=True):
    """When the generator is the bottleneck: in more than a share (0 to 1) of the steady seconds.

    The CPU is that of its busiest process, in percent of one core; the lag of its event loop is
    the worst of that second.
    """

    cpu_percent: float = 90.0
    lag_ms: float = 50.0
    saturated_share: float = 0.1


class Objectives(Struct, frozen=True, kw_only=True):
    """What a run has to keep: limits by scope ("total" or "GET /x") and key ("p95_ms").

    `saturation` are the bounds of a generator that can be believed; `text` is the file as it was.
    """

    limits: dict[str, dict[str, float]]
    saturation: Saturation = Saturation()
    text: str = ""


def load(path: Path) -> Objectives:
    """Read a file of objectives.

    Raises:
        ConfigurationError: it cannot be read, or holds a wrong line; says which.
    """
    return parse(tomlfile.read(path, "SLO_FILE"), str(path))


def parse(text: str, name: str) -> Objectives:
    """Read the text of a file of objectives.

    Raises:
        ConfigurationError: a line is wrong; says which, and in the file of which name.
    """

    def wrong(what: str, *keys: str) -> ConfigurationError:
        return tomlfile.wrong(text, name, what, *keys)

    limits: dict[str, dict[str, float]] = {}
    saturation = Saturation()
    for scope, table in tomlfile.parse(text, name).items():
        known: Collection[str] = Saturation.__struct_fields__ if scope == GENERATOR else KEYS
        if not isinstance(table, dict) or scope not in (*SCOPES, GENERATOR):
            hint = tomlfile.hint(scope, (*SCOPES, GENERATOR))
            raise wrong(f"unknown table [{scope!r}]; {hint}", scope)
        tomlfile.check_keys(text, name, table, known, scope)
        for key, value in table.items():
            problem = _problem(key, value)
            if problem:
                raise wrong(f"{key} = {value!r}: {problem}", scope, key)
        if scope == GENERATOR:
            saturation = msgspec.convert(table, Saturation)
        else:
            limits[scope] = {key: float(value) for key, value in table.items()}
    limits[TOTAL] = {"fail_ratio": 0.0} | limits.get(TOTAL, {})
    return Objectives(limits=limits, saturation=saturation, text=text)


def _problem(key: str, value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return "write a number, without a unit"
    if key in ("fail_ratio", "saturated_share"):
        return None if 0 <= value <= 1 else "write a share from 0 to 1; 0.01 is one in a hundred"
    return None if value > 0 else "write a number above 0"

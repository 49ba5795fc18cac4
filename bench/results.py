"""What the bench measured, as types: the JSON files, and the figures that are drawn from them."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from pathlib import Path
from statistics import median
from typing import TypeVar

import msgspec

from harness import ConfigurationError

OURS = "ours"
SATURATED_PERCENT = 95.0
OWN_CORE_PERCENT = 90.0
ON_PLAN_SHARE = 0.9
MEAN_WAIT_S = 3.0
REQUESTS_A_TASK = 4.1


class Sample(msgspec.Struct, frozen=True):
    """One generator in one round.

    `requests` are those that the server counted between the first and the second look at it;
    `reported` and `seen` are the whole numbers, by the generator and by the server.
    """

    seconds: float
    requests: int
    generator_cpu_s: float
    server_cpu_s: float
    reported: int
    seen: int

    @property
    def requests_per_s(self) -> float:
        """Return the rate that the server saw."""
        return self.requests / self.seconds

    @property
    def cpu_us_per_request(self) -> float:
        """Return the generator's CPU time for one request."""
        return self.generator_cpu_s / self.requests * 1e6

    @property
    def generator_percent(self) -> float:
        """Return how much of its core the generator took."""
        return self.generator_cpu_s / self.seconds * 100

    @property
    def server_percent(self) -> float:
        """Return how much of its core the server took."""
        return self.server_cpu_s / self.seconds * 100


class Series(msgspec.Struct, frozen=True):
    """One generator in all rounds; no samples when its program is missing."""

    name: str
    title: str
    checked: bool
    goal: float | None
    missing: str | None = None
    samples: list[Sample] = []

    @property
    def server_bound(self) -> bool:
        """Say whether the server, not this generator, was what could do no more."""
        return median(sample.server_percent for sample in self.samples) > SATURATED_PERCENT

    @property
    def disturbed(self) -> bool:
        """Say whether something else took a part of the cores: none of the two had one in full."""
        share = median(sample.generator_percent for sample in self.samples)
        return share < OWN_CORE_PERCENT and not self.server_bound


class Conditions(msgspec.Struct, frozen=True):
    """When and on what a measurement was made."""

    measured_at: str
    cpu: str
    cores: int
    kernel: str
    versions: dict[str, str]


class Comparison(msgspec.Struct, frozen=True):
    """`generators.json`."""

    conditions: Conditions
    users: int
    seconds: int
    rounds: int
    series: list[Series]

    def ratios(self, series: Series) -> list[float]:
        """Return how many times faster ours was, every answer checked, in each round."""
        ours = next(row for row in self.series if row.name == OURS)
        return [
            own.requests_per_s / other.requests_per_s
            for own, other in zip(ours.samples, series.samples, strict=True)
        ]


class Step(msgspec.Struct, frozen=True):
    """One client with a number of users in one process; times in ms, memory in KB.

    `failures` are those of the whole run: a client that is late for its own timeouts has some.
    `spawned_s` is the time from the start of the load until the last user was there, and
    `ramp_up_stop_ms` the event loop's longest stop in it.
    """

    users: int
    rss_kb: float
    seconds: float
    requests: int
    failures: int
    cpu_s: float
    spawned_s: float
    ramp_up_stop_ms: float
    lag_p50_ms: float
    lag_p99_ms: float
    lag_max_ms: float
    response_p99_ms: float
    response_max_ms: float

    @property
    def requests_per_s(self) -> float:
        """Return the rate that the server saw."""
        return self.requests / self.seconds

    @property
    def cpu_percent(self) -> float:
        """Return how much of its core the process took."""
        return self.cpu_s / self.seconds * 100

    @property
    def saturated(self) -> bool:
        """Say whether the process could do no more: its response times are its own then.

        Either it took its whole core, or its users came to fewer requests than they planned:
        other programs may have taken a part of the core.
        """
        late = self.requests_per_s < ON_PLAN_SHARE * self.planned_per_s
        return late or self.cpu_percent > SATURATED_PERCENT

    @property
    def planned_per_s(self) -> float:
        """Return the rate of users that get every answer at once: 4.1 requests in 3 s of wait."""
        return self.users * REQUESTS_A_TASK / MEAN_WAIT_S


class Client(msgspec.Struct, frozen=True):
    """One of the suite's clients, HTTP_CLIENT, with its steps in rising order."""

    name: str
    steps: list[Step]

    def kb_a_user(self, step: Step) -> float | None:
        """Return the memory of each user beyond those of the first step."""
        first = self.steps[0]
        if step.users == first.users:
            return None
        return (step.rss_kb - first.rss_kb) / (step.users - first.users)


class UserSteps(msgspec.Struct, frozen=True):
    """`users.json`."""

    conditions: Conditions
    seconds: int
    spawn_rate_per_s: int
    clients: list[Client]


T = TypeVar("T", bound=msgspec.Struct)


def write(path: Path, results: msgspec.Struct) -> None:
    """Write results as JSON that people can read too."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")


def read(path: Path, kind: type[T]) -> T:
    """Read results.

    Raises:
        ConfigurationError: there are none, or another version of the bench wrote them.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except FileNotFoundError:
        raise ConfigurationError(f"no {path.name} to draw from; measure first") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"cannot read {path.name}: {error}") from None


def percentile(values: Sequence[float], share: float) -> float:
    """Return the nearest-rank percentile of at least one value."""
    ordered = sorted(values)
    return ordered[max(ceil(len(ordered) * share), 1) - 1]

"""The results of `bench` and `bench.users` as types: JSON files and figures derived from them."""

from __future__ import annotations

from statistics import median

import msgspec

OURS = "ours"
SATURATED_SHARE = 0.95
OWN_CORE_SHARE = 0.90
ON_PLAN_SHARE = 0.9
MEAN_WAIT_S = 3.0  # between(1, 5)
REQUESTS_PER_TASK = 4.1  # of ten tasks: 3 searches, 3 x 10 pages, 3 PUTs and 5 lists


class Conditions(msgspec.Struct, frozen=True):
    """When and on what a measurement was made."""

    measured_at: str
    cpu: str
    cores: int
    kernel: str
    versions: dict[str, str]


class Window(msgspec.Struct, frozen=True):
    """A measured interval and the requests that the server counted in it."""

    seconds: float
    requests: int

    @property
    def requests_per_s(self) -> float:
        """Return the rate by the server's count."""
        return self.requests / self.seconds

    def share(self, cpu_s: float) -> float:
        """Return a CPU time as a share of one core."""
        return cpu_s / self.seconds


class Sample(Window, frozen=True):
    """One generator in one round.

    `reported` and `seen` count all requests from start to end, warm-up included: by the generator
    and by the server.
    """

    generator_cpu_s: float
    server_cpu_s: float
    reported: int
    seen: int

    @property
    def cpu_us_per_request(self) -> float:
        """Return the generator's CPU time per request."""
        return self.generator_cpu_s / self.requests * 1e6

    @property
    def generator_share(self) -> float:
        """Return the generator's share of its core."""
        return self.share(self.generator_cpu_s)

    @property
    def server_share(self) -> float:
        """Return the server's share of its core."""
        return self.share(self.server_cpu_s)


class Series(msgspec.Struct, frozen=True):
    """One generator in all rounds; it has no samples if its program is missing."""

    name: str
    title: str
    checked: bool
    goal: float | None
    missing: str | None = None
    samples: list[Sample] = []

    @property
    def server_bound(self) -> bool:
        """Return True if the server, not this generator, was the bottleneck."""
        return median(sample.server_share for sample in self.samples) > SATURATED_SHARE

    @property
    def disturbed(self) -> bool:
        """Return True if neither used its whole core, so other programs used the machine."""
        share = median(sample.generator_share for sample in self.samples)
        return share < OWN_CORE_SHARE and not self.server_bound


class Comparison(msgspec.Struct, frozen=True):
    """The contents of `generators.json`."""

    conditions: Conditions
    users: int
    seconds: int
    rounds: int
    series: list[Series]

    def ratios(self, series: Series) -> list[float]:
        """Return, per round, how many times faster `ours` was, with every response checked."""
        ours = next(row for row in self.series if row.name == OURS)
        return [
            own.requests_per_s / other.requests_per_s
            for own, other in zip(ours.samples, series.samples, strict=True)
        ]


class Step(Window, frozen=True, kw_only=True):
    """One client with a number of users in one process; times in ms, memory in KB.

    `failures` count from the start of the run: a saturated client causes timeouts by itself.
    `spawned_s` is the time from the first requests until all users run, and `ramp_up_stop_ms` the
    longest event-loop lag in that time.
    """

    users: int
    rss_kb: float
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
    def core_share(self) -> float:
        """Return the process's share of its core."""
        return self.share(self.cpu_s)

    @property
    def saturated(self) -> bool:
        """Return True if the process was the bottleneck, so response times include its delay.

        It used its whole core, or it sent fewer requests than planned. CPU use alone does not show
        saturation if other programs use a part of the core.
        """
        late = self.requests_per_s < ON_PLAN_SHARE * self.planned_per_s
        return late or self.core_share > SATURATED_SHARE

    @property
    def planned_per_s(self) -> float:
        """Return the rate if responses took no time: 4.1 requests per task, 3 s of wait."""
        return self.users * REQUESTS_PER_TASK / MEAN_WAIT_S


class Client(msgspec.Struct, frozen=True):
    """An HTTP client, with its steps by rising number of users."""

    name: str
    steps: list[Step]

    def kb_per_user(self, step: Step) -> float | None:
        """Return the memory per user beyond those of the first step; None for that step."""
        first = self.steps[0]
        if step.users == first.users:
            return None
        return (step.rss_kb - first.rss_kb) / (step.users - first.users)


class UserSteps(msgspec.Struct, frozen=True):
    """The contents of `users.json`."""

    conditions: Conditions
    seconds: int
    spawn_rate_per_s: int
    clients: list[Client]

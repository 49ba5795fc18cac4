"""Load curves: the line between the points, and what locust is told every second."""

from __future__ import annotations

import importlib.util
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import locust  # noqa: F401 - first, for gevent's monkey patching

import pytest

from harness.config.settings import PROJECT_DIR
from harness.results import figures
from harness.results.objectives import Saturation
from harness.users.load_shapes import MAX_USERS_PER_S, Curve, line_at
from support.seconds import second

PROFILES = sorted((PROJECT_DIR / "conf" / "profiles").glob("*.py"))


class Tent(Curve):
    points = ((0, 0.0), (0.25, 0.5), (0.5, 1.0), (1, 0.2))


class Level(Curve):
    points = ((0, 1.0), (1, 1.0))


def curve_of(path: Path) -> type[Curve]:
    spec = importlib.util.spec_from_file_location(f"profile_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (curve,) = (
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Curve) and value is not Curve
    )
    return curve


def ticking(
    curve: Curve, elapsed_s: float, users: int | None, run_time_s: int | None
) -> tuple[int, float] | None:
    options = SimpleNamespace(num_users=users, run_time=run_time_s)
    curve.runner = SimpleNamespace(environment=SimpleNamespace(parsed_options=options))
    curve.get_run_time = lambda: elapsed_s
    return curve.tick()


@pytest.mark.parametrize(
    ("time", "begin"),
    [(0, 0), (0.1, 0), (0.25, 0.25), (0.4, 0.25), (0.5, 0.5), (0.9, 0.5), (1, 0.5)],
)
def test_a_line_begins_at_its_first_point(time: float, begin: float) -> None:
    (start, _), (end, _) = line_at(Tent.points, time)
    assert start == begin < end


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.stem)
def test_the_curve_of_a_profile_is_whole(path: Path) -> None:
    points = curve_of(path).points
    times, shares = zip(*points, strict=True)
    assert times[0] == 0 and times[-1] == 1
    assert all(earlier < later for earlier, later in pairwise(times))
    assert all(0 < share <= 1 for share in shares) and max(shares) == 1


def test_both_curves_are_here() -> None:
    assert [path.stem for path in PROFILES] == ["spike", "stress"]
    assert not curve_of(PROFILES[0]).abstract


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.stem)
def test_a_profile_uses_its_curve_and_gives_its_length(path: Path) -> None:
    lines = path.with_suffix(".conf").read_text().splitlines()
    options = dict(line.split(" = ") for line in lines if " = " in line)
    assert options["locustfile"] == f"locustfile.py,conf/profiles/{path.name}"
    assert int(options["users"]) > 1 and options["run-time"].endswith("m")


@pytest.mark.parametrize(
    ("elapsed_s", "expected"),
    [
        (0, (1, 100.0)),  # nobody is there yet
        (1, (100, 99 / 15)),
        (14.9, (100, 99 / 15)),
        (15, (200, 100 / 15)),
        (30, (40, 160 / 30)),
        (59, (40, 160 / 30)),
        (60, None),
        (61, None),
    ],
)
def test_a_slope_leads_to_its_end(elapsed_s: float, expected: tuple[int, float] | None) -> None:
    tick = ticking(Tent(), elapsed_s, 200, 60)
    assert tick == (expected and (expected[0], pytest.approx(expected[1])))


class High(Curve):
    points = ((0, 0.5), (1, 1.0))


def test_a_slope_that_begins_high_has_its_first_users_at_once() -> None:
    assert [ticking(High(), second, 600, 60) for second in (0, 3)] == [(300, 100.0)] * 2
    assert ticking(High(), 4, 600, 60) == (600, 5.0)


def counts(curve: Curve, peak: int, run_time_s: int) -> list[tuple[int, int]]:
    """Return (users, wanted) of each second, with users who come and go as locust lets them.

    As many at once as the rate has whole users, then a pause; a new tick begins anew.
    """
    rows: list[tuple[int, int]] = []
    users, last, next_s = 0, None, 0.0
    for number in range(run_time_s):
        tick = ticking(curve, number, peak, run_time_s)
        assert tick is not None
        wanted, rate = tick
        if tick != last:
            last, next_s = tick, float(number)
        batch = max(1, int(rate))
        while users != wanted and next_s < number + 1:
            users += min(batch, wanted - users) if wanted > users else -min(batch, users - wanted)
            next_s += batch / rate
        rows.append((users, wanted))
    return rows


@pytest.mark.parametrize(
    ("peak", "run_time_s"), [(400, 1200), (20, 1200), (10, 1200), (100, 7200)]
)
@pytest.mark.parametrize(
    ("path", "shares"), [(PROFILES[0], (1, 10, 1)), (PROFILES[1], (2, 4, 6, 8, 10, 2))]
)
def test_a_slope_is_no_step_however_slow_it_is(
    path: Path, shares: tuple[int, ...], peak: int, run_time_s: int
) -> None:
    running = figures.RunningFigures(Saturation())
    for number, (users, wanted) in enumerate(counts(curve_of(path)(), peak, run_time_s)):
        running.add(second(number, users, wanted), figures.EndpointHistograms())
    steps = running.figures().steps
    assert [step.users for step in steps] == [max(1, peak * share // 10) for share in shares]


@pytest.mark.parametrize(("peak", "rate"), [(1, 1.0), (7, 7.0), (100, 100.0), (5000, 100.0)])
def test_nobody_waits_longer_than_locust_likes_to_spawn(peak: int, rate: float) -> None:
    assert ticking(Level(), 30, peak, 60) == (peak, rate)
    assert all(ticking(Tent(), second, peak, 60)[1] <= rate for second in range(60))
    assert rate <= MAX_USERS_PER_S == 100


@pytest.mark.parametrize("run_time_s", [1, 60, 86_400])
def test_every_rate_is_one_that_locust_takes(run_time_s: int) -> None:
    for peak in (1, 2, 3, 7, 20_000):
        for share in range(100):
            tick = ticking(Tent(), share / 100 * run_time_s, peak, run_time_s)
            assert tick is not None and tick[0] >= 1 and 0 < tick[1] <= MAX_USERS_PER_S


def test_there_is_always_somebody() -> None:
    assert all(ticking(Tent(), second, 1, 60) == (1, 1.0) for second in range(60))


def test_the_length_is_the_run_time() -> None:
    for run_time_s in (10, 60, 86_400):
        assert ticking(Level(), run_time_s - 1, 50, run_time_s) == (50, 50.0)
        assert ticking(Level(), run_time_s, 50, run_time_s) is None


def test_without_options_a_curve_still_ends() -> None:
    assert ticking(Tent(), 59, None, None) == (1, 1.0)
    assert ticking(Tent(), 60, None, None) is None


def test_locust_shows_users_and_run_time_and_does_not_run_the_base() -> None:
    assert Curve.use_common_options and Curve.abstract

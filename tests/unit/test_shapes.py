"""Load curves: the line between the points, and what locust is told every second."""

from __future__ import annotations

import importlib.util
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import locust  # noqa: F401 - first, for gevent's monkey patching

import pytest

from harness.settings import PROJECT_DIR
from harness.shapes import MAX_USERS_PER_S, Curve, share_at

PROFILES = sorted((PROJECT_DIR / "conf" / "profiles").glob("*.py"))


class Tent(Curve):
    points = ((0, 0.0), (0.25, 0.5), (0.5, 1.0), (1, 0.2))


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
    ("time", "share"),
    [
        (0, 0.0),
        (0.125, 0.25),
        (0.25, 0.5),
        (0.4, 0.8),
        (0.5, 1.0),
        (0.75, 0.6),
        (0.9, 0.36),
        (1, 0.2),
        (1.5, 0.2),
    ],
)
def test_a_share_lies_on_the_line(time: float, share: float) -> None:
    assert share_at(Tent.points, time) == pytest.approx(share)


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.stem)
def test_the_curve_of_a_profile_is_whole(path: Path) -> None:
    points = curve_of(path).points
    times, shares = zip(*points, strict=True)
    assert times[0] == 0 and times[-1] == 1
    assert all(earlier < later for earlier, later in pairwise(times))
    assert all(0 < share <= 1 for share in shares) and max(shares) == 1
    for time, share in points:
        assert share_at(points, time) == pytest.approx(share)


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
    ("elapsed_s", "users"),
    [(0, 1), (1, 7), (15, 100), (30, 200), (45, 120), (59, 45), (60, None), (61, None)],
)
def test_a_tick_is_the_share_of_the_peak(elapsed_s: float, users: int | None) -> None:
    expected = None if users is None else (users, 100.0)
    assert ticking(Tent(), elapsed_s, 200, 60) == expected


@pytest.mark.parametrize(("peak", "rate"), [(1, 1.0), (7, 7.0), (100, 100.0), (5000, 100.0)])
def test_nobody_waits_longer_than_locust_likes_to_spawn(peak: int, rate: float) -> None:
    tick = ticking(Tent(), 30, peak, 60)
    assert tick == (peak, rate)
    assert tick[1] <= MAX_USERS_PER_S == 100


def test_there_is_always_somebody() -> None:
    assert all(ticking(Tent(), second, 1, 60) == (1, 1.0) for second in range(60))


def test_the_length_is_the_run_time() -> None:
    for run_time_s in (10, 60, 86_400):
        assert ticking(Tent(), run_time_s / 2, 50, run_time_s) == (50, 50.0)
        assert ticking(Tent(), run_time_s, 50, run_time_s) is None


def test_without_options_a_curve_still_ends() -> None:
    assert ticking(Tent(), 59, None, None) == (1, 1.0)
    assert ticking(Tent(), 60, None, None) is None


def test_locust_shows_users_and_run_time_and_does_not_run_the_base() -> None:
    assert Curve.use_common_options and Curve.abstract

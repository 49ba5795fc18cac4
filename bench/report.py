"""Results as Markdown, and their place in the report between two marks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median

from bench.results import OURS, Client, Comparison, Conditions, Series, Step, UserSteps
from harness import ConfigurationError

GENERATORS_MARK = "generators"
USERS_MARK = "users"
KB_A_USER_GOAL = 25.0
LAG_GOAL_MS = 10.0
GOAL_CLIENT, GOAL_USERS = "session", 10_000


def replaced(text: str, mark: str, measured: str) -> str:
    """Return a report with what stands between the marks of this name replaced.

    Raises:
        ConfigurationError: the marks are not there, once each and in order.
    """
    begin, end = f"<!-- {mark}: measured -->", f"<!-- {mark}: end -->"
    before, found, rest = text.partition(begin)
    _, found_end, after = rest.partition(end)
    if not (found and found_end) or begin in rest or end in after or end in before:
        raise ConfigurationError(f"the report needs one {begin!r} and one {end!r} after it")
    return f"{before}{begin}\n{measured.strip()}\n{end}{after}"


def update(source: Path, destination: Path, mark: str, measured: str) -> None:
    """Write a report with its measured part renewed."""
    text = source.read_text(encoding="utf-8")
    destination.write_text(replaced(text, mark, measured), encoding="utf-8")


def comparison(results: Comparison) -> str:
    """Return the measured part on the generators: conditions, chart, table, what is missing."""
    rows = [_row(results, series) for series in results.series]
    return "\n\n".join(
        [
            described(results.conditions),
            f"{results.users} users without wait, {results.rounds} rounds of {results.seconds} s.",
            f"![{chart_caption(results)}](generators.png)",
            table(
                (
                    "generator",
                    "answers checked",
                    "requests/s",
                    "CPU-µs/request",
                    "its core",
                    "nginx's core",
                    "ours, checked, is faster by",
                    "goal",
                ),
                rows,
            ),
            "Median of the rounds, in brackets the lowest and the highest."
            + "".join(f" {note}" for note in _notes(results.series)),
        ]
    )


def marked(series: Series) -> str:
    """Return the title of a row with what has to be known to read it."""
    if series.missing:
        return f"{series.title} (missing)"
    if series.server_bound:
        return f"{series.title} (server-bound)"
    return f"{series.title} (disturbed)" if series.disturbed else series.title


def chart_caption(results: Comparison) -> str:
    """Return what stands under the chart: the missing are named there too."""
    caption = "Requests per second and CPU time per request of each generator on one core"
    missing = [series.title for series in results.series if series.missing]
    return f"{caption}; not measured: {', '.join(missing)}" if missing else caption


def users(results: UserSteps) -> str:
    """Return the measured part on users: conditions, chart, table, goals."""
    rows = [_user_row(client, step) for client in results.clients for step in client.steps]
    return "\n\n".join(
        [
            described(results.conditions),
            f"One process on one core, users wait 1 to 5 s; {results.spawn_rate_per_s} users "
            f"started a second, then {results.seconds} s measured.",
            "![Memory, CPU and event-loop lag by number of users](users.png)",
            table(
                (
                    "client",
                    "users",
                    "RSS, MB",
                    "KB a user beyond the first thousand",
                    "requests/s, of the planned",
                    "its core",
                    "lag p50 / p99 / max, ms",
                    "longest stop in ramp-up, ms",
                    "response p99 / max, ms",
                    "failures",
                ),
                rows,
            ),
            "\n".join(f"- {line}" for line in goals_of_users(results)),
        ]
    )


def goals_of_users(results: UserSteps) -> list[str]:
    """Return one line a goal: what was wanted, what was measured, met or not."""
    steps = {
        step.users: (client, step)
        for client in results.clients
        if client.name == GOAL_CLIENT
        for step in client.steps
    }
    if GOAL_USERS not in steps:
        return [f"goals: not measured (they are of {GOAL_CLIENT} with {GOAL_USERS:,} users)"]
    client, step = steps[GOAL_USERS]
    lines = []
    if (kb := client.kb_a_user(step)) is not None:
        lines.append(
            f"under {KB_A_USER_GOAL:.0f} KB a user beyond the first thousand: {kb:.1f} KB, "
            f"{_met(kb < KB_A_USER_GOAL)}"
        )
    on_one_core = step.lag_p99_ms < LAG_GOAL_MS and not step.saturated
    lines.append(
        f"{GOAL_USERS:,} users on one core with a p99 lag below {LAG_GOAL_MS:.0f} ms: "
        f"{step.lag_p99_ms:.1f} ms at {step.cpu_percent:.0f} % of the core, {_met(on_one_core)}"
    )
    return lines


def described(conditions: Conditions) -> str:
    """Return the sentence on when and on what it was measured."""
    versions = ", ".join(f"{name} {number}" for name, number in conditions.versions.items())
    return (
        f"Measured {conditions.measured_at} on {conditions.cores} cores of {conditions.cpu}, "
        f"{conditions.kernel}. {versions}."
    )


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown, its first column to the left."""
    aligned = ["---", *["--:"] * (len(headings) - 1)]
    lines = (headings, aligned, *rows)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _row(results: Comparison, series: Series) -> list[str]:
    checked = "yes" if series.checked else "no"
    wanted = "" if series.goal is None else f"at least {series.goal:g}: "
    if series.missing:
        goal = f"{wanted}not measured"
        return [marked(series), checked, *["-"] * 5, goal]
    samples = series.samples
    ratios = results.ratios(series)
    ratio = "" if series.name == OURS else f"{spread(ratios, 2)} times"
    goal = f"{wanted}{_met(median(ratios) >= series.goal)}" if series.goal is not None else ""
    return [
        marked(series),
        checked,
        spread([sample.requests_per_s for sample in samples], 0),
        spread([sample.cpu_us_per_request for sample in samples], 1),
        f"{median(sample.generator_percent for sample in samples):.0f} %",
        f"{median(sample.server_percent for sample in samples):.0f} %",
        ratio,
        goal,
    ]


def _notes(series: Iterable[Series]) -> Iterable[str]:
    rows = list(series)
    for row in rows:
        if row.missing:
            yield f"**Missing: {row.title}** ({row.missing})."
    if any(row.samples and row.server_bound for row in rows):
        yield (
            "**Server-bound**: nginx took its whole core, so the generator could do more than "
            "stands here; its CPU time per request is its own all the same."
        )
    if any(row.samples and row.disturbed for row in rows):
        yield (
            "**Disturbed**: neither the generator nor nginx had its core to itself; measure again "
            "on a quiet machine."
        )


def _user_row(client: Client, step: Step) -> list[str]:
    kb = client.kb_a_user(step)
    return [
        f"{client.name} (saturated)" if step.saturated else client.name,
        f"{step.users:,}",
        f"{step.rss_kb / 1024:.0f}",
        "-" if kb is None else f"{kb:.1f}",
        f"{step.requests_per_s:,.0f} of {step.planned_per_s:,.0f}",
        f"{step.cpu_percent:.0f} %",
        f"{step.lag_p50_ms:.1f} / {step.lag_p99_ms:.1f} / {step.lag_max_ms:.0f}",
        f"{step.ramp_up_stop_ms:.0f}",
        f"{_whole_ms(step.response_p99_ms)} / {_whole_ms(step.response_max_ms)}",
        f"{step.failures:,}",
    ]


def _whole_ms(time_ms: float) -> str:
    return f"{time_ms:.0f}" if time_ms >= 1 else "< 1"  # locust keeps whole ones


def spread(values: Sequence[float], digits: int) -> str:
    """Return the median, and in brackets the lowest and the highest."""
    low, middle, high = (
        f"{value:,.{digits}f}" for value in (min(values), median(values), max(values))
    )
    return f"{middle} ({low} to {high})"


def _met(is_met: bool) -> str:
    return "met" if is_met else "**not met**"

"""Renders results as Markdown and puts them between two marks in a document."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import median

from bench.results import OURS, Client, Comparison, Conditions, Series, Step, UserSteps
from harness import ConfigurationError
from harness.results.formatting import NONE, TIMES, count, factor, percent, rounded, time_ms

GENERATORS_MARK = "generators"
USERS_MARK = "users"
KB_PER_USER_GOAL = 25.0
LAG_GOAL_MS = 10.0
GOAL_CLIENT, GOAL_USERS = "session", 10_000
RANGES = "Median of the rounds; lowest and highest in brackets."


def replaced(text: str, mark: str, section: str) -> str:
    """Return a document with the text between a pair of marks replaced.

    Raises:
        ConfigurationError: the two marks are not there exactly once and in order.
    """
    begin, end = f"<!-- {mark}: measured -->", f"<!-- {mark}: end -->"
    before, found, rest = text.partition(begin)
    _, found_end, after = rest.partition(end)
    if not (found and found_end) or begin in rest or end in after or end in before:
        raise ConfigurationError(f"the document needs one {begin!r} and one {end!r} after it")
    return f"{before}{begin}\n{section.strip()}\n{end}{after}"


def described(conditions: Conditions) -> str:
    """Return sentences with the time, the machine and the versions."""
    versions = ", ".join(f"{name} {number}" for name, number in conditions.versions.items())
    return (
        f"Measured {conditions.measured_at} on {conditions.cores} cores of {conditions.cpu}, "
        f"{conditions.kernel}. {versions}."
    )


def table(rows: Sequence[Mapping[str, str]]) -> str:
    """Return a Markdown table; all rows have the same keys, and the first column aligns left."""
    if not rows:
        return ""
    headings = list(rows[0])
    lines = [headings, ["---", *["--:"] * (len(headings) - 1)], *(row.values() for row in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def spread(values: Iterable[float], written: Callable[[float], str] = rounded) -> str:
    """Return the median, with the lowest and highest value in brackets."""
    ordered = sorted(values)
    low, middle, high = map(written, (ordered[0], median(ordered), ordered[-1]))
    return f"{middle} ({low} to {high})"


def of_a_core(shares: Iterable[float]) -> str:
    """Return the median share of a core in whole percent."""
    return f"{percent(round(median(shares), 2))} %"


def comparison(results: Comparison) -> str:
    """Return the section on the generators: conditions, chart, table, notes."""
    notes = [RANGES, *_notes(results.series)]
    return "\n\n".join(
        [
            described(results.conditions),
            f"{results.users} users without wait, {results.rounds} rounds of {results.seconds} s.",
            f"![{chart_caption(results)}](generators.png)",
            table([_row(results, series) for series in results.series]),
            " ".join(notes),
        ]
    )


def marked(series: Series) -> str:
    """Return the title of a row, with a note if its figures need one."""
    if series.missing:
        return f"{series.title} (missing)"
    if series.server_bound:
        return f"{series.title} (server-bound)"
    return f"{series.title} (disturbed)" if series.disturbed else series.title


def chart_caption(results: Comparison) -> str:
    """Return the caption of the chart; it names missing generators."""
    caption = "Requests per second and CPU time per request of each generator on one core"
    missing = [series.title for series in results.series if series.missing]
    return f"{caption}; not measured: {', '.join(missing)}" if missing else caption


def _row(results: Comparison, series: Series) -> dict[str, str]:
    samples = series.samples
    goal = "" if series.goal is None else f"at least {series.goal:g}: "
    rates = costs = own_core = server_core = faster = NONE
    if series.missing:
        goal += "not measured"
    else:
        rates = spread(sample.requests_per_s for sample in samples)
        costs = spread(sample.cpu_us_per_request for sample in samples)
        own_core = of_a_core(sample.generator_share for sample in samples)
        server_core = of_a_core(sample.server_share for sample in samples)
        ratios = results.ratios(series)
        faster = "" if series.name == OURS else f"{spread(ratios, factor)} {TIMES}"
        goal += "" if series.goal is None else _met(median(ratios) >= series.goal)
    return {
        "generator": marked(series),
        "responses checked": "yes" if series.checked else "no",
        "requests/s": rates,
        "CPU-µs/request": costs,
        "its core": own_core,
        "nginx's core": server_core,
        "ours, checked, is faster by": faster,
        "goal": goal,
    }


def _notes(series: Sequence[Series]) -> Iterable[str]:
    for row in series:
        if row.missing:
            yield f"**Missing: {row.title}** ({row.missing})."
    if any(row.samples and row.server_bound for row in series):
        yield (
            "**Server-bound**: nginx used its whole core, so the generator can do more than this; "
            "its CPU time per request is valid all the same."
        )
    if any(row.samples and row.disturbed for row in series):
        yield (
            "**Disturbed**: neither the generator nor nginx had its core to itself; measure again "
            "on a quiet machine."
        )


def users(results: UserSteps) -> str:
    """Return the section on many users: conditions, chart, table, goals."""
    rows = [_user_row(client, step) for client in results.clients for step in client.steps]
    return "\n\n".join(
        [
            described(results.conditions),
            f"One process on one core, users wait 1 to 5 s; {results.spawn_rate_per_s} users "
            f"started per second, then {results.seconds} s measured.",
            "![Memory, CPU and event-loop lag by number of users](users.png)",
            table(rows),
            "\n".join(f"- {line}" for line in goals_of_users(results)),
        ]
    )


def _user_row(client: Client, step: Step) -> dict[str, str]:
    kb = client.kb_per_user(step)
    lags_ms = (step.lag_p50_ms, step.lag_p99_ms, step.lag_max_ms)
    responses_ms = (step.response_p99_ms, step.response_max_ms)
    return {
        "client": f"{client.name} (saturated)" if step.saturated else client.name,
        "users": count(step.users),
        "RSS, MB": count(round(step.rss_kb / 1024)),
        "KB per user beyond the first thousand": NONE if kb is None else rounded(kb),
        "requests/s, of those planned": (
            f"{rounded(step.requests_per_s)} of {rounded(step.planned_per_s)}"
        ),
        "its core": of_a_core([step.core_share]),
        "event-loop lag p50 / p99 / max, ms": " / ".join(map(time_ms, lags_ms)),
        "longest lag in ramp-up, ms": time_ms(step.ramp_up_stop_ms),
        "response p99 / max, ms": " / ".join(map(_whole_ms, responses_ms)),
        "failures": count(step.failures),
    }


def goals_of_users(results: UserSteps) -> list[str]:
    """Return a line for each goal: the goal, the measured value, and whether it is met."""
    steps = {
        step.users: (client, step)
        for client in results.clients
        if client.name == GOAL_CLIENT
        for step in client.steps
    }
    if GOAL_USERS not in steps:
        return [f"goals: not measured (for {GOAL_CLIENT} with {count(GOAL_USERS)} users)"]
    client, step = steps[GOAL_USERS]
    lines = []
    if (kb := client.kb_per_user(step)) is not None:
        lines.append(
            f"under {KB_PER_USER_GOAL:g} KB per user beyond the first thousand: {rounded(kb)} KB, "
            f"{_met(kb < KB_PER_USER_GOAL)}"
        )
    on_one_core = step.lag_p99_ms < LAG_GOAL_MS and not step.saturated
    lines.append(
        f"{count(GOAL_USERS)} users on one core with a p99 lag below {LAG_GOAL_MS:g} ms: "
        f"{time_ms(step.lag_p99_ms)} ms at {of_a_core([step.core_share])} of the core, "
        f"{_met(on_one_core)}"
    )
    return lines


def _whole_ms(milliseconds: float) -> str:
    return time_ms(round(milliseconds)) if milliseconds >= 1 else "< 1"  # Locust keeps whole ms


def _met(is_met: bool) -> str:
    return "met" if is_met else "**not met**"

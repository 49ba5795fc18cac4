"""What an experiment found, in sentences that a student understands."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from harness.compare.files import Interval, Metric, Plan, Ratio, Run, VariantResult

TIMES = "\N{MULTIPLICATION SIGN}"

TOO_VAGUE = 10

METRICS: dict[Metric, str] = {
    "carried_users": "carried {ratio} the users of {by}",
    "most_requests_per_s": "answered at best {ratio} the requests a second of {by}",
    "p95_ms": "had {ratio} the p95 of {by} with {users} users",
    "cpu_ms_per_request": "took {ratio} the CPU time a request of {by} with {users} users",
}


class Outcome(Struct, frozen=True):
    """What is spoken of: `whole` are the numbers of the rounds that count."""

    plan: Plan
    whole: Sequence[int]
    variants: Sequence[VariantResult]
    ratios: Sequence[Ratio]
    runs: Sequence[Run]


def number(value: float) -> str:
    """Write a value with three digits, thousands apart."""
    if abs(value) >= 1000:
        return f"{float(f'{value:.3g}'):,.0f}".replace(",", " ")
    return f"{float(f'{value:.3g}'):g}"


def factor(value: float) -> str:
    """Write a ratio: near 1 with two decimals, where they tell."""
    return f"{value:.2f}" if value < 2 else f"{value:.1f}" if value < 10 else f"{value:.0f}"


def factors(ratio: Interval) -> str:
    """Write a ratio with its interval, such as "1.62 (1.41 to 1.84)".

    A bound that is near 1 gets more digits: it would look like 1, which the interval leaves out.
    """
    estimate, interval = factors_apart(ratio)
    return f"{estimate} ({interval})" if interval else estimate


def factors_apart(ratio: Interval) -> tuple[str, str]:
    """Write a ratio and its interval, which is empty for a single round."""
    if ratio.low is None or ratio.high is None:
        return factor(ratio.estimate), ""
    values, decimals = (ratio.estimate, ratio.low, ratio.high), 2
    while decimals < 6 and any(round(each, decimals) == 1 != each for each in values[1:]):
        decimals += 1
    middle, low, high = (
        factor(each) if decimals == 2 else f"{each:.{decimals}f}" for each in values
    )
    return middle, f"{low} to {high}"


def between(interval: Interval, written: str, low: str | None, high: str | None) -> str:
    """Write an estimate and its interval, such as "310 (296 to 324)"."""
    return written if interval.low is None else f"{written} ({low} to {high})"


def measured(interval: Interval) -> str:
    """Write an estimate with its interval, three digits each, such as "669 (430 to 1 040)"."""
    low, high = (None if end is None else number(end) for end in (interval.low, interval.high))
    return between(interval, number(interval.estimate), low, high)


def users_of(interval: Interval) -> str:
    """Write a number of users with its interval: users are whole."""
    ends = (interval.low, interval.high)
    low, high = (None if end is None else number(round(end)) for end in ends)
    return between(interval, number(round(interval.estimate)), low, high)


def ratio_sentence(
    metric: Metric,
    at_users: int | None,
    titles: tuple[str, str],
    ratio: Interval,
    rounds: int,
    smallest: float | None,
) -> str:
    """Say what a ratio says; where it shows no difference, what it could have shown."""
    estimate, interval = factors_apart(ratio)
    written = f"{estimate} {TIMES}"
    said = METRICS[metric].format(ratio=written, by=titles[1], users=at_users)
    if ratio.low is None or ratio.high is None:
        return f"{titles[0]} {said} (1 round, so nothing is known of its certainty)"
    interval = f"({interval}, {rounds} rounds)"
    if not ratio.low <= 1 <= ratio.high:
        return f"{titles[0]} {said} {interval}"
    return f"no difference shown: {titles[0]} {said} {interval}{_hidden(smallest)}"


def _hidden(smallest: float | None) -> str:
    """Say how large a difference would have to be; POWER says how likely is "most likely"."""
    if smallest is None:
        return ""
    least = (
        f"{factor(smallest)} {TIMES}" if smallest < TOO_VAGUE else f"{TOO_VAGUE} {TIMES} or more"
    )
    return f"; a difference of {least} would most likely have been shown"


def finding(outcome: Outcome) -> str:
    """Say in one sentence which variant carries more, by how much and how sure that is."""
    if not outcome.whole:
        return "Nothing can be said yet: no round is whole."
    if outcome.plan.is_aa:
        return _finding_of_aa(outcome)
    if len(outcome.variants) == 1:
        return f"{_carried_alone(outcome.variants[0])}."
    ratio = _ratio_of_best(outcome, "carried_users")
    if ratio is not None:
        return _begun_large(f"{ratio.sentence}{_runner_up(outcome, ratio)}.")
    least = {variant.at_least for variant in outcome.variants if variant.carried_users is None}
    if not _ranked(outcome) and len(least) == 1 and None not in least:
        users = number(least.pop() or 0)
        return (
            f"Every variant carried {users} users, the most that were tried, so no difference in "
            "carried users could show; give them more."
        )
    known = "; ".join(_carried_alone(variant) for variant in outcome.variants)
    return _begun_large(f"{known}.")


def notes(outcome: Outcome) -> list[str]:
    """Say what to mind about it: what is missing, invalid, or uncertain for another reason."""
    plan, found = outcome.plan, []
    if len(outcome.whole) < plan.rounds:
        found.append(f"{len(outcome.whole)} of {plan.rounds} planned rounds are whole.")
    if len(outcome.whole) == 1:
        found.append("One round says nothing of its own certainty; make at least three.")
    for run in outcome.runs:
        if not run.is_valid:
            what = "and left out" if run.attempt > 1 else "and made again"
            found.append(
                f"Round {run.round}, {run.variant} with {run.users} users was invalid {what}: "
                f"{run.reasons[0]}."
            )
    pairs = len(plan.variants) * (len(plan.variants) - 1) // 2
    if pairs > 1:
        found.append(
            f"Each interval holds for 95 % by itself; of {pairs} pairs that do not differ at all, "
            f"one or more would be called different in up to {min(5 * pairs, 100)} % of "
            "comparisons."
        )
    return found


def _finding_of_aa(outcome: Outcome) -> str:
    shown = [ratio for ratio in outcome.ratios if ratio.is_shown]
    title = outcome.plan.variants[0].title.removesuffix(" (A)")
    if shown:
        said = "; ".join(ratio.sentence for ratio in shown)
        return f"A difference was called where there is none, between {title} and itself: {said}."
    if not outcome.ratios:
        return f"Nothing can be said of {title} against itself: no round gave both a number."
    first = outcome.ratios[0].sentence.removeprefix("no difference shown: ")
    return f"No difference shown between {title} and itself, as it should be: {first}."


def _ratio_of_best(outcome: Outcome, metric: Metric) -> Ratio | None:
    """Return the ratio of the variant with the most users to the first of the plan.

    When the first has the most itself: that of the next to it.
    """
    ranked = _ranked(outcome)
    if len(ranked) < len(outcome.variants):
        return None
    first = outcome.plan.variants[0].name
    best = ranked[0] if ranked[0] != first else ranked[1]
    return next(
        (
            each
            for each in outcome.ratios
            if each.metric == metric and {each.variant, each.by} == {best, first}
        ),
        None,
    )


def _runner_up(outcome: Outcome, said: Ratio) -> str:
    """Say how sure the first place is, unless the sentence before did."""
    ranked = _ranked(outcome)
    if len(ranked) < 3 or {ranked[0], ranked[1]} == {said.variant, said.by}:
        return ""
    pair = {ranked[0], ranked[1]}
    ratio = next(
        each
        for each in outcome.ratios
        if each.metric == "carried_users" and {each.variant, each.by} == pair
    )
    titles = {variant.name: variant.title for variant in outcome.plan.variants}
    if ratio.is_shown:
        return f"; {titles[ranked[1]]} came next"
    return f"; between it and {titles[ranked[1]]} no difference was shown"


def _ranked(outcome: Outcome) -> list[str]:
    """Return the variants whose users are known, the most first."""
    known = [
        (each.carried_users.estimate, each.variant)
        for each in outcome.variants
        if each.carried_users is not None
    ]
    return [name for _, name in sorted(known, key=lambda each: -each[0])]


def _carried_alone(variant: VariantResult) -> str:
    if variant.carried_users is not None:
        return f"{variant.title} carried {users_of(variant.carried_users)} users"
    if all(each.held is None for each in variant.by_round):
        return f"{variant.title} carried no step: the lowest missed the objectives already"
    if variant.at_least is None:
        return f"{variant.title} did not carry its lowest step in every round"
    return f"{variant.title} carried at least {number(variant.at_least)} users"


def _begun_large(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]

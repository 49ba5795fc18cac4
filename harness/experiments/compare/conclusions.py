"""The conclusions of an experiment as sentences, and its estimates as text; pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from harness.experiments.compare import files
from harness.experiments.compare.files import Interval, Ratio, VariantResult
from harness.results.formatting import NONE, TIMES, count, factor, rounded

MAX_DETECTABLE_RATIO = 10
"""From this ratio on, the smallest detectable difference is only called "10 times or more"."""
MAX_DECIMALS = 6

METRICS: dict[files.Metric, tuple[str, str]] = {
    "carried_users": ("carried users", "carried {ratio} the users of {by}"),
    "most_requests_per_s": (
        "most requests/s",
        "answered at best {ratio} the requests a second of {by}",
    ),
    "p95_ms": ("p95 response time", "had {ratio} the p95 of {by} with {users} users"),
    "cpu_ms_per_request": (
        "CPU time a request",
        "took {ratio} the CPU time a request of {by} with {users} users",
    ),
}
"""Of each metric the name in a table, and the predicate in a sentence about a variant."""


def interval(found: Interval | None, write: Callable[[float], str] = rounded) -> str:
    """Format an estimate with its interval, such as "310 (296 to 324)"."""
    if found is None:
        return NONE
    ends = "" if found.ends is None else " ({} to {})".format(*map(write, found.ends))
    return write(found.estimate) + ends


def spread(found: files.Spread | int | None) -> str:
    """Format a median with its extremes, such as "38 (36 to 41)", or a single number."""
    if found is None or isinstance(found, int):
        return NONE if found is None else count(found)
    low, middle, high = (rounded(value) for value in sorted(found))
    return middle if low == middle == high else f"{middle} ({low} to {high})"


def ratio(found: Interval) -> str:
    """Format a ratio with its interval, such as "1.62 (1.41 to 1.84)"."""
    estimate, ends = _ratio_parts(found)
    return f"{estimate} ({ends})" if ends else estimate


def metric(found: Ratio) -> str:
    """Return what a ratio is of, such as "p95 response time at 100 users"."""
    at = "" if found.at_users is None else f" at {count(found.at_users)} users"
    return METRICS[found.metric][0] + at


def in_round(found: files.CarriedInRound) -> str:
    """Format the steps that bound the carried users of a round: "100 to 200", "≥ 400"."""
    if found.held is None:
        return NONE if found.missed is None else f"< {count(found.missed)}"
    held = count(found.held)
    return f"≥ {held}" if found.missed is None else f"{held} to {count(found.missed)}"


def carried(found: VariantResult) -> str:
    """Format the carried users of a variant, or the bound that is known instead."""
    if found.carried_users is not None:
        return interval(found.carried_users, lambda users: rounded(round(users)))
    if found.at_least is not None:
        return f"at least {count(found.at_least)}"
    missed = [each.missed for each in found.by_round if each.held is None and each.missed]
    return f"fewer than {count(min(missed))}, the first step" if missed else "not known"


def ratio_sentence(found: Ratio, title: str, by: str) -> str:
    """Return a ratio in words; if it shows no difference, with the smallest it could show."""
    estimate, ends = _ratio_parts(found.ratio)
    users = None if found.at_users is None else count(found.at_users)
    said = METRICS[found.metric][1].format(ratio=f"{estimate} {TIMES}", by=by, users=users)
    if found.smallest_shown is None:
        return f"{title} {said} (1 round, so nothing is known of its certainty)"
    said = f"{title} {said} ({ends}, {found.rounds} rounds)"
    if found.is_shown:
        return said
    # "Most likely" is the probability `estimates.POWER`.
    least = f"{factor(found.smallest_shown)} {TIMES}"
    if found.smallest_shown >= MAX_DETECTABLE_RATIO:
        least = f"{MAX_DETECTABLE_RATIO} {TIMES} or more"
    hidden = f"a difference of {least} would most likely have been shown"
    return f"no difference shown: {said}; {hidden}"


def common_step(variants: Sequence[VariantResult]) -> int | None:
    """Return the highest step that every variant held in every round, or None.

    There they carried the same load, so that times and costs can be compared.
    """
    held = [
        {step.users for step in each.steps if step.held == len(each.by_round)} for each in variants
    ]
    return max(set.intersection(*held), default=None) if held else None


def finding(plan: files.Plan, variants: Sequence[VariantResult], ratios: Sequence[Ratio]) -> str:
    """Return a sentence on which variant carries more, by how much, and how sure that is."""
    if not variants[0].by_round:
        return "Nothing can be said yet: no round is whole."
    if plan.is_aa:
        return _finding_of_aa(variants[0].title.removesuffix(" (A)"), ratios)
    known = {each.variant: each.carried_users.estimate for each in variants if each.carried_users}
    ranked = sorted(known, key=lambda name: -known[name])
    least = {variant.at_least for variant in variants}
    if len(ranked) == len(variants) > 1:
        said = _best(variants, ratios, *ranked[:2])
    elif len(variants) > 1 and not ranked and len(least) == 1 and None not in least:
        users = count(least.pop() or 0)
        return (
            f"Every variant carried {users} users, the most that were tried, so no difference in "
            "carried users could show; give them more."
        )
    else:
        said = "; ".join(_carried_alone(variant) for variant in variants)
    return f"{said[:1].upper()}{said[1:]}."


def notes(plan: files.Plan, whole: int, runs: Sequence[files.Run]) -> list[str]:
    """Return sentences on what is missing, invalid, or otherwise uncertain."""
    found = []
    if whole < plan.rounds:
        found.append(f"{whole} of {plan.rounds} planned rounds are whole.")
    if whole == 1:
        found.append("One round says nothing of its own certainty; make at least three.")
    for run in runs:
        if not run.is_valid:
            what = "left out" if run.attempt > 1 else "made again"
            found.append(
                f"Round {run.round}, {run.variant} with {count(run.users)} users was invalid and "
                f"{what}: {run.reasons[0]}."
            )
    pairs = len(plan.variants) * (len(plan.variants) - 1) // 2
    if pairs > 1:  # Bonferroni's bound: the pairs are not independent
        found.append(
            f"Each interval holds for 95 % by itself; of {pairs} pairs that do not differ at all, "
            f"one or more would be called different in up to {min(5 * pairs, 100)} % of "
            "comparisons."
        )
    return found


def _ratio_parts(ratio: Interval) -> tuple[str, str]:
    """Format a ratio and its interval, which is empty for a single round.

    A bound near 1 gets more digits: rounded to 1, it would seem to be within the interval.
    """
    if ratio.ends is None:
        return factor(ratio.estimate), ""
    decimals = 2
    while decimals < MAX_DECIMALS and any(round(end, decimals) == 1 != end for end in ratio.ends):
        decimals += 1
    estimate, low, high = (
        factor(each) if decimals == 2 else f"{each:.{decimals}f}"
        for each in (ratio.estimate, *ratio.ends)
    )
    return estimate, f"{low} to {high}"


def _finding_of_aa(title: str, ratios: Sequence[Ratio]) -> str:
    if said := "; ".join(ratio.sentence for ratio in ratios if ratio.is_shown):
        return f"A difference was called where there is none, between {title} and itself: {said}."
    if not ratios:
        return f"Nothing can be said of {title} against itself: no round gave both a number."
    first = ratios[0].sentence.removeprefix("no difference shown: ")
    return f"No difference shown between {title} and itself, as it should be: {first}."


def _best(
    variants: Sequence[VariantResult], ratios: Sequence[Ratio], best: str, second: str
) -> str:
    """Compare the variant that carried the most users with the first of the plan.

    If the first is the best itself, compare it with the runner-up. Then say whether the lead over
    the runner-up is shown, unless the sentence is about that already.
    """
    of_pair = {
        frozenset((ratio.variant, ratio.by)): ratio
        for ratio in ratios
        if ratio.metric == "carried_users"
    }
    first = variants[0].variant
    ratio = of_pair[frozenset((best, second if best == first else first))]
    if second in (ratio.variant, ratio.by):
        return ratio.sentence
    title = next(each.title for each in variants if each.variant == second)
    if of_pair[frozenset((best, second))].is_shown:
        return f"{ratio.sentence}; {title} came next"
    return f"{ratio.sentence}; between it and {title} no difference was shown"


def _carried_alone(variant: VariantResult) -> str:
    if variant.carried_users is not None or variant.at_least is not None:
        return f"{variant.title} carried {carried(variant)} users"
    if all(each.held is None for each in variant.by_round):
        return f"{variant.title} carried no step: the lowest missed the objectives already"
    return f"{variant.title} did not carry its lowest step in every round"

"""The verdict on a run in progress: what is met, what is broken and what is pending; pure.

`verdict.summarize` judges the run as if it had ended; this module decides which of its results are
premature. A rule that the rest of the run can still fulfil is pending, not broken.

Invariants: what is broken for good is reported at once. A pass so far has nothing pending.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from harness.results.figures import MIN_STEADY_S
from harness.results.rows import ObjectiveLine, RuleLine, objective_line, rule_line
from harness.results.run_folder import Rule, Summary

InterimStatus = Literal["pass", "fail", "invalid", "too early"]

CAN_STILL_COME = ("samples", "mix", "planned users", "steady state")
"""Rules that the rest of the run can still fulfil."""
END = "end"
TOO_EARLY = "Too early to say"


class InterimVerdict(Struct, frozen=True, kw_only=True):
    """The verdict so far, in words in `headline`; `reasons` are sentences."""

    verdict: InterimStatus
    headline: str
    reasons: list[str]
    notes: list[str]
    objectives: list[ObjectiveLine]
    rules: list[RuleLine]


def interim_verdict(summary: Summary, is_over: bool) -> InterimVerdict:
    """Return the verdict on a run so far; once it is over, nothing is pending."""
    objectives = [objective_line(each) for each in summary.objectives]
    rules = [rule_line(rule) for rule in summary.validity]
    verdict: InterimStatus = summary.verdict
    headline, reasons = verdict.capitalize(), summary.reasons
    if not is_over:
        objectives = [
            replace(line, state="pending", word="no samples yet") if each.value is None else line
            for line, each in zip(objectives, summary.objectives, strict=True)
        ]
        # A run in progress cannot have reached its end.
        rules = [_rule_so_far(rule, summary) for rule in summary.validity if rule.name != END]
        verdict, reasons = _interim(objectives, rules)
        headline = f"{verdict.capitalize()} so far" if verdict != "too early" else TOO_EARLY
    return InterimVerdict(
        verdict=verdict,
        headline=headline,
        reasons=reasons,
        notes=summary.notes,
        objectives=objectives,
        rules=rules,
    )


def _interim(
    objectives: list[ObjectiveLine], rules: list[RuleLine]
) -> tuple[InterimStatus, list[str]]:
    broken = [rule.sentence for rule in rules if rule.state == "bad"]
    missed = [each.sentence for each in objectives if each.state == "bad"]
    if broken or missed:
        return "invalid" if broken else "fail", broken + missed
    waiting = [rule.sentence for rule in rules if rule.state == "pending"]
    is_early = waiting or any(each.state == "pending" for each in objectives)
    return "too early" if is_early else "pass", waiting


def _rule_so_far(rule: Rule, summary: Summary) -> RuleLine:
    """Return a rule; if it is pending, with a sentence that says what it waits for."""
    sentence = rule.sentence
    is_pending = not rule.kept and rule.name in CAN_STILL_COME
    match rule.name:
        case "samples":
            sentence = "no request yet to judge by"
        case "mix":
            sentence = f"not hit yet: {rule.sentence.partition(': ')[2]}"
        case "planned users" if not summary.duration_s:
            # Before the first second no users are planned and none run: the rule seems kept.
            is_pending, sentence = True, "no users yet"
        case "steady state":
            sentence = f"no steady state yet: {MIN_STEADY_S} s with all planned users"
        case "generator":
            is_pending = not summary.generator.watched_s
            sentence = "no second of the steady state yet in which the generator was watched"
    if not is_pending:
        return rule_line(rule)
    return RuleLine(name=rule.name, state="pending", word="not yet", sentence=sentence)

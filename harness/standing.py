"""How a run stands while it goes on: what holds, what is broken, what is not known yet; pure.

The judge is that of the end (`verdict.summarize`); here it is only said which of its answers
are early. A rule that the rest of the run can still fulfil is pending, not broken. Bad news is
told at once; a pass so far needs that nothing is pending.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from harness.figures import LEAST_STEADY_S
from harness.rows import ObjectiveLine, RuleLine, objective_line, rule_line
from harness.runfolder import Rule, Summary

SoFar = Literal["pass", "fail", "invalid", "too early"]

CAN_STILL_COME = ("samples", "mix", "planned users", "steady state")
END = "end"
TOO_EARLY = "Too early to say"


class Standing(Struct, frozen=True, kw_only=True):
    """How a run stands; `reasons` are sentences, and `headline` has the verdict in words."""

    verdict: SoFar
    headline: str
    reasons: list[str]
    notes: list[str]
    objectives: list[ObjectiveLine]
    rules: list[RuleLine]


def standing(summary: Summary, is_over: bool) -> Standing:
    """Say how a run stands; once it is over, nothing is pending."""
    objectives = [objective_line(each) for each in summary.objectives]
    rules = [rule_line(rule) for rule in summary.validity]
    verdict: SoFar = summary.verdict
    headline, reasons = verdict.capitalize(), summary.reasons
    if not is_over:
        objectives = [
            replace(line, state="pending", word="no samples yet") if each.value is None else line
            for line, each in zip(objectives, summary.objectives, strict=True)
        ]
        # The end is what everything else waits for.
        rules = [_rule_so_far(rule, summary) for rule in summary.validity if rule.name != END]
        verdict, reasons = _so_far(objectives, rules)
        headline = f"{verdict.capitalize()} so far" if verdict != "too early" else TOO_EARLY
    return Standing(
        verdict=verdict,
        headline=headline,
        reasons=reasons,
        notes=summary.notes,
        objectives=objectives,
        rules=rules,
    )


def _so_far(objectives: list[ObjectiveLine], rules: list[RuleLine]) -> tuple[SoFar, list[str]]:
    broken = [rule.sentence for rule in rules if rule.state == "bad"]
    missed = [each.sentence for each in objectives if each.state == "bad"]
    if broken or missed:
        return "invalid" if broken else "fail", broken + missed
    waiting = [rule.sentence for rule in rules if rule.state == "pending"]
    is_early = waiting or any(each.state == "pending" for each in objectives)
    return "too early" if is_early else "pass", waiting


def _rule_so_far(rule: Rule, summary: Summary) -> RuleLine:
    """Return a rule; of one that is pending say what it waits for, as the judge does not."""
    sentence = rule.sentence
    is_pending = not rule.kept and rule.name in CAN_STILL_COME
    match rule.name:
        case "samples":
            sentence = "no request yet to judge by"
        case "mix":
            sentence = f"not hit yet: {rule.sentence.partition(': ')[2]}"
        case "planned users" if not summary.duration_s:
            # Nobody was wanted in no second, and as many ran.
            is_pending, sentence = True, "no users yet"
        case "steady state":
            sentence = f"no steady state yet: {LEAST_STEADY_S} s with all planned users"
        case "generator":
            is_pending = not summary.generator.watched_s
            sentence = "no second of the steady state yet in which the generator was watched"
    if not is_pending:
        return rule_line(rule)
    return RuleLine(name=rule.name, state="pending", word="not yet", sentence=sentence)

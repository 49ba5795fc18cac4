"""How a run stands while it goes on: what holds, what is broken, what is not known yet; pure.

The judge is that of the end (`verdict.summarize`); here it is only said which of its answers
are early. A rule that the rest of the run can still fulfil is pending, not broken. Bad news is
told at once; a pass so far needs that nothing is pending.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

from harness import rows
from harness.figures import LEAST_STEADY_S
from harness.runfolder import Objective, Rule, Summary

SoFar = Literal["pass", "fail", "invalid", "too early"]
State = Literal["good", "bad", "pending"]

PLANNED_USERS = "planned users"
CAN_STILL_COME = ("samples", "mix", PLANNED_USERS, "steady state")
END = "end"
GENERATOR = "generator"
WORDS: dict[State, tuple[str, str]] = {
    "good": ("met", "kept"),
    "bad": ("missed", "broken"),
    "pending": ("no samples yet", "not yet"),
}


class ObjectiveLine(Struct, frozen=True, kw_only=True):
    """An objective as it stands; limit and value as people write them, with their units."""

    what: str
    limit: str
    value: str
    samples: int
    state: State
    word: str
    sentence: str


class RuleLine(Struct, frozen=True, kw_only=True):
    """A validity rule as it stands."""

    name: str
    state: State
    word: str
    sentence: str


class Standing(Struct, frozen=True, kw_only=True):
    """How a run stands; `reasons` are sentences, and `headline` has the verdict in words."""

    verdict: SoFar
    headline: str
    reasons: list[str]
    notes: list[str]
    objectives: list[ObjectiveLine]
    rules: list[RuleLine]


def standing(summary: Summary, is_over: bool) -> Standing:
    """Say how a run stands.

    Args:
        summary: of what is known.
        is_over: whether nothing more will come, so that nothing is pending.
    """
    objectives = [_objective_line(each, is_over) for each in summary.objectives]
    rules = [_rule_line(rule, summary, is_over) for rule in _shown(summary.validity, is_over)]
    verdict: SoFar = summary.verdict if is_over else _so_far(objectives, rules)
    return Standing(
        verdict=verdict,
        headline=_headline(verdict, is_over),
        reasons=summary.reasons if is_over else list(_reasons(verdict, objectives, rules)),
        notes=summary.notes,
        objectives=objectives,
        rules=rules,
    )


def _shown(rules: list[Rule], is_over: bool) -> Iterator[Rule]:
    """Leave out the end of a run that goes on: it is what everything else waits for."""
    return (rule for rule in rules if is_over or rule.name != END)


def _so_far(objectives: list[ObjectiveLine], rules: list[RuleLine]) -> SoFar:
    if any(rule.state == "bad" for rule in rules):
        return "invalid"
    if any(objective.state == "bad" for objective in objectives):
        return "fail"
    if "pending" in {*(each.state for each in objectives), *(rule.state for rule in rules)}:
        return "too early"
    return "pass"


def _reasons(
    verdict: SoFar, objectives: list[ObjectiveLine], rules: list[RuleLine]
) -> Iterator[str]:
    if verdict == "too early":
        yield from (rule.sentence for rule in rules if rule.state == "pending")
    else:
        yield from (rule.sentence for rule in rules if rule.state == "bad")
        yield from (each.sentence for each in objectives if each.state == "bad")


def _headline(verdict: SoFar, is_over: bool) -> str:
    if verdict == "too early":
        return "Too early to say"
    return verdict.capitalize() if is_over else f"{verdict.capitalize()} so far"


def _rule_line(rule: Rule, summary: Summary, is_over: bool) -> RuleLine:
    state: State = "good" if rule.kept else "bad"
    sentence = rule.sentence
    if not is_over and _is_pending(rule, summary):
        state, sentence = "pending", _not_yet(rule, summary)
    return RuleLine(name=rule.name, state=state, word=WORDS[state][1], sentence=sentence)


def _is_pending(rule: Rule, summary: Summary) -> bool:
    if rule.name == GENERATOR:
        return not summary.generator.watched_s
    if rule.name == PLANNED_USERS and not summary.duration_s:
        return True  # nobody was wanted in no second, and as many ran
    return not rule.kept and rule.name in CAN_STILL_COME


def _not_yet(rule: Rule, summary: Summary) -> str:
    """Say of a pending rule what it waits for; the judge speaks of runs that are over."""
    match rule.name:
        case "samples":
            return "no request yet to judge by"
        case "mix":
            return f"not hit yet: {rule.sentence.partition(': ')[2]}"
        case "planned users" if not summary.duration_s:
            return "no users yet"
        case "steady state":
            return f"no steady state yet: {LEAST_STEADY_S} s with all planned users"
        case "generator":
            return "no second of the steady state yet in which the generator was watched"
    return rule.sentence


def _objective_line(objective: Objective, is_over: bool) -> ObjectiveLine:
    state: State = "good" if objective.met else "bad"
    word = rows.result_of(objective)
    if objective.value is None and not is_over:
        state, word = "pending", WORDS["pending"][0]
    return ObjectiveLine(
        what=f"{rows.name_of(objective.key)} of {rows.scope_of(objective.scope)}",
        limit=rows.limit(objective.key, objective.limit),
        value=rows.amount(objective.key, objective.value),
        samples=objective.samples,
        state=state,
        word=word,
        sentence=objective.sentence,
    )

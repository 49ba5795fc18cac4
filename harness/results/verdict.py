"""The verdict on a run, pass, fail or invalid, and the reasons as sentences; pure.

Invariants: validity comes before objectives, because an invalid run says nothing about the server,
whatever its figures are. Only a valid run that met every objective passes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.recording import histograms
from harness.recording.samples import ConnectionCounts
from harness.results import rows
from harness.results.figures import MIN_STEADY_S, RunFigures
from harness.results.formatting import count, number
from harness.results.objectives import TOTAL, Objectives
from harness.results.run_folder import (
    LOST_WRITES,
    Audit,
    DeviceCounts,
    EndpointFigures,
    Figures,
    Manifest,
    Objective,
    Rule,
    RunEnd,
    Step,
    Summary,
    Total,
    Verdict,
)

MAX_AHEAD_S, MAX_BEHIND_S = 1.0, 2.0
"""How far a worker's clock may differ from the master's, in s.

Workers number seconds by their own clocks, so with a larger difference requests count in the wrong
second. The bound is wider for a clock that is behind, since a delayed message looks the same:
Locust's master reads no messages while it waits, for a second, for a worker that has gone.
"""
EXIT_CODES: dict[Verdict, int] = {"pass": 0, "fail": 1, "invalid": 3}
"""2 stands for wrong usage or configuration, when there is no run to judge."""


def summarize(
    manifest: Manifest, found: RunFigures, ending: RunEnd | None, objectives: Objectives
) -> Summary:
    """Judge a run; `ending` is None if it did not reach its end."""
    validity = list(_rules(manifest, found, ending, objectives))
    measured = {TOTAL: found.total} | {each.scope: each for each in found.endpoints}
    results = [
        _objective(scope, key, limit, measured.get(scope))
        for scope, limits in objectives.limits.items()
        for key, limit in limits.items()
    ]
    if ending is not None and ending.audit is not None:
        results.append(_audited(ending.audit))
    broken = [rule.sentence for rule in validity if not rule.kept]
    missed = [objective.sentence for objective in results if not objective.met]
    verdict: Verdict = "invalid" if broken else "fail" if missed else "pass"
    notes = []
    if ending is not None and ending.lost_workers and manifest.allow_worker_loss:
        notes.append(f"{_loss(ending.lost_workers)}, which ALLOW_WORKER_LOSS allows")
    return Summary(
        run_id=manifest.run_id,
        verdict=verdict,
        exit_code=EXIT_CODES[verdict],
        reasons=[*broken, *missed],
        validity=validity,
        objectives=results,
        carried_users=_carried_users(found.steps, objectives.limits[TOTAL]),
        duration_s=found.duration_s,
        steady_s=found.steady_s,
        total=found.total,
        endpoints=found.endpoints,
        steps=found.steps,
        generator=found.generator,
        devices=ending.devices if ending else DeviceCounts(),
        connections=ending.connections if ending else ConnectionCounts(),
        audit=ending.audit if ending else None,
        notes=notes,
    )


def _rules(
    manifest: Manifest, found: RunFigures, ending: RunEnd | None, objectives: Objectives
) -> Iterator[Rule]:
    stretch = "in the steady state" if found.total.steady else "at all"
    requests = (found.total.steady or found.total.whole_run).requests
    yield _rule(
        "samples",
        requests > 0,
        f"{count(requests)} requests were measured {stretch}",
        f"no request was answered {stretch}",
    )
    hit = {each.scope for each in found.endpoints if each.whole_run.requests}
    missing = [name for name in manifest.endpoints if name not in hit]
    yield _rule(
        "mix",
        not missing,
        "every endpoint of the mix was hit",
        f"never hit, though in the mix: {', '.join(missing)}",
    )
    planned, ran = found.planned_users, found.users
    if manifest.is_headless:  # a run cut short during ramp-up may not have planned them all
        planned = max(planned, manifest.users or 0)
    scope_of_users = "" if ending is not None else " in the seconds that were written down"
    yield _rule(
        "planned users",
        planned <= ran,
        f"all {count(planned)} planned users ran",
        f"of {count(planned)} planned users at most {count(ran)} ran at a time{scope_of_users}",
    )
    after = f", after a warm-up of {manifest.warm_up_s:g} s" if manifest.warm_up_s else ""
    yield _rule(
        "steady state",
        found.steady_s > 0,
        f"the steady state lasted {found.steady_s:,.0f} s",
        f"the run ended before its steady state, which takes {MIN_STEADY_S} s with all planned "
        f"users{after}",
    )
    yield _generator_rule(found, objectives)
    if ending is None:
        said = "the run did not come to its end: there is no end.json"
        yield Rule(name="end", kept=False, sentence=said)
        return
    stopped_after_s, run_time_s = ending.stopped_after_s, manifest.run_time_s or 0.0
    yield _rule(
        "end",
        stopped_after_s is None,
        "the run came to its end",
        f"the run was stopped after {stopped_after_s or 0.0:,.0f} s of {run_time_s:,.0f} s",
    )
    lost = ending.lost_workers
    said = _loss(lost) if lost else "no worker was lost"
    yield Rule(name="workers", kept=not lost or manifest.allow_worker_loss, sentence=said)
    if ending.clock_off_s is not None:
        off_s = ending.clock_off_s
        yield _rule(
            "clocks",
            -MAX_AHEAD_S < off_s < MAX_BEHIND_S,
            f"the clocks of all workers are right to {MAX_BEHIND_S:g} s",
            f"the clock of a worker is off by {abs(off_s):.1f} s: its requests stand in wrong "
            "seconds",
        )
    if ending.lost_reports is not None:
        yield _rule(
            "reports",
            not ending.lost_reports,
            "no report of a worker is missing",
            f"reports of workers that never arrived: {ending.lost_reports:,}, and with them their "
            "requests",
        )
    if ending.late_reports is not None:
        yield _rule(
            "late reports",
            not ending.late_reports,
            "no report of a worker came too late for its seconds",
            f"reports of workers that came too late: {ending.late_reports:,}, their requests "
            "stand in wrong seconds",
        )
    yield _rule(
        "results",
        not ending.was_reset,
        "no results were discarded",
        "the statistics were reset in mid-run",
    )
    yield _rule(
        "users",
        not ending.exceptions,
        "no user raised an exception",
        f"exceptions in users: {ending.exceptions:,}, see locust_exceptions.csv",
    )


def _loss(lost_workers: int) -> str:
    return f"lost workers: {lost_workers}, and with them their last requests"


def _audited(audit: Audit) -> Objective:
    """Judge the audit: no write that the server acknowledged may be lost."""
    devices, lost = audit.devices, audit.lost_devices + audit.wrong_values
    return Objective(
        scope="devices",
        key=LOST_WRITES,
        limit=0,
        value=lost if devices else None,
        samples=devices + audit.values,
        met=bool(devices) and not lost,
        sentence=_audit_sentence(audit),
    )


def _audit_sentence(audit: Audit) -> str:
    devices, values = f"{count(audit.devices)} devices", f"{count(audit.values)} values"
    lost, wrong = count(audit.lost_devices), count(audit.wrong_values)
    if not audit.devices:
        return f"of {count(audit.unread)} devices none could be read back at the end"
    if not audit.are_values_known:
        found = f"{lost if audit.lost_devices else 'none'} of {devices} read back; their values "
        found += "cannot be judged, since a worker was lost"
    elif audit.lost_devices or audit.wrong_values:
        found = f"{lost} of {devices} and {wrong} of {values} read back"
    else:
        found = f"none of {devices} and {values} read back"
    example = f" (for example: {audit.examples[0]})" if audit.examples else ""
    unread = f"; {count(audit.unread)} devices gave no right answer" if audit.unread else ""
    return f"lost writes: {found}{example}{unread}"


def _generator_rule(found: RunFigures, objectives: Objectives) -> Rule:
    generator, bounds = found.generator, objectives.saturation
    watched, saturated = generator.watched_s, generator.saturated_s
    # Without a steady state there is nothing to watch, and the rule "steady state" is broken.
    if found.steady_s and not watched:
        said = "nothing is known of the generator's own load"
        return Rule(name="generator", kept=False, sentence=said)
    said = (
        f"the generator was saturated in {saturated:,} of {watched:,} steady seconds (CPU over "
        f"{bounds.cpu_percent:g} % of a core, or its event loop late by more than "
        f"{bounds.lag_ms:,g} ms)"
    )
    is_kept = saturated <= bounds.saturated_share * watched
    return _rule("generator", is_kept, said, f"{said}: the response times are its own as well")


def _rule(name: str, kept: bool, yes: str, no: str) -> Rule:
    return Rule(name=name, kept=kept, sentence=yes if kept else no)


def _objective(
    scope: str, key: str, limit: float, measured: Total | EndpointFigures | None
) -> Objective:
    """Judge an objective: failures over the whole run, times and rates over the steady state."""
    figures = None
    if measured is not None:
        figures = measured.whole_run if key == "fail_ratio" else measured.steady
    samples = figures.requests if figures else 0
    value = getattr(figures, key) if samples else None
    return Objective(
        scope=scope,
        key=key,
        limit=limit,
        value=value,
        samples=samples,
        met=_is_met(key, limit, value),
        sentence=_sentence(scope, key, limit, value, figures),
    )


def _is_met(key: str, limit: float, value: float | None) -> bool:
    """Return True if a value meets its limit; None, without samples, does not."""
    if value is None:
        return False
    if key == "requests_per_s":
        return value >= limit
    # A time that its histogram cannot tell from the limit meets it: a p95 of 999.95 ms is reported
    # as the end of its bucket, 1,000.4 ms, and would miss a limit of 1,000 ms otherwise.
    return value <= (histograms.bucket_upper_bound_ms(limit) if key.endswith("_ms") else limit)


def _sentence(
    scope: str, key: str, limit: float, value: float | None, figures: Figures | None
) -> str:
    name, what, wanted = rows.name_of(key), rows.scope_of(scope), rows.amount(key, limit)
    if value is None or figures is None:
        stretch = "the run" if key == "fail_ratio" else "the steady state"
        return f"{name} of {what} has no samples in {stretch}; the objective is {wanted}"
    measured, samples = rows.amount(key, value), count(figures.requests)
    if key == "fail_ratio":
        failed = f"{count(figures.failures)} of {samples} requests failed"
        return f"{failed} ({what}: {measured}), the objective is {wanted}"
    if key == "requests_per_s":
        said = f"{what} came to {number(value)} requests/s, the objective is at least {wanted}"
    else:
        said = f"{name} of {what} was {measured}, the objective is {wanted}"
    return f"{said} ({samples} samples)"


def _carried_users(steps: Sequence[Step], limits: dict[str, float]) -> int | None:
    """Return the users of the highest step up to which every step met the objectives, or None.

    Only steps on the way up count: those after the first step down show how the server recovers.
    """
    carried: list[int] = []
    for step in steps:
        if carried and step.users < carried[-1]:
            break
        found = step.total
        # A step without responses has no failures either, but carried nobody. When a step misses,
        # an earlier one with as many users does not count.
        if not found.requests or not all(
            _is_met(key, limit, getattr(found, key)) for key, limit in limits.items()
        ):
            return max((users for users in carried if users < step.users), default=None)
        carried.append(step.users)
    return max(carried, default=None)

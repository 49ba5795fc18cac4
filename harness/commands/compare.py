"""`python -m harness compare`: plans or resumes an experiment, runs it, and prints the result."""

from __future__ import annotations

import argparse
import importlib
import secrets
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness import ConfigurationError
from harness.commands import compare_options
from harness.commands.locustfile import check_objectives
from harness.config.settings import Settings
from harness.experiments import deployments
from harness.experiments.compare import experiment, files, judging
from harness.experiments.compare.files import Comparison, Plan, Variant
from harness.experiments.compare.server_load import machine
from harness.experiments.deployments import Deployment
from harness.results import objectives, run_folder
from harness.results.figures import MIN_STEADY_S

AA_SUFFIXES = ("A", "B")
Known = Mapping[str, Deployment]


def run(options: argparse.Namespace, settings: Settings) -> int:
    """Run an experiment, and return its exit code.

    The code is 0 if every round is complete, 1 if an A/A comparison shows a difference, and 3 if a
    round is missing.

    Raises:
        ConfigurationError: an option, a file or a server is wrong; finished runs are kept.
    """
    known = deployments.load(settings.deployments_file)
    begin = _resumed if options.resume else _new
    folder, plan = begin(options, settings, known)
    variants = {variant.name: known[_base(plan, variant.name)] for variant in plan.variants}
    again = f"go on with: python -m harness compare --resume {folder}"
    try:
        experiment.run(folder, plan, variants, settings)
    except KeyboardInterrupt:
        _print_result(folder, settings)
        print(f"interrupted; {again}", file=sys.stderr)
        return 3
    except ConfigurationError as error:
        if not list(files.finished_runs(folder)):
            raise
        raise ConfigurationError(f"{error}; then {again}") from None
    comparison = _print_result(folder, settings)
    if not comparison.is_complete:
        return 3
    return int(plan.is_aa and any(ratio.is_shown for ratio in comparison.ratios))


def judge(folder: Path, *, draw: bool = True) -> Comparison:
    """Write the result of an experiment, its charts and its reports, from its files.

    Raises:
        ConfigurationError: a file is missing or broken, or cannot be written; says which.
    """
    comparison = judging.judge(folder)
    try:
        files.write(folder, comparison)
    except OSError as error:
        raise ConfigurationError(f"cannot write to {folder}: {error.strerror}") from None
    if draw:
        importlib.import_module("harness.experiments.compare.report.files").draw(folder)
    return comparison


def _print_result(folder: Path, settings: Settings) -> Comparison:
    comparison = judge(folder, draw=settings.draw_report)
    print(f"\n{comparison.finding}")
    for note in comparison.notes:
        print(f"- {note}")
    print(f"report: {folder / 'report.html'}" if settings.draw_report else f"results: {folder}")
    return comparison


def _new(options: argparse.Namespace, settings: Settings, known: Known) -> tuple[Path, Plan]:
    chosen = [options.aa] if options.aa else options.variants or list(known)
    if options.aa and options.variants:
        raise ConfigurationError("--aa compares one variant with itself; leave --variants out")
    _check(chosen, known)
    wanted = objectives.load(settings.slo_file)
    suffixes = AA_SUFFIXES if options.aa else ("",)
    variants = [
        Variant(
            name=f"{name}-{suffix.lower()}" if suffix else name,
            title=f"{known[name].title} ({suffix})" if suffix else known[name].title,
            command=known[name].command,
            nginx=known[name].nginx,
        )
        for name in chosen
        for suffix in suffixes
    ]
    if options.first_users > options.most_users:
        raise ConfigurationError(
            f"--first-users {options.first_users} is more than --most-users {options.most_users}"
        )
    if options.step_time < MIN_STEADY_S:
        raise ConfigurationError(
            f"--step-time {options.step_time:g}s: a step needs {MIN_STEADY_S} s or more"
        )
    run_id = options.run_id or f"compare-{run_folder.new_run_id()}"
    folder = settings.results_dir / run_folder.checked_run_id(run_id)
    if (folder / files.PLAN).exists():
        raise ConfigurationError(f"{folder} holds a comparison already; --resume goes on with it")
    check_objectives(settings.slo_file)  # takes a second, so after what takes none
    # Last, so that a mistyped option is reported before a missing program.
    for name in chosen:
        deployments.check_programs(known[name])
    folder = run_folder.create(settings.results_dir, run_id)
    plan = Plan(
        id=folder.name,
        started_at=run_folder.now(),
        seed=secrets.randbits(32) if options.seed is None else options.seed,
        rounds=options.rounds,
        steps=options.steps,
        first_users=options.first_users,
        most_users=options.most_users,
        refinements=options.refinements,
        step_s=options.step_time,
        warm_up_s=options.warm_up,
        tags=options.tags or [],
        exclude_tags=options.exclude_tags or [],
        variants=variants,
        is_aa=bool(options.aa),
        machine=machine(),
        versions=run_folder.versions(),
    )
    run_folder.write_objectives(folder, wanted.text)
    files.write(folder, plan)
    return folder, plan


def _resumed(options: argparse.Namespace, settings: Settings, known: Known) -> tuple[Path, Plan]:
    if given := ", ".join(compare_options.given(options)):
        raise ConfigurationError(f"--resume goes on with what was planned; leave {given} out")
    plan = files.read_plan(options.resume)
    chosen = list(dict.fromkeys(_base(plan, variant.name) for variant in plan.variants))
    _check(chosen, known)
    for variant in plan.variants:
        deployment = known[_base(plan, variant.name)]
        if (deployment.command, deployment.nginx) != (variant.command, variant.nginx):
            raise ConfigurationError(
                f"{variant.name} is deployed in another way than when {options.resume} began; "
                "begin a new comparison"
            )
    for name in chosen:
        deployments.check_programs(known[name])
    return options.resume, plan


def _check(names: Sequence[str], known: Known) -> None:
    for name in names:
        if name not in known:
            raise ConfigurationError(f"unknown variant {name!r}; there are {', '.join(known)}")
        if names.count(name) > 1:
            raise ConfigurationError(f"{name} is named twice; --aa compares it with itself")


def _base(plan: Plan, name: str) -> str:
    """Return the deployment of a variant: both of an A/A comparison have the same."""
    return name[:-2] if plan.is_aa else name

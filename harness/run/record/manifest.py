"""What a run was asked to do, written to `run.json` before its first request."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from locust.env import Environment
from locust.runners import MasterRunner

from harness.config.settings import Settings, redacted
from harness.results import run_folder
from harness.results.run_folder import Manifest
from harness.users import workload


def manifest_of(
    environment: Environment, settings: Settings, run_id: str, word_files: Iterable[Path]
) -> Manifest:
    """Return the manifest of the run that is about to start in this environment."""
    options: Any = environment.parsed_options
    runner = environment.runner
    shape = environment.shape_class
    # A shape that ignores the common options would make them wrong about the load.
    options_apply = shape is None or shape.use_common_options
    return Manifest(
        run_id=run_id,
        started_at=run_folder.now(),
        host=redacted(environment.host or ""),
        deployment=settings.deployment or None,
        profile=environment.profile,
        users=options.num_users if options_apply else None,
        spawn_rate_per_s=options.spawn_rate if options_apply else None,
        run_time_s=options.run_time if options_apply else None,
        seed=options.seed,
        task_mix=workload.weights_of(environment.user_classes),
        endpoints=workload.endpoints_of(environment.user_classes),
        client=settings.http_client,
        vary_data=settings.vary_data,
        data_sha256=run_folder.data_hash(word_files),
        workers=runner.worker_count if isinstance(runner, MasterRunner) else None,
        warm_up_s=settings.warm_up_s,
        is_headless=bool(options.headless),
        allow_worker_loss=settings.allow_worker_loss,
        tags=sorted(options.tags or ()),
        exclude_tags=sorted(options.exclude_tags or ()),
        versions=run_folder.versions(),
    )

"""What one process does in its runs, as a worker, the only process, or the master of workers.

`lifecycle` picks the role of a process and passes events on to it.
"""

from __future__ import annotations

import random
from argparse import Namespace
from typing import Any

from locust.env import Environment
from locust.runners import WorkerRunner

from harness import exit_on_wrong_configuration
from harness.config.hosts import check_host
from harness.config.settings import Settings
from harness.devices.pool import Devices
from harness.distributed.identity import Identity
from harness.distributed.worker import Worker
from harness.http.suite import Suite, WordsFor
from harness.recording import gc_pauses
from harness.recording.samples import ConnectionCounts
from harness.users.user import RunContext, run_context_of, set_run_context


class Role:
    """Base class of the roles; most events are ignored by default."""

    def __init__(self, settings: Settings, suite: Suite, words_for: WordsFor) -> None:
        """Keep what is given; `words_for` returns the data that users send for a run's seed."""
        self.settings = settings
        self.suite = suite
        self._words_for = words_for

    def begin(self, environment: Environment) -> None:
        """Begin a run."""

    def stopping(self, environment: Environment) -> None:
        """React to the users being told to stop."""

    def stop(self, environment: Environment) -> None:
        """End a run whose users have stopped."""

    def report_to_master(self, data: dict[str, Any]) -> None:
        """Add to a report that goes to the master."""

    def worker_report(self, client_id: str, data: dict[str, Any]) -> None:
        """Process a worker's report."""

    def reset_stats(self) -> None:
        """React to Locust discarding its statistics."""

    def spawning_complete(self) -> None:
        """Keep the garbage collector away from the users, who stay until the end of the run."""
        gc_pauses.after_ramp_up()

    def quitting(self, environment: Environment) -> None:
        """Close what is open before the process ends."""

    def _set_up_users(
        self, environment: Environment, devices: Devices, worker_index: int = 0
    ) -> None:
        """Set what the users of this process share."""
        seed = options_of(environment).seed
        random.seed(f"{seed}/{worker_index}")  # Locust's wait times use this generator
        words = self._words_for(seed)
        gc_pauses.begin_run()
        set_run_context(environment, RunContext(self.settings, words, seed, devices, worker_index))


class WorkerRole(Role):
    """Has users and reports to a master, which leads the run."""

    def __init__(
        self,
        settings: Settings,
        suite: Suite,
        words_for: WordsFor,
        runner: WorkerRunner,
        identity: Identity,
    ) -> None:
        super().__init__(settings, suite, words_for)
        self._worker = Worker(runner, identity)

    def begin(self, environment: Environment) -> None:
        """Begin a run, or end this process if it may not take part."""
        with exit_on_wrong_configuration():
            # The master's ALLOWED_HOSTS do not apply to this machine.
            environment.host = check_host(environment.host or "", self.settings.allowed_hosts)
            devices = self._worker.begin(environment, self.settings)
        self._set_up_users(environment, devices, self._worker.index)

    def stop(self, environment: Environment) -> None:
        """Send the final report of a run."""
        self._worker.finish(connections_of(environment))

    def report_to_master(self, data: dict[str, Any]) -> None:
        """Add what this worker measured to Locust's own report."""
        self._worker.report(data)


def options_of(environment: Environment) -> Namespace:
    """Return Locust's parsed options."""
    assert isinstance(environment.parsed_options, Namespace)
    return environment.parsed_options


def connections_of(environment: Environment) -> ConnectionCounts:
    """Return the connection counts of this process's users so far."""
    try:
        targets = run_context_of(environment).targets.values()
    except KeyError:  # stopped before it was started
        return ConnectionCounts()
    return sum((target.connections for target in targets), ConnectionCounts())

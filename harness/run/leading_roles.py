"""The process that leads a run: it records, ends, judges and reports the run.

Invariant: there is at most one open run, and it stays open until its devices are deleted.
"""

from __future__ import annotations

import logging
import os
import secrets
import sys
import time
from argparse import Namespace
from typing import Any

import gevent
from locust.env import Environment
from locust.exception import StopTest
from locust.runners import MasterRunner

from harness import ConfigurationError, exit_on_wrong_configuration
from harness.config.hosts import check_host
from harness.config.settings import Settings
from harness.devices import cleanup
from harness.devices.ledger import Ledger
from harness.devices.pool import DeviceReport, Devices
from harness.distributed import messages
from harness.distributed.identity import Identity
from harness.distributed.master import Master
from harness.distributed.messages import Registered
from harness.http.suite import Suite, WordsFor
from harness.recording import gc_pauses
from harness.recording.samples import ConnectionCounts, Report
from harness.results.objectives import Objectives
from harness.run import report_process, start_checks, terminal
from harness.run.record import Recorder
from harness.run.roles import Role, connections_of, options_of
from harness.run.web import verdict_page
from harness.users.user import run_context_of

POLL_S = 0.05

logger = logging.getLogger(__name__)


class LeadingRole(Role):
    """Leads runs in one process.

    Attributes:
        recorder: of the open run; None if there is none.
        latest: of the open run, or of the last one.
    """

    def __init__(
        self,
        settings: Settings,
        suite: Suite,
        words_for: WordsFor,
        options: Namespace,
        wanted: Objectives,
    ) -> None:
        super().__init__(settings, suite, words_for)
        self.recorder: Recorder | None = None
        self.latest: Recorder | None = None
        self._wanted = wanted
        self._asked_seed, self._asked_run_id = options.seed, options.run_id
        self._ledger: Ledger | None = None
        self._progress: gevent.Greenlet[..., None] | None = None
        self._endings = 0

    def begin(self, environment: Environment) -> None:
        """Open a run: seed, record, ledger, and what the users need."""
        options = options_of(environment)
        try:
            environment.host = check_host(environment.host or "", self.settings.allowed_hosts)
        except ConfigurationError as error:
            raise StopTest(str(error)) from None
        options.seed = secrets.randbits(32) if self._asked_seed is None else self._asked_seed
        # The web UI's form, or the last run, may have set another.
        options.run_id = self._asked_run_id
        with exit_on_wrong_configuration():
            recorder = self.recorder = self.latest = Recorder(
                environment,
                self.settings,
                self._wanted,
                time.time(),
                self.suite.word_files(self.settings),
            )
        self._ledger = Ledger(recorder.folder)
        self._open(environment, recorder, self._ledger)
        if options.headless and options.only_summary:
            self._progress = gevent.spawn(
                terminal.show_progress,
                environment,
                options.run_time,
                lambda: recorder.is_stopping,
                sys.stderr,
            )

    def stopping(self, environment: Environment) -> None:
        """Record that no more users are wanted."""
        if self.recorder is not None:
            self.recorder.note_stop()

    def stop(self, environment: Environment) -> None:
        """Read devices back and delete them, then close the record.

        Cleaning up takes time, so this uses the record that is open at the call. If Stop is
        pressed twice, two calls run at the same time; the first to finish closes the record.
        """
        recorder, ledger = self.recorder, self._ledger
        if recorder is None or ledger is None:
            return  # stopped before it was started
        self._endings += 1
        # On Ctrl-C Locust kills the greenlet of a load curve, which may be the caller.
        gevent.spawn(self._end, environment, recorder, ledger).get()

    def reset_stats(self) -> None:
        """Record that Locust has discarded its statistics."""
        if self.recorder is not None:
            self.recorder.was_reset = True

    def spawning_complete(self) -> None:
        """Also record if Locust discards the statistics of the ramp-up."""
        super().spawning_complete()
        if self.recorder is not None and self.recorder.environment.reset_stats:
            self.recorder.was_reset = True

    def quitting(self, environment: Environment) -> None:
        """Close the run before Locust determines the exit code; after Ctrl-C it is still open.

        A stopped run may still be cleaning up. A second Ctrl-C ends the process at once.
        """
        if self.latest is None and options_of(environment).headless:
            print("stopped before the run began", file=sys.stderr)
        if self.latest is None or environment.runner is None:
            return
        try:
            if self.recorder is not None and not self.recorder.is_stopping:
                environment.runner.stop()
            while self.recorder is not None or self._endings:
                gevent.sleep(POLL_S)
        except KeyboardInterrupt:
            text = f"python -m harness cleanup {self.latest.folder} deletes what is left"
            print(f"interrupted before the run had a result; {text}", file=sys.stderr, flush=True)
            os._exit(3)  # an exception would let Locust continue to end the run

    def current_run(self) -> verdict_page.CurrentRun:
        """Return the open run, or the last one, for the verdict page."""
        return verdict_page.CurrentRun(self.latest, 0)

    def check_start(self, environment: Environment, typed: str | None) -> None:
        """Check a start from the web UI.

        Raises:
            ConfigurationError: the host is invalid, refused, unreachable, or not that of the open
                run; or the last run is not over yet, and would record the requests of this one.
        """
        host = check_host(typed or environment.host or "", self.settings.allowed_hosts)
        if self.recorder is not None:
            if self.recorder.is_stopping:
                raise ConfigurationError("the last run is still being ended; wait for its verdict")
            if host != environment.host:
                raise ConfigurationError("a run is open; stop it before you change the host")
            return
        self._check_start(environment)
        start_checks.check_target(host, self.settings, self.suite.probe)

    def _check_start(self, environment: Environment) -> None:
        """Check what only some leaders need."""

    def _open(self, environment: Environment, recorder: Recorder, ledger: Ledger) -> None:
        """Prepare the users of a run."""
        raise NotImplementedError

    def _final_reports(
        self, environment: Environment
    ) -> tuple[list[DeviceReport], ConnectionCounts, int]:
        """Return devices and connections of all processes, and how many workers are lost."""
        raise NotImplementedError

    def _end(self, environment: Environment, recorder: Recorder, ledger: Ledger) -> None:
        try:
            self._conclude(environment, recorder, ledger)
        finally:
            self._endings -= 1
            if self.recorder is recorder:  # whatever went wrong, the next run may begin
                self.recorder = None

    def _conclude(self, environment: Environment, recorder: Recorder, ledger: Ledger) -> None:
        device_reports, connections, lost_workers = self._final_reports(environment)
        counts, audit = cleanup.audit_and_delete(
            environment.host or "",
            self.suite.devices,
            recorder.manifest.seed,
            device_reports,
            ledger,
            self.settings,
        )
        # Stop was pressed twice, and the other call has finished first.
        if recorder is not self.recorder:
            return
        self.recorder = None
        ledger.close()
        gevent.killall([self._progress] if self._progress else [])
        environment.process_exit_code = 3  # in case the files cannot be written
        try:
            summary = recorder.close(counts, connections, lost_workers, audit)
        except OSError as error:
            print(f"error: the result in {recorder.folder} is not whole: {error}", file=sys.stderr)
            return
        environment.process_exit_code = summary.exit_code
        is_headless = options_of(environment).headless
        if is_headless:
            terminal.print_summary(summary, recorder.folder, sys.stdout)
        else:
            logger.info("Results in %s/", recorder.folder)
        if self.settings.draw_report:
            report_process.draw_and_report(recorder.folder, is_headless=is_headless)


class LocalRole(LeadingRole):
    """The only process of its runs, which also has the users."""

    def _open(self, environment: Environment, recorder: Recorder, ledger: Ledger) -> None:
        def reserve(first: int, last: int) -> None:
            ledger.reserve(0, first, last)
            devices.numbers.reserved(last)

        devices = Devices(
            options_of(environment).seed,
            ask=reserve,
            # The ledger is local: reserving is cheap, and no reserved number remains unused.
            block_size=1,
            limit=self.settings.device_pool_limit,
            sample=self.settings.audit_sample,
        )
        self._set_up_users(environment, devices)

    def _final_reports(
        self, environment: Environment
    ) -> tuple[list[DeviceReport], ConnectionCounts, int]:
        device_report = run_context_of(environment).devices.device_report()
        return [device_report], connections_of(environment), 0


class MasterRole(LeadingRole):
    """Leads workers, which have the users."""

    def __init__(
        self,
        settings: Settings,
        suite: Suite,
        words_for: WordsFor,
        options: Namespace,
        wanted: Objectives,
        runner: MasterRunner,
        identity: Identity,
    ) -> None:
        super().__init__(settings, suite, words_for, options, wanted)
        self._master = Master(runner, identity)

    def stopping(self, environment: Environment) -> None:
        """Wait until the workers have finished, before the master reads its numbers."""
        super().stopping(environment)
        self._master.await_final_reports(environment.stop_timeout)

    def worker_report(self, client_id: str, data: dict[str, Any]) -> None:
        """Record a worker's report; a late one of an earlier run has no record any more."""
        if messages.MEASURED not in data:
            return
        report = messages.unpacked(data[messages.MEASURED], Report)
        registered = messages.unpacked(data[messages.REGISTERED], Registered)
        is_new = self.recorder is not None and self.recorder.take(report, client_id)
        numbers = registered.numbers if is_new else []
        has_requests = bool(report.intervals)
        self._master.on_report(
            client_id, report.run, report.number, numbers, has_requests=has_requests
        )

    def current_run(self) -> verdict_page.CurrentRun:
        """Return the run to show; a worker that has sent its final report is not lost."""
        return verdict_page.CurrentRun(self.latest, len(self._master.lost()))

    def check_start(self, environment: Environment, typed: str | None) -> None:
        """Check a start from the web UI, and let the dispatcher spawn again."""
        is_open = self.recorder is not None
        super().check_start(environment, typed)
        if not is_open:
            self._master.allow_start()

    def _check_start(self, environment: Environment) -> None:
        runner = environment.runner
        if isinstance(runner, MasterRunner) and not runner.worker_count:
            raise ConfigurationError(
                "no worker is ready; after a run they need the time of --stop-timeout"
            )

    def _open(self, environment: Environment, recorder: Recorder, ledger: Ledger) -> None:
        options_of(environment).run_id = recorder.folder.name  # Locust sends it to the workers
        self._master.begin(recorder.folder.name, ledger, recorder.merger.tracking)
        gc_pauses.begin_run()

    def _final_reports(
        self, environment: Environment
    ) -> tuple[list[DeviceReport], ConnectionCounts, int]:
        return self._master.final_reports()

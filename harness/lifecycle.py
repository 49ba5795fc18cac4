"""Hangs the suite on locust's events; the only module that knows a run from its start to its end.

Everything here happens for the plain `locust` command too: headless, in the web UI, and
distributed, where the master opens and closes the run and each worker looks after its own users'
devices.
"""

from __future__ import annotations

import logging
import os
import random
import secrets
import signal
import sys
import time
from argparse import Namespace
from pathlib import Path
from typing import Any

import gevent
from gevent.event import Event
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment
from locust.event import Events
from locust.exception import StopTest
from locust.runners import MasterRunner, Runner, WorkerRunner
from locust.web import WebUI

from harness import (
    ConfigurationError,
    cleanup,
    command_line,
    drawing,
    garbage,
    gate,
    identity,
    live,
    login,
    messages,
    objectives,
    runfolder,
    stopping,
    terminal,
    workload,
)
from harness.data import SEED_VOCABULARY, Vocabulary, load_vocabulary, with_generated_searches
from harness.devices import Devices
from harness.guard import check_host
from harness.ledger import Ledger
from harness.master import Master
from harness.messages import Finished, Registered
from harness.objectives import Objectives
from harness.recorder import Recorder
from harness.runfolder import ConnectionCounts
from harness.settings import Settings, load
from harness.timeseries import Report
from harness.user import Shared, share, shared_in
from harness.worker import Worker

POLL_S = 0.05

logger = logging.getLogger(__name__)


def install(events: Events) -> None:
    """Read the settings and listen to a run's events; called once, by the locustfile.

    A wrong setting ends the process with one line and exit code 2.
    """
    _let_hellos_be_early()
    with gate.exit_on_wrong_configuration():
        lifecycle = Lifecycle(load())
    events.init_command_line_parser.add_listener(lifecycle.on_command_line)
    events.init.add_listener(lifecycle.on_init)
    events.test_start.add_listener(lifecycle.on_test_start)
    events.test_stopping.add_listener(lifecycle.on_test_stopping)
    events.test_stop.add_listener(lifecycle.on_test_stop)
    events.reset_stats.add_listener(lifecycle.on_reset_stats)
    events.spawning_complete.add_listener(lifecycle.on_spawning_complete)
    events.report_to_master.add_listener(lifecycle.on_report_to_master)
    events.worker_report.add_listener(lifecycle.on_worker_report)
    events.quitting.add_listener(lifecycle.on_quitting)


class Lifecycle:
    """One process's part in its runs: a headless process makes one, the web UI any number."""

    def __init__(self, settings: Settings) -> None:
        """Keep the settings; nothing is opened before locust says `init`."""
        self.settings = settings
        self.vocabulary: Vocabulary = SEED_VOCABULARY
        self.wanted: Objectives | None = None
        self.recorder: Recorder | None = None
        self.latest: Recorder | None = None
        self.ledger: Ledger | None = None
        self.progress: gevent.Greenlet[..., None] | None = None
        self.asked_seed: int | None = None
        self.asked_run_id: str | None = None
        self.master: Master | None = None
        self.worker: Worker | None = None
        self.master_port = gate.MasterPort()
        self.is_ready = Event()
        self.endings = 0
        self.task_mix = ""

    @gate.configuring
    def on_command_line(self, parser: LocustArgumentParser, **_: object) -> None:
        """Add the suite's options; keep locust's ports on this machine unless told otherwise."""
        self.task_mix = self.task_mix or workload.task_mix()
        command_line.add(parser, self.settings)
        self.master_port.check_when_parsed(parser)

    @gate.configuring
    def on_init(
        self, environment: Environment, runner: Runner, web_ui: WebUI | None, **_: object
    ) -> None:
        """Refuse what cannot work, before the first request; load the words."""
        options = _options(environment)
        stopping.interrupt_between_turns(signal.SIGINT)
        if self.settings.vary_data:
            self.vocabulary = load_vocabulary(self.settings.data_dir)
        own = identity.own(self.settings, self.task_mix)
        if isinstance(runner, WorkerRunner):
            self.worker = Worker(runner, own)
            self.is_ready.set()
            return
        if options.headless:
            environment.process_exit_code = 3  # should no run begin
            # Locust handles SIGTERM only from its main loop on, which a load curve never reaches.
            stopping.interrupt_between_turns(signal.SIGTERM)
        self.wanted = objectives.load(self.settings.slo_file)
        command_line.check_numbers(options)
        workload.check_tags(options, environment.user_classes)
        if options.run_id is not None:
            runfolder.checked_run_id(options.run_id)
        self.asked_seed, self.asked_run_id = options.seed, options.run_id
        if environment.host:
            environment.host = check_host(environment.host, self.settings.allowed_hosts)
        if options.headless and options.logfile:
            _send_locusts_tables_to_the_log()
        if options.headless or options.autostart:
            gate.check_target(environment.host, self.settings)
        if web_ui is not None:
            command_line.check_port_is_free(
                "web UI", options.web_host, options.web_port, "--web-port"
            )
            gate.guard_form(
                web_ui, environment, lambda typed: self._check_start(environment, typed)
            )
            if web_ui.web_login:
                login.install(web_ui, self.settings)
            live.install(web_ui, self._look, options.web_base_path)
        if isinstance(runner, MasterRunner):
            self.master = Master(runner, own, self.on_worker_begin, self.on_worker_end)
        self.is_ready.set()

    def on_test_start(self, environment: Environment, **_: object) -> None:
        """Open a run: seed, words and pool in every process, the record where the run is led.

        A worker that comes late may be given users before locust says `init` to it.
        """
        self.is_ready.wait()
        options = _options(environment)
        if self.worker is not None:
            with gate.exit_on_wrong_configuration():
                environment.host = check_host(environment.host or "", self.settings.allowed_hosts)
                devices = self.worker.begin(environment, self.settings)
            self._share(environment, devices)
            return
        try:
            environment.host = check_host(environment.host or "", self.settings.allowed_hosts)
        except ConfigurationError as error:
            raise StopTest(str(error)) from None
        options.seed = secrets.randbits(32) if self.asked_seed is None else self.asked_seed
        options.run_id = self.asked_run_id  # a form of the web UI may hold another
        assert self.wanted is not None
        with gate.exit_on_wrong_configuration():
            self.recorder = Recorder(environment, self.settings, self.wanted, time.time())
        self.latest = self.recorder
        self.ledger = Ledger(self.recorder.folder)
        if self.master is not None:
            options.run_id = self.recorder.folder.name  # the workers are told
            self.master.begin(options.run_id, self.ledger)
            garbage.begin_run()
        else:
            self._share(environment, self._own_devices(options.seed, self.ledger))
        if options.headless and options.only_summary:
            recorder = self.recorder
            self.progress = gevent.spawn(
                terminal.show_progress,
                environment,
                options.run_time,
                lambda: recorder.is_stopping,
                sys.stderr,
            )

    def _share(self, environment: Environment, devices: Devices) -> None:
        """Give the users of this process what they share."""
        seed, worker_index = _options(environment).seed, getattr(self.worker, "index", 0)
        random.seed(f"{seed}/{worker_index}")  # for locust's wait times
        vocabulary = self.vocabulary
        if self.settings.vary_data:
            vocabulary = with_generated_searches(vocabulary, seed)
        garbage.begin_run()
        share(environment, Shared(self.settings, vocabulary, seed, devices, worker_index))

    def _own_devices(self, seed: int, ledger: Ledger) -> Devices:
        def reserve(first: int, last: int) -> None:
            ledger.reserve(0, first, last)
            devices.numbers.reserved(last)

        settings = self.settings
        limit, sample = settings.device_pool_limit, settings.audit_sample
        devices = Devices(seed, ask=reserve, at_once=1, limit=limit, sample=sample)
        return devices

    def on_test_stopping(self, environment: Environment, **_: object) -> None:
        """Let the workers finish before the master looks at the numbers."""
        if self.recorder is not None:
            self.recorder.stopping()
        if self.master is not None:
            self.master.await_last_words(environment.stop_timeout)

    def on_test_stop(self, environment: Environment, **_: object) -> None:
        """Read devices back and delete them, then close the record; a worker reports instead.

        The record is the one that was open before: cleaning up takes time. It may run twice at
        once, when Stop is pressed twice; who is ready first closes the record. Locust ends the
        greenlet of a load curve on Ctrl-C, and with it all that it does: so another one does this.
        """
        if self.worker is not None:
            self.worker.finish(_connections(environment))
            return
        recorder, ledger = self.recorder, self.ledger
        if recorder is None or ledger is None:
            return  # stopped before it was started
        self.endings += 1
        gevent.spawn(self._end, environment, recorder, ledger).get()

    def _end(self, environment: Environment, recorder: Recorder, ledger: Ledger) -> None:
        try:
            self._conclude(environment, recorder, ledger)
        finally:
            self.endings -= 1
            if self.recorder is recorder:  # whatever went wrong, the next run may begin
                self.recorder = None

    def _conclude(self, environment: Environment, recorder: Recorder, ledger: Ledger) -> None:
        if self.master is not None:
            handovers, connections, lost_workers = self.master.last_words()
        else:
            handovers = [shared_in(environment).devices.handover()]
            connections, lost_workers = _connections(environment), 0
        counts, audit = cleanup.conclude(
            environment.host or "", recorder.manifest.seed, handovers, ledger, self.settings
        )
        if recorder is not self.recorder:
            return
        self.recorder = None
        ledger.close()
        gevent.killall([self.progress] if self.progress else [])
        environment.process_exit_code = 3  # should the files be impossible to write
        try:
            summary = recorder.close(counts, connections, lost_workers, audit)
        except OSError as error:
            print(f"error: the result in {recorder.folder} is not whole: {error}", file=sys.stderr)
            return
        environment.process_exit_code = summary.exit_code
        if _options(environment).headless:
            terminal.print_summary(summary, recorder.folder, sys.stdout)
        else:
            logger.info("Results in %s/", recorder.folder)
        if self.settings.draw_report:
            self._draw(recorder.folder, _options(environment).headless)

    def _draw(self, folder: Path, headless: bool) -> None:
        """Draw the report and say where it is; whatever comes of it, the verdict stands."""
        problem = drawing.draw_report(folder)
        if problem is not None:
            again = f"draw it again: python -m harness report {folder}"
            print(f"the report was not drawn: {problem}; {again}", file=sys.stderr)
        elif headless:
            print(f"report: {folder / drawing.REPORT}", flush=True)
        else:
            logger.info("Report in %s", folder / drawing.REPORT)

    def on_report_to_master(self, data: dict[str, Any], **_: object) -> None:
        """Send what this worker learned along with locust's own report."""
        if self.worker is not None:
            self.worker.report(data)

    def on_worker_report(self, client_id: str, data: dict[str, Any], **_: object) -> None:
        """Write down what a worker learned; a straggler of an earlier run has no record."""
        if self.master is None or messages.MEASURED not in data:
            return
        report = messages.unpacked(data[messages.MEASURED], Report)
        registered = messages.unpacked(data[messages.REGISTERED], Registered)
        is_new = self.recorder is not None and self.recorder.take(report, client_id)
        numbers = registered.numbers if is_new else []
        has_requests = bool(report.intervals)
        self.master.heard(client_id, report.run, report.number, numbers, has_requests=has_requests)

    def on_reset_stats(self, **_: object) -> None:
        """Note that locust forgot what it had counted."""
        if self.recorder is not None:
            self.recorder.was_reset = True

    def on_spawning_complete(self, **_: object) -> None:
        """Keep the collector off the users; note when locust forgets the ramp-up."""
        garbage.users_are_there()
        if self.recorder is not None and self.recorder.environment.reset_stats:
            self.recorder.was_reset = True

    def on_quitting(self, environment: Environment, **_: object) -> None:
        """Close the run before locust asks for the exit code; after Ctrl-C it is still open.

        Who has stopped it already may still be cleaning up. Interrupted again, nobody waits.
        """
        if self.worker is None and self.latest is None and _options(environment).headless:
            print("stopped before the run began", file=sys.stderr)
        if self.latest is None or environment.runner is None:
            return
        try:
            if self.recorder is not None and not self.recorder.is_stopping:
                environment.runner.stop()
            while self.recorder is not None or self.endings:
                gevent.sleep(POLL_S)
        except KeyboardInterrupt:
            text = f"python -m harness cleanup {self.latest.folder} deletes what is left"
            print(f"interrupted before the run had a result; {text}", file=sys.stderr, flush=True)
            os._exit(3)  # locust would go on ending the run

    def on_worker_begin(self, client_id: str) -> None:
        """Wait for the reports of a worker that is given users."""
        if self.recorder is not None:
            self.recorder.begin(client_id)

    def on_worker_end(self, client_id: str, finished: Finished) -> None:
        """Expect no more reports of a worker than it says that it has sent."""
        if self.recorder is not None:
            self.recorder.end(client_id, finished.run, finished.reports)

    def _look(self) -> live.Look:
        """Show the run that goes on, or the last one; a worker that has reported is not lost."""
        return live.Look(self.latest, len(self.master.lost()) if self.master is not None else 0)

    def _check_start(self, environment: Environment, typed: str | None) -> None:
        """Check a start from the web UI.

        Raises:
            ConfigurationError: the host is wrong, refused, silent, or not that of the open run; or
                the last run is still being ended, and would get the requests of this one.
        """
        runner = environment.runner
        host = check_host(typed or environment.host or "", self.settings.allowed_hosts)
        if self.recorder is not None:
            if self.recorder.is_stopping:
                raise ConfigurationError("the last run is still being ended; wait for its verdict")
            if host != environment.host:
                raise ConfigurationError("a run is open; stop it before you change the host")
            return
        if isinstance(runner, MasterRunner) and not runner.worker_count:
            raise ConfigurationError(
                "no worker is ready; after a run they need the time of --stop-timeout"
            )
        gate.check_target(host, self.settings)
        if self.master is not None:
            self.master.allow_start()


def _options(environment: Environment) -> Namespace:
    assert isinstance(environment.parsed_options, Namespace)
    return environment.parsed_options


def _connections(environment: Environment) -> ConnectionCounts:
    try:
        origins = shared_in(environment).origins.values()
    except KeyError:  # stopped before it was started
        return ConnectionCounts()
    return sum((origin.connections for origin in origins), ConnectionCounts())


def _send_locusts_tables_to_the_log() -> None:
    """Print one table at the end, ours: locust prints three more even when its log is a file."""
    tables = logging.getLogger("locust.stats_logger")
    tables.handlers = logging.getLogger().handlers


def _let_hellos_be_early() -> None:
    """Keep locust from warning of a hello that comes before `init`: it is said again."""
    logging.getLogger("locust.runners").addFilter(
        lambda record: not record.getMessage().endswith(messages.HELLO)
    )

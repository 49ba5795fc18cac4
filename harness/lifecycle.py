"""Hangs the suite on locust's events; the only module that knows a run from its start to its end.

Everything here happens for the plain `locust` command too: headless, in the web UI, and
distributed, where the master opens and closes the run and each worker looks after its own users'
devices.
"""

from __future__ import annotations

import logging
import random
import secrets
import signal
import sys
import time
from argparse import Namespace
from dataclasses import asdict
from pathlib import Path
from typing import Any

import gevent
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment
from locust.event import Events
from locust.exception import StopTest
from locust.runners import STATE_MISSING, MasterRunner, Runner, WorkerRunner
from locust.web import WebUI

import msgspec
from msgspec import Struct

from harness import (
    ConfigurationError,
    cleanup,
    command_line,
    drawing,
    garbage,
    gate,
    healing,
    live,
    login,
    objectives,
    runfolder,
    stopping,
    terminal,
)
from harness.data import SEED_VOCABULARY, Vocabulary, load_vocabulary, with_generated_searches
from harness.guard import check_host
from harness.meter import Meter
from harness.objectives import Objectives
from harness.recorder import Recorder
from harness.runfolder import ConnectionCounts, DeviceCounts
from harness.settings import Settings, load
from harness.timeseries import Report
from harness.user import Shared, share, shared_in

FINISH = "notice_load.finish"
FINISHED = "notice_load.finished"
REPORT = "notice_load"
FINISH_MARGIN_S = 10.0
POLL_S = 0.05

logger = logging.getLogger(__name__)


def install(events: Events) -> None:
    """Read the settings and listen to a run's events; called once, by the locustfile.

    A wrong setting ends the process with one line and exit code 2.
    """
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


class Finished(Struct, frozen=True):
    """A worker's last word: its users have stopped, and all that they did has been reported.

    `reports` says in how many reports, and `run` of which run; of none when it had no users.
    """

    devices: DeviceCounts = DeviceCounts()
    connections: ConnectionCounts = ConnectionCounts()
    run: str = ""
    reports: int = 0

    def __add__(self, other: Finished) -> Finished:
        """Add what another worker said."""
        return Finished(self.devices + other.devices, self.connections + other.connections)


class Lifecycle:
    """One process's part in its runs: a headless process makes one, the web UI any number."""

    def __init__(self, settings: Settings) -> None:
        """Keep the settings; nothing is opened before locust says `init`."""
        self.settings = settings
        self.vocabulary: Vocabulary = SEED_VOCABULARY
        self.wanted: Objectives | None = None
        self.recorder: Recorder | None = None
        self.latest: Recorder | None = None
        self.progress: gevent.Greenlet[..., None] | None = None
        self.stopping = False
        self.asked_seed: int | None = None
        self.asked_run_id: str | None = None
        self.meter: Meter | None = None
        self.took_part: set[str] = set()
        self.reported: dict[str, Finished] = {}
        self.finished = False
        self.master_port = gate.MasterPort()

    @gate.configuring
    def on_command_line(self, parser: LocustArgumentParser, **_: object) -> None:
        """Add the suite's options; keep locust's ports on this machine unless told otherwise."""
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
        if isinstance(runner, WorkerRunner):
            runner.register_message(FINISH, self.on_finish_message, concurrent=True)
            # Added after locust's own, so called before it: first the report, then the goodbye.
            environment.events.quitting.add_listener(self.on_worker_quitting)
            return
        if options.headless:
            # Locust handles SIGTERM only from its main loop on, which a load curve never reaches.
            stopping.interrupt_between_turns(signal.SIGTERM)
        self.wanted = objectives.load(self.settings.slo_file)
        command_line.check_numbers(options)
        command_line.check_tags(options, environment.user_classes)
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
            live.install(web_ui, lambda: self._look(runner), options.web_base_path)
        if isinstance(runner, MasterRunner):
            runner.register_message(FINISHED, self.on_finished_message)
            environment.events.worker_connect.add_listener(self.on_worker_connect)
            environment.dispatcher_class = stopping.dispatcher(lambda: self.stopping)
            stopping.refuse_starts(runner, lambda: self.stopping)
            healing.heal_by_heartbeats(runner)

    def on_test_start(self, environment: Environment, **_: object) -> None:
        """Open a run: seed, words and pool in every process, the record where the run is led."""
        options, runner = _options(environment), environment.runner
        if isinstance(runner, WorkerRunner):
            with gate.exit_on_wrong_configuration():
                environment.host = check_host(environment.host or "", self.settings.allowed_hosts)
        else:
            try:
                environment.host = check_host(environment.host or "", self.settings.allowed_hosts)
            except ConfigurationError as error:
                raise StopTest(str(error)) from None
            options.seed = secrets.randbits(32) if self.asked_seed is None else self.asked_seed
            options.run_id = self.asked_run_id  # a form of the web UI may hold another
        self.stopping = self.finished = False
        worker_index = getattr(runner, "worker_index", 0)
        random.seed(f"{options.seed}/{worker_index}")  # for locust's wait times
        vocabulary = self.vocabulary
        if self.settings.vary_data:
            vocabulary = with_generated_searches(vocabulary, options.seed)
        garbage.begin_run()
        if isinstance(runner, WorkerRunner):
            if self.meter is not None:
                self.meter.stop()
            self.meter = Meter(environment, options.run_id)
        share(environment, Shared(self.settings, vocabulary, options.seed, worker_index))
        if not isinstance(runner, WorkerRunner):
            self.reported = {}
            if isinstance(runner, MasterRunner):
                self.took_part = _connected(runner)
            assert self.wanted is not None
            with gate.exit_on_wrong_configuration():
                self.recorder = Recorder(environment, self.settings, self.wanted, time.time())
                self.latest = self.recorder
            options.run_id = self.recorder.folder.name  # the workers are told
            if options.headless and options.only_summary:
                self.progress = gevent.spawn(
                    terminal.show_progress, environment, options.run_time, sys.stderr
                )

    def on_test_stopping(self, environment: Environment, **_: object) -> None:
        """Let the workers finish before the master looks at the numbers.

        Locust's master waits half a second for the last reports, however long its users take to
        stop; here it waits for the word of each worker, or until the worker is gone.
        """
        self.stopping = True
        if self.recorder is not None:
            self.recorder.stopping()
        runner = environment.runner
        if not isinstance(runner, MasterRunner):
            return
        runner.send_message(FINISH)
        latest = (
            time.monotonic()
            + environment.stop_timeout
            + self.settings.cleanup_timeout_s
            + FINISH_MARGIN_S
        )
        while time.monotonic() < latest:
            if not (self.took_part & _connected(runner)) - self.reported.keys():
                break
            gevent.sleep(POLL_S)

    def on_test_stop(self, environment: Environment, **_: object) -> None:
        """Delete what is left on the server, then close the record or report to the master.

        The record is the one that was open before: cleaning up takes time. It may run twice at
        once, when Ctrl-C comes in the middle of it; who is ready first closes the record.
        """
        runner, recorder = environment.runner, self.recorder
        if not isinstance(runner, MasterRunner):
            ended = Finished(self._cleaned_up(environment), _connections(environment))
        if isinstance(runner, WorkerRunner):
            self._report(runner, ended)
        elif recorder is not None and recorder is self.recorder:
            self.recorder = None
            if isinstance(runner, MasterRunner):
                ended = sum(self.reported.values(), Finished())
            gevent.killall([self.progress] if self.progress else [])
            environment.process_exit_code = 3  # should the files be impossible to write
            lost_workers = len(self.took_part - self.reported.keys())
            summary = recorder.close(ended.devices, ended.connections, lost_workers)
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
        """Send what this worker measured along with locust's own report."""
        if self.meter is not None:
            report = msgspec.structs.replace(self.meter.taken(), sent_s=time.time())
            data[REPORT] = msgspec.to_builtins(report, builtin_types=(bytes,))

    def on_worker_report(self, client_id: str, data: dict[str, Any], **_: object) -> None:
        """Write down what a worker measured; a straggler of an earlier run has no record.

        One that was missing at the start and is back takes users without connecting anew.
        """
        if self.recorder is not None and REPORT in data:
            report = msgspec.convert(data[REPORT], Report)
            is_new = self.recorder.take(report, client_id)
            if is_new and report.intervals and not self.stopping:
                self.took_part.add(client_id)

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
        """Close the run before locust asks for the exit code; after Ctrl-C it is still open."""
        if self.recorder is not None and environment.runner is not None:
            environment.runner.stop()

    def on_finish_message(self, environment: Environment, **_: object) -> None:
        """Stop this worker's users, and say so even when there were none."""
        runner = environment.runner
        assert isinstance(runner, WorkerRunner)
        self.finished = False
        runner.stop()
        if not self.finished:
            self._report(runner, Finished())

    def on_worker_quitting(self, environment: Environment, **_: object) -> None:
        """Finish before this worker says goodbye: the master forgets whoever has said it."""
        runner = environment.runner
        assert isinstance(runner, WorkerRunner)
        stopping.take_no_users(runner)
        runner.stop()

    def on_worker_connect(self, client_id: str, **_: object) -> None:
        """Expect the word of a worker that comes late."""
        if self.recorder is not None and not self.stopping:
            self.took_part.add(client_id)

    def on_finished_message(self, msg: Any, **_: object) -> None:
        """Take down what a worker did with its devices and connections."""
        ended, recorder = msgspec.convert(msg.data, Finished), self.recorder
        if recorder is not None and ended.run in ("", recorder.folder.name):
            self.reported.setdefault(msg.node_id, ended)
            recorder.end(msg.node_id, ended.run, ended.reports)

    def _look(self, runner: Runner) -> live.Look:
        """Show the run that goes on, or the last one; a worker that has reported is not lost."""
        if not isinstance(runner, MasterRunner):
            return live.Look(self.latest, lost_workers=0)
        lost = self.took_part - _connected(runner) - self.reported.keys()
        return live.Look(self.latest, len(lost))

    def _cleaned_up(self, environment: Environment) -> DeviceCounts:
        try:
            devices = shared_in(environment).devices
        except KeyError:  # stopped before it was started
            return DeviceCounts()
        left_behind = cleanup.sweep(environment.host or "", devices, self.settings)
        return DeviceCounts(
            registered=devices.registered, deleted=devices.deleted, left_behind=left_behind
        )

    def _report(self, runner: WorkerRunner, ended: Finished) -> None:
        """Send the last statistics ahead of the word that there are no more to come."""
        if self.meter is not None:
            self.meter.stop()
        last: dict[str, Any] = {}
        runner.environment.events.report_to_master.fire(client_id=runner.client_id, data=last)
        runner.send_message("stats", last)
        if self.meter is not None:
            ended = msgspec.structs.replace(ended, run=self.meter.run, reports=self.meter.reports)
        self.meter = None  # it has nothing to tell after its last word
        runner.send_message(FINISHED, msgspec.to_builtins(ended))
        self.finished = True

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
        self.stopping = False  # not earlier: the last ramp-up would wake finished workers


def _options(environment: Environment) -> Namespace:
    assert isinstance(environment.parsed_options, Namespace)
    return environment.parsed_options


def _connected(runner: MasterRunner) -> set[str]:
    return {node.id for node in runner.clients.all if node.state != STATE_MISSING}


def _connections(environment: Environment) -> ConnectionCounts:
    try:
        origins = shared_in(environment).origins.values()
    except KeyError:  # stopped before it was started
        return ConnectionCounts()
    made = (ConnectionCounts(**asdict(origin.connecting)) for origin in origins)
    return sum(made, ConnectionCounts())


def _send_locusts_tables_to_the_log() -> None:
    """Print one table at the end, ours: locust prints three more even when its log is a file."""
    tables = logging.getLogger("locust.stats_logger")
    tables.handlers = logging.getLogger().handlers

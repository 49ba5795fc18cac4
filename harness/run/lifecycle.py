"""Attaches the suite to Locust's events.

All of this also happens with the plain `locust` command: headless, in the web UI, and distributed.
What a process does in a run is up to its role (`harness.run.roles`).
"""

from __future__ import annotations

import signal
import sys
from argparse import Namespace
from typing import Any

from gevent.event import Event
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment
from locust.event import Events
from locust.runners import MasterRunner, Runner, WorkerRunner
from locust.web import WebUI

from harness import exit_on_wrong_configuration
from harness.config.hosts import check_host
from harness.config.settings import Settings, load
from harness.distributed import identity, messages
from harness.http.suite import Suite, WordsFor, set_installed
from harness.patches import locust_internals, newer_version_warning
from harness.results import objectives, run_folder
from harness.run import command_line, signals, start_checks
from harness.run.leading_roles import LeadingRole, LocalRole, MasterRole
from harness.run.roles import Role, WorkerRole, options_of
from harness.run.web import form_guard, login, verdict_page
from harness.users import workload


def install(events: Events, suite: Suite) -> None:
    """Read the settings and listen to Locust's events; called once, by the locustfile.

    A wrong setting ends the process with one line and exit code 2.
    """
    locust_internals.allow_early_messages(messages.HELLO)  # a worker repeats its hello
    if (warning := newer_version_warning()) is not None:
        print(f"warning: {warning}", file=sys.stderr)
    with exit_on_wrong_configuration():
        lifecycle = Lifecycle(load(), suite)
    set_installed(suite)
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
    """Gives a process its role and passes Locust's events on to it."""

    def __init__(self, settings: Settings, suite: Suite) -> None:
        """Keep the arguments; nothing is opened before Locust fires `init`."""
        self._settings = settings
        self._suite = suite
        self._role: Role | None = None
        self._has_role = Event()
        self._master_port = start_checks.MasterPort()
        self._task_mix = ""

    @start_checks.configuring
    def on_command_line(self, parser: LocustArgumentParser, **_: object) -> None:
        """Add the suite's options; Locust fires this for each parser that it builds."""
        # The first time is before Locust filters the tasks by tags.
        self._task_mix = self._task_mix or workload.task_mix()
        command_line.add(parser, self._settings)
        self._master_port.check_when_parsed(parser)

    @start_checks.configuring
    def on_init(
        self, environment: Environment, runner: Runner, web_ui: WebUI | None, **_: object
    ) -> None:
        """Check the configuration before the first request, and take a role."""
        signals.interrupt_between_turns(signal.SIGINT)
        # Before any connection: a broken data file is an error whether or not the target answers.
        words_for = self._suite.words(self._settings)
        own = identity.own(self._settings, self._suite, self._task_mix)
        if isinstance(runner, WorkerRunner):
            self._role = WorkerRole(self._settings, self._suite, words_for, runner, own)
        else:
            self._role = self._leader(environment, runner, web_ui, words_for, own)
        self._has_role.set()

    def on_test_start(self, environment: Environment, **_: object) -> None:
        """Begin a run; a worker that connects late may get users before Locust fires `init`."""
        self._has_role.wait()
        assert self._role is not None
        self._role.begin(environment)

    def on_test_stopping(self, environment: Environment, **_: object) -> None:
        """Notify the role that the users are told to stop."""
        if self._role is not None:
            self._role.stopping(environment)

    def on_test_stop(self, environment: Environment, **_: object) -> None:
        """Notify the role that the users have stopped."""
        if self._role is not None:
            self._role.stop(environment)

    def on_report_to_master(self, data: dict[str, Any], **_: object) -> None:
        """Let a worker add to its report."""
        if self._role is not None:
            self._role.report_to_master(data)

    def on_worker_report(self, client_id: str, data: dict[str, Any], **_: object) -> None:
        """Let a master process a report."""
        if self._role is not None:
            self._role.worker_report(client_id, data)

    def on_reset_stats(self, **_: object) -> None:
        """Notify the role that Locust has discarded its statistics."""
        if self._role is not None:
            self._role.reset_stats()

    def on_spawning_complete(self, **_: object) -> None:
        """Notify the role that all users are running."""
        if self._role is not None:
            self._role.spawning_complete()

    def on_quitting(self, environment: Environment, **_: object) -> None:
        """Notify the role that the process ends."""
        if self._role is not None:
            self._role.quitting(environment)

    def _leader(
        self,
        environment: Environment,
        runner: Runner,
        web_ui: WebUI | None,
        words_for: WordsFor,
        own: identity.Identity,
    ) -> LeadingRole:
        """Check everything that can be wrong with the start of a run; return its leader."""
        options, settings, suite = options_of(environment), self._settings, self._suite
        if options.headless:
            environment.process_exit_code = 3  # in case no run begins
            # Locust installs its SIGTERM handler only after a headless load curve has ended.
            signals.interrupt_between_turns(signal.SIGTERM)
        wanted = objectives.load(settings.slo_file, suite.endpoints)
        command_line.check_numbers(options)
        workload.check_tags(options, environment.user_classes)
        workload.check_endpoints(environment.user_classes, suite.endpoints)
        if options.run_id is not None:
            run_folder.checked_run_id(options.run_id)
        if environment.host:
            environment.host = check_host(environment.host, settings.allowed_hosts)
        if options.headless and options.logfile:
            locust_internals.print_one_table()
        if options.headless or options.autostart:
            start_checks.check_target(environment.host, settings, suite.probe)
        if web_ui is not None:
            command_line.check_port_is_free(
                "web UI", options.web_host, options.web_port, "--web-port"
            )
        if isinstance(runner, MasterRunner):
            leader: LeadingRole = MasterRole(
                settings, suite, words_for, options, wanted, runner, own
            )
        else:
            leader = LocalRole(settings, suite, words_for, options, wanted)
        if web_ui is not None:
            self._extend(web_ui, environment, leader, options)
        return leader

    def _extend(
        self, web_ui: WebUI, environment: Environment, leader: LeadingRole, options: Namespace
    ) -> None:
        form_guard.guard_form(
            web_ui, environment, lambda typed: leader.check_start(environment, typed)
        )
        if web_ui.web_login:
            login.install(web_ui, self._settings)
        verdict_page.install(web_ui, leader.current_run, options.web_base_path)

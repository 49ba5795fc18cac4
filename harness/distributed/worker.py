"""A worker's side of a distributed run: its reports, its lease, its replies to the master.

Invariant: a lease runs from when an accepted report was sent, never from when the reply arrived.
"""

from __future__ import annotations

import logging
import sys
import time
from typing import Any

import gevent
from locust.env import Environment
from locust.exception import RPCError
from locust.runners import WorkerRunner

import msgspec

from harness import ConfigurationError, exit_on_wrong_configuration
from harness.config.settings import Settings
from harness.devices.pool import Devices, clock_s
from harness.distributed import messages
from harness.distributed.identity import Identity
from harness.distributed.messages import (
    Finish,
    Finished,
    KnownDevices,
    Refused,
    Registered,
    ReportAccepted,
    Reservation,
)
from harness.patches import locust_internals
from harness.recording.collector import Collector
from harness.recording.samples import ConnectionCounts

LEASE_S = 20.0
"""Length of the lease: a worker without an accepted report for this long may be alone, and stops.

A network break of 5 s lets nothing through for up to 11 s, and reports are 3 s apart.
"""
WATCH_S = 0.5
STOOD_STILL_S = 2.0
"""A lease check that is this late means that the process did not run meanwhile."""
DEVICES_PER_TURN = 500
"""Devices added to the pool before the users get a turn."""

logger = logging.getLogger(__name__)


class Worker:
    """Follows a master, through one run or many."""

    def __init__(self, runner: WorkerRunner, identity: Identity) -> None:
        self._runner = runner
        self._identity = identity
        self._run = ""
        self._devices: Devices | None = None
        self._collector: Collector | None = None
        self._final_report: Finished | None = None
        self._reported_s: dict[int, float] = {}  # when each report was sent, by number
        self._is_finishing = self._is_leaving = self._lease_expired = False
        locust_internals.refuse_users(runner, self._takes_no_users)
        locust_internals.stop_one_at_a_time(runner)
        runner.register_message(messages.HELLO, self._on_hello)
        runner.register_message(messages.REFUSED, self._on_refused)
        runner.register_message(messages.RESERVED, self._on_reserved)
        runner.register_message(messages.REPORT_ACCEPTED, self._on_report_accepted)
        # Concurrent: both take time, and Locust handles no other message meanwhile.
        runner.register_message(messages.DEVICES, self._on_devices, concurrent=True)
        runner.register_message(messages.FINISH, self._on_finish, concurrent=True)
        # `quitting` is fired in reverse order: the final report precedes Locust's own goodbye.
        runner.environment.events.quitting.add_listener(self._on_quitting)
        runner.greenlet.spawn(self._watch)
        self._say_hello()

    @property
    def index(self) -> int:
        """Index of this worker, from 0 on; the master assigns it."""
        return self._runner.worker_index

    # Called by the role.

    def begin(self, environment: Environment, settings: Settings) -> Devices:
        """Begin a run; return the devices of this process.

        Raises:
            ConfigurationError: the master has other code, data or settings.
        """
        options = environment.parsed_options
        assert options is not None
        # A master without this suite sends no identity.
        masters = messages.unpacked(getattr(options, "identity", {"facts": {}}), Identity)
        if difference := masters.difference(self._identity):
            raise ConfigurationError(
                f"this worker cannot take part: {difference}; use the same files and settings"
            )
        if self._collector is not None:
            self._collector.stop()
        self._run, self._final_report = options.run_id, None
        self._reported_s.clear()
        self._collector = Collector(environment, self._run)
        self._devices = Devices(
            options.seed,
            self.index,
            ask=self._ask,
            limit=settings.device_pool_limit,
            sample=settings.audit_sample,
            lease_ends_s=clock_s() + LEASE_S,
        )
        return self._devices

    def report(self, data: dict[str, Any]) -> None:
        """Add this worker's measurements and new devices to one of Locust's reports."""
        if self._collector is None or self._devices is None:
            return
        taken = self._collector.take_report()
        # Before the report goes out: the lease must not end later than the master assumes.
        self._reported_s[taken.number] = clock_s()
        report = msgspec.structs.replace(
            taken, sent_s=time.time(), written_s=self._devices.history.now_s()
        )
        data[messages.MEASURED] = messages.packed(report)
        data[messages.REGISTERED] = messages.packed(Registered(self._devices.take_unreported()))

    def finish(self, connections: ConnectionCounts) -> None:
        """Send the final report of a run, after the last regular one; may be called again."""
        if self._final_report is None:
            runner, last = self._runner, dict[str, Any]()
            if self._collector is not None:
                self._collector.stop()
            runner.environment.events.report_to_master.fire(client_id=runner.client_id, data=last)
            runner.send_message("stats", last)
            reports = self._collector.reports if self._collector is not None else 0
            device_report = self._devices.device_report() if self._devices is not None else None
            self._final_report = Finished(
                self._run, reports, device_report, connections, lease_expired=self._lease_expired
            )
            self._collector = None  # nothing is reported after the final report
            locust_internals.forget_run(runner)
        self._runner.send_message(messages.FINISHED, messages.packed(self._final_report))

    # Messages from the master and from Locust.

    def _on_hello(self, **_: object) -> None:
        self._say_hello()

    def _on_refused(self, msg: Any, **_: object) -> None:
        with exit_on_wrong_configuration():
            raise ConfigurationError(messages.unpacked(msg.data, Refused).reason)

    def _on_reserved(self, msg: Any, **_: object) -> None:
        reservation = messages.unpacked(msg.data, Reservation)
        if self._devices is not None and reservation.run == self._run:
            self._devices.numbers.reserved(reservation.last)

    def _on_report_accepted(self, msg: Any, **_: object) -> None:
        """Renew the lease: when that report was sent, the run was still going on."""
        taken = messages.unpacked(msg.data, ReportAccepted)
        if self._devices is None or taken.run != self._run or taken.report not in self._reported_s:
            return
        self._devices.renew_lease(self._reported_s[taken.report] + LEASE_S)
        self._reported_s = {
            number: at_s for number, at_s in self._reported_s.items() if number > taken.report
        }

    def _on_devices(self, msg: Any, **_: object) -> None:
        """Add devices of the others, with turns for the users in between."""
        known, devices = messages.unpacked(msg.data, KnownDevices), self._devices
        if devices is None or known.run != self._run:
            return
        for worker, first, last in known.devices:
            for start in range(first, last + 1, DEVICES_PER_TURN):
                devices.add_remote(worker, start, min(last, start + DEVICES_PER_TURN - 1))
                gevent.sleep(0)

    def _on_finish(self, msg: Any, **_: object) -> None:
        """Stop the users, if any, and send the final report, again if it was sent before."""
        run = messages.unpacked(msg.data, Finish).run
        if run != self._run:
            self._runner.send_message(messages.FINISHED, messages.packed(Finished(run)))
            return
        if self._is_finishing:
            return
        self._is_finishing, was_said = True, self._final_report is not None
        try:
            if not was_said:
                self._runner.stop()
            if was_said or self._final_report is None:
                self.finish(ConnectionCounts())
        finally:
            self._is_finishing = False

    def _on_quitting(self, **_: object) -> None:
        """Finish before this worker says goodbye: the master forgets a worker that has done so."""
        self._is_leaving = True
        self._runner.stop()

    # Helpers.

    def _takes_no_users(self) -> bool:
        """Return True if this worker is leaving, or has sent its final report of that run."""
        run = getattr(self._runner.environment.parsed_options, "run_id", None)
        return self._is_leaving or (self._final_report is not None and run == self._run)

    def _say_hello(self) -> None:
        self._runner.send_message(messages.HELLO, messages.packed(self._identity))

    def _ask(self, first: int, last: int) -> None:
        try:
            wanted = Reservation(self._run, first, last)
            self._runner.send_message(messages.RESERVE, messages.packed(wanted))
        except RPCError as error:
            logger.error(f"numbers for devices cannot be asked for: {error}")  # asked again later

    def _watch(self) -> None:
        """End this process if its users would load a server that nobody watches any more."""
        turned_s = clock_s()
        while True:
            gevent.sleep(WATCH_S)
            before_s, turned_s = turned_s, clock_s()
            has_lease = self._devices is None or self._devices.has_lease()
            # Without users there is no load, and Locust itself ends a worker without a master.
            if has_lease or not self._runner.user_count:
                continue
            stood_s = turned_s - before_s - WATCH_S
            text = f"no word of the master for {LEASE_S:g} s"
            if stood_s > STOOD_STILL_S:
                text = f"stood still for {stood_s:.0f} s, the run may be over"
            print(f"error: {text}: this worker stops", file=sys.stderr, flush=True)
            self._runner.environment.process_exit_code = 3
            # Before `quit`, which sends the final report.
            self._lease_expired = True
            self._runner.quit()
            return

"""A worker's side of a distributed run: what it says to the master, and does when told."""

from __future__ import annotations

import logging
import sys
import time
from typing import Any

import gevent
from locust.env import Environment
from locust.exception import RPCError
from locust.runners import STATE_INIT, WorkerRunner

import msgspec

from harness import ConfigurationError, messages, stopping
from harness.devices import Devices, clock_s
from harness.gate import exit_on_wrong_configuration
from harness.identity import Identity
from harness.messages import Finish, Finished, Known, Refused, Registered, Reservation, Taken
from harness.meter import Meter
from harness.runfolder import ConnectionCounts
from harness.settings import Settings

SILENCE_S = 20.0
"""A worker stops when its master took no report of the last so many seconds: it may be alone.

A network that is broken for 5 s lets nothing through for up to 11 s, and there is a report in 3 s.
"""
WATCH_S = 0.5
STOOD_STILL_S = 2.0
LEARNT_AT_ONCE = 500

logger = logging.getLogger(__name__)


class Worker:
    """Follows a master, through one run or many."""

    def __init__(self, runner: WorkerRunner, identity: Identity) -> None:
        self._runner = runner
        self._identity = identity
        self._run = ""
        self._devices: Devices | None = None
        self._meter: Meter | None = None
        self._last_word: Finished | None = None
        self._reported_s: dict[int, float] = {}  # when, by the number of a report
        self._is_finishing = self._is_leaving = self._gives_up = False
        stopping.refuse_users(runner, self._takes_no_users)
        stopping.stop_one_at_a_time(runner)
        runner.register_message(messages.HELLO, self._on_hello)
        runner.register_message(messages.REFUSED, self._on_refused)
        runner.register_message(messages.RESERVED, self._on_reserved)
        runner.register_message(messages.TAKEN, self._on_taken)
        runner.register_message(messages.DEVICES, self._on_devices, concurrent=True)
        runner.register_message(messages.FINISH, self._on_finish, concurrent=True)
        # Added after locust's own, so called before it: first the report, then the goodbye.
        runner.environment.events.quitting.add_listener(self._on_quitting)
        runner.greenlet.spawn(self._watch)
        self._say_hello()

    @property
    def index(self) -> int:
        """Which of the workers this is, from 0 on; the master says so."""
        return self._runner.worker_index

    # What the lifecycle tells.

    def begin(self, environment: Environment, settings: Settings) -> Devices:
        """Begin a run; return the devices of this process.

        Raises:
            ConfigurationError: the master's suite or data are others.
        """
        options = environment.parsed_options
        assert options is not None
        masters = messages.unpacked(getattr(options, "identity", {"facts": {}}), Identity)
        if difference := masters.difference(self._identity):
            raise ConfigurationError(
                f"this worker cannot take part: {difference}; use the same files and settings"
            )
        if self._meter is not None:
            self._meter.stop()
        self._run, self._last_word = options.run_id, None
        self._reported_s.clear()
        self._meter = Meter(environment, self._run)
        self._devices = Devices(
            options.seed,
            self.index,
            ask=self._ask,
            limit=settings.device_pool_limit,
            sample=settings.audit_sample,
            lease_ends_s=clock_s() + SILENCE_S,
        )
        return self._devices

    def report(self, data: dict[str, Any]) -> None:
        """Put what this worker measured and registered into a report of locust's."""
        if self._meter is None or self._devices is None:
            return
        taken = self._meter.taken()
        self._reported_s[taken.number] = clock_s()
        report = msgspec.structs.replace(
            taken, sent_s=time.time(), written_s=self._devices.journal.now_s()
        )
        data[messages.MEASURED] = messages.packed(report)
        data[messages.REGISTERED] = messages.packed(Registered(self._devices.untold()))

    def finish(self, connections: ConnectionCounts) -> None:
        """Say the last word of a run, after the last report; it may be said again."""
        if self._last_word is None:
            runner, last = self._runner, dict[str, Any]()
            if self._meter is not None:
                self._meter.stop()
            runner.environment.events.report_to_master.fire(client_id=runner.client_id, data=last)
            runner.send_message("stats", last)
            reports = self._meter.reports if self._meter is not None else 0
            handover = self._devices.handover() if self._devices is not None else None
            self._last_word = Finished(
                self._run, reports, handover, connections, gave_up=self._gives_up
            )
            self._meter = None  # there is nothing to tell after the last word
            # Locust waits for the master's "stop", which may be lost: users of the next run would
            # then go on with the devices of this one.
            runner.worker_state = STATE_INIT
        self._runner.send_message(messages.FINISHED, messages.packed(self._last_word))

    # What the master and locust tell.

    def _on_hello(self, **_: object) -> None:
        self._say_hello()

    def _on_refused(self, msg: Any, **_: object) -> None:
        with exit_on_wrong_configuration():
            raise ConfigurationError(messages.unpacked(msg.data, Refused).reason)

    def _on_reserved(self, msg: Any, **_: object) -> None:
        reservation = messages.unpacked(msg.data, Reservation)
        if self._devices is not None and reservation.run == self._run:
            self._devices.numbers.reserved(reservation.last)

    def _on_taken(self, msg: Any, **_: object) -> None:
        """Let the users go on: when that report was sent, the run went on as well."""
        taken = messages.unpacked(msg.data, Taken)
        if self._devices is None or taken.run != self._run or taken.report not in self._reported_s:
            return
        self._devices.renew_lease(self._reported_s[taken.report] + SILENCE_S)
        self._reported_s = {
            number: at_s for number, at_s in self._reported_s.items() if number > taken.report
        }

    def _on_devices(self, msg: Any, **_: object) -> None:
        """Learn of them, and let the users have their turn in between."""
        known, devices = messages.unpacked(msg.data, Known), self._devices
        if devices is None or known.run != self._run:
            return
        for worker, first, last in known.devices:
            for start in range(first, last + 1, LEARNT_AT_ONCE):
                devices.learn(worker, start, min(last, start + LEARNT_AT_ONCE - 1))
                gevent.sleep(0)

    def _on_finish(self, msg: Any, **_: object) -> None:
        """Stop the users, and say so even when there were none, or when it was said already."""
        run = messages.unpacked(msg.data, Finish).run
        if run != self._run:
            self._runner.send_message(messages.FINISHED, messages.packed(Finished(run)))
            return
        if self._is_finishing:
            return
        self._is_finishing, was_said = True, self._last_word is not None
        try:
            if not was_said:
                self._runner.stop()
            if was_said or self._last_word is None:
                self.finish(ConnectionCounts())
        finally:
            self._is_finishing = False

    def _on_quitting(self, **_: object) -> None:
        """Finish before this worker says goodbye: the master forgets whoever has said it."""
        self._is_leaving = True
        self._runner.stop()

    # What follows from it.

    def _takes_no_users(self) -> bool:
        """Say whether this worker leaves, or has said the last word of their run."""
        run = getattr(self._runner.environment.parsed_options, "run_id", None)
        return self._is_leaving or (self._last_word is not None and run == self._run)

    def _say_hello(self) -> None:
        self._runner.send_message(messages.HELLO, messages.packed(self._identity))

    def _ask(self, first: int, last: int) -> None:
        try:
            wanted = Reservation(self._run, first, last)
            self._runner.send_message(messages.RESERVE, messages.packed(wanted))
        except RPCError as error:
            logger.error(f"numbers for devices cannot be asked for: {error}")  # comes again

    def _watch(self) -> None:
        """End this process when its users would load a server that nobody watches any more."""
        turned_s = clock_s()
        while True:
            gevent.sleep(WATCH_S)
            before_s, turned_s = turned_s, clock_s()
            has_lease = self._devices is None or self._devices.has_lease()
            if has_lease or not self._runner.user_count:
                continue
            stood_s = turned_s - before_s - WATCH_S
            text = f"no word of the master for {SILENCE_S:g} s"
            if stood_s > STOOD_STILL_S:
                text = f"stood still for {stood_s:.0f} s, the run may be over"
            print(f"error: {text}: this worker stops", file=sys.stderr, flush=True)
            self._runner.environment.process_exit_code = 3
            self._gives_up = True
            self._runner.quit()
            return

"""The master's side of a distributed run: its workers, the shared devices, the final reports.

Invariant: the devices of a run are counted and deleted only after each worker that was given users
has sent its final report or its lease has certainly ended.
"""

from __future__ import annotations

import logging
import math
import time
from dataclasses import dataclass, field
from typing import Any

import gevent
from locust.runners import STATE_MISSING, MasterRunner

from msgspec import Struct

from harness.devices.ledger import Ledger, Ranges, numbers_in, ranges, read_reserved
from harness.devices.pool import DeviceReport
from harness.distributed import messages
from harness.distributed.admission import Admission
from harness.distributed.identity import Identity
from harness.distributed.messages import (
    Finish,
    Finished,
    KnownDevices,
    ReportAccepted,
    Reservation,
)
from harness.distributed.report_tracking import ReportTracker
from harness.distributed.worker import LEASE_S
from harness.patches import locust_internals
from harness.recording.samples import ConnectionCounts

PASS_ON_EVERY_S = 1.0
MAX_AT_ONCE = 1000
"""Ranges of devices per message: a late worker receives a long list in parts."""
FINISH_AGAIN_S = 1.0
FINISH_MARGIN_S = 10.0
"""Time that a responsive worker may take to finish, beyond the stop timeout."""
LEASE_ENDED_AFTER_S = LEASE_S + 2.0
"""A worker without a reply for this long has stopped its users itself, or is dead."""
HEARTBEAT_TIMEOUT_S = LEASE_ENDED_AFTER_S + 1.0
"""Locust may give a worker up only after this: it may start its users elsewhere."""
UNRESPONSIVE_AFTER_S = 4.0
"""A worker whose last heartbeat is older does not respond."""
WATCH_S = 1.0  # as `remove_dead_workers` requires
POLL_S = 0.05

logger = logging.getLogger(__name__)


@dataclass
class _Run:
    """What is known of the current run.

    Attributes:
        key: name of the run, which distinguishes its messages from late ones of another run.
        ledger: of the run.
        reports: which reports of each worker have arrived.
        took_part: Locust's ids of the workers that were given users.
        lease_granted_s: when each was last told that its users may continue (`time.monotonic`).
        finished: final reports, by worker.
        registered: devices in the order of their registration: worker, first, last.
        sent_devices: how many of those each worker has been sent.
        latest_s: until when a responsive worker may take to finish.
        is_over: the devices have been counted, so no new ones may be added.
    """

    key: str
    ledger: Ledger
    reports: ReportTracker
    took_part: set[str] = field(default_factory=set)
    lease_granted_s: dict[str, float] = field(default_factory=dict)
    finished: dict[str, Finished] = field(default_factory=dict)
    registered: list[tuple[int, int, int]] = field(default_factory=list)
    sent_devices: dict[str, int] = field(default_factory=dict)
    latest_s: float = math.inf
    is_over: bool = False

    def lease_expired(self) -> set[str]:
        """Return the workers that stopped their users by themselves and could still report it."""
        return {client_id for client_id, word in self.finished.items() if word.lease_expired}


class Master:
    """Leads the workers of one Locust process, through one run or, in the web UI, many."""

    def __init__(
        self,
        runner: MasterRunner,
        identity: Identity,
    ) -> None:
        self._runner = runner
        self._run: _Run | None = None
        self._is_stopping = False
        self._passing_on: gevent.Greenlet[..., None] | None = None
        options = runner.environment.parsed_options
        assert options is not None
        options.identity = messages.packed(identity)  # lets workers recognize a foreign master
        is_headless = bool(options.headless)
        runner.register_message(messages.RESERVE, self._on_reserve)
        runner.register_message(messages.FINISHED, self._on_finished)
        runner.environment.dispatcher_class = locust_internals.stoppable_dispatcher(
            lambda: self._is_stopping, self._on_users
        )
        locust_internals.refuse_starts(runner, lambda: self._is_stopping)
        locust_internals.rejoin_by_heartbeat_only(runner)
        locust_internals.set_worker_timeout(runner, HEARTBEAT_TIMEOUT_S)
        # Last, so that a `client_ready` that it has held back still passes through the patches
        # above. A headless run that has not begun was to have the worker that is refused.
        Admission(runner, identity, lambda: is_headless and self._run is None)
        runner.greenlet.spawn(self._remove_dead_workers)

    # Called by the leader.

    def begin(self, key: str, ledger: Ledger, reports: ReportTracker) -> None:
        """Begin a run, before any worker is given users."""
        self._is_stopping = False
        self._run = _Run(key, ledger, reports)
        gevent.killall([self._passing_on] if self._passing_on else [])
        self._passing_on = gevent.spawn(self._pass_on)

    def allow_start(self) -> None:
        """Allow the next run to start.

        Not earlier: the rest of the last ramp-up would wake workers that have finished.
        """
        self._is_stopping = False

    def on_report(
        self, client_id: str, of: str, number: int, registered: Ranges, *, has_requests: bool
    ) -> None:
        """Process what a worker's report says about devices, and renew the worker's lease.

        A worker that was disconnected may come back with users of a run that is over.
        """
        run = self._run
        if run is None or of != run.key or run.is_over:
            if has_requests:
                self._send(messages.FINISH, Finish(of), client_id)
            return
        if has_requests and not self._is_stopping:
            self._count_in(run, client_id)
        self._forget_empty_report(run, client_id)
        self._reply(run, client_id, messages.REPORT_ACCEPTED, ReportAccepted(of, number))
        # From now on the worker is sent the devices of the others, all from the first.
        run.sent_devices.setdefault(client_id, 0)
        worker = self._runner.get_worker_index(client_id)
        run.registered += [(worker, first, last) for first, last in registered]

    def await_final_reports(self, stop_timeout_s: float) -> None:
        """Ask each worker to finish, and wait until none of them can have users any more.

        Locust's master waits half a second for the last reports, however long users take to stop.
        A disconnected worker is asked repeatedly: it may be back before it has stopped by itself.
        """
        self._is_stopping = True
        run = self._run
        if run is None:
            return
        asked_s = -FINISH_AGAIN_S
        run.latest_s = time.monotonic() + stop_timeout_s + FINISH_MARGIN_S
        if self._pending(run) - self._responsive():
            logger.info("waiting until workers that are out of reach have stopped")
        while pending := self._pending(run):
            if time.monotonic() > asked_s + FINISH_AGAIN_S:
                asked_s = time.monotonic()
                for client_id in pending | self._connected():
                    self._send(messages.FINISH, Finish(run.key), client_id)
            gevent.sleep(POLL_S)
        gevent.killall([self._passing_on] if self._passing_on else [])

    def lost(self) -> set[str]:
        """Return the workers that took part and gave up, or left without a final report."""
        if self._run is None:
            return set()
        silent = self._run.took_part - self._run.finished.keys()
        return (silent - self._connected()) | self._run.lease_expired()

    def final_reports(self) -> tuple[list[DeviceReport], ConnectionCounts, int]:
        """Return all workers' devices and connections, and how many workers are lost.

        A lost worker's are what it has reported; it may have used all numbers reserved for it.
        """
        run = self._run
        assert run is not None
        run.is_over = True  # no number may be reserved any more: its device would not be deleted
        said = [each for each in run.finished.values() if each.devices is not None]
        device_reports = [each.devices for each in said if each.devices is not None]
        spoken = {each.worker for each in device_reports}
        silent = run.took_part - run.finished.keys()
        reserved = read_reserved(run.ledger.folder)
        for client_id, worker in self._runner.worker_indexes.items():
            # A lost worker without devices of its own counts too: its writes are unknown.
            if worker in spoken or (worker not in reserved and client_id not in silent):
                continue
            confirmed = [(first, last) for who, first, last in run.registered if who == worker]
            lease_granted_s = run.lease_granted_s.get(client_id, -math.inf)
            device_reports.append(
                DeviceReport(
                    worker=worker,
                    used=reserved.get(worker, 0),
                    confirmed=ranges(numbers_in(confirmed)),
                    writes=None,
                    stopped_for_s=time.monotonic() - lease_granted_s - LEASE_ENDED_AFTER_S,
                )
            )
        connections = sum((each.connections for each in said), ConnectionCounts())
        return device_reports, connections, len(silent | run.lease_expired())

    # Messages from Locust and the workers.

    def _on_users(self, users: dict[str, dict[str, int]]) -> None:
        if self._run is not None:
            for client_id, counts in users.items():
                if any(counts.values()):
                    self._count_in(self._run, client_id)

    def _on_reserve(self, msg: Any, **_: object) -> None:
        run, wanted = self._run, messages.unpacked(msg.data, Reservation)
        if run is not None and wanted.run == run.key and not run.is_over:
            self._forget_empty_report(run, msg.node_id)
            worker = self._runner.get_worker_index(msg.node_id)
            # On disk before the reply, since the worker uses the numbers at once.
            run.ledger.reserve(worker, wanted.first, wanted.last)
            self._reply(run, msg.node_id, messages.RESERVED, wanted)

    def _on_finished(self, msg: Any, **_: object) -> None:
        finished = messages.unpacked(msg.data, Finished)
        if self._run is not None and finished.run in ("", self._run.key):
            self._run.finished.setdefault(msg.node_id, finished)
            self._run.reports.end(msg.node_id, finished.run, finished.reports)

    # Helpers.

    def _count_in(self, run: _Run, client_id: str) -> None:
        if client_id not in run.took_part:
            run.took_part.add(client_id)
            run.lease_granted_s[client_id] = time.monotonic()
            run.reports.begin(client_id, time.time())

    def _reply(self, run: _Run, client_id: str, kind: str, answer: Struct) -> None:
        """Reply to a worker, whose users may then continue for a while.

        A worker that has had its time to finish gets no reply: its users stop when the lease ends.
        """
        now_s = time.monotonic()
        if now_s < run.latest_s:
            run.lease_granted_s[client_id] = now_s
            self._send(kind, answer, client_id)

    def _forget_empty_report(self, run: _Run, client_id: str) -> None:
        """Forget a final report that a worker without users sent: it has users now."""
        if client_id in run.finished and run.finished[client_id].devices is None:
            del run.finished[client_id]

    def _remove_dead_workers(self) -> None:
        while True:
            gevent.sleep(WATCH_S)
            locust_internals.remove_dead_workers(self._runner)

    def _connected(self) -> set[str]:
        nodes = self._runner.clients.all
        return {node.id for node in nodes if node.state != STATE_MISSING}

    def _responsive(self) -> set[str]:
        """Return the workers with a recent heartbeat."""
        nodes = self._runner.clients.all
        # Each heartbeat sets it to HEARTBEAT_TIMEOUT_S, and Locust counts it down by one a second.
        return {
            node.id
            for node in nodes
            if node.heartbeat > HEARTBEAT_TIMEOUT_S - UNRESPONSIVE_AFTER_S
        }

    def _pending(self, run: _Run) -> set[str]:
        """Return the workers whose final report may still come, or whose users may still run."""
        now_s, responsive = time.monotonic(), self._responsive()
        return {
            client_id
            for client_id in run.took_part - run.finished.keys()
            if now_s < run.lease_granted_s[client_id] + LEASE_ENDED_AFTER_S
            or (now_s < run.latest_s and client_id in responsive)
        }

    def _pass_on(self) -> None:
        """Send each worker the others' new devices in parts; touch the ledger to show life."""
        while True:
            gevent.sleep(PASS_ON_EVERY_S)
            run, connected = self._run, self._connected()
            assert run is not None
            run.ledger.touch()
            for client_id in run.sent_devices.keys() & connected:
                own = self._runner.get_worker_index(client_id)
                first = run.sent_devices[client_id]
                last = run.sent_devices[client_id] = min(len(run.registered), first + MAX_AT_ONCE)
                news = [each for each in run.registered[first:last] if each[0] != own]
                if news:
                    self._send(messages.DEVICES, KnownDevices(run.key, news), client_id)

    def _send(self, kind: str, message: Struct, client_id: str) -> None:
        self._runner.send_message(kind, messages.packed(message), client_id)

"""The master's side of a distributed run: who takes part, what they share, their last words."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import gevent
from locust.runners import STATE_MISSING, MasterRunner

from msgspec import Struct

from harness import healing, messages, stopping
from harness.admission import Admission
from harness.devices import Handover
from harness.identity import Identity
from harness.ledger import Ledger, Ranges, numbers_in, ranges, read_reserved
from harness.messages import Finish, Finished, Known, Reservation, Taken
from harness.runfolder import ConnectionCounts
from harness.worker import SILENCE_S

PASS_ON_EVERY_S = 1.0
MOST_AT_ONCE = 1000
FINISH_AGAIN_S = 1.0
FINISH_MARGIN_S = 10.0
GONE_AFTER_S = SILENCE_S + 2.0
"""A worker that was told nothing for so long has stopped its users itself, or is dead."""
PATIENCE_S = GONE_AFTER_S + 1.0
SILENT_S = 4.0
WATCH_S = 1.0
POLL_S = 0.05

logger = logging.getLogger(__name__)


@dataclass
class _Run:
    """What is known of the run that goes on.

    Attributes:
        key: tells its messages from a straggler's of another one.
        took_part: workers that were given users, by Locust's id.
        told_s: when each was last told that its users may go on, by `time.monotonic`.
        registered: devices in the order in which they were told of: worker, first, last.
        told: how many of those a worker has been told, of each that is to be.
        latest_s: until when a worker that answers may take to finish.
        is_over: whether its devices are counted, so that no new one may come.
    """

    key: str
    ledger: Ledger
    took_part: set[str] = field(default_factory=set)
    told_s: dict[str, float] = field(default_factory=dict)
    finished: dict[str, Finished] = field(default_factory=dict)
    registered: list[tuple[int, int, int]] = field(default_factory=list)
    told: dict[str, int] = field(default_factory=dict)
    latest_s: float = math.inf
    is_over: bool = False

    def gave_up(self) -> set[str]:
        """Return the workers that stopped their users themselves, and were there to say so."""
        return {client_id for client_id, word in self.finished.items() if word.gave_up}


class Master:
    """Leads the workers of one locust process, through one run or, in the web UI, many."""

    def __init__(
        self,
        runner: MasterRunner,
        identity: Identity,
        on_worker_begin: Callable[[str], None],
        on_worker_end: Callable[[str, Finished], None],
    ) -> None:
        """Begin to listen; tell of each worker that is given users, and of each last word."""
        self._on_worker_begin = on_worker_begin
        self._on_worker_end = on_worker_end
        self._runner = runner
        self._run: _Run | None = None
        self._is_stopping = False
        self._passing_on: gevent.Greenlet[..., None] | None = None
        options = runner.environment.parsed_options
        assert options is not None
        options.identity = messages.packed(identity)  # so that workers can tell a foreign master
        is_headless = bool(options.headless)
        runner.register_message(messages.RESERVE, self._on_reserve)
        runner.register_message(messages.FINISHED, self._on_finished)
        runner.environment.dispatcher_class = stopping.dispatcher(
            lambda: self._is_stopping, self._on_users
        )
        stopping.refuse_starts(runner, lambda: self._is_stopping)
        healing.heal_by_heartbeats(runner)
        healing.wait_longer(runner, PATIENCE_S)
        # A headless run that has not begun was to have the worker that is refused.
        Admission(runner, identity, lambda: is_headless and self._run is None)
        runner.greenlet.spawn(self._forget_the_dead)

    # What the lifecycle tells.

    def begin(self, key: str, ledger: Ledger) -> None:
        """Begin a run, before any worker is given users."""
        self._is_stopping = False
        self._run = _Run(key, ledger)
        gevent.killall([self._passing_on] if self._passing_on else [])
        self._passing_on = gevent.spawn(self._pass_on)

    def allow_start(self) -> None:
        """Let a new run begin. Not earlier: the last ramp-up would wake finished workers."""
        self._is_stopping = False

    def heard(
        self, client_id: str, of: str, number: int, registered: Ranges, *, has_requests: bool
    ) -> None:
        """Take what a worker's report of a run says of devices, and let its users go on.

        One that was cut off and is back may still have the users of a run that is over.
        """
        run = self._run
        if run is None or of != run.key or run.is_over:
            if has_requests:
                self._send(messages.FINISH, Finish(of), client_id)
            return
        if has_requests and not self._is_stopping:
            self._count_in(run, client_id)
        self._forget_empty_word(run, client_id)
        self._let_go_on(run, client_id, messages.TAKEN, Taken(of, number))
        run.told.setdefault(client_id, 0)
        worker = self._runner.get_worker_index(client_id)
        run.registered += [(worker, first, last) for first, last in registered]

    def await_last_words(self, stop_timeout_s: float) -> None:
        """Ask each worker to finish, and wait until it has or can have no users any more.

        Locust's master waits half a second for the last reports, however long users take to stop.
        One that is cut off is asked again and again: it may be back before it has stopped itself.
        """
        self._is_stopping = True
        run = self._run
        if run is None:
            return
        asked_s = -FINISH_AGAIN_S
        run.latest_s = time.monotonic() + stop_timeout_s + FINISH_MARGIN_S
        if self._pending(run) - self._answering():
            logger.info("waiting until workers that are out of reach have stopped")
        while pending := self._pending(run):
            if time.monotonic() > asked_s + FINISH_AGAIN_S:
                asked_s = time.monotonic()
                for client_id in pending | self._connected():
                    self._send(messages.FINISH, Finish(run.key), client_id)
            gevent.sleep(POLL_S)
        gevent.killall([self._passing_on] if self._passing_on else [])

    def lost(self) -> set[str]:
        """Return the workers that took part, and gave up or are gone without a last word."""
        if self._run is None:
            return set()
        silent = self._run.took_part - self._run.finished.keys()
        return (silent - self._connected()) | self._run.gave_up()

    def last_words(self) -> tuple[list[Handover], ConnectionCounts, int]:
        """Return what is known of all workers' devices and connections, and how many are lost.

        Of a lost one that is what its reports said; it may have used all numbers it could have.
        """
        run = self._run
        assert run is not None
        run.is_over = True
        said = [each for each in run.finished.values() if each.devices is not None]
        handovers = [each.devices for each in said if each.devices is not None]
        spoken = {each.worker for each in handovers}
        silent = run.took_part - run.finished.keys()
        reserved = read_reserved(run.ledger.folder)
        for client_id, worker in self._runner.worker_indexes.items():
            if worker in spoken or (worker not in reserved and client_id not in silent):
                continue
            told = [(first, last) for who, first, last in run.registered if who == worker]
            told_s = run.told_s.get(client_id, -math.inf)
            handovers.append(
                Handover(
                    worker=worker,
                    used=reserved.get(worker, 0),
                    confirmed=ranges(numbers_in(told)),
                    writes=None,
                    quiet_s=time.monotonic() - told_s - GONE_AFTER_S,
                )
            )
        connections = sum((each.connections for each in said), ConnectionCounts())
        return handovers, connections, len(silent | run.gave_up())

    # What locust and the workers tell.

    def _on_users(self, users: dict[str, dict[str, int]]) -> None:
        if self._run is not None:
            for client_id, counts in users.items():
                if any(counts.values()):
                    self._count_in(self._run, client_id)

    def _on_reserve(self, msg: Any, **_: object) -> None:
        run, wanted = self._run, messages.unpacked(msg.data, Reservation)
        if run is not None and wanted.run == run.key and not run.is_over:
            self._forget_empty_word(run, msg.node_id)
            worker = self._runner.get_worker_index(msg.node_id)
            run.ledger.reserve(worker, wanted.first, wanted.last)
            self._let_go_on(run, msg.node_id, messages.RESERVED, wanted)

    def _on_finished(self, msg: Any, **_: object) -> None:
        finished = messages.unpacked(msg.data, Finished)
        if self._run is not None and finished.run in ("", self._run.key):
            self._run.finished.setdefault(msg.node_id, finished)
            self._on_worker_end(msg.node_id, finished)

    # What follows from it.

    def _count_in(self, run: _Run, client_id: str) -> None:
        if client_id not in run.took_part:
            run.took_part.add(client_id)
            run.told_s[client_id] = time.monotonic()
            self._on_worker_begin(client_id)

    def _let_go_on(self, run: _Run, client_id: str, kind: str, answer: Struct) -> None:
        """Answer a worker, whose users may go on for a while since it asked.

        It does not hear of it any more when it had its time to finish: then they stop.
        """
        now_s = time.monotonic()
        if now_s < run.latest_s:
            run.told_s[client_id] = now_s
            self._send(kind, answer, client_id)

    def _forget_empty_word(self, run: _Run, client_id: str) -> None:
        """Forget that a worker had no users: it has some, so that was said before it had them."""
        if client_id in run.finished and run.finished[client_id].devices is None:
            del run.finished[client_id]

    def _forget_the_dead(self) -> None:
        while True:
            gevent.sleep(WATCH_S)
            healing.forget_the_dead(self._runner)

    def _connected(self) -> set[str]:
        nodes = self._runner.clients.all
        return {node.id for node in nodes if node.state != STATE_MISSING}

    def _answering(self) -> set[str]:
        """Return whose heart has beaten just now."""
        nodes = self._runner.clients.all
        return {node.id for node in nodes if node.heartbeat > PATIENCE_S - SILENT_S}

    def _pending(self, run: _Run) -> set[str]:
        """Return whose last word may still come, or whose users may still go on."""
        now_s, answering = time.monotonic(), self._answering()
        return {
            client_id
            for client_id in run.took_part - run.finished.keys()
            if now_s < run.told_s[client_id] + GONE_AFTER_S
            or (now_s < run.latest_s and client_id in answering)
        }

    def _pass_on(self) -> None:
        """Tell each worker of the devices of the others, a part at a time; show that it lives."""
        while True:
            gevent.sleep(PASS_ON_EVERY_S)
            run, connected = self._run, self._connected()
            assert run is not None
            run.ledger.touch()
            for client_id in run.told.keys() & connected:
                own = self._runner.get_worker_index(client_id)
                first = run.told[client_id]
                last = run.told[client_id] = min(len(run.registered), first + MOST_AT_ONCE)
                news = [each for each in run.registered[first:last] if each[0] != own]
                if news:
                    self._send(messages.DEVICES, Known(run.key, news), client_id)

    def _send(self, kind: str, message: Struct, client_id: str) -> None:
        self._runner.send_message(kind, messages.packed(message), client_id)

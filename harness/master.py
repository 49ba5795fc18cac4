"""The master's side of a distributed run: who takes part, what they share, their last words."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import gevent
from locust.runners import STATE_MISSING, STATE_RUNNING, STATE_SPAWNING, MasterRunner

from msgspec import Struct

from harness import ConfigurationError, healing, messages, stopping
from harness.devices import Handover
from harness.gate import exit_on_wrong_configuration
from harness.identity import Identity
from harness.ledger import Ledger, Ranges, numbers_in, ranges, read_reserved
from harness.messages import Finish, Finished, Known, Refused, Reservation
from harness.runfolder import ConnectionCounts
from harness.worker import SILENCE_S

HELLO_PATIENCE_S = 5.0
PASS_ON_EVERY_S = 1.0
MOST_AT_ONCE = 1000
FINISH_AGAIN_S = 1.0
FINISH_MARGIN_S = 10.0
GONE_AFTER_S = SILENCE_S + 2.0
"""A worker that was not heard of for so long has stopped its users itself, or is dead."""
POLL_S = 0.05

logger = logging.getLogger(__name__)


@dataclass
class _Run:
    """What is known of the run that goes on.

    Attributes:
        key: tells its messages from a straggler's of another one.
        ledger: of the run.
        took_part: workers that had users, by locust's id.
        finished: last words.
        registered: devices in the order in which they were told of: worker, first, last.
        told: how many of those a worker has been told, of each that is to be.
        is_over: whether its devices are counted, so that no new one may come.
    """

    key: str
    ledger: Ledger
    took_part: set[str]
    finished: dict[str, Finished] = field(default_factory=dict)
    registered: list[tuple[int, int, int]] = field(default_factory=list)
    told: dict[str, int] = field(default_factory=dict)
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
        on_worker_end: Callable[[str, Finished], None],
    ) -> None:
        """Begin to listen.

        Args:
            runner: locust's.
            identity: what each worker has to be like.
            on_worker_end: is told of each last word, by locust's id of the worker.
        """
        self._on_worker_end = on_worker_end
        self._runner = runner
        self._identity = identity
        self._run: _Run | None = None
        self._is_stopping = False
        self._accepted: set[str] = set()
        self._heard_s: dict[str, float] = {}
        self._passing_on: gevent.Greenlet[..., None] | None = None
        assert runner.environment.parsed_options is not None
        self._is_headless = bool(runner.environment.parsed_options.headless)
        runner.environment.parsed_options.identity = messages.packed(identity)  # to late workers
        events = runner.environment.events
        events.worker_connect.add_listener(self._on_connect)
        events.heartbeat_sent.add_listener(self._on_heartbeat)
        runner.register_message(messages.HELLO, self._on_hello)
        runner.register_message(messages.RESERVE, self._on_reserve)
        runner.register_message(messages.FINISHED, self._on_finished)
        runner.environment.dispatcher_class = stopping.dispatcher(lambda: self._is_stopping)
        healing.heal_by_heartbeats(runner)
        stopping.refuse_starts(runner, lambda: self._is_stopping, self._sort_out)
        runner.send_message(messages.HELLO)  # one that was earlier has said so to nobody

    # What the lifecycle tells.

    def begin(self, key: str, ledger: Ledger) -> None:
        """Begin a run with the workers that are there."""
        self._is_stopping = False
        self._run = _Run(key, ledger, took_part=self._connected() & self._accepted)
        gevent.killall([self._passing_on] if self._passing_on else [])
        self._passing_on = gevent.spawn(self._pass_on)

    def allow_start(self) -> None:
        """Let a new run begin. Not earlier: the last ramp-up would wake finished workers."""
        self._is_stopping = False

    def heard(self, client_id: str, of: str, registered: Ranges, *, has_requests: bool) -> None:
        """Take what a worker's report of a run says of devices.

        One that was missing at the start and is back takes users without connecting anew. One
        that was cut off and is back may still have the users of a run that is over.
        """
        run = self._run
        if run is None or of != run.key or run.is_over:
            if has_requests:
                self._send(messages.FINISH, Finish(of), client_id)
            return
        if has_requests and not self._is_stopping:
            run.took_part.add(client_id)
        self._forget_older_word(run, client_id)
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
        latest_s = time.monotonic() + stop_timeout_s + FINISH_MARGIN_S
        asked_s = -FINISH_AGAIN_S
        if self._pending(run, latest_s) - self._connected():
            logger.info("waiting until workers that are out of reach have stopped")
        while pending := self._pending(run, latest_s):
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
            heard_s = self._heard_s.get(client_id, 0.0)
            handovers.append(
                Handover(
                    worker=worker,
                    used=reserved.get(worker, 0),
                    confirmed=ranges(numbers_in(told)),
                    writes=None,
                    quiet_s=time.monotonic() - heard_s - GONE_AFTER_S,
                )
            )
        connections = sum((each.connections for each in said), ConnectionCounts())
        return handovers, connections, len(silent | run.gave_up())

    # What locust and the workers tell.

    def _on_connect(self, client_id: str, **_: object) -> None:
        self._heard_s[client_id] = time.monotonic()

    def _on_heartbeat(self, client_id: str, **_: object) -> None:
        """Count whoever is there in: locust gives users to one whose heart beats again."""
        self._heard_s[client_id] = time.monotonic()
        run = self._run
        if run is not None and not run.is_over and client_id in self._accepted:
            run.took_part.add(client_id)

    def _on_hello(self, msg: Any, **_: object) -> None:
        """Take a worker in, also in mid-run, or refuse it."""
        client_id = msg.node_id
        try:
            difference = self._identity.difference(messages.unpacked(msg.data, Identity))
        except ValueError:
            difference = "its suite is another one"
        if difference is not None:
            self._refuse(client_id, difference)
            return
        self._accepted.add(client_id)
        if self._run is not None and self._is_running() and not self._is_stopping:
            self._run.took_part.add(client_id)

    def _on_reserve(self, msg: Any, **_: object) -> None:
        run, wanted = self._run, messages.unpacked(msg.data, Reservation)
        if run is not None and wanted.run == run.key and not run.is_over:
            self._forget_older_word(run, msg.node_id)
            worker = self._runner.get_worker_index(msg.node_id)
            run.ledger.reserve(worker, wanted.first, wanted.last)
            self._send(messages.RESERVED, wanted, msg.node_id)

    def _on_finished(self, msg: Any, **_: object) -> None:
        finished = messages.unpacked(msg.data, Finished)
        if self._run is not None and finished.run in ("", self._run.key):
            self._run.finished.setdefault(msg.node_id, finished)
            self._on_worker_end(msg.node_id, finished)

    # What follows from it.

    def _forget_older_word(self, run: _Run, client_id: str) -> None:
        """Forget that a worker had no users: it has some, so that was said before this run."""
        if client_id in run.finished and not run.finished[client_id].run:
            del run.finished[client_id]

    def _is_running(self) -> bool:
        return self._runner.state in (STATE_RUNNING, STATE_SPAWNING)

    def _connected(self) -> set[str]:
        nodes = self._runner.clients.all
        return {node.id for node in nodes if node.state != STATE_MISSING}

    def _pending(self, run: _Run, latest_s: float) -> set[str]:
        """Return whose last word may still come."""
        now_s, connected = time.monotonic(), self._connected()
        return {
            client_id
            for client_id in run.took_part - run.finished.keys()
            if now_s
            < (
                latest_s
                if client_id in connected
                else self._heard_s.get(client_id, 0.0) + GONE_AFTER_S
            )
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

    def _sort_out(self) -> None:
        """Before a run starts: let no worker take part that has not said what it is."""
        if self._is_running():
            return
        latest_s = time.monotonic() + HELLO_PATIENCE_S
        while (silent := self._connected() - self._accepted) and time.monotonic() < latest_s:
            gevent.sleep(POLL_S)
        for client_id in silent:
            self._refuse(client_id, "its locustfile is not of this suite")

    def _refuse(self, client_id: str, difference: str) -> None:
        """Send a worker home; end a headless run that has not begun: it was to have that one."""
        worker = f"the worker on {client_id.rpartition('_')[0]}"
        reason = f"{worker} is refused: {difference}; use the same files and settings"
        self._send(messages.REFUSED, Refused(reason), client_id)
        self._runner.send_message("quit", client_id=client_id)
        node = self._runner.clients.get(client_id)
        if node is not None:
            del self._runner.clients[client_id]
            if self._runner._users_dispatcher is not None:
                self._runner._users_dispatcher.remove_worker(node)
        if self._is_headless and self._run is None:
            self._runner.send_message("quit")
            gevent.sleep(POLL_S)
            with exit_on_wrong_configuration():
                raise ConfigurationError(reason)
        logger.error(reason)

    def _send(self, kind: str, message: Struct, client_id: str) -> None:
        self._runner.send_message(kind, messages.packed(message), client_id)

"""Which workers may take part: locust's master hears of none before it has said what it is."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gevent
from locust.rpc import Message
from locust.runners import MasterRunner

from harness import ConfigurationError, messages
from harness.gate import exit_on_wrong_configuration
from harness.identity import Identity
from harness.messages import Refused

HELLO_PATIENCE_S = 10.0
STILL_THERE_S = 3.0
"""A worker's heart beats every second."""
WATCH_S = 0.5
FAREWELL_S = 0.05
ANY_VERSION = -1
"""What locust's master takes for a worker's version without comparing."""

logger = logging.getLogger(__name__)


@dataclass
class _Waiting:
    """A worker at the door: its first message, when that came, and when it was last heard of."""

    ready: Message
    since_s: float
    heard_s: float


class Admission:
    """Keeps each worker waiting until its hello is there, then lets it in or sends it home.

    Locust gives users to whoever says that it is ready. One of another suite would load the
    server and tell nobody; one that is refused later would take its users with it.
    """

    def __init__(
        self, runner: MasterRunner, identity: Identity, is_fatal: Callable[[], bool]
    ) -> None:
        """Begin; `is_fatal` says whether this process ends when a worker is refused."""
        self._runner = runner
        self._identity = identity
        self._is_fatal = is_fatal
        self._accepted: set[str] = set()
        self._waiting: dict[str, _Waiting] = {}
        self._let_in = runner.handle_message
        runner.handle_message = self._handle  # type: ignore[method-assign]
        runner.register_message(messages.HELLO, self._on_hello)
        for client_id in list(runner.clients):  # who came earlier has said so to nobody
            del runner.clients[client_id]
            self._keep_waiting(client_id, Message("client_ready", ANY_VERSION, client_id))
            runner.send_message(messages.HELLO, client_id=client_id)
        runner.greenlet.spawn(self._watch)

    def _handle(self, client_id: str, msg: Message) -> None:
        waiting = self._waiting.get(client_id)
        if msg.type == "client_ready" and client_id not in self._accepted:
            self._keep_waiting(client_id, msg)
            self._runner.send_message("ack", client_id=client_id)  # else it says nothing more
        elif waiting is None or msg.type == messages.HELLO:
            self._let_in(client_id, msg)
        elif msg.type == "quit":
            del self._waiting[client_id]
        else:
            waiting.heard_s = time.monotonic()
            if msg.type == "heartbeat":
                self._runner.send_message("heartbeat", client_id=client_id)

    def _keep_waiting(self, client_id: str, ready: Message) -> None:
        now_s = time.monotonic()
        self._waiting[client_id] = _Waiting(ready, now_s, now_s)

    def _on_hello(self, msg: Any, **_: object) -> None:
        """Let a worker in, also in mid-run, or refuse it."""
        client_id = msg.node_id
        waiting = self._waiting.pop(client_id, None)
        if waiting is None:  # it has said so before
            return
        try:
            difference = self._identity.difference(messages.unpacked(msg.data, Identity))
        except ValueError:
            difference = "its suite is another one"
        if difference is not None:
            self._refuse(client_id, difference)
            return
        self._accepted.add(client_id)
        self._let_in(client_id, waiting.ready)

    def _watch(self) -> None:
        """Send home who says nothing, and forget who is gone."""
        while True:
            gevent.sleep(WATCH_S)
            now_s = time.monotonic()
            for client_id, waiting in list(self._waiting.items()):
                if now_s > waiting.since_s + HELLO_PATIENCE_S:
                    del self._waiting[client_id]
                    if now_s < waiting.heard_s + STILL_THERE_S:
                        self._refuse(client_id, "its locustfile is not of this suite")

    def _refuse(self, client_id: str, difference: str) -> None:
        worker = f"the worker on {client_id.rpartition('_')[0]}"
        reason = f"{worker} is refused: {difference}; use the same files and settings"
        self._runner.send_message(
            messages.REFUSED, messages.packed(Refused(reason)), client_id=client_id
        )
        self._runner.send_message("quit", client_id=client_id)
        if self._is_fatal():
            self._runner.send_message("quit")
            for other in self._waiting:
                self._runner.send_message("quit", client_id=other)
            gevent.sleep(FAREWELL_S)
            with exit_on_wrong_configuration():
                raise ConfigurationError(reason)
        logger.error(reason)

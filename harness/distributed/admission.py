"""Decides which workers may take part in a run.

Invariant: Locust's master hears of no worker before that worker's identity has been accepted.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gevent
from locust.rpc import Message
from locust.runners import MasterRunner

from harness import ConfigurationError, exit_on_wrong_configuration
from harness.distributed import messages
from harness.distributed.identity import Identity
from harness.distributed.messages import Refused
from harness.patches import locust_internals

HELLO_TIMEOUT_S = 10.0
"""A worker that has sent no hello after this time does not run this suite."""
HEARTBEAT_TIMEOUT_S = 3.0
"""A worker without a heartbeat for this long is gone; workers send one every second."""
WATCH_S = 0.5
FLUSH_S = 0.05
"""Time for the last messages to be sent before the process exits."""
ANY_VERSION = -1
"""Locust's master accepts this as a worker's version without comparing it."""

logger = logging.getLogger(__name__)


@dataclass
class _Waiting:
    """A worker that is held back: its first message, when it came, and the last sign of life."""

    ready: Message
    since_s: float
    heard_s: float


class Admission:
    """Holds each worker back until its hello has arrived, then accepts or refuses it.

    Locust gives users to any worker that is ready. A worker of another suite would load the server
    without reporting it, and a worker that is refused later would take its users along.
    """

    def __init__(
        self, runner: MasterRunner, identity: Identity, is_fatal: Callable[[], bool]
    ) -> None:
        """Start; `is_fatal` returns True if this process ends when a worker is refused."""
        self._runner = runner
        self._identity = identity
        self._is_fatal = is_fatal
        self._accepted: set[str] = set()
        self._waiting: dict[str, _Waiting] = {}
        self._forward = locust_internals.intercept_messages(runner, self._handle)
        runner.register_message(messages.HELLO, self._on_hello)
        # Workers that connected earlier sent their hello before anyone listened.
        for client_id in list(runner.clients):
            del runner.clients[client_id]
            self._hold_back(client_id, Message("client_ready", ANY_VERSION, client_id))
            runner.send_message(messages.HELLO, client_id=client_id)
        runner.greenlet.spawn(self._watch)

    def _handle(self, client_id: str, msg: Message) -> None:
        waiting = self._waiting.get(client_id)
        if msg.type == "client_ready" and client_id not in self._accepted:
            self._hold_back(client_id, msg)
            # Without an ack the worker keeps trying to connect, and never sends its hello.
            self._runner.send_message("ack", client_id=client_id)
        elif waiting is None or msg.type == messages.HELLO:
            self._forward(client_id, msg)
        elif msg.type == "quit":
            del self._waiting[client_id]
        else:
            waiting.heard_s = time.monotonic()
            if msg.type == "heartbeat":
                self._runner.send_message("heartbeat", client_id=client_id)

    def _hold_back(self, client_id: str, ready: Message) -> None:
        now_s = time.monotonic()
        self._waiting[client_id] = _Waiting(ready, now_s, now_s)

    def _on_hello(self, msg: Any, **_: object) -> None:
        """Accept or refuse a worker, also during a run."""
        client_id = msg.node_id
        waiting = self._waiting.pop(client_id, None)
        if waiting is None:  # a repeated hello
            return
        try:
            difference = self._identity.difference(messages.unpacked(msg.data, Identity))
        except ValueError:
            difference = "its suite is another one"
        if difference is not None:
            self._refuse(client_id, difference)
            return
        self._accepted.add(client_id)
        self._forward(client_id, waiting.ready)

    def _watch(self) -> None:
        """Refuse workers that send no hello, and forget those that are gone."""
        while True:
            gevent.sleep(WATCH_S)
            now_s = time.monotonic()
            for client_id, waiting in list(self._waiting.items()):
                if now_s > waiting.since_s + HELLO_TIMEOUT_S:
                    del self._waiting[client_id]
                    if now_s < waiting.heard_s + HEARTBEAT_TIMEOUT_S:
                        self._refuse(client_id, "its locustfile is not of this suite")

    def _refuse(self, client_id: str, difference: str) -> None:
        worker = f"the worker on {client_id.rpartition('_')[0]}"
        reason = f"{worker} is refused: {difference}; use the same files and settings"
        self._runner.send_message(
            messages.REFUSED, messages.packed(Refused(reason)), client_id=client_id
        )
        # A worker without this suite does not know REFUSED, but it knows Locust's own message.
        self._runner.send_message("quit", client_id=client_id)
        if self._is_fatal():
            self._runner.send_message("quit")
            # Locust's broadcast does not reach workers that are held back.
            for other in self._waiting:
                self._runner.send_message("quit", client_id=other)
            gevent.sleep(FLUSH_S)
            with exit_on_wrong_configuration():
                raise ConfigurationError(reason)
        logger.error(reason)

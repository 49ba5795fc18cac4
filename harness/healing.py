"""When locust's master gives a worker up, how it takes one back, and forgets it; put right."""

from __future__ import annotations

from locust.rpc import Message
from locust.runners import HEARTBEAT_DEAD_INTERNAL, STATE_MISSING, STATE_SPAWNING, MasterRunner

OF_SPAWNING = ("spawning", "spawning_complete")
EARLIER_S = 10


def wait_longer(runner: MasterRunner, patience_s: float) -> None:
    """Let the master give a worker up only after `patience_s`, when its users have stopped.

    Locust does so after 4 s: then the users of a worker that is cut off may be started elsewhere
    while they go on, and a run ends whose workers are all out of reach.
    """
    handle = runner.handle_message

    def handle_patiently(client_id: str, msg: Message) -> None:
        handle(client_id, msg)
        if msg.type in ("client_ready", "heartbeat") and client_id in runner.clients:
            runner.clients[client_id].heartbeat = round(patience_s)

    runner.handle_message = handle_patiently  # type: ignore[method-assign]


def forget_the_dead(runner: MasterRunner) -> None:
    """Forget each worker that is gone for good before the master does; call this every second.

    Locust throws its plan of who has which users away along with the dead one, 60 s after it has
    given that up, and starts all users of the others anew, from the first.
    """
    for node in list(runner.clients.values()):
        is_dead = node.heartbeat <= HEARTBEAT_DEAD_INTERNAL + EARLIER_S
        if node.state == STATE_MISSING and is_dead:
            del runner.clients[node.id]


def heal_by_heartbeats(runner: MasterRunner) -> None:
    """Let a worker that was given up come back by a heartbeat only, at a time when that works.

    In a ramp-up locust gives the users of such a worker to the others, and back to it at its first
    heartbeat. But late words of spawning make it count as running: the heartbeats behind them heal
    nothing then, and its users are there twice. So they do when the first heartbeat comes while
    the master waits for the reports behind a ramp-up; there is another in a second.
    """
    handle = runner.handle_message

    def handle_in_time(client_id: str, msg: Message) -> None:
        if client_id in runner.clients and runner.clients[client_id].state == STATE_MISSING:
            dispatcher = runner._users_dispatcher
            is_between = (
                runner.state == STATE_SPAWNING
                and dispatcher is not None
                and not dispatcher.dispatch_in_progress
            )
            if msg.type in OF_SPAWNING or (msg.type == "heartbeat" and is_between):
                return
        handle(client_id, msg)

    runner.handle_message = handle_in_time  # type: ignore[method-assign]

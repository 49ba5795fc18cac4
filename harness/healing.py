"""How locust's master takes back a worker that it had given up, put right."""

from __future__ import annotations

from locust.rpc import Message
from locust.runners import STATE_MISSING, STATE_SPAWNING, MasterRunner

OF_SPAWNING = ("spawning", "spawning_complete")


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

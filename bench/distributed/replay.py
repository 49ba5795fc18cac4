"""Workers that only talk: `python -m bench.distributed.replay --port P --workers N --words FILE`.

More workers than this machine could run, in one process: each speaks to the master as a real one
does, at its pace; its hello and its report are those of a real worker, with the time put right.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import gevent
from gevent.event import Event
from gevent.pool import Group
from locust import __version__
from locust.rpc import Message, rpc
from locust.runners import HEARTBEAT_INTERVAL, WORKER_REPORT_INTERVAL

import msgspec

from bench.distributed.counter import Words
from harness.messages import (
    FINISH,
    FINISHED,
    HELLO,
    MEASURED,
    REGISTERED,
    Finish,
    Finished,
    Registered,
    packed,
    unpacked,
)

CPU_PERCENT, MEMORY_BYTES = 5.0, 90 << 20
"""What they say of themselves; the master keeps it, and does nothing with it."""


class Talker:
    """One of the workers, from its greeting to its goodbye."""

    def __init__(self, port: int, number: int, words: Words, phase: float) -> None:
        """Connect to a master on this machine; reports come by a share of their interval later."""
        self.name = f"replayed-{number}"
        self._client = rpc.Client("127.0.0.1", port, self.name)
        self._hello: object = Message.unserialize(words.hello).data
        self._report: dict[str, Any] = Message.unserialize(words.report).data
        self._phase = phase
        self._run = ""
        self._reports = 0
        self._users: dict[str, int] = {}
        self._state = "ready"
        self._greeted = Event()

    def talk(self) -> None:
        """Greet, report, and leave when told to."""
        group = Group()
        group.spawn(self._beat)
        group.spawn(self._report_again_and_again)
        self._say("client_ready", __version__)
        while (message := self._client.recv()).type != "quit":
            self._answer(message)
        group.kill()
        self._say("quit", None)

    def _answer(self, message: Message) -> None:
        if message.type == "ack":
            self._greeted.set()
            self._say(HELLO, self._hello)
        elif message.type == HELLO:
            self._say(HELLO, self._hello)
        elif message.type == "spawn":
            self._users = message.data["user_classes_count"]
            self._run = message.data["parsed_options"]["run_id"]
            told = {"user_classes_count": self._users, "user_count": sum(self._users.values())}
            self._say("spawning", None)
            self._say("spawning_complete", told)
            self._state = "running"
        elif message.type == FINISH:
            self._users, self._state = {}, "ready"
            run = unpacked(message.data, Finish).run
            self._say(FINISHED, packed(Finished(run, self._reports)))
        elif message.type == "stop":
            self._say("client_stopped", None)

    def _beat(self) -> None:
        self._greeted.wait()
        gevent.sleep(self._phase * HEARTBEAT_INTERVAL)
        while True:
            told = {"current_cpu_usage": CPU_PERCENT, "current_memory_usage": MEMORY_BYTES}
            self._say("heartbeat", {"state": self._state, **told})
            gevent.sleep(HEARTBEAT_INTERVAL)

    def _report_again_and_again(self) -> None:
        self._greeted.wait()
        gevent.sleep(self._phase * WORKER_REPORT_INTERVAL)
        while True:
            if self._users:
                self._reports += 1
                told = now(self._report, self._users, time.time())
                told[MEASURED] |= {"run": self._run, "number": self._reports}
                self._say("stats", told)
            gevent.sleep(WORKER_REPORT_INTERVAL)

    def _say(self, kind: str, data: object) -> None:
        self._client.send(Message(kind, data, self.name))


def now(report: dict[str, Any], users: dict[str, int], moment_s: float) -> dict[str, Any]:
    """Return a report as if it were sent at another moment, by a worker with these users."""
    ours = report[MEASURED]
    later_s = int(moment_s) - int(ours["sent_s"])
    moved = {
        **ours,
        "sent_s": moment_s,
        "until": ours["until"] + later_s,
        **{
            field: [{**each, "second": each["second"] + later_s} for each in ours[field]]
            for field in ("intervals", "health")
        },
    }
    return {
        **report,
        "stats": [_later(entry, later_s) for entry in report["stats"]],
        "stats_total": _later(report["stats_total"], later_s),
        "user_classes_count": users,
        "user_count": sum(users.values()),
        MEASURED: moved,
        REGISTERED: packed(Registered([])),
    }


def _later(entry: dict[str, Any], by_s: int) -> dict[str, Any]:
    """Move an entry of locust's statistics."""
    rates = {second + by_s: count for second, count in entry["num_reqs_per_sec"].items()}
    return {**entry, "num_reqs_per_sec": rates}


def main() -> int:
    """Talk until the master says goodbye to all."""
    parser = argparse.ArgumentParser(prog="python -m bench.distributed.replay")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--workers", type=int, required=True)
    parser.add_argument("--words", type=Path, required=True)
    parser.add_argument("--limit-s", type=float, default=900.0)
    options = parser.parse_args()
    words = msgspec.msgpack.decode(options.words.read_bytes(), type=Words)
    count = options.workers
    talkers = [Talker(options.port, number, words, number / count) for number in range(count)]
    gevent.joinall([gevent.spawn(talker.talk) for talker in talkers], timeout=options.limit_s)
    return 0


if __name__ == "__main__":
    sys.exit(main())

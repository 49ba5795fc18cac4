"""A master, its workers, their users and a server in one process, by a clock that a test moves on.

The master, the workers, their devices, ledger, journal, tasks and what comes after them are the
real ones. Locust's runners, the network, the clocks and the server are stood in for: a test says
which message arrives next, which request is answered how, and who dies.
"""

from __future__ import annotations

import itertools
from argparse import Namespace
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import NamedTuple
from unittest import mock

import gevent
from gevent.event import AsyncResult, Event
from gevent.pool import Group
from locust.event import Events
from locust.exception import StopUser
from locust.rpc import Message
from locust.runners import (
    HEARTBEAT_INTERVAL,
    HEARTBEAT_LIVENESS,
    STATE_INIT,
    STATE_MISSING,
    STATE_RUNNING,
    STATE_STOPPED,
    STATE_STOPPING,
    WORKER_REPORT_INTERVAL,
    MasterRunner,
    WorkerNode,
    WorkerNodes,
)
from locust.user.task import LOCUST_STATE_RUNNING, LOCUST_STATE_STOPPING

import msgspec
from virtual_time import VirtualTime, settle

from harness import cleanup, histograms, messages
from harness.admission import ANY_VERSION
from harness.contract import Request
from harness.devices import Devices, device_id
from harness.identity import Identity
from harness.journal import CLOCKS_S
from harness.ledger import LEDGER, Ledger, read_left, read_reserved
from harness.master import GONE_AFTER_S, Master
from harness.messages import Registered
from harness.origin import Origin
from harness.runfolder import Audit, ConnectionCounts, DeviceCounts
from harness.settings import Settings
from harness.timeseries import Interval, Report
from harness.user import NoticeApiUser
from harness.worker import Worker

HOST = "http://127.0.0.1:1"
IDENTITY = Identity({"suite": "the same for all"})
LATEST_S = 3.0
"""A message is not longer on its way, but for a network that is broken."""
RESERVED_AT_ONCE = 6
STEP_S = 0.5
STOP_TIMEOUT_S = 5.0


@dataclass(eq=False)
class Sent:
    """A request to the server that is under way.

    Attributes:
        method: POST, PUT or DELETE.
        fields: of its body.
        answer: gets whether the right one came.
        again: is called when the client sent it twice without knowing what came of the first.
        sent_s: when; its client waits for the answer timeout, and the server works no longer.
    """

    method: str
    fields: dict[str, object]
    answer: AsyncResult
    again: Callable[[], None]
    sent_s: float


@dataclass
class Server:
    """An honest server; what was sent to it against the rules stands in `wrongs`.

    Attributes:
        under_way: requests that nobody has answered yet.
        overdue: those without an answer that it may still get to.
        confirmed: ids whose registration was answered.
    """

    devices: dict[str, dict[str, object]] = field(default_factory=dict)
    under_way: list[Sent] = field(default_factory=list)
    overdue: list[Sent] = field(default_factory=list)
    posted: set[str] = field(default_factory=set)
    created: set[str] = field(default_factory=set)
    confirmed: set[str] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)
    wrongs: list[str] = field(default_factory=list)
    reservable: Callable[[], set[str]] = set
    is_away: bool = False
    writes: int = 0

    def take(self, sent: Sent) -> None:
        """Take a request of a user in, and note when it should never have been sent."""
        id_ = str(sent.fields["id"])
        if sent.method == "POST":
            if id_ in self.posted:
                self.wrongs.append("a registration under an id that was there before")
            if id_ not in self.reservable():
                self.wrongs.append("a registration that the ledger does not know of")
            self.posted.add(id_)
        else:
            self.writes += 1
            if id_ not in self.confirmed:
                self.wrongs.append("a write to a device that is not registered")
        if id_ in self.deleted:
            self.wrongs.append(f"a {sent.method} to a device after its DELETE")
        self.under_way.append(sent)

    def do(self, sent: Sent) -> int:
        """Do what a request asks for; return the status."""
        id_ = str(sent.fields["id"])
        if sent.method == "POST":
            if id_ in self.devices:
                return 400
            self.devices[id_] = {"keywords": "", "subscriptions": "", "alarm_switch": False}
            self.created.add(id_)
            return 201
        if id_ not in self.devices:
            return 404
        self.devices[id_].update({name: v for name, v in sent.fields.items() if name != "id"})
        return 200

    def ask(self, request: Request) -> tuple[int, bytes]:
        """Answer a request that comes after the users; stands in for `Session.ask`."""
        if self.is_away:
            return 0, b""
        if request.endpoint.method == "GET":
            id_ = request.target.rpartition("=")[2]
            if id_ not in self.devices:
                return 404, b""
            shown = {"id": id_, "id_method": "InstanceId", **self.devices[id_]}
            return 200, msgspec.json.encode(shown)
        id_ = msgspec.json.decode(request.body or b"")["id"]
        self.deleted.add(id_)
        return (204, b"") if self.devices.pop(id_, None) is not None else (404, b"")

    def answer(self, sent: Sent, how: str) -> None:
        """Deal with a request that is under way.

        Args:
            sent: the request.
            how: "right"; "again", when a twin of it was sent before and is overdue; "lost", when
                it is done and the answer lost; "late", when it is overdue; "refused".
        """
        self.under_way.remove(sent)
        if how in ("refused", "late"):
            if how == "late":
                self.overdue.append(sent)
            sent.answer.set(False)
            settle()
            return
        if how == "again" and sent.method == "PUT":
            self.overdue.append(sent)
            sent.again()
        is_right = self.do(sent) in (200, 201)
        if is_right and how != "lost" and not sent.answer.ready():
            self.confirmed.add(str(sent.fields["id"]))
        if not sent.answer.ready():
            sent.answer.set(is_right and how != "lost")
        settle()

    def time_out(self, before_s: float) -> None:
        """Let go of what was sent before: nobody waits for it, or works on it, any more."""
        for sent in [*self.under_way]:
            if sent.sent_s < before_s:
                self.answer(sent, "late")
        self.overdue = [sent for sent in self.overdue if sent.sent_s >= before_s]


def hold() -> None:
    """Hold whoever belongs to a process that stands still, until it does not."""
    process = getattr(gevent.getcurrent(), "spawn_tree_locals", {}).get("process")
    while process is not None and process.is_frozen and process.is_alive:
        process.thawed.wait()


NO_TIMES = histograms.empty()


class Sender:
    """A user's client."""

    def __init__(self, server: Server, now: Callable[[], float]) -> None:
        self.server, self.now = server, now
        self.was_sent_again = False

    def send(self, request: Request) -> bool:
        fields = msgspec.json.decode(request.body or b"")
        self.was_sent_again = False
        now_s = self.now()
        sent = Sent(request.endpoint.method, fields, AsyncResult(), self._was_sent_again, now_s)
        self.server.take(sent)
        try:
            is_right = bool(sent.answer.get())
            hold()
            return is_right
        finally:
            if not sent.answer.ready():
                sent.answer.set(False)  # nobody waits any more

    def _was_sent_again(self) -> None:
        self.was_sent_again = True


class SimulatedUser:
    """As much of a `NoticeApiUser` as the tasks of devices need."""

    write = NoticeApiUser.write
    stop_if_told = NoticeApiUser.stop_if_told

    def __init__(self, process: Process, words: Iterable[str]) -> None:
        self.process = process
        self._sender = Sender(process.run.server, process.run.time.now)
        self.random = process.run.random
        keywords = SimpleNamespace(draw=lambda random: (next(iter(words)),))
        vocabulary = SimpleNamespace(keywords=keywords)
        self.shared = SimpleNamespace(devices=process.devices, vocabulary=vocabulary)

    def send(self, request: Request) -> bool:
        self.stop_if_told()
        return self._sender.send(request)

    @property
    def _state(self) -> str:
        return LOCUST_STATE_STOPPING if self.process.is_stopping else LOCUST_STATE_RUNNING


class SimulatedMeter:
    """Counts whether there were requests."""

    def __init__(self, environment: object, run: str) -> None:
        self.run, self.reports = run, 0
        self.has_requests = False

    def stop(self) -> None:
        pass

    def taken(self) -> Report:
        has_requests, self.has_requests = self.has_requests, False
        second = Interval(1, "PUT", "/accounts/device keywords", NO_TIMES, None)
        self.reports += 1
        return Report([second] if has_requests else [], run=self.run, number=self.reports)


class OnItsWay(NamedTuple):
    """A message between the master and a worker."""

    sent_s: float
    message: bytes


class Process:
    """A worker's process: a locust runner, the suite's worker on it, and users."""

    def __init__(self, run: SimulatedRun, client_id: str, ahead_s: float) -> None:
        self.run, self.client_id, self.ahead_s = run, client_id, ahead_s
        self.to_master: deque[OnItsWay] = deque()
        self.to_worker: deque[OnItsWay] = deque()
        self.is_alive, self.is_cut, self.is_lossy = True, False, False
        self.is_frozen, self.thawed = False, Event()
        self.is_stranger = False
        self.is_stopping = False
        self.devices: Devices | None = None
        self.users = Group()
        self.handling: gevent.Greenlet | None = None
        # What the suite's worker wants of locust's runner:
        options = Namespace()
        self.environment = SimpleNamespace(events=Events(), parsed_options=options)
        self.greenlet = SimpleNamespace(spawn=self._spawn)
        self.worker_index = -1
        self.state = STATE_INIT
        self.worker_state = STATE_INIT
        self.own: list[gevent.Greenlet] = []
        self.reported_s = 0.0
        self.listeners: dict[str, tuple[Callable[..., None], bool]] = {}

    def start(self) -> None:
        """Connect, and do what comes after it."""
        self.send_message("client_ready", ANY_VERSION)
        self.worker = Worker(self, IDENTITY)  # type: ignore[arg-type]
        events = self.environment.events
        events.report_to_master.add_listener(lambda data, **_: self.worker.report(data))
        events.test_stop.add_listener(lambda **_: self.worker.finish(ConnectionCounts()))

    # Locust's runner.

    @property
    def user_count(self) -> int:
        return 1 if self.state == STATE_RUNNING else 0

    def register_message(
        self, kind: str, listener: Callable[..., None], concurrent: bool = False
    ) -> None:
        self.listeners[kind] = listener, concurrent

    def send_message(self, kind: str, data: object = None, client_id: object = None) -> None:
        if self.is_alive:
            message = Message(kind, data, self.client_id).serialize()
            self.to_master.append(OnItsWay(self.run.time.now_s, message))

    def stop(self) -> None:
        """Stop the users: each may finish what it is at, for as long as locust lets it."""
        if self.state == STATE_STOPPED:
            return
        self.is_stopping = True
        deadline_s = self.run.time.now_s + STOP_TIMEOUT_S
        while self.users and self.run.time.now_s < deadline_s:
            self.run.time.sleep(STEP_S)
        self.users.kill()
        self.state = STATE_STOPPED
        self.environment.events.test_stop.fire(environment=self.environment)

    def start_worker(self, _users: dict[str, int]) -> None:
        if self.worker_state != STATE_RUNNING:
            self.devices = self.worker.begin(self.environment, self.run.settings)
        self.is_stopping = False
        self.worker_state = self.state = STATE_RUNNING

    def quit(self) -> None:
        """Leave, with a last word: there is no more of this process then."""
        self.stop()
        self.send_message("quit")
        self.is_alive = False
        gevent.killall(self.own, block=False)

    def send_stats(self) -> None:
        data: dict[str, object] = {}
        self.environment.events.report_to_master.fire(client_id=self.client_id, data=data)
        self.send_message("stats", data)

    def take(self) -> None:
        """Take the next message in."""
        message = Message.unserialize(self.to_worker.popleft().message)
        self.handling = self.go(self._handle, message)
        settle()

    def _handle(self, message: Message) -> None:
        if message.type == "ack" and message.data is not None:
            self.worker_index = message.data["index"]
        elif message.type == "spawn":
            vars(self.environment.parsed_options).update(message.data)
            self.start_worker({})
        elif message.type == "stop":
            self.stop()
            self.worker_state = STATE_INIT
            self.send_message("client_ready", ANY_VERSION)
        elif message.type in self.listeners:
            listener, is_concurrent = self.listeners[message.type]
            if is_concurrent:
                self.go(listener, environment=self.environment, msg=message)
            else:
                listener(environment=self.environment, msg=message)

    def _spawn(self, function: Callable[..., None]) -> None:
        self.own.append(self.go(function))

    # What a test does with it.

    @property
    def is_idle(self) -> bool:
        return self.handling is None or self.handling.ready()

    @property
    def has_users(self) -> bool:
        runs = self.is_alive and not self.is_frozen
        return runs and self.state == STATE_RUNNING and not self.is_stopping

    def go(self, function: Callable[..., None], *args: object, **named: object) -> gevent.Greenlet:
        """Let something be done by this process."""
        greenlet = gevent.Greenlet(function, *args, **named)
        greenlet.spawn_tree_locals = {"process": self}
        greenlet.ahead_s = self.ahead_s  # type: ignore[attr-defined]
        greenlet.start()
        return greenlet

    def act(self, task: Callable[[SimulatedUser], None]) -> None:
        """Let a user do a task."""

        def go() -> None:
            try:
                task(user)
            except StopUser:
                pass
            finally:
                if self.worker._meter is not None:
                    self.worker._meter.has_requests = True

        user = SimulatedUser(self, self.run.words)
        self.users.add(self.go(go))
        settle()

    def freeze(self) -> None:
        """Let it stand still: what comes meanwhile is there when it goes on."""
        self.is_frozen = True
        self.thawed.clear()

    def thaw(self, *, messages_first: bool) -> None:
        """Let it go on, with the messages that have come meanwhile or with its users."""
        self.is_frozen = False
        while messages_first and self.run.deliver(self, to_master=False):
            pass
        self.thawed.set()
        settle()

    def crash(self) -> None:
        """Kill the process: nothing of it goes on, and what it has not sent is lost."""
        self.is_alive = False
        self.to_master.clear()
        self.to_worker.clear()
        self.thawed.set()
        gevent.killall([*self.users, *self.own], block=False)
        if self.handling is not None:
            self.handling.kill(block=False)
        settle()


class SimulatedRun:
    """All of it; `close` it in the end."""

    def __init__(self, folder: Path, settings: Settings, seed: int = 1) -> None:
        self.folder, self.settings = folder, settings
        self.time = VirtualTime()
        self.time.held = hold
        self.random = Random(seed)
        self.words = (f"word{number}" for number in itertools.count())
        self.server = Server(reservable=self._reservable)
        self.processes: list[Process] = []
        self.beaten_s = 0.0
        self.greenlets: list[gevent.Greenlet] = []
        self.meanwhile: Callable[[], None] = lambda: None
        self.ids: dict[int, list[str]] = {}
        self._patches = ExitStack()
        self._patch()
        self._begin_master()

    def _patch(self) -> None:
        time = self.time
        clock = SimpleNamespace(time=time.now, monotonic=time.now)
        # The runner's own greenlets are kept, so that they can be ended.
        greenlets = SimpleNamespace(
            sleep=time.sleep, spawn=self._spawn, killall=gevent.killall, Greenlet=gevent.Greenlet
        )
        for name, stand_in in {
            "harness.admission.gevent": greenlets,
            "harness.admission.time": clock,
            "harness.devices.clock_s": time.now,
            "harness.devices.Event": time.event,
            "harness.devices.RESERVED_AT_ONCE": RESERVED_AT_ONCE,
            "harness.journal.Journal.now_s": lambda _: (
                time.now_s + getattr(gevent.getcurrent(), "ahead_s", 0.0)
            ),
            "harness.master.gevent": greenlets,
            "harness.master.time": clock,
            "harness.user.gevent": greenlets,
            "harness.worker.clock_s": time.now,
            "harness.worker.gevent": greenlets,
            "harness.worker.time": clock,
            "harness.worker.Meter": SimulatedMeter,
            "harness.cleanup.gevent": greenlets,
            "harness.cleanup.time": clock,
            "harness.audit.gevent": greenlets,
            "harness.errands.run": self._errands,
        }.items():
            self._patches.enter_context(mock.patch(name, stand_in))

    def close(self) -> None:
        for process in self.processes:
            process.crash()
        gevent.killall(self.greenlets)
        self.ledger.close()
        self._patches.close()

    # The master's process.

    def _begin_master(self) -> None:
        options = Namespace(headless=False, seed=5)
        # What the suite's master wants of locust's runner:
        self.environment = SimpleNamespace(
            events=Events(), parsed_options=options, dispatcher_class=None
        )
        self.clients = WorkerNodes()
        self.state = STATE_INIT
        self.worker_indexes: dict[str, int] = {}
        self.worker_index_max = 0
        self._users_dispatcher = None
        self.listeners: dict[str, Callable[..., None]] = {}
        self.greenlet = SimpleNamespace(spawn=self._spawn)
        self.is_alive, self.is_open = True, False
        self.ending: gevent.Greenlet | None = None
        self.start = self._start_users
        self.handle_message = self._handle
        nobody = mock.Mock()
        self.master = Master(self, IDENTITY, nobody, nobody)  # type: ignore[arg-type]

    get_worker_index = MasterRunner.get_worker_index

    def register_message(self, kind: str, listener: Callable[..., None]) -> None:
        self.listeners[kind] = listener

    def send_message(self, kind: str, data: object = None, client_id: str | None = None) -> None:
        for process in self.processes:
            is_meant = client_id in (None, process.client_id)
            if is_meant and process.is_alive and not process.is_lossy:
                message = Message(kind, data, process.client_id).serialize()
                process.to_worker.append(OnItsWay(self.time.now_s, message))

    def _start_users(self) -> None:
        for client in self.clients.all:
            if client.state != STATE_MISSING:
                self._send_users(client.id)

    def _send_users(self, client_id: str) -> None:
        if not self.master._is_stopping:  # as the suite's dispatcher has it
            self.master._on_users({client_id: {"NoticeUser": 1}})
            self.send_message("spawn", vars(self.environment.parsed_options), client_id)

    def _take(self, process: Process) -> None:
        """Take the next message of a worker in."""
        message = Message.unserialize(process.to_master.popleft().message)
        self.handle_message(process.client_id, message)
        settle()

    def _handle(self, client_id: str, message: Message) -> None:
        """Do what locust's master does."""
        if message.type == "client_ready":
            index = self.get_worker_index(client_id)
            self.send_message("ack", {"index": index}, client_id)
            self.clients[client_id] = WorkerNode(client_id)
            if self.state == STATE_RUNNING:
                self._send_users(client_id)
        elif message.type == "heartbeat":
            node = self.clients.get(client_id)
            if node is None:
                return
            if node.state == STATE_MISSING and self.state == STATE_RUNNING:
                self._send_users(client_id)
            node.state = message.data["state"]
            node.heartbeat = HEARTBEAT_LIVENESS
        elif message.type == "stats":
            data = message.data
            if messages.MEASURED in data:
                report = messages.unpacked(data[messages.MEASURED], Report)
                registered = messages.unpacked(data[messages.REGISTERED], Registered)
                is_new = self.is_open and report.run == self.run_folder.name
                self.master.heard(
                    client_id,
                    report.run,
                    report.number,
                    registered.numbers if is_new else [],
                    has_requests=bool(report.intervals),
                )
        elif message.type == "quit":
            self.clients.pop(client_id, None)
            if not self.clients:
                self.end()
        else:
            self.listeners[message.type](environment=self.environment, msg=message)

    def _beat(self) -> None:
        """Let the heart of each worker beat, its reports come, and what is late arrive."""
        for process in self.processes:
            if process.is_alive and not process.is_frozen:
                process.send_message("heartbeat", {"state": process.worker_state})
                is_due = self.time.now_s >= process.reported_s + WORKER_REPORT_INTERVAL
                if is_due and not process.is_stranger:
                    process.reported_s = self.time.now_s
                    process.send_stats()
            late_s = self.time.now_s - LATEST_S
            for to_master, queue in ((True, process.to_master), (False, process.to_worker)):
                while queue and queue[0].sent_s <= late_s:
                    if not self.deliver(process, to_master=to_master):
                        break
        if not self.is_alive:
            return
        for node in self.clients.all:
            node.heartbeat -= 1
            if node.heartbeat < 0:
                node.state = STATE_MISSING
        nodes = [*self.clients.all]
        if nodes and all(node.state == STATE_MISSING for node in nodes):
            self.end()  # as locust does when the last worker is missing

    # What a test does with it.

    def pass_on(self, seconds: float) -> None:
        """Let time pass, and hearts beat."""
        while seconds > 0:
            self.time.pass_on(min(STEP_S, seconds))
            if self.time.now_s >= self.beaten_s + HEARTBEAT_INTERVAL:
                self.beaten_s = self.time.now_s
                self._beat()
            self.meanwhile()
            self.server.time_out(self.time.now_s - self.settings.answer_timeout_s)
            settle()
            seconds -= STEP_S

    def join(self, ahead_s: float = 0.0) -> Process:
        """Let one more worker come."""
        assert 0 <= ahead_s <= CLOCKS_S
        process = Process(self, f"machine_{len(self.processes)}", ahead_s)
        self.processes.append(process)
        process.go(process.start)
        settle()
        return process

    def join_stranger(self) -> Process:
        """Let a worker come that says of itself what no worker of this suite says."""
        process = Process(self, f"stranger_{len(self.processes)}", 0.0)
        process.is_stranger = True
        self.processes.append(process)
        process.send_message("client_ready", ANY_VERSION)
        if self.random.random() < 0.5:
            process.send_message(messages.HELLO, {"facts": {"suite": "another one"}})
        return process

    def begin(self, key: str, seed: int) -> None:
        """Begin a run with whoever is there, and give them users."""
        self.run_folder = self.folder / key
        self.run_folder.mkdir()
        options = self.environment.parsed_options
        self.seed = options.seed = seed
        options.run_id = key
        self.ids.clear()
        self.ledger = Ledger(self.run_folder)
        self.master.allow_start()
        self.master.begin(key, self.ledger)
        self.is_open, self.state = True, STATE_RUNNING
        self._start_users()
        settle()

    def deliver(self, process: Process, *, to_master: bool) -> bool:
        """Let one message arrive; return whether there was one that could."""
        if process.is_cut:
            return False
        if to_master:
            if process.to_master and self.is_alive:
                self._take(process)
                return True
        elif process.to_worker and process.is_idle and process.is_alive and not process.is_frozen:
            process.take()
            return True
        return False

    def deliver_all(self) -> None:
        """Let all that is on its way arrive, and what is said in answer to it."""
        while any(
            [self.deliver(each, to_master=way) for each in self.processes for way in (True, False)]
        ):
            pass

    @property
    def is_ending(self) -> bool:
        return self.ending is not None or self.state != STATE_RUNNING

    def end(self) -> None:
        """Begin to end the run, if it goes on: the master asks for the last words."""
        if self.is_ending:
            return
        self.ending = self._spawn(self.master.await_last_words, STOP_TIMEOUT_S)
        settle()

    def conclude(self) -> tuple[DeviceCounts, Audit | None]:
        """Read back, clean up and count, once all last words are there; then be ready again."""
        assert self.ending is not None
        assert self.ending.ready()
        self.ending.get()
        self.ending, self.state = None, STATE_STOPPING
        self.let_go()
        handovers, _, _ = self.master.last_words()
        concluded = self._finish(
            lambda: cleanup.conclude(HOST, self.seed, handovers, self.ledger, self.settings)
        )
        self.is_open, self.state = False, STATE_STOPPED
        self.ledger.close()
        for client in self.clients.all:
            self.send_message("stop", None, client.id)
        return concluded

    def crash(self) -> None:
        """Kill the master."""
        self.is_alive = False
        gevent.killall(self.greenlets)
        self.ending = None
        self.ledger.close()
        settle()

    def let_go(self) -> None:
        """Let the server come to some of what is under way, as late as it may, if at all."""
        server, random = self.server, self.random
        server.overdue += server.under_way
        server.under_way.clear()
        for sent in server.overdue:
            sent.answer.set(False)
            if random.random() < 0.7:
                latest_s = sent.sent_s + self.settings.answer_timeout_s
                delay_s = random.random() * max(0.0, latest_s - self.time.now_s)
                self.time.call_later(delay_s, lambda sent=sent: server.do(sent))
        server.overdue.clear()

    def clean_up(self) -> int:
        """Clean up from the ledger alone, as `python -m harness cleanup`; return what is left."""
        ended_s = self.time.now_s
        if not self.is_alive:
            self.pass_on(GONE_AFTER_S)
            ended_s = self.time.now_s + self.settings.answer_timeout_s
            self.let_go()
        with Ledger(self.run_folder) as ledger:
            left = cleanup.identified(self.seed, read_left(self.run_folder))
            origin, doubts = Origin(HOST, self.settings), dict.fromkeys(left, ended_s)
            self._finish(lambda: cleanup.sweep(origin, left, doubts, ledger, self.settings))
        return len(self.left())

    def left(self) -> set[str]:
        """Return the ids that may be on the server, as the ledger has it."""
        return {*cleanup.identified(self.seed, read_left(self.run_folder))}

    def _finish(self, function: Callable[[], object]) -> object:
        """Let something be done that takes time."""
        greenlet = gevent.spawn(function)
        settle()
        while not greenlet.ready():
            self.pass_on(STEP_S)
        return greenlet.get()

    def _errands(
        self,
        origin: object,
        items: Iterable[object],
        errand: Callable[[object, object], None],
        *,
        per_s: float,
        timeout_s: float,
    ) -> None:
        """Stand in for `errands.run`: one after the other, in a time that an errand takes."""
        latest_s = self.time.now_s + timeout_s
        for item in items:
            if self.time.now_s >= latest_s:
                return
            errand(self.server, item)
            self.time.sleep(1 / per_s)

    def _spawn(self, function: Callable[..., None], *args: object) -> gevent.Greenlet:
        self.greenlets.append(gevent.spawn(function, *args))
        return self.greenlets[-1]

    def _reservable(self) -> set[str]:
        """Return the ids that the ledger allows to be registered, as the disk has it."""
        if not (self.run_folder / LEDGER).exists():
            return set()
        for worker, reserved in read_reserved(self.run_folder).items():
            known = self.ids.setdefault(worker, [])
            numbers = range(len(known), reserved)
            known += [device_id(self.seed, worker, number) for number in numbers]
        return {id_ for known in self.ids.values() for id_ in known}

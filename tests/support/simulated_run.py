"""A master, its workers, their users and a server in one process, on a clock that a test advances.

The suite's master, workers, devices, ledger, write history, tasks and cleanup are real. Locust's
runners, the network, the clocks and the server are simulated: a test decides which message arrives
next, how each request is answered, and which process dies.
"""

from __future__ import annotations

import itertools
from argparse import Namespace
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import ExitStack
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

from harness.config.settings import Settings
from harness.devices import cleanup
from harness.devices.ledger import LEDGER, Ledger, read_left, read_reserved
from harness.devices.pool import Devices, device_id
from harness.devices.write_history import MAX_CLOCK_DIFFERENCE_S
from harness.distributed import messages
from harness.distributed.admission import ANY_VERSION
from harness.distributed.identity import Identity
from harness.distributed.master import LEASE_ENDED_AFTER_S, Master
from harness.distributed.messages import Registered
from harness.distributed.report_tracking import ReportTracker
from harness.distributed.worker import Worker
from harness.http.target import Target
from harness.recording import histograms
from harness.recording.samples import ConnectionCounts, Interval, Report
from harness.results.run_folder import Audit, DeviceCounts
from harness.users.user import ApiUser
from notice_api import SUITE
from notice_api.contract import Request
from support.simulated_server import Sent, Server
from support.virtual_time import VirtualTime, settle

HOST = "http://127.0.0.1:1"
IDENTITY = Identity({"suite": "the same for all"})
LATEST_S = 3.0
"""A message takes at most this long, unless the network is cut or its receiver is busy."""
RESERVED_AT_ONCE = 6
STEP_S = 0.5
STOP_TIMEOUT_S = 5.0


def hold() -> None:
    """Block the current greenlet as long as its process is frozen."""
    process = getattr(gevent.getcurrent(), "spawn_tree_locals", {}).get("process")
    while process is not None and process.is_frozen and process.is_alive:
        process.thawed.wait()


NO_TIMES = histograms.empty()


class Sender:
    """The session of a simulated user."""

    def __init__(self, server: Server, now: Callable[[], float]) -> None:
        self.server, self.now = server, now
        self.was_retried = False

    def send(self, request: Request) -> bool:
        fields = msgspec.json.decode(request.body or b"")
        self.was_retried = False
        now_s = self.now()
        sent = Sent(request.endpoint.method, fields, AsyncResult(), self._was_retried, now_s)
        self.server.take(sent)
        try:
            is_right = bool(sent.answer.get())
            hold()
            return is_right
        finally:
            if not sent.answer.ready():
                sent.answer.set(False)  # the user was killed

    def _was_retried(self) -> None:
        self.was_retried = True


class SimulatedUser:
    """As much of `ApiUser` as the tasks that write devices need."""

    write = ApiUser.write
    raise_if_stopping = ApiUser.raise_if_stopping

    def __init__(self, process: Process, words: Iterable[str]) -> None:
        self.process = process
        self._session = Sender(process.run.server, process.run.time.now)
        self.random = process.run.random
        keywords = SimpleNamespace(draw=lambda random: (next(iter(words)),))
        self.words = SimpleNamespace(keywords=keywords)
        self.run_context = SimpleNamespace(devices=process.devices)

    def send(self, request: Request) -> bool:
        self.raise_if_stopping()
        return self._session.send(request)

    @property
    def _state(self) -> str:
        return LOCUST_STATE_STOPPING if self.process.is_stopping else LOCUST_STATE_RUNNING


class SimulatedCollector:
    """Records only whether there were requests since the last report."""

    def __init__(self, environment: object, run: str) -> None:
        self.run, self.reports = run, 0
        self.has_requests = False

    def stop(self) -> None:
        pass

    def take_report(self) -> Report:
        has_requests, self.has_requests = self.has_requests, False
        second = Interval(1, "PUT", "/accounts/device keywords", NO_TIMES, None)
        self.reports += 1
        return Report([second] if has_requests else [], run=self.run, number=self.reports)


class OnItsWay(NamedTuple):
    """A message in transit between the master and a worker."""

    sent_s: float
    message: bytes


class Process:
    """A worker process: a simulated Locust runner with the suite's real worker, and users."""

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
        # What the suite's worker uses of Locust's runner:
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
        """Connect to the master and attach the suite's worker."""
        self.send_message("client_ready", ANY_VERSION)
        self.worker = Worker(self, IDENTITY)  # type: ignore[arg-type]
        events = self.environment.events
        events.report_to_master.add_listener(lambda data, **_: self.worker.report(data))
        events.test_stop.add_listener(lambda **_: self.worker.finish(ConnectionCounts()))

    # As in Locust's runner.

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
        """Stop the users; each may finish its task within the stop timeout."""
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
        """Stop the users, say goodbye and end the process."""
        self.stop()
        self.send_message("quit")
        self.is_alive = False
        gevent.killall(self.own, block=False)

    def send_stats(self) -> None:
        data: dict[str, object] = {}
        self.environment.events.report_to_master.fire(client_id=self.client_id, data=data)
        self.send_message("stats", data)

    def take(self) -> None:
        """Handle the next message from the master."""
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

    # For tests.

    @property
    def is_idle(self) -> bool:
        return self.handling is None or self.handling.ready()

    @property
    def has_users(self) -> bool:
        runs = self.is_alive and not self.is_frozen
        return runs and self.state == STATE_RUNNING and not self.is_stopping

    def go(self, function: Callable[..., None], *args: object, **named: object) -> gevent.Greenlet:
        """Run a function in a greenlet of this process."""
        greenlet = gevent.Greenlet(function, *args, **named)
        greenlet.spawn_tree_locals = {"process": self}
        greenlet.ahead_s = self.ahead_s  # type: ignore[attr-defined]
        greenlet.start()
        return greenlet

    def act(self, task: Callable[[SimulatedUser], None]) -> None:
        """Let a new user run a task."""

        def go() -> None:
            try:
                task(user)
            except StopUser:
                pass
            finally:
                if self.worker._collector is not None:
                    self.worker._collector.has_requests = True

        user = SimulatedUser(self, self.run.words)
        self.users.add(self.go(go))
        settle()

    def freeze(self) -> None:
        """Suspend the process; messages wait until `thaw`."""
        self.is_frozen = True
        self.thawed.clear()

    def thaw(self, *, messages_first: bool) -> None:
        """Resume the process, starting with its waiting messages or with its users."""
        self.is_frozen = False
        while messages_first and self.run.deliver(self, to_master=False):
            pass
        self.thawed.set()
        settle()

    def crash(self) -> None:
        """Kill the process; messages in transit are lost in both directions."""
        self.is_alive = False
        self.to_master.clear()
        self.to_worker.clear()
        self.thawed.set()
        gevent.killall([*self.users, *self.own], block=False)
        if self.handling is not None:
            self.handling.kill(block=False)
        settle()


class SimulatedRun:
    """A whole distributed run; call `close` at the end."""

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
        # The master's greenlets are kept, so that they can be killed.
        greenlets = SimpleNamespace(
            sleep=time.sleep, spawn=self._spawn, killall=gevent.killall, Greenlet=gevent.Greenlet
        )
        for name, stand_in in {
            "harness.distributed.admission.gevent": greenlets,
            "harness.distributed.admission.time": clock,
            "harness.devices.pool.clock_s": time.now,
            "harness.devices.pool.Event": time.event,
            "harness.devices.pool.RESERVED_AT_ONCE": RESERVED_AT_ONCE,
            "harness.devices.write_history.WriteHistory.now_s": lambda _: (
                time.now_s + getattr(gevent.getcurrent(), "ahead_s", 0.0)
            ),
            "harness.distributed.master.gevent": greenlets,
            "harness.distributed.master.time": clock,
            "harness.users.user.gevent": greenlets,
            "harness.distributed.worker.clock_s": time.now,
            "harness.distributed.worker.gevent": greenlets,
            "harness.distributed.worker.time": clock,
            "harness.distributed.worker.Collector": SimulatedCollector,
            "harness.devices.cleanup.gevent": greenlets,
            "harness.devices.cleanup.time": clock,
            "harness.devices.audit.gevent": greenlets,
            "harness.http.batch.run": self._batch,
        }.items():
            self._patches.enter_context(mock.patch(name, stand_in))

    def close(self) -> None:
        for process in self.processes:
            process.crash()
        gevent.killall(self.greenlets)
        self.ledger.close()
        self._patches.close()

    # The master process.

    def _begin_master(self) -> None:
        options = Namespace(headless=False, seed=5)
        # What the suite's master uses of Locust's runner:
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
        self.master = Master(self, IDENTITY)  # type: ignore[arg-type]

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
        if not self.master._is_stopping:  # as in the suite's dispatcher
            self.master._on_users({client_id: {"NoticeUser": 1}})
            self.send_message("spawn", vars(self.environment.parsed_options), client_id)

    def _take(self, process: Process) -> None:
        """Handle the next message from a worker."""
        message = Message.unserialize(process.to_master.popleft().message)
        self.handle_message(process.client_id, message)
        settle()

    def _handle(self, client_id: str, message: Message) -> None:
        """Do what Locust's master does with a message."""
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
                self.master.on_report(
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
        """Send heartbeats and due reports, deliver late messages, and expire silent workers."""
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
            self.end()  # as Locust does when the last worker is missing

    # For tests.

    def pass_on(self, seconds: float) -> None:
        """Advance the clock, with heartbeats and timeouts."""
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
        """Connect another worker; its clock is `ahead_s` ahead."""
        assert 0 <= ahead_s <= MAX_CLOCK_DIFFERENCE_S
        process = Process(self, f"machine_{len(self.processes)}", ahead_s)
        self.processes.append(process)
        process.go(process.start)
        settle()
        return process

    def join_stranger(self) -> Process:
        """Connect a worker of another suite; it says hello in half of the cases."""
        process = Process(self, f"stranger_{len(self.processes)}", 0.0)
        process.is_stranger = True
        self.processes.append(process)
        process.send_message("client_ready", ANY_VERSION)
        if self.random.random() < 0.5:
            process.send_message(messages.HELLO, {"facts": {"suite": "another one"}})
        return process

    def begin(self, key: str, seed: int) -> None:
        """Start a run on the connected workers."""
        self.run_folder = self.folder / key
        self.run_folder.mkdir()
        options = self.environment.parsed_options
        self.seed = options.seed = seed
        options.run_id = key
        self.ids.clear()
        self.ledger = Ledger(self.run_folder)
        self.master.allow_start()
        self.master.begin(key, self.ledger, ReportTracker(key))
        self.is_open, self.state = True, STATE_RUNNING
        self._start_users()
        settle()

    def deliver(self, process: Process, *, to_master: bool) -> bool:
        """Deliver one message; return False if there is none that can arrive."""
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
        """Deliver all messages in transit, and the replies to them."""
        while any(
            [self.deliver(each, to_master=way) for each in self.processes for way in (True, False)]
        ):
            pass

    @property
    def is_ending(self) -> bool:
        return self.ending is not None or self.state != STATE_RUNNING

    def end(self) -> None:
        """Start to end the run, if it goes on: the master asks the workers for final reports."""
        if self.is_ending:
            return
        self.ending = self._spawn(self.master.await_final_reports, STOP_TIMEOUT_S)
        settle()

    def audit_and_delete(self) -> tuple[DeviceCounts, Audit | None]:
        """Read back, clean up and count after all final reports; get ready for another run."""
        assert self.ending is not None
        assert self.ending.ready()
        self.ending.get()
        self.ending, self.state = None, STATE_STOPPING
        self.let_go()
        device_reports, _, _ = self.master.final_reports()
        concluded = self._finish(
            lambda: cleanup.audit_and_delete(
                HOST, SUITE.devices, self.seed, device_reports, self.ledger, self.settings
            )
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
        """Let the server process a random part of the pending requests, at a random later time."""
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
        """Clean up from the ledger, as `python -m harness cleanup`; return the devices left."""
        ended_s = self.time.now_s
        if not self.is_alive:
            self.pass_on(LEASE_ENDED_AFTER_S)
            ended_s = self.time.now_s + self.settings.answer_timeout_s
            self.let_go()
        with Ledger(self.run_folder) as ledger:
            left = cleanup.identified(self.seed, read_left(self.run_folder))
            target, unconfirmed = Target(HOST, self.settings), dict.fromkeys(left, ended_s)
            self._finish(
                lambda: cleanup.delete_all(
                    target, SUITE.devices, left, unconfirmed, ledger, self.settings
                )
            )
        return len(self.left())

    def left(self) -> set[str]:
        """Return the ids that may be on the server, according to the ledger."""
        return {*cleanup.identified(self.seed, read_left(self.run_folder))}

    def _finish(self, function: Callable[[], object]) -> object:
        """Run a function to its end while the clock advances; return its result."""
        greenlet = gevent.spawn(function)
        settle()
        while not greenlet.ready():
            self.pass_on(STEP_S)
        return greenlet.get()

    def _batch(
        self,
        target: object,
        items: Iterable[object],
        action: Callable[[object, object], None],
        *,
        per_s: float,
        timeout_s: float,
    ) -> None:
        """Replace `batch.run`: run the actions one after another, at `per_s`."""
        latest_s = self.time.now_s + timeout_s
        for item in items:
            if self.time.now_s >= latest_s:
                return
            action(self.server, item)
            self.time.sleep(1 / per_s)

    def _spawn(self, function: Callable[..., None], *args: object) -> gevent.Greenlet:
        self.greenlets.append(gevent.spawn(function, *args))
        return self.greenlets[-1]

    def _reservable(self) -> set[str]:
        """Return the ids that the ledger on disk allows to be registered."""
        if not (self.run_folder / LEDGER).exists():
            return set()
        for worker, reserved in read_reserved(self.run_folder).items():
            known = self.ids.setdefault(worker, [])
            numbers = range(len(known), reserved)
            known += [device_id(self.seed, worker, number) for number in numbers]
        return {id_ for known in self.ids.values() for id_ in known}

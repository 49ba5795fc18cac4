"""The server of a simulated run: it knows each request in flight, and which one breaks a rule."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from gevent.event import AsyncResult

import msgspec

from notice_api.contract import Request
from support.virtual_time import settle


@dataclass(eq=False)
class Sent:
    """A request in flight.

    Attributes:
        method: POST, PUT or DELETE.
        fields: fields of the body.
        answer: set to True if the valid response arrives, else to False.
        again: called if the client sends the request twice, not knowing the first one's outcome.
        sent_s: time of sending. After the answer timeout, the client gives up, and so does the
            server.
    """

    method: str
    fields: dict[str, object]
    answer: AsyncResult
    again: Callable[[], None]
    sent_s: float


@dataclass
class Server:
    """A correct server, which notes in `wrongs` every request that breaks a rule of the suite.

    Attributes:
        under_way: requests in flight.
        overdue: requests that their client has given up, but the server may still process.
        confirmed: ids whose registration was acknowledged.
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
        """Accept a user's request; note it if it should never have been sent."""
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
        """Process a request; return the status."""
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

    def try_exchange(self, request: Request) -> tuple[int, bytes]:
        """Answer a request of the audit or the cleanup; replaces `Session.try_exchange`."""
        if self.is_away:
            return 0, b""
        if request.endpoint.method == "GET":
            id_ = request.path.rpartition("=")[2]
            if id_ not in self.devices:
                return 404, b""
            shown = {"id": id_, "id_method": "InstanceId", **self.devices[id_]}
            return 200, msgspec.json.encode(shown)
        id_ = msgspec.json.decode(request.body or b"")["id"]
        self.deleted.add(id_)
        return (204, b"") if self.devices.pop(id_, None) is not None else (404, b"")

    def answer(self, sent: Sent, how: str) -> None:
        """Decide what happens to a request in flight.

        Args:
            sent: the request.
            how: "right"; "again", a copy was sent before and is overdue; "lost", it is processed
                but the response is lost; "late", it becomes overdue; "refused".
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
        """Time out requests sent before `before_s`, for their clients and for the server."""
        for sent in [*self.under_way]:
            if sent.sent_s < before_s:
                self.answer(sent, "late")
        self.overdue = [sent for sent in self.overdue if sent.sent_s >= before_s]

"""A notice server that honors the contract, counts requests, and misbehaves on demand.

It speaks HTTP over raw sockets, so a test can make it send any bytes, close at any moment or stop.
"""

from __future__ import annotations

import json
import socket
import struct
from collections import Counter
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import gevent.pool
from gevent.event import Event
from gevent.server import StreamServer

BACKLOG = 4096
"""Connections that can wait for accept: a client retries a full queue only after 1, 3 and 7 s."""

Fault = Callable[[socket.socket, bytes], bool]
"""Takes the connection and the valid response; returns True to keep the connection open."""

BOARDS = [
    {"name": name, "api_url": f"http://campus.example/{name}"} for name in ("cse", "main", "dorm")
]


def notice(number: int, title: str) -> dict[str, object]:
    """Return a notice that satisfies the contract."""
    return {
        "id": f"cse-{number:04}",
        "title": title,
        "link": f"http://campus.example/cse/{number}",
        "date": "2026-03-02" if number % 7 else None,
        "author": "학생지원팀" if number % 3 else None,
        "reference": None,
        "is_fixed": False,
        "created_at": "2026-03-02T09:30:00+09:00",
    }


class NoticeServer:
    """A correct server, except where `faults[(method, path)]` is set.

    `seen` counts requests by method and path. With `drop_every` set to n, every nth write to a
    device is acknowledged but not stored.
    """

    def __init__(
        self, close_after: int | None = None, listener: socket.socket | None = None
    ) -> None:
        self.faults: dict[tuple[str, str], Fault] = {}
        self.seen: Counter[tuple[str, str]] = Counter()
        self.requests: list[tuple[str, str, bytes]] = []
        self.devices: dict[str, dict[str, object]] = {}
        self.ever_registered: list[str] = []
        self.connections = 0
        self.close_after = close_after
        self.register_late_s = 0.0
        self.drop_every = 0
        self.written = 0
        self.dropped: list[tuple[str, dict[str, object]]] = []
        self._start(listener or ("127.0.0.1", 0))
        host, self.port = self._server.address
        self.url = f"http://{host}:{self.port}"

    @property
    def workload(self) -> int:
        """The number of requests by users: not the probe, the audit or the cleanup."""
        after = sum(self.seen[method, "/accounts/device"] for method in ("GET", "DELETE"))
        return sum(self.seen.values()) - after - 1

    def stop(self) -> None:
        """Close the listening socket and every connection."""
        self._server.stop(timeout=0)

    def restart(self) -> None:
        """Listen again on the same port, with the same devices."""
        self._start(("127.0.0.1", self.port))

    def _start(self, listener: socket.socket | tuple[str, int]) -> None:
        handlers = gevent.pool.Pool()  # so that stopping the server ends them too
        backlog = None if isinstance(listener, socket.socket) else BACKLOG
        self._server = StreamServer(listener, self._serve, backlog=backlog, spawn=handlers)
        self._server.start()

    def _serve(self, connection: socket.socket, _address: object) -> None:
        self.connections += 1
        answered = 0
        stream = connection.makefile("rb")
        try:
            while request_line := stream.readline():
                method, target, _ = request_line.decode().split()
                length = 0
                while (line := stream.readline().strip()) != b"":
                    name, _, value = line.partition(b":")
                    if name.lower() == b"content-length":
                        length = int(value)
                body = stream.read(length)
                path = urlsplit(target).path
                self.seen[method, path] += 1
                self.requests.append((method, target, body))
                answer = _http(*self._answer(method, target, body))
                fault = self.faults.get((method, path), _honest)
                answered += 1
                if not fault(connection, answer) or answered == self.close_after:
                    return
        except (OSError, ValueError):
            pass
        finally:
            stream.close()
            connection.close()

    def _answer(self, method: str, target: str, body: bytes) -> tuple[int, object]:
        url = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        if url.path == "/notice/list":
            return 200, BOARDS
        if url.path == "/notice/all":
            return self._page(query)
        if url.path == "/accounts/device":
            return self._device(method, json.loads(body) if body else query)
        return 404, {"detail": "Not found."}

    def _page(self, query: dict[str, str]) -> tuple[int, object]:
        page = int(query.get("page", "1"))
        words = query.get("q", "안내").split()
        dated = [number for number in range(500) if number % 7][: 10 * page][-10:]
        results = [notice(number, f"{words[-1]} {number}") for number in dated]
        following = f"{self.url}/notice/all?page={page + 1}"
        return 200, {"count": 400, "next": following, "previous": None, "results": results}

    def _device(self, method: str, fields: dict[str, object]) -> tuple[int, object]:
        device_id = str(fields["id"])
        if method == "POST":
            gevent.sleep(self.register_late_s)
            if device_id in self.devices:
                return 400, {"id": ["device with this id already exists."]}
            self.ever_registered.append(device_id)
            blank = {"id_method": "InstanceId", "keywords": "", "subscriptions": ""}
            self.devices[device_id] = {"id": device_id, **blank, "alarm_switch": False}
            return 201, self.devices[device_id]
        if device_id not in self.devices:
            return 404, {"detail": "Not found."}
        if method == "DELETE":
            del self.devices[device_id]
            return 204, None
        known = self.devices[device_id]
        if method == "GET":
            return 200, known
        changes = {name: value for name, value in fields.items() if name in known}
        self.written += 1
        if self.drop_every and self.written % self.drop_every == 0:
            self.dropped.append((device_id, changes))
            return 200, {**known, **changes}
        known.update(changes)
        return 200, known


def _http(status: int, content: object) -> bytes:
    body = b"" if content is None else json.dumps(content, ensure_ascii=False).encode()
    head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def _honest(connection: socket.socket, answer: bytes) -> bool:
    connection.sendall(answer)
    return True


def answers(status: int, content: object) -> Fault:
    """Respond with this status and JSON instead."""

    def fault(connection: socket.socket, _answer: bytes) -> bool:
        connection.sendall(_http(status, content))
        return True

    return fault


def sends(raw: bytes) -> Fault:
    """Send exactly these bytes, then close."""

    def fault(connection: socket.socket, _answer: bytes) -> bool:
        connection.sendall(raw)
        return False

    return fault


def changes(change: Callable[[dict[str, object]], object]) -> Fault:
    """Apply `change` to the valid JSON; what it returns, unless None, replaces the JSON."""

    def fault(connection: socket.socket, answer: bytes) -> bool:
        head, _, body = answer.partition(b"\r\n\r\n")
        content = json.loads(body)
        replaced = change(content)
        status = int(head.split()[1])
        connection.sendall(_http(status, content if replaced is None else replaced))
        return True

    return fault


def cuts(share: float) -> Fault:
    """Send a share of the valid response, then close."""

    def fault(connection: socket.socket, answer: bytes) -> bool:
        connection.sendall(answer[: int(len(answer) * share)])
        return False

    return fault


def answers_late(seconds: float) -> Fault:
    """Send the valid response after a delay."""

    def fault(connection: socket.socket, answer: bytes) -> bool:
        gevent.sleep(seconds)
        connection.sendall(answer)
        return True

    return fault


def answers_after(event: Event) -> Fault:
    """Send the valid response once `event` is set."""

    def fault(connection: socket.socket, answer: bytes) -> bool:
        event.wait()
        connection.sendall(answer)
        return True

    return fault


def resets(connection: socket.socket, _answer: bytes) -> bool:
    """Reset the connection without a response."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return False


def stalls(connection: socket.socket, answer: bytes) -> bool:
    """Send the first bytes of the response, then nothing for 30 s."""
    connection.sendall(answer[:20])
    gevent.sleep(30)
    return False


def trickles(connection: socket.socket, answer: bytes) -> bool:
    """Send the response byte by byte: each within a read timeout, the whole far too late."""
    for position in range(len(answer)):
        connection.sendall(answer[position : position + 1])
        gevent.sleep(0.1)
    return True

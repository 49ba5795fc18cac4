"""nginx with fixed responses, and its own counter of requests."""

from __future__ import annotations

import contextlib
import http.client
import re
import resource
from collections.abc import Sequence
from pathlib import Path

from bench import BenchError
from bench.answers import DEVICE_ID, alarm_off_lengths, boards, device, encoded, new_device, page
from bench.process import Processes
from harness import ConfigurationError, contract
from harness.contract import Request
from harness.processes import cpu_s, find_program, free_port

MOST_CONNECTIONS = 16_384
START_TIMEOUT_S = 10.0
COUNTER_TIMEOUT_S = 30.0
ID_ARGUMENT = "id"


class Nginx(Processes):
    """nginx on two free loopback ports; a context manager.

    Attributes:
        host: `name:port` of the API.
        url: its base URL.
    """

    def __init__(
        self,
        folder: Path,
        core: int | None = None,
        numbered: Sequence[tuple[int, bytes]] = (),
        workers: int = 1,
        addresses: int = 1,
    ) -> None:
        """Find the program.

        Args:
            folder: an empty one, for its files.
            core: the one that it is pinned to.
            numbered: more responses, status and body, for `/0`, `/1`, ...
            workers: how many processes.
            addresses: how many loopback addresses it listens on, from 127.0.0.1 on.

        Raises:
            ConfigurationError: it is not installed.
        """
        super().__init__("nginx", folder)
        program = find_program("nginx")
        if program is None:
            raise ConfigurationError("nginx is missing; install it: apt-get install nginx-light")
        self._program = program
        self._core = core
        self._numbered = numbered
        self._workers = workers
        self._addresses = addresses
        self._port, self._counter_port = free_port(), free_port()
        self.host = f"127.0.0.1:{self._port}"
        self.url = self.url_of(0)
        self._own_requests = 0

    def __enter__(self) -> Nginx:
        """Start it and wait until it responds.

        Raises:
            ConfigurationError: it did not start; says why.
        """
        path = self.folder / "nginx.conf"
        path.write_text(self._configuration(), encoding="utf-8")
        command = [self._program, "-c", str(path), "-p", str(self.folder), "-e", "stderr"]
        with contextlib.ExitStack() as stack:
            stack.push(self)
            self.start(command, self._core)
            try:
                self.wait_until(self._responds, "does not start", START_TIMEOUT_S)
            except BenchError as error:
                raise ConfigurationError(str(error)) from None
            stack.pop_all()
        return self

    def _responds(self) -> bool:
        try:
            self.requests()
        except ConnectionRefusedError:
            return False
        return True

    def url_of(self, number: int) -> str:
        """Return the base URL at one of its addresses, chosen by any number."""
        return f"http://127.0.0.{1 + number % self._addresses}:{self._port}"

    def requests(self) -> int:
        """Return how many requests it saw, without those to its counter."""
        connection = http.client.HTTPConnection(
            "127.0.0.1", self._counter_port, timeout=COUNTER_TIMEOUT_S
        )
        try:
            connection.request("GET", "/")
            status = connection.getresponse().read().decode()
        finally:
            connection.close()
        self._own_requests += 1  # nginx counts a request before it responds: this one too
        counted = re.search(r"^ \d+ \d+ (\d+)", status, re.MULTILINE)
        assert counted is not None, status
        return int(counted[1]) - self._own_requests

    def cpu_s(self) -> float:
        """Return its CPU time so far, in seconds."""
        return cpu_s(self.running[0].pid)

    def _configuration(self) -> str:
        open_files = min(resource.getrlimit(resource.RLIMIT_NOFILE)[1], 2 * MOST_CONNECTIONS)
        connections = min(MOST_CONNECTIONS, open_files - 32)
        temporary = "\n".join(
            f"    {kind}_temp_path {self.folder};"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        alarm_off = "\n".join(
            f"        'PUT {length}' '{_text(device(alarm=False))}';"
            for length in sorted(alarm_off_lengths())
        )
        numbered = "\n".join(
            f"        location = /{number} {{ return {status} '{_quoted(body.decode())}'; }}"
            for number, (status, body) in enumerate(self._numbered)
        )
        shared = " reuseport" if self._workers > 1 else ""
        listens = "\n".join(
            f"        listen 127.0.0.{1 + number}:{self._port} backlog=4096{shared};"
            for number in range(self._addresses)
        )
        new = _text(new_device()).replace(DEVICE_ID, "$registered")
        return f"""\
daemon off;
worker_processes {self._workers};
worker_rlimit_nofile {open_files};
pid {self.folder}/nginx.pid;
error_log stderr;
events {{ worker_connections {connections}; }}
http {{
{temporary}
    access_log off;
    keepalive_requests 1000000000;
    keepalive_timeout 300s;
    default_type application/json;
    map $arg_{ID_ARGUMENT} $registered {{
        default $arg_{ID_ARGUMENT};
        '' {DEVICE_ID};
    }}
    map "$request_method $content_length" $device {{
        default '{_text(device())}';
{alarm_off}
    }}
    server {{
{listens}
        location = {contract.NOTICES} {{ return 200 '{_text(page())}'; }}
        location = {contract.BOARDS} {{ return 200 '{_text(boards())}'; }}
        location = {contract.DEVICE} {{
            if ($request_method = POST) {{ return 201 '{new}'; }}
            if ($request_method = DELETE) {{ return 204; }}
            return 200 $device;
        }}
{numbered}
    }}
    server {{
        listen 127.0.0.1:{self._counter_port};
        location / {{ stub_status; }}
    }}
}}
"""


def with_id_in_query(request: Request, device_id: str) -> Request:
    """Return a registration whose response echoes its id: nginx reads the query, not the body."""
    request.target += f"?{ID_ARGUMENT}={device_id}"
    return request


def _text(answer: object) -> str:
    return _quoted(encoded(answer).decode())


def _quoted(text: str) -> str:
    """Return a body, below 4 KB, as it stands in single quotes in nginx's configuration."""
    assert not set(text) & set("'$\\"), text
    return text

"""nginx with fixed responses and its own count of requests."""

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
from harness import ConfigurationError
from harness.http.request import Request
from harness.processes import cpu_s, find_program, free_port
from notice_api import contract

MAX_CONNECTIONS = 16_384
START_TIMEOUT_S = 10.0
COUNTER_TIMEOUT_S = 30.0
ID_ARGUMENT = "id"


class Nginx(Processes):
    """nginx on two free loopback ports, for the API and for the counter; a context manager.

    Attributes:
        host: `name:port` of the API.
        url: base URL of the API.
    """

    def __init__(
        self,
        folder: Path,
        core: int | None = None,
        numbered: Sequence[tuple[int, bytes]] = (),
        workers: int = 1,
        addresses: int = 1,
    ) -> None:
        """Find nginx and choose its ports.

        Args:
            folder: an empty folder for its files.
            core: the core to pin it to, if any.
            numbered: further responses, as (status, body), for `/0`, `/1`, ...
            workers: number of worker processes.
            addresses: number of loopback addresses to listen on, from 127.0.0.1 on.

        Raises:
            ConfigurationError: nginx is not installed.
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
        """Start nginx and wait until it responds.

        Raises:
            ConfigurationError: it did not start; the text says why.
        """
        path = self.folder / "nginx.conf"
        path.write_text(self._configuration(), encoding="utf-8")
        command = [self._program, "-c", str(path), "-p", str(self.folder), "-e", "stderr"]
        with contextlib.ExitStack() as stack:
            stack.push(self)  # Python calls __exit__ only after __enter__ has succeeded
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
        """Return the base URL at address `number`, modulo the number of addresses."""
        return f"http://127.0.0.{1 + number % self._addresses}:{self._port}"

    def requests(self) -> int:
        """Return the number of requests so far, without those to the counter."""
        connection = http.client.HTTPConnection(
            "127.0.0.1", self._counter_port, timeout=COUNTER_TIMEOUT_S
        )
        try:
            connection.request("GET", "/")
            status = connection.getresponse().read().decode()
        finally:
            connection.close()
        self._own_requests += 1  # nginx has counted this request before responding to it
        # stub_status prints "accepts handled requests".
        counted = re.search(r"^ \d+ \d+ (\d+)", status, re.MULTILINE)
        assert counted is not None, status
        return int(counted[1]) - self._own_requests

    def cpu_s(self) -> float:
        """Return the CPU time of all its processes so far, in seconds."""
        return cpu_s(self.running[0].pid)

    def _configuration(self) -> str:
        open_files = min(resource.getrlimit(resource.RLIMIT_NOFILE)[1], 2 * MAX_CONNECTIONS)
        connections = min(MAX_CONNECTIONS, open_files - 32)  # listeners and logs are files too
        # nginx creates these folders at startup; the compiled-in ones may need root.
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
        # reuseport lets the kernel spread connections over the workers.
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
    """Add the id to a registration's query, so that nginx, which reads no body, can echo it."""
    request.path += f"?{ID_ARGUMENT}={device_id}"
    return request


def _text(answer: object) -> str:
    return _quoted(encoded(answer).decode())


def _quoted(text: str) -> str:
    """Return a body as it is written between single quotes in nginx's configuration.

    nginx limits such a parameter to 4 KB, and would expand `$` and process quotes and backslashes.
    """
    assert not set(text) & set("'$\\"), text
    return text

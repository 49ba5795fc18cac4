"""nginx with fixed answers, as a rule by one worker, and its own counter of what it was asked."""

from __future__ import annotations

import contextlib
import http.client
import re
import resource
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from bench import process
from bench.answers import DEVICE_ID, alarm_off_lengths, boards, device, encoded, new_device, page
from harness import ConfigurationError, contract
from harness.contract import Request
from harness.processes import (
    cpu_s,
    find_program,
    free_port,
    last_words,
    start_process,
    stop_process,
)

MOST_CONNECTIONS = 16_384
START_TIMEOUT_S = 10.0
COUNTER_TIMEOUT_S = 30.0
POLL_S = 0.02
ID_ARGUMENT = "id"


class Nginx:
    """A context manager; starts nginx in `folder` on two free loopback ports.

    Attributes:
        host: `name:port` of the answers.
        url: the same as a base URL.
    """

    def __init__(
        self,
        folder: Path,
        core: int | None = None,
        numbered: Sequence[tuple[int, bytes]] = (),
        connections: int = MOST_CONNECTIONS,
        workers: int = 1,
        addresses: int = 1,
    ) -> None:
        """Find the program.

        Args:
            folder: an empty one, for its files.
            core: the one that it is pinned to.
            numbered: more answers, status and body, for `/0`, `/1`, ...
            connections: how many at once to a worker, as far as so many files may be open.
            workers: its processes.
            addresses: of loopback that it listens on, 127.0.0.1 and those after it.

        Raises:
            ConfigurationError: it is not installed.
        """
        program = find_program("nginx")
        if program is None:
            raise ConfigurationError("nginx is missing; install it: apt-get install nginx-light")
        self._program = program
        self._folder = folder
        self._core = core
        self._numbered = numbered
        self._connections = connections
        self._workers = workers
        self._addresses = addresses
        self._port, self._counter_port = free_port(), free_port()
        self.host = f"127.0.0.1:{self._port}"
        self.url = self.url_of(0)
        self._process: subprocess.Popen[bytes] | None = None
        self._own_requests = 0

    def __enter__(self) -> Nginx:
        """Start it and wait until it answers.

        Raises:
            ConfigurationError: it did not start; says why.
        """
        path, log = self._folder / "nginx.conf", self._folder / "nginx.log"
        path.write_text(self._configuration(), encoding="utf-8")
        command = [self._program, "-c", str(path), "-p", str(self._folder), "-e", "stderr"]
        with contextlib.nullcontext() if self._core is None else process.pinned(self._core):
            self._process = start_process(command, log=log)
        latest = time.monotonic() + START_TIMEOUT_S
        try:
            while True:
                with contextlib.suppress(ConnectionRefusedError):
                    self.requests()
                    return self
                if self._process.poll() is not None or time.monotonic() > latest:
                    raise ConfigurationError(f"nginx did not start: {last_words(log)}")
                time.sleep(POLL_S)
        except BaseException:
            self.__exit__(None, None, None)
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop it with its worker."""
        if self._process is not None:
            stop_process(self._process)

    def url_of(self, number: int) -> str:
        """Return the base URL at one of its addresses; any number has one."""
        return f"http://127.0.0.{1 + number % self._addresses}:{self._port}"

    def requests(self) -> int:
        """Return how many requests it saw, those to its counter excluded."""
        connection = http.client.HTTPConnection(
            "127.0.0.1", self._counter_port, timeout=COUNTER_TIMEOUT_S
        )
        try:
            connection.request("GET", "/")
            status = connection.getresponse().read().decode()
        finally:
            connection.close()
        self._own_requests += 1  # nginx counts a request before it answers it: this one too
        counted = re.search(r"^ \d+ \d+ (\d+)", status, re.MULTILINE)
        assert counted is not None, status
        return int(counted[1]) - self._own_requests

    def cpu_s(self) -> float:
        """Return the CPU time that it took so far, in seconds."""
        assert self._process is not None
        return cpu_s(self._process.pid)

    def _configuration(self) -> str:
        open_files = min(resource.getrlimit(resource.RLIMIT_NOFILE)[1], 2 * self._connections)
        connections = min(self._connections, open_files - 32)
        temporary = "\n".join(
            f"    {kind}_temp_path {self._folder};"
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
pid {self._folder}/nginx.pid;
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


def asking_for_its_id(request: Request, device_id: str) -> Request:
    """Return a registration whose answer has its id: nginx sees the query, and not the body."""
    request.target += f"?{ID_ARGUMENT}={device_id}"
    return request


def _text(answer: object) -> str:
    return _quoted(encoded(answer).decode())


def _quoted(text: str) -> str:
    """Return a body as nginx's configuration takes it in single quotes, below 4 KB."""
    assert not set(text) & set("'$\\"), text
    return text

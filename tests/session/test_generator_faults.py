"""What the generator's own machine runs out of is named as such, and not as the server's fault."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from collections.abc import Callable

from gevent.monkey import get_original

import pytest
from session.raw_servers import OK, Client, Server, no_more_open_files, sends

from harness.settings import PROJECT_DIR

NO_PORT = "generator: no local port left"
NO_FILE = "generator: too many open files"

HUNGRY = """
import json, os, resource, sys

import gevent

from session.raw_servers import OK, Client, Server, sends
from harness.settings import Settings

server = Server(sends(OK, keeps=True))
url = f"http://{sys.argv[1]}:{server.port}"
client = Client(url, Settings(connect_timeout_s=5.0, answer_timeout_s=5.0))
client.session.get("/")
client.session.close()
gevent.sleep(float(sys.argv[2]))
_, most = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (64, most))
taken = []
try:
    while True:
        taken.append(os.open("/dev/null", os.O_RDONLY))
except OSError:
    pass
client.session.get("/")
client.session.get("/")
for number in taken:
    os.close(number)
gevent.sleep(0.1)  # gevent closes them in the loop
client.session.get("/")
print(json.dumps(client.problems))
"""


def problems_of_a_hungry_process(host: str, pause_s: float = 0.0) -> list[str | None]:
    """Send a request, two without a free file, and one more; return what each counted as."""
    paths = [str(PROJECT_DIR), str(PROJECT_DIR / "tests")]
    program = f"import sys; sys.path[:0] = {paths}\nimport locust\n{HUNGRY}"
    command = [sys.executable, "-c", program, host, str(pause_s)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_too_many_open_files() -> None:
    assert problems_of_a_hungry_process("127.0.0.1") == [None, NO_FILE, NO_FILE, None]


def test_no_local_port_left(
    serve: Callable[..., Server],
    connect: Callable[..., Client],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = serve(sends(OK))
    client = connect(server.url)
    with no_more_open_files(), monkeypatch.context() as patch:
        raw_socket = get_original("socket", "socket")
        patch.setattr(raw_socket, "connect_ex", lambda *_: errno.EADDRNOTAVAIL)
        client.session.get("/")
    client.session.get("/")
    assert client.problems == [NO_PORT, None]
    assert len(server.requests) == 1

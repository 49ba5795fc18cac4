"""What the generator's own machine runs out of is named as such, and not as the server's fault."""

from __future__ import annotations

import errno
import json
import socket
import subprocess
import sys
from collections.abc import Callable

from gevent.monkey import get_original

import pytest

from harness.config.settings import PROJECT_DIR
from harness.http.wire import Fault, sockets
from support.commands import PATIENCE_S
from support.raw_servers import OK, Client, Server, no_more_open_files, sends

NO_PORT = "generator: no local port left"
NO_FILE = "generator: too many open files"
UNKNOWN_FAMILY = 200

HUNGRY = """
import json, os, resource, sys

import gevent

from support.raw_servers import OK, Client, Server, sends
from harness.config.settings import Settings

server = Server(sends(OK, keeps=True))
url = f"http://{sys.argv[1]}:{server.port}"
client = Client(url, Settings(connect_timeout_s=5.0, answer_timeout_s=5.0))
client.call()
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
client.call()
client.call()
for number in taken:
    os.close(number)
gevent.sleep(0.1)  # gevent closes them in the loop
client.call()
print(json.dumps(client.problems))
"""


def problems_of_a_hungry_process(host: str, pause_s: float = 0.0) -> list[str | None]:
    """Send a request, two without a free file, and one more; return what each counted as."""
    paths = [str(PROJECT_DIR), str(PROJECT_DIR / "tests")]
    program = f"import sys; sys.path[:0] = {paths}\nimport locust\n{HUNGRY}"
    command = [sys.executable, "-c", program, host, str(pause_s)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
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
        client.call()
    client.call()
    assert client.problems == [NO_PORT, None]
    assert len(server.requests) == 1


def resolve_to(monkeypatch: pytest.MonkeyPatch, *addresses: tuple[int, tuple[str, int]]) -> None:
    """Let every name have these addresses."""
    found = [(family, socket.SOCK_STREAM, 6, "", address) for family, address in addresses]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_arguments, **_options: found)


def test_a_name_without_a_free_file_is_no_unknown_name() -> None:
    """The resolver has to open files, too; what is remembered of a name is over after 5 s."""
    found = problems_of_a_hungry_process("localhost", 5.5)
    assert found == [None, NO_FILE, NO_FILE, None]


def test_an_address_of_a_family_that_is_switched_off_is_passed_over(
    serve: Callable[..., Server],
    connect: Callable[..., Client],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A machine without IPv6 refuses the socket itself: no sign of too many open files."""
    server = serve(sends(OK))
    resolve_to(
        monkeypatch, (UNKNOWN_FAMILY, ("::1", server.port)), (2, ("127.0.0.1", server.port))
    )
    client = connect(f"http://two-families.example:{server.port}")
    client.call()
    assert client.problems == [None]


def test_only_addresses_that_this_machine_cannot_use(
    connect: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve_to(monkeypatch, (UNKNOWN_FAMILY, ("::1", 80)))
    client = connect("http://other-family.example")
    client.call()
    assert client.problems == ["host unreachable"]


def test_a_refusal_says_more_than_an_address_that_this_machine_cannot_use(
    connect: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine without IPv6 tries ::1 last; the server on 127.0.0.1 is what is missing."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        port = silent.getsockname()[1]
        resolve_to(monkeypatch, (2, ("127.0.0.1", port)), (UNKNOWN_FAMILY, ("::1", port)))
        client = connect(f"http://two-families.example:{port}")
        client.call()
    assert client.problems == ["connection refused"]


@pytest.mark.parametrize(
    ("errors", "name"),
    [
        ([errno.ECONNREFUSED, errno.EADDRNOTAVAIL], "connection refused"),
        ([errno.EADDRNOTAVAIL, errno.ECONNREFUSED], "connection refused"),
        ([errno.EADDRNOTAVAIL, errno.EADDRNOTAVAIL], NO_PORT),
        ([errno.ENETUNREACH, errno.EAFNOSUPPORT], "host unreachable"),
        ([], "DNS: host name not found"),
    ],
)
def test_the_name_of_several_refusals(
    errors: list[int], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine without IPv6 cannot assign an address to reach ::1 from: no lack of ports."""
    left = iter(errors)

    def refuse(_family: int, _address: object) -> None:
        error = next(left)
        raise OSError(error, "")

    resolve_to(monkeypatch, *[(2, ("127.0.0.1", 1))] * len(errors))
    monkeypatch.setattr(sockets, "_connect_to", refuse)
    with pytest.raises(Fault, match=name):
        sockets.connect("several-addresses.example", 1000 + sum(errors))

"""Thirty requests of the mix against servers that people run: not one fails."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import gevent

import pytest
from session.conftest import Authority

from harness.experiments import deployments
from harness.http.request import Request
from harness.processes import free_port, open_directly, start_process, stop_process
from notice_api import contract
from support.commands import reference_server
from support.programs import needed
from support.raw_servers import Client

KEPT_S = 2.0  # by gthread, which looks once a second at the latest which connections are due


_numbers = itertools.count()  # no two users of these tests register the same device


def mix(random: Random) -> Iterator[Request]:
    """Yield requests of all kinds without end; a device is registered before it is changed."""
    while True:
        device = f"test-{next(_numbers):06}"
        yield contract.list_boards()
        yield contract.register(device)
        yield contract.browse(("cse", "main"), random.randrange(1, 4))
        yield contract.subscribe(device, ("cse",))
        yield contract.search(("cse",), ("장학",))
        yield contract.set_keywords(device, ("장학", "수강"))
        yield contract.switch_alarm(device, "alarm_switch", True)


def send_the_mix(client: Client, count: int = 30, seed: int = 1) -> None:
    requests = mix(Random(seed))
    for _ in range(count):
        client.session.send(next(requests))


def send_the_mix_slowly(client: Client, seed: int, idle_s: list[float]) -> None:
    requests = mix(Random(seed))
    for pause_s in idle_s:
        client.session.send(next(requests))
        gevent.sleep(pause_s)
    client.session.send(next(requests))


def await_health(url: str, log: Path) -> None:
    latest = time.monotonic() + 60
    while time.monotonic() < latest:
        with contextlib.suppress(OSError):
            open_directly(f"{url}/healthz", 1).close()
            return
        time.sleep(0.05)
    pytest.fail(f"not healthy: {url}\n{log.read_text()}")


@contextlib.contextmanager
def target(folder: Path, command: list[str], port: int) -> Iterator[str]:
    """Start the target by a command of our own; yield its URL."""
    database = folder / "own.sqlite3"
    shutil.copyfile(deployments.filled_database(), database)
    environment = {
        **os.environ,
        "DATABASE_URL": f"sqlite:///{database}",
        "DJANGO_SETTINGS_MODULE": "noticeboard.settings",
        "ALARM_FIELDS": "alarm_switch",
        "DEBUG": "0",
    }
    log = folder / "own.log"
    process = start_process(command, log=log, env=environment, cwd=deployments.TARGET_DIR)
    try:
        await_health(f"http://127.0.0.1:{port}", log)
        yield f"http://127.0.0.1:{port}"
    finally:
        stop_process(process)


@pytest.fixture(scope="module")
def gthread(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with reference_server(tmp_path_factory.mktemp("gthread"), ("alarm_switch",)) as server:
        yield server.url


def test_gunicorn_sync(tmp_path: Path, connect: Callable[..., Client]) -> None:
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "noticeboard.wsgi", "--worker-class", "sync"]
    with target(tmp_path, [*command, "--bind", f"127.0.0.1:{port}"], port) as url:
        client = connect(url)
        send_the_mix(client)
    assert client.problems == [None] * 30
    assert client.fired[0]["response"].headers["connection"] == "close"
    assert client.connections.reconnects == 0


def test_gunicorn_gthread(gthread: str, connect: Callable[..., Client]) -> None:
    client = connect(gthread)
    send_the_mix(client)
    assert client.problems == [None] * 30
    assert client.connections.reconnects == 0


def test_gunicorn_gthread_with_users_that_idle_longer_than_it_keeps_connections(
    gthread: str, connect: Callable[..., Client]
) -> None:
    clients = [connect(gthread) for _ in range(6)]
    about_when_it_closes = [KEPT_S, KEPT_S + 0.1, KEPT_S + 0.5]
    idle_s = [*about_when_it_closes, KEPT_S + 3.0]  # closed by then for sure
    users = [
        gevent.spawn(send_the_mix_slowly, client, seed, idle_s)
        for seed, client in enumerate(clients)
    ]
    gevent.joinall(users, raise_error=True)
    assert [client.problems for client in clients] == [[None] * 5] * 6
    assert {client.connections.reconnects for client in clients} <= {1, 2, 3, 4}


def test_django_runserver(tmp_path: Path, connect: Callable[..., Client]) -> None:
    port = free_port()
    command = [sys.executable, "manage.py", "runserver", "--noreload", f"127.0.0.1:{port}"]
    with target(tmp_path, command, port) as url:
        client = connect(url)
        send_the_mix(client)
    assert client.problems == [None] * 30


@pytest.fixture(scope="module")
def nginx(
    gthread: str, authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, str]]:
    """Put nginx with gzip before the target; yield its plain and its TLS address."""
    program = needed("nginx")
    folder = tmp_path_factory.mktemp("nginx")
    plain, tls = free_port(), free_port()
    scratch = "".join(
        f"{kind}_temp_path {folder};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(f"""
        daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log stderr;
        events {{ worker_connections 64; }}
        http {{
            access_log off; {scratch}
            gzip on; gzip_types application/json; gzip_min_length 1; gzip_proxied any;
            ssl_certificate {authority.right}; ssl_certificate_key {authority.right};
            keepalive_requests 8;
            server {{
                listen 127.0.0.1:{plain}; listen 127.0.0.1:{tls} ssl;
                location / {{ proxy_pass {gthread}; proxy_set_header Host $host; }}
            }}
        }}""")
    log = folder / "log"
    command = [program, "-c", str(folder / "nginx.conf"), "-e", "stderr", "-p", str(folder)]
    process = start_process(command, log=log)
    try:
        await_health(f"http://127.0.0.1:{plain}", log)
        yield f"http://127.0.0.1:{plain}", f"https://localhost:{tls}"
    finally:
        stop_process(process)


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("accepts", [True, False])
def test_nginx_with_gzip_and_tls(
    scheme: str,
    accepts: bool,
    nginx: tuple[str, str],
    authority: Authority,
    connect: Callable[..., Client],
) -> None:
    url = nginx[scheme == "https"]
    client = connect(url, accept_gzip=accepts, tls_ca_file=authority.ca)
    send_the_mix(client)
    assert client.problems == [None] * 30
    pages = [event["response"] for event in client.fired]
    codings = {page.headers.get("content-encoding") for page in pages if page.status_code == 200}
    assert codings == ({"gzip"} if accepts else {None})


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_nginx_that_closes_after_a_number_of_requests(
    scheme: str, nginx: tuple[str, str], authority: Authority, connect: Callable[..., Client]
) -> None:
    """It says so in each eighth answer."""
    client = connect(nginx[scheme == "https"], tls_ca_file=authority.ca)
    send_the_mix(client, 20)
    said = [event["response"].headers["connection"] for event in client.fired]
    assert said.count("close") == 2
    assert client.problems == [None] * 20
    assert client.connections.reconnects == 0

"""Raw servers, sessions to send to them, and a certificate authority of our own."""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.config.settings import Settings
from support.programs import needed
from support.raw_servers import Behaviour, Client, Server


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """Yield a function that starts a server; all are stopped in the end."""
    servers: list[Server] = []

    def start(behave: Behaviour, **options: object) -> Server:
        servers.append(Server(behave, **options))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def connect() -> Iterator[Callable[..., Client]]:
    """Yield a function that makes a session; all are closed in the end."""
    clients: list[Client] = []

    def make(url: str, **settings: object) -> Client:
        timeouts = {"connect_timeout_s": 5.0, "answer_timeout_s": 5.0}
        clients.append(Client(url, Settings(**{**timeouts, **settings})))
        return clients[-1]

    yield make
    for client in clients:
        client.session.close()


@dataclass(frozen=True)
class Authority:
    """Files of a certificate authority and of what it signed.

    Attributes:
        ca: its certificate.
        right: certificate and key for localhost, 127.0.0.1 and ::1.
        wrong_name: certificate and key for another host.
    """

    ca: str
    right: str
    wrong_name: str

    def server_context(self, which: str = "right") -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(getattr(self, which))
        return context


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    openssl = needed("openssl")
    folder = tmp_path_factory.mktemp("authority")
    ca, key = folder / "ca.pem", folder / "ca.key"
    # Python 3.13 is strict: an authority has to say that it may sign.
    _openssl_req(
        openssl, ca, key, "/CN=Test authority", "-addext", "keyUsage=critical,keyCertSign,cRLSign"
    )
    signer = ("-CA", str(ca), "-CAkey", str(key))

    def signed(name: str, alternatives: str) -> str:
        certificate, own_key = folder / f"{name}.crt", folder / f"{name}.key"
        extensions = (
            "-addext",
            f"subjectAltName={alternatives}",
            "-addext",
            "basicConstraints=critical,CA:FALSE",
            "-addext",
            "authorityKeyIdentifier=keyid",
        )
        _openssl_req(openssl, certificate, own_key, f"/CN={name}", *signer, *extensions)
        both = folder / f"{name}.pem"
        both.write_bytes(certificate.read_bytes() + own_key.read_bytes())
        return str(both)

    right = signed("right", "DNS:localhost,IP:127.0.0.1,IP:::1")
    return Authority(str(ca), right, signed("wrong", "DNS:elsewhere.example"))


def _openssl_req(openssl: str, certificate: Path, key: Path, subject: str, *more: str) -> None:
    command = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-days", "2", "-subj", subject]
    command += ["-out", str(certificate), "-keyout", str(key), *more]
    subprocess.run(command, check=True, capture_output=True)

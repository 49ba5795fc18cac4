"""The server under test, and the constant part of the requests to it."""

from __future__ import annotations

import base64
from urllib.parse import unquote, urlsplit

from harness.config.settings import DEFAULT_PORTS, Settings, redacted
from harness.http.wire import Address, tls
from harness.recording.samples import ConnectionCounts

HEADS_KEPT = 4096
"""Bounds the cache of request heads: a path may hold an id or search words."""


class Target:
    """The server that all users send to, and the constant part of their requests.

    Attributes:
        url: base URL without credentials.
        connections: what the users' connections have cost so far.
        address: where to connect.
    """

    def __init__(self, base_url: str, settings: Settings) -> None:
        """Split a checked base URL; credentials become a header and are kept nowhere else."""
        url = urlsplit(base_url)
        assert url.hostname is not None
        port = url.port or DEFAULT_PORTS[url.scheme]
        self.url = redacted(base_url)
        self.connections = ConnectionCounts()
        verify, ca_file = settings.tls_verify, settings.tls_ca_file
        self.address = Address(
            host=url.hostname,
            port=port,
            tls=tls.context(verify=verify, ca_file=ca_file) if url.scheme == "https" else None,
            connect_timeout_s=settings.connect_timeout_s,
            answer_timeout_s=settings.answer_timeout_s,
        )
        self._base_path = url.path.rstrip("/")
        lines = [
            f"Host: {url.netloc.rpartition('@')[2]}",
            "User-Agent: notice-load",
            "Accept: application/json",
            f"Accept-Encoding: {'gzip' if settings.accept_gzip else 'identity'}",
        ]
        if url.username is not None:
            pair = f"{unquote(url.username)}:{unquote(url.password or '')}"
            lines.append(f"Authorization: Basic {base64.b64encode(pair.encode()).decode()}")
        self._headers = "".join(f"{line}\r\n" for line in lines)
        self._heads: dict[tuple[str, str], bytes] = {}

    def render(self, method: str, path: str, body: bytes | None) -> bytes:
        """Return the bytes of a request; the constant part is rendered once and cached."""
        head = self._heads.get((method, path))
        if head is None:
            head = f"{method} {self._base_path}{path} HTTP/1.1\r\n{self._headers}".encode()
            if len(self._heads) < HEADS_KEPT:
                self._heads[method, path] = head
        if body is None:
            if method not in ("POST", "PUT", "PATCH"):
                return head + b"\r\n"
            body = b""  # RFC 9110, 8.6: without Content-Length some servers send 411
        return b"%sContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (
            head,
            len(body),
            body,
        )

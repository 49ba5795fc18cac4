"""Where the requests of all users go, and the part of each request that never changes."""

from __future__ import annotations

import base64
from urllib.parse import unquote, urlsplit

from harness.runfolder import ConnectionCounts
from harness.settings import DEFAULT_PORTS, Settings, redacted
from harness.wire import Endpoint, tls

TARGETS_KEPT = 4096


class Origin:
    """Where the requests of all users go, and the part of each request that never changes.

    `url` is without credentials; `connections` says what the users' connections cost so far.
    """

    def __init__(self, base_url: str, settings: Settings) -> None:
        """Take a checked base URL apart; credentials become a header and are shown nowhere."""
        url = urlsplit(base_url)
        assert url.hostname is not None
        port = url.port or DEFAULT_PORTS[url.scheme]
        self.url = redacted(base_url)
        self.connections = ConnectionCounts()
        verify, ca_file = settings.tls_verify, settings.tls_ca_file
        self.endpoint = Endpoint(
            host=url.hostname,
            port=port,
            tls=tls.context(verify=verify, ca_file=ca_file) if url.scheme == "https" else None,
            connect_timeout_s=settings.connect_timeout_s,
            answer_timeout_s=settings.answer_timeout_s,
        )
        self._path = url.path.rstrip("/")
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

    def render(self, method: str, target: str, body: bytes | None) -> bytes:
        """Return the bytes of a request; what is the same for a target is rendered once."""
        head = self._heads.get((method, target))
        if head is None:
            head = f"{method} {self._path}{target} HTTP/1.1\r\n{self._headers}".encode()
            if len(self._heads) < TARGETS_KEPT:
                self._heads[method, target] = head
        if body is None:
            if method not in ("POST", "PUT", "PATCH"):
                return head + b"\r\n"
            body = b""  # RFC 9110, 8.6: else some servers answer 411
        return b"%sContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (
            head,
            len(body),
            body,
        )

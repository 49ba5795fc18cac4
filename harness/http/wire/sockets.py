"""Non-blocking sockets on gevent's event loop: resolve, connect, wait."""

from __future__ import annotations

import errno
import socket as patched_socket
from time import perf_counter
from typing import Any

import gevent
from gevent.monkey import get_original

from harness.http.wire import faults
from harness.http.wire.faults import Fault

READ, WRITE = 1, 2
DNS_TTL_S = 5.0  # addresses are reused for this time instead of resolving for each connection

# Unpatched: a connection waits with watchers of its own, not inside the socket's methods.
raw_socket = get_original("socket", "socket")

_CONNECT_FAULTS = {
    errno.ECONNREFUSED: faults.REFUSED,
    errno.ECONNRESET: faults.RESET,
    errno.ETIMEDOUT: faults.CONNECT_TIMEOUT,
    errno.EADDRNOTAVAIL: faults.NO_PORT,
    errno.EMFILE: faults.NO_FILE,
    errno.ENFILE: faults.NO_FILE,
}

_resolved: dict[tuple[str, int], tuple[float, list[tuple[int, Any]]]] = {}


def connect(host: str, port: int) -> patched_socket.socket:
    """Connect to the first address of a host that accepts the connection.

    Raises:
        Fault: none accepts. A refusal or reset by a server takes precedence over a fault of this
            machine, such as missing IPv6.
    """
    name = ""
    for family, address in _addresses(host, port):
        try:
            return _connect_to(family, address)
        except OSError as error:
            found = _CONNECT_FAULTS.get(error.errno or 0, faults.UNREACHABLE)
            if not name or found in (faults.REFUSED, faults.RESET):
                name = found
    raise Fault(name or faults.DNS)


def wait(socket: patched_socket.socket, events: int) -> None:
    """Let other greenlets run until a socket is ready for `events`, READ or WRITE."""
    hub = gevent.get_hub()
    watcher = hub.loop.io(socket.fileno(), events)
    watcher.start(gevent.getcurrent().switch)
    try:
        hub.switch()
    finally:
        watcher.stop()
        watcher.close()


def _connect_to(family: int, address: Any) -> patched_socket.socket:
    socket: patched_socket.socket = raw_socket(family, patched_socket.SOCK_STREAM)
    try:
        socket.setblocking(False)
        # Without Nagle's algorithm, which delays the last part of a long request.
        socket.setsockopt(patched_socket.IPPROTO_TCP, patched_socket.TCP_NODELAY, 1)
        error = socket.connect_ex(address)
        if error == errno.EINPROGRESS:
            wait(socket, WRITE)
            error = socket.getsockopt(patched_socket.SOL_SOCKET, patched_socket.SO_ERROR)
        if error:
            raise OSError(error, "connect")  # the caller maps errno to a name
    except BaseException:
        socket.close()
        raise
    return socket


def _addresses(host: str, port: int) -> list[tuple[int, Any]]:
    """Return (family, address) pairs; a name is resolved again after `DNS_TTL_S`."""
    known = _resolved.get((host, port))
    if known is not None and perf_counter() < known[0]:
        return known[1]
    try:
        found = patched_socket.getaddrinfo(host, port, type=patched_socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise Fault(faults.DNS if _has_free_file() else faults.NO_FILE) from None
    addresses = [(int(family), address) for family, _, _, _, address in found]
    _resolved[host, port] = perf_counter() + DNS_TTL_S, addresses
    return addresses


def _has_free_file() -> bool:
    """Return True if this process can open files; a resolver that cannot does not say so."""
    try:
        raw_socket().close()
    except OSError as error:
        return error.errno not in (errno.EMFILE, errno.ENFILE)
    return True

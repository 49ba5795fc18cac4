"""TLS for a connection: encrypts and decrypts in memory, beside a plain socket."""

from __future__ import annotations

import socket as patched_socket
import ssl

from harness.http.wire import faults, parser, sockets
from harness.http.wire.faults import Fault

RECORD_BYTES = 20 * 1024
"""More than any TLS record, whose content is at most 16 KB (RFC 8446, 5.1)."""


def context(*, verify: bool, ca_file: str) -> ssl.SSLContext:
    """Return a TLS context that trusts `ca_file`, or the system's authorities if it is ""."""
    made = ssl.create_default_context(cafile=ca_file or None)
    if not verify:
        made.check_hostname = False  # first: it cannot stay on with CERT_NONE
        made.verify_mode = ssl.CERT_NONE
    return made


class Tls:
    """The state of one encrypted connection.

    Attributes:
        ended: the server has closed its side of TLS.
    """

    def __init__(self, made: ssl.SSLContext, host: str, socket: patched_socket.socket) -> None:
        """Perform the handshake.

        Raises:
            Fault: the handshake or the verification of the server failed.
        """
        self._socket = socket
        self.ended = False
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._object = made.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        while True:
            try:
                self._object.do_handshake()
                self._send()
                return
            except ssl.SSLWantReadError:
                self._send()
                sockets.wait(socket, sockets.READ)
                self._fill()
            except ssl.SSLError:
                raise Fault(faults.TLS) from None

    def encrypt(self, data: bytes) -> bytes:
        """Return the bytes to send for `data`."""
        self._object.write(data)
        return self._outgoing.read()

    def decrypt(self, size: int) -> int:
        """Decrypt the first `size` bytes of the shared buffer in place.

        Returns the new size, 0 at the end of TLS, or -1 if no data came out yet.

        Raises:
            Fault: the bytes cannot be decrypted.
        """
        self._incoming.write(parser.view[:size])
        plain = bytearray()
        try:
            while part := self._object.read(parser.BUFFER_BYTES):
                plain += part
            self.ended = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.ended = True
        except ssl.SSLError:
            raise Fault(faults.TLS) from None
        parser.buffer[: len(plain)] = plain
        return len(plain) if plain else 0 if self.ended else -1

    def _send(self) -> None:
        data = self._outgoing.read()
        while data:
            try:
                data = data[self._socket.send(data) :]
            except BlockingIOError:
                sockets.wait(self._socket, sockets.WRITE)
            except OSError:
                raise Fault(faults.RESET) from None

    def _fill(self) -> None:
        try:
            size = self._socket.recv_into(parser.buffer)
        except BlockingIOError:
            return
        except OSError:
            raise Fault(faults.TLS) from None
        if size:
            self._incoming.write(parser.view[:size])
        else:
            self._incoming.write_eof()

"""HTTP/1.1 over one TCP or TLS connection, with minimal work per request.

`connection` sends a rendered request and returns the response, or raises a named Fault (`faults`).
`sockets` connects and waits on gevent's event loop, `tls` encrypts, `parser` parses with llhttp.
"""

from harness.http.wire.connection import Address, Connection
from harness.http.wire.faults import Fault
from harness.http.wire.parser import Answer

__all__ = ["Address", "Answer", "Connection", "Fault"]

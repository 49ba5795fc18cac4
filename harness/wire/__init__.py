"""HTTP/1.1 over one connection: rendered bytes go out, a whole answer or a named fault comes back.

`connection` does the exchange on `sockets`, `tls` encrypts, `parser` reads, `faults` are named.
"""

from harness.wire.connection import Connection, Endpoint
from harness.wire.faults import Fault
from harness.wire.parser import Answer

__all__ = ["Answer", "Connection", "Endpoint", "Fault"]

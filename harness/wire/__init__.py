"""HTTP/1.1 over one connection: rendered bytes go out, a whole answer or a named fault comes back.

Inside, each module imports only from those named before it:

* `faults`: why no answer came, each under a constant name
* `sockets`: non-blocking sockets on gevent's loop
* `parser`: bytes in any pieces to an `Answer`, by llhttp
* `tls`: encryption between the two
* `connection`: the exchange
"""

from harness.wire.connection import Connection, Endpoint
from harness.wire.faults import Fault
from harness.wire.parser import Answer

__all__ = ["Answer", "Connection", "Endpoint", "Fault"]

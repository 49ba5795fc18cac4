"""The names of failed exchanges in the statistics, for all clients.

Invariant: the names are constant, so that equal failures share one row.
"""

from __future__ import annotations


class Fault(Exception):
    """A failed exchange; its text is one of the names below.

    Attributes:
        unanswered: the connection was closed before any byte of a response came.
    """

    def __init__(self, name: str, *, unanswered: bool = False) -> None:
        super().__init__(name)
        self.unanswered = unanswered


REFUSED = "connection refused"
RESET = "connection reset"
UNREACHABLE = "host unreachable"
DNS = "DNS: host name not found"
CONNECT_TIMEOUT = "connect timeout"
ANSWER_TIMEOUT = "answer timeout"
TLS = "TLS failed"
CLOSED_BEFORE = "closed early: connection closed before an answer"
CLOSED_INSIDE = "closed early: connection closed inside an answer"
NOT_HTTP = "not HTTP"
WRONG_BODY = "not HTTP: body not as its headers say"
HEAD_TOO_LARGE = "head too large"
BODY_TOO_LARGE = "body too large"
# What this machine or this run lacks; not the server's fault.
NO_PORT = "generator: no local port left"
NO_FILE = "generator: too many open files"
NOT_SENT = "generator: not sent, since the run may be over"

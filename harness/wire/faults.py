"""The names under which a failed exchange shows in the statistics.

Constant, so that equal faults make one row; all clients use them.
"""

from __future__ import annotations


class Fault(Exception):
    """A failed exchange; its text is one of the names below.

    Attributes:
        unanswered: the server closed the connection before it sent any byte of an answer.
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
NO_PORT = "generator: no local port left"
NO_FILE = "generator: too many open files"
NOT_SENT = "generator: not sent, since the run may be over"

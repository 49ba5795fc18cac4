"""The project's locustfile, with every response time written down as it is: a file a process.

Behind it stands when the answer came, in seconds since the epoch.
"""

import os
from pathlib import Path

from locust import events

from locustfile import NoticeUser

__all__ = ["NoticeUser"]

log = (Path(os.environ["RAW_LOG"]) / f"{os.getpid()}.txt").open("a", buffering=1)


@events.request.add_listener
def write_down(request_type, name, response_time, start_time, **_):
    answered_s = start_time + response_time / 1000
    log.write(f"{request_type} {name}\t{response_time!r}\t{answered_s!r}\n")

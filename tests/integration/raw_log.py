"""The project's locustfile, with every response time written down as it is: a file a process."""

import os
from pathlib import Path

from locust import events

from locustfile import NoticeUser

__all__ = ["NoticeUser"]

log = (Path(os.environ["RAW_LOG"]) / f"{os.getpid()}.txt").open("a", buffering=1)


@events.request.add_listener
def write_down(request_type, name, response_time, **_):
    log.write(f"{request_type} {name}\t{response_time!r}\n")

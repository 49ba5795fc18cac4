"""The project's users, who write down which worker writes to which device: a file a process."""

import os
import time
from pathlib import Path

from locust import constant

import locustfile

log = (Path(os.environ["WRITE_LOG"]) / f"{os.getpid()}.txt").open("a", buffering=1)


class NoticeUser(locustfile.NoticeUser):
    """Writes and hardly thinks."""

    wait_time = constant(0.2)

    def write(self, device_id, request):
        """Note it before it is sent."""
        log.write(f"{self.run_context.worker_index} {device_id} {time.time()}\n")
        return super().write(device_id, request)

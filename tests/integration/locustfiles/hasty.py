"""`write_log.py`, whose master gives a silent worker up sooner and is done with the dead at once.

After 11 s instead of 23 s, and 3 s later instead of 60 s.
"""

from locust import runners

from harness.distributed import worker

runners.HEARTBEAT_DEAD_INTERNAL = -3  # before the suite reads it
worker.SILENCE_S = 8.0  # before the master reads it

from write_log import NoticeUser  # noqa: E402, F401

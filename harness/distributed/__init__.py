"""Distributed runs: a master and its workers, on top of Locust's own distribution.

`admission` accepts only workers with the same code, data and settings (`identity`). `messages`
defines what the two sides exchange in addition to Locust's own messages. `report_tracking` detects
reports that never arrive. `master` and `worker` are the two sides.
"""

from harness.distributed.master import Master
from harness.distributed.worker import Worker

__all__ = ["Master", "Worker"]

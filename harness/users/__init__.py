"""Simulated users: what they share, what they do, and how many of them run at which time.

`user` has the base class of the users in a locustfile. `workload` reads their tasks, weights and
tags. `load_shapes` has the base class of the load curves in conf/profiles/.
"""

from harness.users.user import ApiUser
from harness.users.workload import sends

__all__ = ["ApiUser", "sends"]

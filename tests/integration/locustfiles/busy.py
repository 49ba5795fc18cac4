"""Users that keep the generator itself busy: a task that computes for a fifth of a second."""

import time

import locustfile

BUSY_S = 0.2


def compute(user: locustfile.NoticeUser) -> None:
    until = time.perf_counter() + BUSY_S
    while time.perf_counter() < until:
        pass


class BusyUser(locustfile.NoticeUser):
    tasks = (compute,) * 10  # locust adds those of the class above

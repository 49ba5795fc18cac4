"""The original test of 2020-09-20: responses are read, but not checked.

Its tasks, names and words; its PUT without the `with` block that today's Locust refuses, and one
fixed device instead of random ones, because the server has fixed responses.
"""

import random
from typing import Any

from locust import HttpUser, User, constant, task
from locust.contrib.fasthttp import FastHttpUser

from bench.answers import DEVICE_ID


class OriginalTasks(User):
    """The tasks, for either of Locust's clients."""

    abstract = True
    wait_time = constant(0)
    client: Any
    device_id_list: tuple[str, ...] = (DEVICE_ID,)

    def on_start(self) -> None:
        """Register."""
        self.client.post("/accounts/device", json={"id": DEVICE_ID})

    @task(3)
    def get_search(self) -> None:
        """Search."""
        self.client.get("/notice/all?target=cse+main&q=장학")

    @task(3)
    def get_notices(self) -> None:
        """Turn ten pages."""
        for page in range(1, 11):
            self.client.get(f"/notice/all?target=cse+main&page={page}")

    @task(1)
    def put_subs(self) -> None:
        """Follow boards."""
        self._put(subscriptions="cse+main")

    @task(1)
    def put_keywords(self) -> None:
        """Set keywords."""
        self._put(keywords="장학+등록")

    @task(1)
    def put_alarm(self) -> None:
        """Switch the alarm."""
        self._put(alarm_switch=random.choice([True, False]))

    @task(1)
    def get_notice_list(self) -> None:
        """List the boards, five times."""
        for _ in range(5):
            self.client.get("/notice/list")

    def _put(self, **field: object) -> None:
        device_id = random.choice(self.device_id_list)
        self.client.put("/accounts/device", json={"id": device_id, **field})


class OriginalUser(OriginalTasks, HttpUser):
    """On requests."""


class OriginalFastUser(OriginalTasks, FastHttpUser):
    """On geventhttpclient."""

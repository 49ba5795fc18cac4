"""The original test (2020-09-20), which reads responses but does not check them.

Tasks, names and words are unchanged. Users do not wait, and all share one fixed device, because
the server's responses are fixed. A PUT has no `with` block, for which today's Locust requires
`catch_response=True`.
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
        """Register the device."""
        self.client.post("/accounts/device", json={"id": DEVICE_ID})

    @task(3)
    def get_search(self) -> None:
        """Search for a word."""
        self.client.get("/notice/all?target=cse+main&q=장학")

    @task(3)
    def get_notices(self) -> None:
        """Read ten pages."""
        for page in range(1, 11):
            self.client.get(f"/notice/all?target=cse+main&page={page}")

    @task(1)
    def put_subs(self) -> None:
        """Subscribe to boards."""
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
    """The original test on requests."""


class OriginalFastUser(OriginalTasks, FastHttpUser):
    """The original test on geventhttpclient."""

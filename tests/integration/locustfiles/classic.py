"""Tasks as Locust's documentation writes them, of users of their own and of ours."""

import random

from locust import HttpUser, between, task

import locustfile
from locustfile import NoticeUser  # noqa: F401


class ClassicUser(HttpUser):
    wait_time = between(0.1, 0.2)

    def on_start(self):
        self.device_id = f"CLASSIC{random.randrange(10**12)}"
        self.client.post("/accounts/device", json={"id": self.device_id})

    @task(3)
    def get_search(self):
        self.client.get("/notice/all", params={"target": "cse main", "q": "장학"}, name="search")

    @task(3)
    def get_notices(self):
        for page in range(1, 11):
            self.client.get(f"/notice/all?target=cse+main&page={page}", name="pages")

    @task
    def put_keywords(self):
        fields = {"id": self.device_id, "keywords": "장학+등록"}
        with self.client.put(
            "/accounts/device", json=fields, name="keywords", catch_response=True
        ) as response:
            if response.json()["keywords"] != fields["keywords"]:
                response.failure("keywords are not kept")


class MixedUser(locustfile.NoticeUser):
    """A user of ours with a task in the classic style beside its own."""

    wait_time = between(0.1, 0.2)

    @task
    def count_boards(self):
        with self.client.get("/notice/list", name="boards", catch_response=True) as response:
            if not response.json():
                response.failure("no boards")

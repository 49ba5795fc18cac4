"""The original test of 2020-09-20, whose users run beside the project's own.

Only its wait time is shorter. In today's Locust its PUT tasks raise: a with-block needs
`catch_response=True`.
"""

import random
import string

from locust import HttpUser, between, task

from locustfile import NoticeUser  # noqa: F401


def id_generator(size=6, chars=string.ascii_uppercase + string.digits):
    return "".join(random.choice(chars) for _ in range(size))


class QuickstartUser(HttpUser):
    wait_time = between(0.1, 0.2)
    device_id_list = []  # noqa: RUF012

    @task(3)
    def get_search(self):
        self.client.get("/notice/all?target=cse+main&q=장학")

    @task(3)
    def get_notices(self):
        for i in range(1, 11):
            self.client.get(f"/notice/all?target=cse+main&page={i}")

    @task(1)
    def put_subs(self):
        with self.client.put(
            "/accounts/device",
            json={"id": random.choice(self.device_id_list), "subscriptions": "cse+main"},
        ) as response:
            if not response.ok:
                print(response)

    @task(1)
    def put_keywords(self):
        with self.client.put(
            "/accounts/device",
            json={"id": random.choice(self.device_id_list), "keywords": "장학+등록"},
        ) as response:
            if not response.ok:
                print(response)

    @task(1)
    def put_alarm(self):
        with self.client.put(
            "/accounts/device",
            json={
                "id": random.choice(self.device_id_list),
                "alarm_switch": random.choice([True, False]),
            },
        ) as response:
            if not response.ok:
                print(response)

    @task(1)
    def get_notice_list(self):
        for _ in range(5):
            self.client.get("/notice/list")

    def on_start(self):
        device_id = id_generator(30)
        self.device_id_list.append(device_id)
        self.client.post("/accounts/device", json={"id": device_id})

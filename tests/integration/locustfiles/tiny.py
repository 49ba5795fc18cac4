"""Another API on the same harness: three endpoints of a shop, and nothing left on the server."""

from locust import constant, events, task

from harness.http import Request, Suite, endpoint
from harness.run import install
from harness.users import ApiUser, sends

LIST = endpoint("GET", "/items", 200, list[str])
ITEM = endpoint("GET", "/items/[name]", 200, dict[str, int])
ORDER = endpoint("POST", "/orders", 201, dict[str, str])

LIST_REQUEST = Request(LIST, "/items", None, lambda items: None if items else "expected items")

install(
    events,
    Suite(endpoints=(LIST, ITEM, ORDER), probe=LIST_REQUEST, packages=()),
)


def is_order_of(name):
    return lambda answer: None if answer["name"] == name else "expected the name echoed"


class Shopper(ApiUser):
    wait_time = constant(0.05)

    @task
    @sends(LIST, ITEM)
    def look_around(self):
        self.send(LIST_REQUEST)
        self.send(Request(ITEM, "/items/tea", None, lambda item: None))

    @task
    @sends(ORDER)
    def order(self):
        self.send(Request(ORDER, "/orders", b'{"name": "tea"}', is_order_of("tea")))

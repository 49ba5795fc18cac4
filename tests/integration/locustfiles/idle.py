"""Users that never send a request."""

from locust import constant, events

from harness import lifecycle
from harness.user import NoticeApiUser

lifecycle.install(events)


class IdleUser(NoticeApiUser):
    wait_time = constant(1)
    tasks = (lambda user: None,)

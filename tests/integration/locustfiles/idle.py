"""Users that never send a request."""

from locust import constant, events

from harness.run import install
from harness.users.user import ApiUser
from notice_api import SUITE

install(events, SUITE)


class IdleUser(ApiUser):
    wait_time = constant(1)
    tasks = (lambda user: None,)

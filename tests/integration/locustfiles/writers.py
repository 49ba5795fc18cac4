"""The project's users, who only write, and do not think."""

from locust import constant

import locustfile


class NoticeUser(locustfile.NoticeUser):
    """As many writes as the server answers."""

    wait_time = constant(0)

"""Users with a task of which one call in ten raises."""

import locustfile


def stumble(user: locustfile.NoticeUser) -> None:
    if user.random.random() < 0.1:
        raise RuntimeError("a mistake in a task")


class BrokenUser(locustfile.NoticeUser):
    tasks = (stumble,) * 10  # locust adds those of the class above

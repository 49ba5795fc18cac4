"""The original test on FastHttpUser, with its wait time and recorded event-loop lag."""

from locust import between, events

from bench.locustfiles import original, watch


class ThinkingOriginalUser(original.OriginalFastUser):
    """Waits 1 to 5 s between tasks."""

    wait_time = between(1, 5)


events.init.add_listener(watch.watch_the_loop)

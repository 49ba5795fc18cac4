"""The suite's users at their own wait, in a process that watches its event loop."""

from locust import events

from bench.locustfiles import ours, watch


class ThinkingUser(ours.OneDeviceUser):
    """Waits 1 to 5 s between tasks."""


events.init.add_listener(watch.watch_the_loop)

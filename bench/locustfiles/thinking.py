"""The suite's users with their own wait time, in a process that records event-loop lag."""

from locust import events

from bench.locustfiles import ours, watch


class ThinkingUser(ours.OneDeviceUser):
    """Waits 1 to 5 s between tasks."""


events.init.add_listener(watch.watch_the_loop)

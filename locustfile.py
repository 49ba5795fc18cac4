"""Simulate students who use a university notice board on their phones.

Requests, weights and think time are those of the original test (2020-09-20): of ten tasks, three
search, three page through notices, one lists the boards and three change a device.
"""

from locust import between, events  # first: it patches the standard library for gevent

from harness.run import install
from harness.users import ApiUser
from notice_api import SUITE
from tasks.devices import register, set_keywords, subscribe, switch_alarm
from tasks.notices import browse_pages, list_boards, search_notices

install(events, SUITE)  # records, judges and cleans up every run, however it is started


class NoticeUser(ApiUser):
    """A student with a phone: reads more than they write, and pauses 1 to 5 s between tasks."""

    wait_time = between(1, 5)
    tasks = {  # weights of the original test (2020-09-20); their sum is 10
        search_notices: 3,
        browse_pages: 3,
        subscribe: 1,
        set_keywords: 1,
        switch_alarm: 1,
        list_boards: 1,
    }

    def on_start(self) -> None:
        """Register this phone before its first task."""
        register(self)

    def on_stop(self) -> None:
        """Close connections. Other users may write to the device until the run deletes it."""
        self.close_connections()

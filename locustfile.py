"""A university notice board and its students' phones.

Weights, requests and think time are the seed's, 2020-09-20: of ten tasks three search, three page
through the notices, one lists the boards and three change the settings of a device.
"""

from locust import between, events

from harness import lifecycle
from harness.user import NoticeApiUser
from tasks.devices import register, set_keywords, subscribe, switch_alarm
from tasks.notices import browse_pages, list_boards, search_notices

lifecycle.install(events)


class NoticeUser(NoticeApiUser):
    """A student with a phone: reads more than they write, and thinks for 1 to 5 s in between."""

    wait_time = between(1, 5)
    tasks = {  # sum 10, the seed, 2020-09-20
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
        """Hang up. The device stays until no user of any process can write to it any more."""
        self.close_connections()

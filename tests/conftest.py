"""What all tests share: a user without a run around it, and servers to send to."""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
from collections.abc import Callable, Iterator

import locust  # noqa: F401 - first, for gevent's monkey patching
from locust.env import Environment
from locust.event import Events

import pytest

from harness.config.settings import HTTP_CLIENTS, NAMES, Settings

for name in NAMES:  # neither a developer's environment nor their .env has a say in the tests
    os.environ.pop(name, None)
# In the background of a script this process ignores SIGINT, and so would all its children.
signal.signal(signal.SIGINT, signal.default_int_handler)
with tempfile.TemporaryDirectory() as empty, contextlib.chdir(empty):
    from locustfile import NoticeUser

from harness.devices.pool import Devices
from harness.users.user import RunContext, set_run_context
from notice_api.words import ORIGINAL_WORDS
from support import programs
from support.notice_server import NoticeServer


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if programs.FIXTURES & {*getattr(item, "fixturenames", ())}:
            item.add_marker(pytest.mark.programs)


@pytest.fixture
def notice_server() -> Iterator[NoticeServer]:
    server = NoticeServer()
    yield server
    server.stop()


@pytest.fixture(params=HTTP_CLIENTS)
def http_client(request: pytest.FixtureRequest) -> str:
    """Every client sends the same, reports the same and judges the same."""
    return request.param


@pytest.fixture
def make_user(
    notice_server: NoticeServer, http_client: str
) -> Iterator[Callable[..., NoticeUser]]:
    """Yield a function that makes a user of an environment of its own, or of a given one."""

    def make(environment: Environment | None = None, **settings: object) -> NoticeUser:
        if environment is None:
            environment = Environment(
                user_classes=[NoticeUser],
                events=Events(),
                catch_exceptions=False,
                host=notice_server.url,
            )
            environment.create_local_runner()
            timeouts = {"connect_timeout_s": 10.0, "answer_timeout_s": 10.0}
            told = Settings(**{**timeouts, "http_client": http_client, **settings})
            set_run_context(
                environment, RunContext(told, ORIGINAL_WORDS, 1, Devices(1, sample=10))
            )
        NoticeUser.host = notice_server.url
        made.append(NoticeUser(environment))
        return made[-1]

    made: list[NoticeUser] = []
    yield make
    for user in made:
        user.close_connections()

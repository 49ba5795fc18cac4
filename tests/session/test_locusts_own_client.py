"""A user's `client` is Locust's own: what a classic task does with it counts as in plain Locust.

Each pattern runs as a task of a plain `HttpUser` and of ours, on the same server. Requests,
failures, sizes and exceptions have to be the same.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable, Iterator

import gevent
from gevent.event import Event
from gevent.pywsgi import WSGIServer
from locust import HttpUser, constant, task
from locust.clients import HttpSession
from locust.env import Environment
from locust.event import Events
from locust.exception import InterruptTaskSet, LocustError, RescheduleTask, StopUser
from locust.stats import StatsError

import flask
import pytest
import requests

from harness.config.settings import Settings
from harness.devices.pool import Devices
from harness.recording.collector import Collector
from harness.users.user import ApiUser, RunContext, set_run_context
from notice_api.words import ORIGINAL_WORDS
from support.commands import PATIENCE_S
from support.raw_servers import wait_for

Pattern = Callable[[HttpUser], object]
PATTERNS: dict[str, Pattern] = {}


def application(slow: Event) -> flask.Flask:
    app = flask.Flask("classic")

    @app.route("/echo", methods=["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
    @app.route("/echo/<word>")
    def echo(word: str = "") -> flask.Response:
        request = flask.request
        shown = {
            "method": request.method,
            "word": word,
            "args": sorted(request.args.items(multi=True)),
            "form": sorted(request.form.items(multi=True)),
            "files": sorted((name, file.read().decode()) for name, file in request.files.items()),
            "body": request.get_data(as_text=True),
            "cookies": sorted(request.cookies.items()),
            "headers": sorted((n, v) for n, v in request.headers.items() if n != "Content-Type"),
        }
        response = flask.jsonify(shown)
        response.headers["X-Echo"] = "yes"
        return response

    @app.get("/status/<int:status>")
    def with_status(status: int) -> tuple[str, int]:
        return "as you wish", status

    @app.get("/to/<path:where>")
    def redirect(where: str) -> flask.Response:
        return flask.redirect(f"/{where}" if not where.startswith("http") else where)

    @app.get("/login")
    def login() -> flask.Response:
        response = flask.Response("welcome")
        response.set_cookie("session", "kim")
        return response

    @app.get("/gzip")
    def packed() -> flask.Response:
        return flask.Response(gzip.compress(b"plain"), headers={"Content-Encoding": "gzip"})

    @app.get("/slow")
    def slowly() -> str:
        slow.wait()
        return "at last"

    return app


@pytest.fixture
def slow() -> Event:
    """What the server waits for before it answers `/slow`."""
    return Event()


@pytest.fixture
def url(slow: Event) -> Iterator[str]:
    server = WSGIServer(("127.0.0.1", 0), application(slow), log=None, error_log=None)
    server.start()
    yield f"http://127.0.0.1:{server.server_port}"
    slow.set()
    server.stop(timeout=0)


def pattern(act: Pattern) -> Pattern:
    PATTERNS[act.__name__.replace("_", " ")] = act
    return act


ARGUMENTS: dict[str, Callable[[HttpSession], object]] = {
    "get": lambda client: client.get("/echo").json(),
    "query": lambda client: client.get("/echo?a=1").json()["args"],
    "params": lambda client: client.get("/echo", params={"q": "장학", "page": 2}).json()["args"],
    "params that repeat": lambda client: client.get("/echo", params=[("a", "1"), ("a", "2")]).url[
        -20:
    ],
    "a word in Hangul": lambda client: client.get("/echo/장학").json()["word"],
    "headers": lambda client: dict(
        client.get("/echo", headers={"X-A": "b", "accept": "*/*"}).json()["headers"]
    )["X-A"],
    "json": lambda client: client.post("/echo", json={"id": "장학"}).json()["body"],
    "form": lambda client: client.post("/echo", data={"id": "a"}).json()["form"],
    "bytes": lambda client: client.post("/echo", data=b"abc").json()["body"],
    "text": lambda client: client.put("/echo", data="장학".encode()).json()["body"],
    "files": lambda client: client.post("/echo", files={"upload": ("a.txt", "content")}).json()[
        "files"
    ],
    "cookies": lambda client: client.get("/echo", cookies={"a": "b"}).json()["cookies"],
    "auth": lambda client: dict(client.get("/echo", auth=("kim", "secret")).json()["headers"])[
        "Authorization"
    ],
    "timeout that is kept": lambda client: client.get("/echo", timeout=(5, 5)).status_code,
    "timeout that is over": lambda client: client.get("/slow", timeout=0.05).status_code,
    "patch": lambda client: client.patch("/echo", json={"a": 1}).json()["method"],
    "delete": lambda client: client.delete("/echo").json()["method"],
    "options": lambda client: client.options("/echo").json()["method"],
    "head": lambda client: client.head("/echo").content,
    "request": lambda client: client.request("PUT", "/echo", json={"a": 1}).json()["method"],
    "redirect": lambda client: client.get("/to/echo").url[-5:],
    "redirect twice": lambda client: len(client.get("/to/to/echo").history),
    "redirect not followed": lambda client: (
        client.get("/to/echo", allow_redirects=False).status_code
    ),
    "redirect to an error": lambda client: client.get("/to/status/404").status_code,
    "name": lambda client: client.get("/echo?id=7", name="/echo?id=[id]").status_code,
    "context": lambda client: client.get("/echo", context={"a": 1}).status_code,
    "hooks": lambda client: client.get(
        "/echo", hooks={"response": lambda r, **_: r.headers.update(seen="1")}
    ).headers["seen"],
    "gzip": lambda client: client.get("/gzip").content,
    "absolute URL": lambda client: client.get(client.base_url + "/echo").status_code,
    "a port where nobody listens": lambda client: client.get("http://127.0.0.1:9/").status_code,
    "no URL at all": lambda client: client.get("http://"),
    "another protocol": lambda client: client.get("ftp://127.0.0.1/"),
}

ATTRIBUTES: dict[str, Callable[[HttpSession], object]] = {
    "headers that stay": lambda client: (
        client.headers.update({"X-A": "b"}),
        dict(client.get("/echo").json()["headers"])["X-A"],
    ),
    "headers replaced": lambda client: (
        setattr(client, "headers", {"X-A": "b"}),
        client.get("/echo").json()["headers"],
    ),
    "auth that stays": lambda client: (
        setattr(client, "auth", ("kim", "pw")),
        client.get("/echo").json()["headers"],
    ),
    "params that stay": lambda client: (
        setattr(client, "params", {"a": "1"}),
        client.get("/echo").json()["args"],
    ),
    "request_name": lambda client: (
        setattr(client, "request_name", "all"),
        client.get("/echo"),
        client.get("/login"),
    ),
    "base_url": lambda client: (
        setattr(client, "base_url", client.base_url + "/status"),
        client.get("/404").status_code,
    ),
    "cookies that stay": lambda client: (
        client.get("/login"),
        client.get("/echo").json()["cookies"],
    ),
    "cookies of the client": lambda client: (client.get("/login"), dict(client.cookies)),
    "is a requests session": lambda client: (
        client.get("/echo").ok,
        isinstance(client, requests.Session),
        client.trust_env,
        client.verify,
    ),
    "status, reason, ok": lambda client: [
        (r.status_code, r.reason, r.ok) for r in (client.get("/status/404"),)
    ],
    "truth of an error": lambda client: bool(client.get("/status/500")),
    "truth of a success": lambda client: bool(client.get("/echo")),
    "text and encoding": lambda client: [(r.text, r.encoding) for r in (client.get("/login"),)],
    "headers in any case": lambda client: [
        r.headers[n] for r in (client.get("/echo"),) for n in ("x-echo", "X-ECHO")
    ],
    "content type": lambda client: (
        client.get("/echo").headers["Content-Type"] == "application/json"
    ),
    "elapsed": lambda client: client.get("/echo").elapsed.total_seconds() > 0,
    "request of a response": lambda client: client.get("/echo").request.method,
    "no JSON": lambda client: client.get("/login").json(),
    "raise_for_status": lambda client: client.get("/status/503").raise_for_status(),
    "raise_for_status of a success": lambda client: client.get("/echo").raise_for_status(),
    "a verdict without a block": lambda client: client.get("/echo").failure("no boards"),
    "caught, but without a block": lambda client: (
        client.get("/status/404", catch_response=True).status_code
    ),
}

for one_line_name, one_line in {**ARGUMENTS, **ATTRIBUTES}.items():
    PATTERNS[one_line_name] = lambda user, act=one_line: act(user.client)


@pattern
def a_stream(user: HttpUser) -> bytes:
    response = user.client.get("/echo", stream=True)
    part: bytes = next(response.iter_content(10))
    response.close()
    return part


@pattern
def rest(user: HttpUser) -> object:
    with user.rest("GET", "/echo") as response:
        return response.js["method"]


@pattern
def renamed_requests(user: HttpUser) -> None:
    with user.client.rename_request("renamed"):
        user.client.get("/echo?a=1")
        user.client.get("/status/404")


@pattern
def a_block_without_catch_response(user: HttpUser) -> None:
    with user.client.put("/echo", json={"id": "a"}) as response:
        print(response)


@pattern
def a_block_that_says_nothing(user: HttpUser) -> None:
    for status in (200, 404, 500):
        with user.client.get(f"/status/{status}", catch_response=True):
            pass


@pattern
def an_error_that_is_right(user: HttpUser) -> None:
    with user.client.get("/status/404", catch_response=True) as response:
        if response.status_code == 404:
            response.success()


@pattern
def a_success_that_is_wrong(user: HttpUser) -> None:
    with user.client.get("/echo", catch_response=True) as response:
        response.failure("no boards")
    with user.client.get("/echo", catch_response=True) as response:
        response.failure(ValueError("no notices"))


@pattern
def the_last_word_counts(user: HttpUser) -> None:
    with user.client.get("/echo", catch_response=True) as response:
        response.failure("no boards")
        response.success()
    with user.client.get("/echo", catch_response=True) as response:
        response.success()
        response.failure("no boards")


@pattern
def an_exception_in_a_block(user: HttpUser) -> None:
    with user.client.get("/echo", catch_response=True):
        raise KeyError("id 7")


@pattern
def an_exception_after_a_verdict(user: HttpUser) -> None:
    with user.client.get("/echo", catch_response=True) as response:
        response.failure("no boards")
        raise KeyError("id 7")


@pattern
def a_failed_assertion_in_a_block(user: HttpUser) -> None:
    with user.client.get("/status/404", catch_response=True) as response:
        assert response.ok, "not found"


@pattern
def raise_for_status_in_a_block(user: HttpUser) -> None:
    with user.client.get("/status/404", catch_response=True) as response:
        response.raise_for_status()


@pattern
def a_block_left_by_reschedule(user: HttpUser) -> None:
    with user.client.get("/echo", catch_response=True) as response:
        response.success()
        raise RescheduleTask


@pattern
def a_block_left_by_interrupt(user: HttpUser) -> None:
    with user.client.get("/status/404", catch_response=True):
        raise InterruptTaskSet


@pattern
def a_block_left_by_stop(user: HttpUser) -> None:
    with user.client.get("/echo", catch_response=True) as response:
        response.failure("no boards")
        raise StopUser


@pattern
def blocks_inside_each_other(user: HttpUser) -> None:
    with user.client.get("/echo", catch_response=True, name="outer") as outer:
        with user.client.get("/status/500", catch_response=True, name="inner") as inner:
            inner.success()
        outer.failure("no boards")


@pattern
def a_response_time_of_ones_own(user: HttpUser) -> None:
    with user.client.get("/echo", catch_response=True) as response:
        response.request_meta["response_time"] = 1234.0
        response.request_meta["name"] = "mine"


@pattern
def two_requests_of_one_name(user: HttpUser) -> None:
    user.client.get("/echo", name="same")
    user.client.post("/echo", name="same")


class Plain(HttpUser):
    wait_time = constant(0)


class Ours(ApiUser):
    wait_time = constant(0)


def environment_of(user_class: type[HttpUser], url: str, **settings: object) -> Environment:
    environment = Environment(
        user_classes=[user_class],
        events=Events(),
        catch_exceptions=False,
        host=url,
    )
    environment.create_local_runner()
    told = Settings(**settings)
    set_run_context(environment, RunContext(told, ORIGINAL_WORDS, 1, Devices(1, sample=10)))
    user_class.host = url
    return environment


def without_addresses(text: str) -> str:
    return re.sub(r"0x[0-9a-f]+", "0x", text)


def came_of(act: Pattern, user_class: type[HttpUser], url: str) -> dict[str, object]:
    """Return what a pattern returned, raised and left in the statistics."""
    environment = environment_of(user_class, url)
    collector = Collector(environment) if user_class is Ours else None
    user = user_class(environment)
    found: dict[str, object] = {}
    try:
        found["returned"] = repr(act(user))
    except BaseException as error:
        found["raised"] = type(error), without_addresses(str(error))
    finally:
        user.client.close()
        if collector is not None:
            collector.stop()
    found["statistics"] = {
        key: (entry.num_requests, entry.num_failures, entry.total_content_length)
        for key, entry in environment.stats.entries.items()
    }
    found["total"] = environment.stats.total.num_requests, environment.stats.total.num_failures
    found["errors"] = sorted(
        (each.method, each.name, StatsError.parse_error(each.error), each.occurrences)
        for each in environment.stats.errors.values()
    )
    found["longest"] = [
        entry.max_response_time
        for entry in environment.stats.entries.values()
        if entry.max_response_time >= 1000
    ]
    return found


@pytest.mark.parametrize("name", PATTERNS)
def test_a_pattern_means_the_same_to_both(name: str, url: str) -> None:
    plain, ours = (came_of(PATTERNS[name], kind, url) for kind in (Plain, Ours))
    assert ours == plain
    assert plain["statistics"] or "raised" in plain or "without a block" in name


def test_there_are_many_patterns_and_they_differ(url: str) -> None:
    assert len(PATTERNS) > 60
    raised = [came_of(each, Plain, url).get("raised") for each in PATTERNS.values()]
    kinds = {kind for kind, _ in filter(None, raised)}
    assert {LocustError, KeyError, StopUser} <= kinds
    assert not kinds & {NameError, TypeError, AttributeError}, "a pattern is wrong itself"


def test_the_client_is_locusts_own_and_made_on_first_use(url: str) -> None:
    user = Ours(environment_of(Ours, url))
    assert "client" not in vars(user)
    assert type(user.client) is HttpSession
    assert user.client is user.client
    user.close_connections()


@pytest.mark.parametrize("how", ["to", "at once"])
def test_another_host_is_refused_and_the_request_counts_as_failed(how: str, url: str) -> None:
    environment = environment_of(Ours, url)
    user = Ours(environment)
    elsewhere = "http://notices.example/board"
    response = user.client.get(f"/to/{elsewhere}" if how == "to" else elsewhere, name="it")
    assert response.status_code == 0
    (error,) = environment.stats.errors.values()
    assert "load against http://notices.example is refused" in str(error.error)
    assert environment.stats.total.num_failures == 1
    user.close_connections()


def test_an_allowed_host_is_followed(url: str) -> None:
    environment = environment_of(Ours, url, allowed_hosts=("notices.invalid",))
    user = Ours(environment)
    assert user.client.get("/to/" + url.replace("127.0.0.1", "localhost") + "/echo").ok
    response = user.client.get("/to/http://notices.invalid/board")
    assert "Failed to resolve" in str(response.error), "it was asked for"
    user.close_connections()


def test_a_host_may_have_letters_that_a_request_writes_in_another_way(url: str) -> None:
    environment = environment_of(Ours, "http://müller.invalid", allowed_hosts=("müller.invalid",))
    user = Ours(environment)
    assert "Failed to resolve" in str(user.client.get("/board").error), "it was asked for"
    user.close_connections()


def test_a_request_that_hangs_is_counted_when_the_settings_say_so(url: str) -> None:
    environment = environment_of(Ours, url, answer_timeout_s=0.2)
    user = Ours(environment)
    user.client.get("/slow")
    user.client.get("/slow", timeout=0.1)
    of_the_settings, of_the_request = environment.stats.errors.values()
    assert "read timeout=0.2" in str(of_the_settings.error)
    assert "read timeout=0.1" in str(of_the_request.error)
    assert environment.stats.total.num_failures == 2
    user.close_connections()


@pytest.mark.parametrize("kind", [Plain, Ours])
@pytest.mark.parametrize("stop_timeout_s", [0, 0.3, 60])
@pytest.mark.parametrize("options", [{}, {"catch_response": True}], ids=["get", "caught"])
def test_a_user_that_is_told_to_stop_stops_as_in_plain_locust(
    kind: type[HttpUser], stop_timeout_s: float, options: dict[str, bool], url: str, slow: Event
) -> None:
    begun: list[HttpUser] = []

    class Slow(kind):
        @task
        def wait_for_an_answer(self) -> None:
            begun.append(self)
            self.client.get("/slow", **options)

    environment = environment_of(Slow, url)
    environment.stop_timeout = stop_timeout_s
    environment.runner.start(1, spawn_rate=10)
    wait_for(lambda: begun, "it has sent")
    gevent.sleep(0.1)
    stopping = gevent.spawn(environment.runner.stop)
    if stop_timeout_s > 1:
        gevent.sleep(0.2)
        assert not stopping.ready(), "it waits for the answer"
        slow.set()
    stopping.join(timeout=PATIENCE_S)
    assert stopping.ready()
    assert environment.runner.user_count == 0
    answered = stop_timeout_s > 1 and not options
    assert environment.stats.total.num_requests == int(answered)
    assert len(begun) == 1

"""The harness knows no API: another one, with three endpoints, runs on it unchanged."""

from __future__ import annotations

import json
from collections.abc import Iterator

from gevent.pywsgi import WSGIServer

import pytest

from harness.config.settings import PROJECT_DIR
from support.commands import Commands, full_seconds, interrupt, wait_until

TINY = PROJECT_DIR / "tests" / "integration" / "locustfiles" / "tiny.py"
ANSWERS = {
    "GET /items": ("200 OK", ["tea"]),
    "GET /items/tea": ("200 OK", {"price": 3}),
    "POST /orders": ("201 Created", {"name": "tea"}),
}


@pytest.fixture
def shop() -> Iterator[tuple[str, list[str], dict[str, tuple[str, object]]]]:
    """Yield the URL of a shop, the requests that it has seen, and its answers."""
    seen: list[str] = []
    answers = dict(ANSWERS)

    def application(environ, start_response):
        request = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"
        seen.append(request)
        status, content = answers[request]
        start_response(status, [("Content-Type", "application/json")])
        return [json.dumps(content).encode()]

    server = WSGIServer(("127.0.0.1", 0), application, log=None, error_log=None)
    server.start()
    yield f"http://127.0.0.1:{server.server_port}", seen, answers
    server.stop(timeout=0)


OBJECTIVES = """
["POST /orders"]
p95_ms = 5000
[generator]
lag_ms = 60000
"""


def run(commands: Commands, url: str, objectives: str = OBJECTIVES):
    commands.objectives.write_text(objectives)
    users = ("--users=5", "--spawn-rate=5", "--host", url)
    process = commands.start("-m", "locust", "--headless", "-f", str(TINY), *users)
    wait_until(
        lambda: process.poll() is not None or full_seconds(commands.results) > 5,
        "a steady state is recorded",
    )
    interrupt(process)
    return commands.finish(process)


def test_another_api_is_loaded_recorded_and_judged(commands: Commands, shop) -> None:
    url, seen, _ = shop
    found = run(commands, url)
    assert (found.exit_code, found.stderr.count("Traceback")) == (0, 0), found.stdout
    assert set(found.requests) == {"GET /items", "GET /items/[name]", "POST /orders"}
    assert sum(found.requests.values()) == len(seen) - 1, "less the probe before the run"
    assert found.summary["devices"] == {"registered": 0, "deleted": 0, "left_behind": 0}
    assert found.summary["audit"] is None
    assert found.summary["verdict"] == "pass"


def test_a_wrong_answer_of_another_api_fails_the_run(commands: Commands, shop) -> None:
    url, _, answers = shop
    answers["POST /orders"] = ("201 Created", {"name": "coffee"})
    found = run(commands, url)
    assert found.exit_code == 1
    assert "contract violation: expected the name echoed" in found.failures


def test_an_objective_of_an_endpoint_that_the_suite_has_not_is_refused(
    commands: Commands, shop
) -> None:
    found = run(commands, shop[0], '["GET /notice/list"]\np95_ms = 5\n')
    assert found.exit_code == 2
    assert "unknown table ['GET /notice/list']" in found.stderr

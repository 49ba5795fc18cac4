"""A server that breaks its contract: every fault is counted once, named, and raises nothing."""

import json

import gevent

import pytest

from harness.http.request import Request, endpoint
from support.notice_server import answers, changes, cuts, resets, sends, stalls, trickles
from tasks.devices import register, set_keywords, subscribe, switch_alarm
from tasks.notices import list_boards, search_notices

PAGE = ("GET", "/notice/all")
LIST = ("GET", "/notice/list")
PUT = ("PUT", "/accounts/device")
POST = ("POST", "/accounts/device")

HTML_502 = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 13\r\n\r\n<html></html>"
REDIRECT = b"HTTP/1.1 302 Found\r\nLocation: http://192.0.2.1/\r\nContent-Length: 0\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\n"


def first(field, value):
    return changes(lambda page: page["results"][0].update({field: value}))


def without(field):
    return changes(lambda page: page["results"][0].pop(field) and None)


SEARCH_FAULTS = {
    "status 500": (answers(500, {"detail": "x"}), "expected status 200, got 500"),
    "HTML 502": (sends(HTML_502), "expected status 200, got 502"),
    "page 404": (answers(404, {"detail": "Invalid page."}), "expected status 200, got 404"),
    "redirect": (sends(REDIRECT), "redirect: expected status 200, got 302 to another host"),
    "200 with an error body": (
        answers(200, {"detail": "database is locked"}),
        "contract violation: Object missing required field `count`",
    ),
    "HTML in a 200": (
        sends(OK + b"Content-Length: 6\r\n\r\n<html>"),
        "wrong JSON: expected a JSON body, got something else",
    ),
    "truncated JSON": (
        sends(OK + b'Content-Length: 10\r\n\r\n{"count":1'),
        "wrong JSON: expected a JSON body, got something else",
    ),
    "no body": (
        sends(OK + b"Content-Length: 0\r\n\r\n"),
        "wrong JSON: expected a JSON body, got something else",
    ),
    "count is text": (
        changes(lambda page: page.update(count="400")),
        "contract violation: Expected `int`, got `str` - at `$.count`",
    ),
    "title is null": (
        first("title", None),
        "contract violation: Expected `str`, got `null` - at `$.results[...].title`",
    ),
    "no created_at": (
        without("created_at"),
        "contract violation: Object missing required field `created_at` - at `$.results[...]`",
    ),
    "not a date": (
        first("date", "yesterday"),
        "contract violation: Invalid RFC3339 encoded date - at `$.results[...].date`",
    ),
    "created_at without offset": (
        first("created_at", "2026-03-02T09:30:00"),
        "contract violation: Expected `datetime` with a timezone component"
        " - at `$.results[...].created_at`",
    ),
    "eleven notices": (
        changes(lambda page: page["results"].append(page["results"][0])),
        "contract violation: expected at most 10 notices on a page, got more",
    ),
    "short page": (
        changes(lambda page: page["results"].pop() and None),
        "contract violation: expected 10 notices on a page before the last, got fewer",
    ),
    "oldest first": (
        first("date", "1999-01-01"),
        "contract violation: expected the newest date first, got another order",
    ),
    "a title without the word": (
        first("title", "등록 안내"),
        "contract violation: expected every title to contain a search word, got one without",
    ),
    "closed before the answer": (
        sends(b""),
        "closed early: connection closed before an answer",
    ),
    "closed inside the answer": (
        cuts(0.8),
        "closed early: connection closed inside an answer",
    ),
    "reset": (resets, "connection reset"),
    "garbage": (sends(b"\x00\x01\x02 what is this\r\n\r\n"), "not HTTP"),
    "bad chunk": (
        sends(OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nabc"),
        "not HTTP: body not as its headers say",
    ),
    "bad gzip": (
        sends(OK + b"Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc"),
        "not HTTP: body not as its headers say",
    ),
    "an answer that stalls": (stalls, "answer timeout"),
    "an answer that trickles": (trickles, "answer timeout"),
}


def patience(message):
    """Return short timeouts for a server that stalls, and for others the usual ones."""
    short = {"connect_timeout_s": 0.5, "answer_timeout_s": 0.5}
    return short if message == "answer timeout" else {}


def failures(user):
    return {
        str(error.error): error.occurrences for error in user.environment.stats.errors.values()
    }


@pytest.mark.parametrize("fault", SEARCH_FAULTS)
def test_a_wrong_answer_is_one_named_failure(make_user, notice_server, fault):
    notice_server.faults[PAGE], message = SEARCH_FAULTS[fault]
    user = make_user(**patience(message))
    search_notices(user)
    assert failures(user) == {message: 1}
    assert user.environment.stats.total.num_requests == 1
    assert user.environment.stats.total.num_failures == 1


@pytest.mark.parametrize("fault", SEARCH_FAULTS)
def test_the_next_request_of_the_same_user_is_right_again(make_user, notice_server, fault):
    notice_server.faults[PAGE], message = SEARCH_FAULTS[fault]
    user = make_user(**patience(message))
    search_notices(user)
    del notice_server.faults[PAGE]
    search_notices(user)
    assert user.environment.stats.total.num_requests == 2
    assert user.environment.stats.total.num_failures == 1


def test_a_server_that_is_away_is_named_and_found_again(make_user, notice_server):
    user = make_user()
    search_notices(user)
    notice_server.stop()
    search_notices(user)
    search_notices(user)
    assert sum(failures(user).values()) == 2
    assert "connection refused" in failures(user)
    notice_server.restart()
    search_notices(user)
    assert user.environment.stats.total.num_failures == 2


def test_an_empty_list_of_boards_is_a_failure(make_user, notice_server):
    user = make_user()
    notice_server.faults[LIST] = answers(200, [])
    list_boards(user)
    message = "contract violation: expected at least one board, got none"
    assert failures(user) == {message: 5}


@pytest.mark.parametrize(
    ("task", "field", "wrong", "message"),
    [
        (subscribe, "subscriptions", "cse", "expected subscriptions as it was sent"),
        (set_keywords, "keywords", "장학 등록", "expected keywords as it was sent"),
        (subscribe, "id", "SOMEBODYELSE", "expected id as it was sent"),
    ],
)
def test_a_put_that_is_not_echoed_is_a_failure(
    make_user, notice_server, task, field, wrong, message
):
    user = make_user()
    register(user)
    notice_server.faults[PUT] = changes(lambda device: device.update({field: wrong}))
    task(user)
    assert failures(user) == {f"contract violation: {message}, got another value": 1}


def test_an_alarm_that_the_server_does_not_know_is_a_failure(make_user, notice_server):
    """A newer server ignores the old field with a 200: only the missing echo tells."""
    user = make_user()
    register(user)

    def forget_alarm(device):
        del device["alarm_switch"]

    notice_server.faults[PUT] = changes(forget_alarm)
    switch_alarm(user)
    message = "expected alarm_switch in the answer, got none (see ALARM_FIELDS)"
    assert failures(user) == {f"contract violation: {message}": 1}


def test_an_alarm_that_stays_as_it_was_is_a_failure(make_user, notice_server):
    user = make_user()
    register(user)
    notice_server.faults[PUT] = changes(
        lambda device: device.update(alarm_switch=not device["alarm_switch"])
    )
    for _ in range(20):
        switch_alarm(user)
    assert set(failures(user)) == {
        "contract violation: expected alarm_switch true, got another value",
        "contract violation: expected alarm_switch false, got another value",
    }
    assert sum(failures(user).values()) == 20


def test_a_device_enters_the_pool_only_when_the_server_said_201(make_user, notice_server):
    user = make_user()
    notice_server.faults[POST] = answers(500, {"detail": "x"})
    register(user)
    assert failures(user) == {"expected status 201, got 500": 1}
    assert len(user.run_context.devices.pool) == 0


def test_a_write_with_an_empty_pool_and_a_failing_registration_shows_that_failure(
    make_user, notice_server
):
    user = make_user()
    notice_server.faults[POST] = answers(503, {"detail": "x"})
    subscribe(user)
    assert failures(user) == {"expected status 201, got 503": 1}
    assert PUT not in notice_server.seen


def test_a_registration_whose_answer_is_lost_has_a_number_all_the_same(make_user, notice_server):
    """The server has the device although the user never learned of it (locust#984)."""
    user = make_user()
    notice_server.faults[POST] = resets
    register(user)
    assert len(notice_server.devices) == 1
    device_report = user.run_context.devices.device_report()
    assert (device_report.used, device_report.confirmed) == (1, [])
    assert len(user.run_context.devices.pool) == 0


def test_a_write_without_a_right_answer_stays_in_doubt(make_user, notice_server):
    user = make_user()
    register(user)
    subscribe(user)
    notice_server.faults[PUT] = answers(500, {"detail": "x"})
    subscribe(user)
    (device_id,) = notice_server.devices
    writes = user.run_context.devices.history.writes[device_id]["subscriptions"]
    assert sorted(write.acknowledged_s is None for write in writes) == [False, True]


@pytest.mark.parametrize("close_after", [1, 2, 3])
def test_a_connection_closed_while_idle_is_no_failure(make_user, notice_server, close_after):
    user = make_user()
    notice_server.close_after = close_after
    for _ in range(4):
        search_notices(user)
        register(user)
        subscribe(user)
    assert failures(user) == {}
    assert len(notice_server.ever_registered) == len(set(notice_server.ever_registered)) == 4


def test_a_kept_connection_closed_as_the_request_goes_out_is_sent_again_once(
    make_user, notice_server
):
    user = make_user()
    search_notices(user)

    def closes_once(_connection, _answer):
        del notice_server.faults[PAGE]
        return False

    notice_server.faults[PAGE] = closes_once
    search_notices(user)
    assert failures(user) == {}
    assert user.environment.stats.total.num_requests == 2
    assert notice_server.seen[PAGE] == 3
    assert notice_server.connections == 2


def test_a_write_is_not_sent_again_when_its_device_may_be_gone_by_then(make_user, notice_server):
    """A worker that stood still while it waited for the first answer may have lost its lease."""
    user = make_user()
    register(user)

    def closes_too_late(_connection, _answer):
        del notice_server.faults[PUT]
        user.run_context.devices._lease_ends_s = 0.0
        return False

    notice_server.faults[PUT] = closes_too_late
    subscribe(user)
    assert notice_server.seen[PUT] == 1
    assert sum(failures(user).values()) == 1


def test_a_new_connection_closed_unanswered_is_a_failure_at_once(make_user, notice_server):
    user = make_user()
    notice_server.faults[PAGE] = sends(b"")
    search_notices(user)
    assert failures(user) == {"closed early: connection closed before an answer": 1}
    assert notice_server.seen[PAGE] == 1


def test_a_post_is_never_sent_twice(make_user, notice_server):
    user = make_user()
    search_notices(user)
    notice_server.faults[POST] = sends(b"")
    register(user)
    assert notice_server.seen[POST] == 1
    assert failures(user) == {"closed early: connection closed before an answer": 1}


def test_a_patch_is_never_sent_twice(make_user, notice_server):
    """It is not idempotent either (RFC 9110, 9.2.2)."""
    user = make_user()
    search_notices(user)
    notice_server.faults["PATCH", "/accounts/device"] = sends(b"")
    row = endpoint("PATCH", "/accounts/device", 200, None)
    user.send(Request(row, "/accounts/device", b"{}", lambda _: None))
    assert notice_server.seen["PATCH", "/accounts/device"] == 1
    assert failures(user) == {"closed early: connection closed before an answer": 1}


def test_an_answer_that_is_reset_half_way_is_a_failure_at_once(make_user, notice_server):
    """The server has done its work: a second try would load it twice and hide the fault."""
    user = make_user()
    search_notices(user)

    def resets_half_way(connection, answer):
        connection.sendall(answer[: len(answer) // 2])
        gevent.sleep(0.05)  # a reset discards what the client has not read
        return resets(connection, answer)

    notice_server.faults[PAGE] = resets_half_way
    search_notices(user)
    assert notice_server.seen[PAGE] == 2
    assert sum(failures(user).values()) == 1


def test_messages_hold_nothing_of_the_answer(make_user, notice_server):
    """Equal faults make one row, whatever the answer's ids, titles and sizes are."""
    user = make_user()
    for number in range(5):
        title = f"등록 {number}"
        notice_server.faults[PAGE] = changes(
            lambda page, title=title: page["results"][-1].update(title=title, id=json.dumps(title))
        )
        search_notices(user)
    assert list(failures(user).values()) == [5]

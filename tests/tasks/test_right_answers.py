"""What each task sends to a server that keeps the contract."""

import json
import random
from urllib.parse import parse_qs, urlsplit

import pytest

from notice_api.contract import ENDPOINTS
from tasks.devices import register, set_keywords, subscribe, switch_alarm
from tasks.notices import browse_pages, list_boards, search_notices

WRITES = {
    subscribe: {"subscriptions": "cse+main"},
    set_keywords: {"keywords": "장학+등록"},
}


def failures(user):
    return {error.error: error.occurrences for error in user.environment.stats.errors.values()}


def test_search_sends_one_request(make_user, notice_server):
    user = make_user()
    search_notices(user)
    assert notice_server.requests == [
        ("GET", "/notice/all?target=cse+main&q=%EC%9E%A5%ED%95%99", b"")
    ]
    assert failures(user) == {}


def test_browse_reads_pages_1_to_10_in_order(make_user, notice_server):
    user = make_user()
    browse_pages(user)
    sent = [target for _, target, _ in notice_server.requests]
    assert sent == [f"/notice/all?target=cse+main&page={page}" for page in range(1, 11)]
    assert failures(user) == {}


def test_list_sends_five_requests(make_user, notice_server):
    user = make_user()
    list_boards(user)
    assert notice_server.requests == [("GET", "/notice/list", b"")] * 5
    assert failures(user) == {}


@pytest.mark.parametrize("task", WRITES)
def test_writes_send_one_put_of_a_device_of_the_pool(make_user, notice_server, task):
    user = make_user()
    register(user)
    task(user)
    method, target, body = notice_server.requests[-1]
    assert (method, target) == ("PUT", "/accounts/device")
    assert json.loads(body) == {"id": notice_server.ever_registered[0], **WRITES[task]}
    assert failures(user) == {}


def test_alarm_is_switched_on_and_off(make_user, notice_server):
    user = make_user()
    register(user)
    for _ in range(30):
        switch_alarm(user)
    sent = {json.loads(body)["alarm_switch"] for method, _, body in notice_server.requests[1:]}
    assert sent == {True, False}
    assert failures(user) == {}


def test_writes_take_devices_of_other_users_too(make_user, notice_server):
    one = make_user()
    other = make_user(one.environment)
    register(one)
    register(other)
    for _ in range(40):
        subscribe(one)
    written = {json.loads(body)["id"] for method, _, body in notice_server.requests[2:]}
    assert written == set(notice_server.ever_registered)
    assert len(written) == 2


def test_registration_sends_a_random_id_and_fills_the_pool(make_user, notice_server):
    user = make_user()
    register(user)
    (device_id,) = notice_server.devices
    assert len(device_id) == 30 and device_id.isalnum() and device_id.isupper()
    assert user.run_context.devices.pool.draw(user.random) == device_id


def test_the_device_of_a_user_that_stops_stays_for_the_others(make_user, notice_server):
    """A user of another process may be about to write to it; the end of the run deletes it."""
    one = make_user()
    other = make_user(one.environment)
    register(one)
    one.on_stop()
    subscribe(other)
    assert len(notice_server.devices) == 1
    assert [method for method, _, _ in notice_server.requests] == ["POST", "PUT"]
    assert failures(other) == {}


@pytest.mark.parametrize("task", WRITES)
def test_writes_are_noted_for_the_end(make_user, notice_server, task):
    user = make_user()
    register(user)
    task(user)
    (device_id,) = notice_server.devices
    ((field, value),) = WRITES[task].items()
    (write,) = user.run_context.devices.history.writes[device_id][field]
    assert write.value == value
    assert write.sent_s < write.acknowledged_s


def test_an_empty_pool_makes_a_write_register_first_and_visibly(make_user, notice_server):
    user = make_user()
    subscribe(user)
    assert [method for method, _, _ in notice_server.requests] == ["POST", "PUT"]
    assert {key[::-1] for key in user.environment.stats.entries} == {
        ("POST", "/accounts/device"),
        ("PUT", "/accounts/device subscriptions"),
    }
    assert failures(user) == {}


def test_every_row_of_the_statistics_is_one_of_the_contract(make_user):
    user = make_user()
    register(user)
    for task in type(user).tasks:
        task(user)
    recorded = {(method, name) for name, method in user.environment.stats.entries}
    assert recorded == {(endpoint.method, endpoint.name) for endpoint in ENDPOINTS}


def test_newer_servers_get_their_own_alarm_fields(make_user, notice_server):
    user = make_user(alarm_fields=("alarm_switch_sub", "alarm_switch_key"))
    register(user)
    for device in notice_server.devices.values():
        del device["alarm_switch"]
        device |= {"alarm_switch_sub": False, "alarm_switch_key": False}
    for _ in range(20):
        switch_alarm(user)
    sent = [json.loads(body) for method, _, body in notice_server.requests if method == "PUT"]
    assert {field for fields in sent for field in fields} == {
        "id",
        "alarm_switch_sub",
        "alarm_switch_key",
    }
    assert failures(user) == {}


def test_the_request_event_carries_what_locust_documents(make_user):
    user = make_user()
    seen = []
    user.environment.events.request.add_listener(lambda **fields: seen.append(fields))
    search_notices(user)
    (event,) = seen
    assert event["request_type"] == "GET"
    assert event["name"] == "/notice/all?q"
    assert event["response_time"] > 0
    assert event["response_length"] > 1000
    assert event["exception"] is None
    assert event["response"].status_code == 200
    assert parse_qs(urlsplit(event["url"]).query)["q"] == ["장학"]


def test_choices_follow_the_seed_alone(make_user):
    """Other users, and locust's own use of the random module, must not change a user's choices."""

    def choices(global_seed):
        random.seed(global_seed)
        user = make_user()
        return [random.choice(user.tasks).__name__ for _ in range(50)], user.random.random()

    assert choices(1) == choices(2)
    first = make_user()
    second = make_user(first.environment)
    assert first.random.random() != second.random.random()

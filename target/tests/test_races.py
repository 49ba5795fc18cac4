from threading import Barrier

import pytest
from rest_framework.test import APIClient

from accounts.models import Device
from accounts.serializers import DeviceSerializer
from notices.models import Board

from .conftest import run_together

URL = "/accounts/device"

pytestmark = pytest.mark.django_db(transaction=True)


def request(method, body):
    """A call for a thread: sends the request with a client of its own, returns the answer."""
    client = APIClient(raise_request_exception=False)
    return lambda: getattr(client, method)(URL, body)


@pytest.fixture
def meeting(monkeypatch):
    """Make two requests wait for each other between their checks and their write."""
    barrier = Barrier(2)

    def meet_in(method):
        original = getattr(DeviceSerializer, method)

        def wait_and_write(self, *args):
            barrier.wait(timeout=10)
            return original(self, *args)

        monkeypatch.setattr(DeviceSerializer, method, wait_and_write)

    return meet_in


def test_two_posts_of_one_id_at_once_are_one_201_and_one_400(meeting):
    meeting("create")

    answers = run_together(request("post", {"id": "twin"}), request("post", {"id": "twin"}))

    assert sorted(answer.status_code for answer in answers) == [201, 400]
    (refused,) = (answer for answer in answers if answer.status_code == 400)
    assert refused.json() == {"id": ["device with this id already exists."]}
    assert Device.objects.count() == 1


def test_two_puts_of_different_fields_at_once_both_keep_their_change(meeting):
    Board.objects.create(code="cse", name="컴퓨터공학과")
    Device.objects.create(id="shared")
    meeting("update")

    answers = run_together(
        request("put", {"id": "shared", "keywords": "장학"}),
        request("put", {"id": "shared", "subscriptions": "cse"}),
    )

    assert [answer.status_code for answer in answers] == [200, 200]
    device = Device.objects.get()
    assert (device.keywords, device.subscriptions) == ("장학", "cse")


def test_many_writers_at_once_all_succeed():
    def write(name):
        def work():
            statuses = [request("post", {"id": name})().status_code]
            for number in range(5):
                body = {"id": name, "keywords": str(number)}
                statuses.append(request("put", body)().status_code)
            return statuses

        return work

    results = run_together(*(write(f"phone-{n}") for n in range(8)))

    assert results == [[201, 200, 200, 200, 200, 200]] * 8
    assert set(Device.objects.values_list("keywords", flat=True)) == {"4"}

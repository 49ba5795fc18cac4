import pytest

from accounts.models import Device
from accounts.serializers import DeviceSerializer

URL = "/accounts/device"
ID = "A1B2C3D4E5F6G7H8I9J0K1L2M3N4O5"
NEW = {
    "id": ID,
    "id_method": "InstanceId",
    "keywords": "",
    "subscriptions": "",
    "alarm_switch": False,
}
OTHER_METHODS = ["get", "put", "delete"]
WRONG_SUBSCRIPTIONS = ["nosuch", "cse+nosuch", "cse++main", "+", "cse main", "cse "]

pytestmark = pytest.mark.django_db


@pytest.fixture
def device(boards):
    return Device.objects.create(
        id=ID, keywords="장학+등록", subscriptions="cse+main", alarm_switch=True
    )


@pytest.fixture
def newer_server(settings):
    settings.ALARM_FIELDS = ["alarm_switch_sub", "alarm_switch_key"]


def test_post_registers_a_device_with_defaults(api):
    answer = api.post(URL, {"id": ID})

    assert (answer.status_code, answer.json()) == (201, NEW)
    assert api.get(URL, {"id": ID}).json() == NEW


def test_post_stores_every_field(api, boards):
    device = {
        "id": "x" * 200,
        "id_method": "UUID",
        "keywords": "장학+등록",
        "subscriptions": "cse+main",
        "alarm_switch": True,
    }

    answer = api.post(URL, device)

    assert (answer.status_code, answer.json()) == (201, device)
    assert api.get(URL, {"id": "x" * 200}).json() == device


def test_get_shows_a_device(api, device):
    answer = api.get(URL, {"id": ID})

    assert answer.status_code == 200
    assert answer.json() == NEW | {
        "keywords": "장학+등록",
        "subscriptions": "cse+main",
        "alarm_switch": True,
    }


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("keywords", "졸업"),
        ("keywords", ""),
        ("keywords", " 앞뒤 빈칸 "),
        ("keywords", "가" * 500),
        ("subscriptions", "law"),
        ("subscriptions", ""),
        ("alarm_switch", False),
        ("id_method", "UUID"),
    ],
)
def test_put_changes_one_field_and_keeps_the_others(api, device, field, value):
    before = api.get(URL, {"id": ID}).json()

    answer = api.put(URL, {"id": ID, field: value})

    assert (answer.status_code, answer.json()) == (200, before | {field: value})
    assert before[field] != value
    assert api.get(URL, {"id": ID}).json() == before | {field: value}


def test_put_of_the_id_alone_changes_nothing(api, device):
    before = api.get(URL, {"id": ID}).json()

    answer = api.put(URL, {"id": ID})

    assert (answer.status_code, answer.json()) == (200, before)
    assert api.get(URL, {"id": ID}).json() == before


def test_put_writes_no_other_device(api, device):
    api.post(URL, {"id": "other"})

    api.put(URL, {"id": ID, "keywords": "졸업"})

    assert api.get(URL, {"id": "other"}).json()["keywords"] == ""


def test_delete_takes_a_json_body_and_answers_nothing(api, device):
    api.post(URL, {"id": "other"})

    answer = api.delete(URL, {"id": ID})

    assert (answer.status_code, answer.content) == (204, b"")
    assert [device.id for device in Device.objects.all()] == ["other"]


def test_unknown_fields_are_ignored_silently(api):
    posted = api.post(URL, {"id": ID, "colour": "red", "alarm_switch_sub": True})
    changed = api.put(URL, {"id": ID, "colour": "red", "alarm_switch_key": True})

    assert (posted.status_code, posted.json()) == (201, NEW)
    assert (changed.status_code, changed.json()) == (200, NEW)
    assert not Device.objects.get().alarm_switch_sub
    assert not Device.objects.get().alarm_switch_key


def test_a_newer_server_has_the_two_other_alarm_fields(api, newer_server):
    posted = api.post(URL, {"id": ID, "alarm_switch_sub": True})
    changed = api.put(URL, {"id": ID, "alarm_switch_key": True})

    plain = {"id": ID, "id_method": "InstanceId", "keywords": "", "subscriptions": ""}
    assert posted.json() == plain | {"alarm_switch_sub": True, "alarm_switch_key": False}
    assert changed.json() == plain | {"alarm_switch_sub": True, "alarm_switch_key": True}


def test_a_newer_server_answers_200_to_the_old_alarm_field_and_changes_nothing(api, newer_server):
    before = api.post(URL, {"id": ID}).json()

    answer = api.put(URL, {"id": ID, "alarm_switch": True})

    assert (answer.status_code, answer.json()) == (200, before)
    assert "alarm_switch" not in answer.json()
    assert not Device.objects.get().alarm_switch


def test_post_of_an_id_that_exists_is_400_and_changes_nothing(api, device):
    before = api.get(URL, {"id": ID}).json()

    answer = api.post(URL, {"id": ID, "keywords": "졸업"})

    assert answer.status_code == 400
    assert answer.json() == {"id": ["device with this id already exists."]}
    assert api.get(URL, {"id": ID}).json() == before


@pytest.mark.parametrize("subscriptions", WRONG_SUBSCRIPTIONS)
def test_post_with_a_board_that_does_not_exist_is_400(api, boards, subscriptions):
    answer = api.post(URL, {"id": ID, "subscriptions": subscriptions})

    assert answer.status_code == 400
    assert list(answer.json()) == ["subscriptions"]
    assert not Device.objects.exists()


@pytest.mark.parametrize("subscriptions", WRONG_SUBSCRIPTIONS)
def test_put_with_a_board_that_does_not_exist_is_400(api, device, subscriptions):
    answer = api.put(URL, {"id": ID, "keywords": "졸업", "subscriptions": subscriptions})

    assert answer.status_code == 400
    assert list(answer.json()) == ["subscriptions"]
    device.refresh_from_db()
    assert (device.keywords, device.subscriptions) == ("장학+등록", "cse+main")


@pytest.mark.parametrize("method", OTHER_METHODS)
def test_an_unknown_device_is_404(api, device, method):
    answer = getattr(api, method)(URL, {"id": "nosuch"})

    assert answer.status_code == 404
    assert list(answer.json()) == ["detail"]


@pytest.mark.parametrize("method", ["post", *OTHER_METHODS])
@pytest.mark.parametrize(
    "body", [{}, {"id": ""}, {"id": " "}, {"id": "x" * 201}, {"id": "a\0b"}], ids=repr
)
def test_an_id_that_is_none_is_400(api, method, body):
    answer = getattr(api, method)(URL, body)

    assert answer.status_code == 400
    assert list(answer.json()) == ["id"]


@pytest.mark.parametrize("method", ["post", "put", "delete"])
@pytest.mark.parametrize("device_id", [None, True, ["a"], {"a": 1}, "\ud800"], ids=repr)
def test_an_id_of_the_wrong_type_is_400(api, method, device_id):
    body = {"id": device_id}
    if device_id == "\ud800":  # half a character: legal in JSON, in no encoding
        answer = getattr(api, method)(URL, r'{"id": "\ud800"}', content_type="application/json")
    else:
        answer = getattr(api, method)(URL, body)

    assert answer.status_code == 400
    assert list(answer.json()) == ["id"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("keywords", "가" * 501),
        ("keywords", None),
        ("keywords", True),
        ("keywords", ["장학"]),
        ("keywords", "장\0학"),
        ("subscriptions", "c" * 501),
        ("subscriptions", None),
        ("subscriptions", ["cse"]),
        ("subscriptions", "cse\0"),
        ("id_method", ""),
        ("id_method", None),
        ("alarm_switch", "maybe"),
        ("alarm_switch", None),
        ("alarm_switch", []),
    ],
)
def test_a_wrong_value_is_400_on_post_and_put(api, device, field, value):
    posted = api.post(URL, {"id": "new", field: value})
    changed = api.put(URL, {"id": ID, field: value})

    assert (posted.status_code, list(posted.json())) == (400, [field])
    assert (changed.status_code, list(changed.json())) == (400, [field])
    assert [device.id for device in Device.objects.all()] == [ID]


@pytest.mark.parametrize("method", ["post", "put", "delete"])
@pytest.mark.parametrize("body", [b"{", b'{"id": }', b'"text"', b"[]", b"null", b'{"id": "\xff"}'])
def test_a_body_that_is_no_json_object_is_400(api, device, method, body):
    answer = api.generic(method.upper(), URL, body, content_type="application/json")

    assert answer.status_code == 400
    assert isinstance(answer.json(), dict)
    assert Device.objects.count() == 1


def test_a_body_that_is_not_declared_json_is_415(api):
    answer = api.generic("POST", URL, b"id=x", content_type="application/x-www-form-urlencoded")

    assert answer.status_code == 415


def test_a_device_deleted_while_it_is_changed_is_404(api, device, monkeypatch):
    update = DeviceSerializer.update

    def update_after_a_delete(self, instance, validated_data):
        Device.objects.all().delete()
        return update(self, instance, validated_data)

    monkeypatch.setattr(DeviceSerializer, "update", update_after_a_delete)

    assert api.put(URL, {"id": ID, "keywords": "졸업"}).status_code == 404
    assert not Device.objects.exists()


def test_a_post_is_one_insert(api, django_assert_num_queries):
    with django_assert_num_queries(3) as queries:  # the other two are its savepoint
        api.post(URL, {"id": ID})

    assert queries.captured_queries[1]["sql"].startswith("INSERT")


def test_a_put_is_a_select_and_an_update_and_boards_are_looked_up_at_once(
    api, device, django_assert_num_queries
):
    with django_assert_num_queries(2):
        api.put(URL, {"id": ID, "alarm_switch": False})
    with django_assert_num_queries(3):
        api.put(URL, {"id": ID, "subscriptions": "cse+main+law"})

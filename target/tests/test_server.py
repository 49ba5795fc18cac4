import pytest
from django.db import OperationalError, connection

pytestmark = pytest.mark.django_db


def test_healthz_is_ok_while_the_database_answers(api, django_assert_num_queries):
    with django_assert_num_queries(1):
        answer = api.get("/healthz")

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_healthz_is_503_when_the_database_does_not(api):
    def fail(*args):
        raise OperationalError("no connection")

    with connection.execute_wrapper(fail):
        answer = api.get("/healthz")

    assert (answer.status_code, answer.json()) == (503, {"status": "unavailable"})


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/nosuch",
        "/notice/list/",
        "/notice/all/",
        "/accounts/device/",
        "/admin/",
        "/notice/push",
        "/notice/init",
    ],
)
def test_other_paths_are_404_in_json_and_redirect_nowhere(api, path):
    answer = api.get(path)

    assert (answer.status_code, answer.json()) == (404, {"detail": "Not found."})


@pytest.mark.parametrize(
    ("method", "path"),
    [("post", "/notice/list"), ("delete", "/notice/all"), ("patch", "/accounts/device")],
)
def test_a_method_that_a_path_does_not_have_is_405(api, method, path):
    assert getattr(api, method)(path).status_code == 405


@pytest.mark.parametrize(
    "path",
    ["/notice/list", "/notice/all", "/notice/all?page=2", "/accounts/device?id=x", "/healthz"],
)
def test_every_answer_is_json_without_cookies(api, path):
    answer = api.get(path)

    assert answer["Content-Type"] == "application/json"
    assert int(answer["Content-Length"]) == len(answer.content)
    assert not answer.cookies
    assert "Vary" not in answer


def test_no_login_and_no_csrf_token_is_asked_for(api):
    api.handler.enforce_csrf_checks = True

    assert api.post("/accounts/device", {"id": "phone"}).status_code == 201


def test_an_error_of_the_server_is_500_in_json(api):
    def fail(*args):
        raise OperationalError("database is locked")

    with connection.execute_wrapper(fail):
        answer = api.get("/notice/list")

    assert answer.status_code == 500
    assert answer["Content-Type"] == "application/json"


def test_a_host_that_is_not_allowed_is_400_in_json(api):
    answer = api.get("/notice/list", headers={"host": "evil.example"})

    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/json"

from io import StringIO

import pytest
from django.core.management import call_command

from notices.boards import BOARDS

pytestmark = pytest.mark.django_db


def test_every_board_has_a_name_and_the_absolute_url_of_its_notices(api, boards):
    answer = api.get("/notice/list")

    assert answer.status_code == 200
    assert answer.json() == [
        {"name": "컴퓨터공학과", "api_url": "http://testserver/notice/all?target=cse"},
        {"name": "법학과", "api_url": "http://testserver/notice/all?target=law"},
        {"name": "대학 공지사항", "api_url": "http://testserver/notice/all?target=main"},
    ]


def test_api_url_answers_the_notices_of_that_board(api, add_notice):
    add_notice(board="cse", title="컴공")
    add_notice(board="main", title="대학")
    urls = {board["name"]: board["api_url"] for board in api.get("/notice/list").json()}

    page = api.get(urls["컴퓨터공학과"]).json()

    assert [notice["title"] for notice in page["results"]] == ["컴공"]


def test_an_empty_database_has_an_empty_list(api):
    answer = api.get("/notice/list")

    assert (answer.status_code, answer.json()) == (200, [])


def test_the_filled_list_is_tens_of_boards_in_about_3_kb(api):
    call_command("fill_database", notices=300, stdout=StringIO())

    answer = api.get("/notice/list", headers={"host": "127.0.0.1"})

    assert len(answer.json()) == len(BOARDS) == 36
    assert {"cse", "main"} <= BOARDS.keys()
    assert 2500 <= len(answer.content) <= 3500


def test_names_are_sent_as_unescaped_utf_8(api, boards):
    answer = api.get("/notice/list")

    assert answer["Content-Type"] == "application/json"
    assert "컴퓨터공학과".encode() in answer.content


def test_one_query_whatever_the_number_of_boards(api, boards, django_assert_num_queries):
    with django_assert_num_queries(1):
        api.get("/notice/list")

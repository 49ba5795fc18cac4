from datetime import datetime

import pytest

pytestmark = pytest.mark.django_db


def ids(answer):
    return [notice["id"] for notice in answer.json()["results"]]


def test_an_empty_server_has_one_empty_page(api):
    answer = api.get("/notice/all?target=cse+main")

    assert answer.status_code == 200
    assert answer.json() == {"count": 0, "next": None, "previous": None, "results": []}


def test_a_notice_has_the_fields_of_the_contract(api, add_notice):
    add_notice(
        id="cse-000123",
        title="장학 안내",
        link="https://cse.campus.example/notice/123",
        date="2020-09-18",
        author="학생지원팀",
        reference="첨부파일 2개",
        is_fixed=True,
        created_at=datetime.fromisoformat("2020-09-20T00:00:00+00:00"),
    )

    assert api.get("/notice/all").json()["results"] == [
        {
            "id": "cse-000123",
            "title": "장학 안내",
            "link": "https://cse.campus.example/notice/123",
            "date": "2020-09-18",
            "author": "학생지원팀",
            "reference": "첨부파일 2개",
            "is_fixed": True,
            "created_at": "2020-09-20T09:00:00+09:00",
        }
    ]


def test_date_author_and_reference_may_be_null(api, add_notice):
    add_notice(date=None, author=None, reference=None)

    (notice,) = api.get("/notice/all").json()["results"]

    assert (notice["date"], notice["author"], notice["reference"]) == (None, None, None)
    assert notice["is_fixed"] is False


@pytest.mark.parametrize(("page", "size"), [(1, 10), (2, 10), (3, 3)])
def test_a_page_has_ten_notices_and_the_last_the_rest(api, add_notice, page, size):
    for _ in range(23):
        add_notice()

    answer = api.get(f"/notice/all?page={page}")

    assert answer.status_code == 200
    assert answer.json()["count"] == 23
    assert len(ids(answer)) == size


def test_the_pages_together_are_all_notices_once(api, add_notice):
    expected = sorted((add_notice().id for _ in range(23)), reverse=True)

    pages = [ids(api.get(f"/notice/all?page={page}")) for page in (1, 2, 3)]

    assert [*pages[0], *pages[1], *pages[2]] == expected


def test_page_defaults_to_1(api, add_notice):
    for _ in range(11):
        add_notice()

    assert api.get("/notice/all").json() == api.get("/notice/all?page=1").json()


def test_next_and_previous_are_absolute_urls_that_keep_the_query(api, add_notice):
    for _ in range(23):
        add_notice(title="장학")

    pages = [api.get("/notice/all", {"target": "cse main", "q": "장학"}).json()]
    while pages[-1]["next"]:
        assert pages[-1]["next"].startswith("http://testserver/notice/all?")
        pages.append(api.get(pages[-1]["next"]).json())

    assert [len(page["results"]) for page in pages] == [10, 10, 3]
    assert "target=cse+main" in pages[0]["next"]
    assert pages[0]["previous"] is None
    assert api.get(pages[2]["previous"]).json() == pages[1]
    assert api.get(pages[1]["previous"]).json() == pages[0]


@pytest.mark.parametrize("page", ["2", "99999999999999999999", "0", "-1", "x", "1.5", "%00"])
def test_a_page_that_does_not_exist_is_404_with_a_detail(api, add_notice, page):
    add_notice()

    answer = api.get(f"/notice/all?page={page}")

    assert answer.status_code == 404
    assert list(answer.json()) == ["detail"]
    assert isinstance(answer.json()["detail"], str)


@pytest.mark.parametrize(("notices", "status"), [(90, 404), (91, 200)])
def test_page_10_needs_91_notices(api, add_notice, notices, status):
    for _ in range(notices):
        add_notice()

    assert api.get("/notice/all?target=cse&page=10").status_code == status


def test_newest_date_first_then_newest_created_at_then_highest_id(api, add_notice):
    def at(hour):
        return datetime.fromisoformat(f"2020-09-20T{hour:02d}:00:00+09:00")

    add_notice(id="a", date="2020-09-18", created_at=at(20))
    add_notice(id="c", date="2020-09-19", created_at=at(8))
    add_notice(id="b", date="2020-09-19", created_at=at(9))
    add_notice(id="e", date="2020-09-19", created_at=at(8))
    add_notice(id="d", date="2020-09-19", created_at=at(8))

    assert ids(api.get("/notice/all")) == ["b", "e", "d", "c", "a"]


@pytest.mark.parametrize("query", ["", "?target=cse", "?target=cse+main", "?fixed=true"])
def test_notices_without_a_date_come_last_whatever_boards_are_asked(api, add_notice, query):
    late = datetime.fromisoformat("2020-12-31T09:00:00+09:00")
    add_notice(id="undated-old", date=None)
    add_notice(id="undated-new", date=None, created_at=late)
    add_notice(id="dated", date="1999-01-01")

    assert ids(api.get(f"/notice/all{query}")) == ["dated", "undated-new", "undated-old"]


def test_fixed_true_puts_fixed_notices_first_and_orders_each_part(api, add_notice):
    add_notice(id="new", date="2020-09-20")
    add_notice(id="fixed-old", date="2020-09-01", is_fixed=True)
    add_notice(id="old", date="2020-09-02")
    add_notice(id="fixed-new", date="2020-09-10", is_fixed=True)

    assert ids(api.get("/notice/all?fixed=true")) == ["fixed-new", "fixed-old", "new", "old"]


@pytest.mark.parametrize("query", ["", "?fixed=false", "?fixed="])
def test_without_fixed_true_fixed_notices_stand_by_date(api, add_notice, query):
    add_notice(id="new", date="2020-09-20")
    add_notice(id="fixed-old", date="2020-09-01", is_fixed=True)

    assert ids(api.get(f"/notice/all{query}")) == ["new", "fixed-old"]


@pytest.mark.parametrize("query", ["target=cse+main&page=2", "target=cse+main&q=공지"])
def test_a_page_is_a_count_and_a_select(api, add_notice, django_assert_num_queries, query):
    for _ in range(12):
        add_notice()

    with django_assert_num_queries(2) as queries:
        api.get(f"/notice/all?{query}")

    assert "COUNT(*)" in queries.captured_queries[0]["sql"]

import pytest

pytestmark = pytest.mark.django_db


@pytest.fixture
def search(api, add_notice):
    """A function that returns the sorted titles which a query string finds."""
    add_notice(board="cse", title="국가장학금 신청")
    add_notice(board="main", title="등록금 납부")
    add_notice(board="law", title="TOEIC 특강")
    add_notice(board="law", title="100%_할인")

    def find(query):
        answer = api.get(f"/notice/all?{query}")
        assert answer.status_code == 200
        page = answer.json()
        assert page["count"] == len(page["results"])
        return sorted(notice["title"] for notice in page["results"])

    return find


CSE, MAIN, LAW, SALE = "국가장학금 신청", "등록금 납부", "TOEIC 특강", "100%_할인"
EVERY = sorted([CSE, MAIN, LAW, SALE])


@pytest.mark.parametrize(
    ("target", "titles"),
    [
        ("cse", [CSE]),
        ("cse+main", [CSE, MAIN]),
        ("cse%20main", [CSE, MAIN]),
        ("main+cse+cse", [CSE, MAIN]),
        ("all", EVERY),
        ("all+cse", EVERY),
        ("", EVERY),
        ("+", EVERY),
        ("cse+nosuch", [CSE]),
        ("nosuch", []),
        ("cse,main", []),
        ("CSE", []),
        ("cse%00", []),
    ],
)
def test_target_chooses_the_boards(search, target, titles):
    assert search(f"target={target}") == titles


def test_no_target_is_every_board(search):
    assert search("") == EVERY


@pytest.mark.parametrize(
    ("q", "titles"),
    [
        ("장학", [CSE]),
        ("장학+등록", [CSE, MAIN]),
        ("장학%20없는말", [CSE]),
        ("장학금+신청+국가", [CSE]),
        ("없는말", []),
        ("toeic", [LAW]),
        ("ToEiC", [LAW]),
        ("%25", [SALE]),
        ("_", [SALE]),
        ("%5C", []),
        ("'", []),
        ("", EVERY),
        ("+", EVERY),
        ("%00", []),
        ("%00+장학", [CSE]),
        ("%FF", []),
    ],
)
def test_q_keeps_titles_that_contain_any_word(search, q, titles):
    assert search(f"q={q}") == titles


def test_q_looks_at_the_title_alone(search, add_notice):
    add_notice(title="다른 제목", author="장학팀", reference="장학", link="https://x.example/장학")

    assert search("q=장학") == [CSE]


def test_target_and_q_both_apply(search):
    assert search("target=cse&q=장학+등록") == [CSE]


def test_absurdly_many_words_are_refused_and_the_most_allowed_are_not(api, add_notice):
    add_notice(title="w499")

    most = api.get("/notice/all", {"q": " ".join(f"w{n}" for n in range(500))})
    too_many = api.get("/notice/all", {"q": " ".join(f"w{n}" for n in range(501))})

    assert (most.status_code, most.json()["count"]) == (200, 1)
    assert (too_many.status_code, too_many.json()) == (400, {"q": ["At most 500 words."]})

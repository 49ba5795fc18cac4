import hashlib
import math
from collections import Counter
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.core.serializers import serialize

from accounts.models import Device
from notices.boards import BOARDS
from notices.generator import make_notices
from notices.models import Board, Notice

pytestmark = pytest.mark.django_db


def fill(**arguments):
    """Run the command and return what it printed."""
    output = StringIO()
    call_command("fill_database", stdout=output, **arguments)
    return output.getvalue()


def digest():
    """Hash every column of every board and notice."""
    rows = [*Board.objects.all(), *Notice.objects.order_by("id")]
    return hashlib.sha256(serialize("json", rows).encode()).hexdigest()


def test_the_same_arguments_give_the_same_rows_and_another_seed_gives_others():
    digests = []
    for number in (1, 1, 2):
        fill(notices=400, seed=number)
        digests.append(digest())

    assert digests[0] == digests[1] != digests[2]


def test_the_rows_are_those_of_every_other_day_and_machine():
    fill(notices=300, seed=1)

    assert digest() == "1a95559ad9d6a65bae361e70652e8cb01e9edb7e63e940b71a0b795f244a6356"


def test_the_closing_line_counts_what_was_written():
    assert fill(notices=400, seed=7) == (
        "Filled with 36 boards and 400 notices (cse + main: 144) from seed 7.\n"
    )
    assert (Board.objects.count(), Notice.objects.count()) == (36, 400)


def test_filling_again_replaces_notices_and_keeps_devices(add_notice):
    Device.objects.create(id="phone", subscriptions="cse")
    add_notice(id="old")
    Board.objects.create(code="gone", name="없어진 게시판")

    fill(notices=300)

    assert Notice.objects.count() == 300
    assert not Notice.objects.filter(id="old").exists()
    assert set(Board.objects.values_list("code", "name")) == set(BOARDS.items())
    assert Device.objects.get().subscriptions == "cse"


@pytest.mark.parametrize("notices", [-1, 0, 299, 1_000_001])
def test_an_absurd_number_is_refused_in_one_line_and_changes_nothing(add_notice, notices):
    add_notice(id="old")

    with pytest.raises(CommandError, match=rf"^--notices {notices}: give 300 to 1000000;.*$"):
        fill(notices=notices)

    assert [notice.id for notice in Notice.objects.all()] == ["old"]


def test_a_negative_seed_is_refused():
    with pytest.raises(CommandError, match=r"^--seed -1: give 0 or more\.$"):
        fill(seed=-1)


def test_a_failure_half_way_leaves_the_old_notices(add_notice, monkeypatch):
    add_notice(id="old")

    def stop_half_way(count, seed):
        yield from list(make_notices(count, seed))[:100]
        raise RuntimeError("half way")

    monkeypatch.setattr("notices.management.commands.fill_database.make_notices", stop_half_way)
    with pytest.raises(RuntimeError, match="half way"):
        fill()

    assert [notice.id for notice in Notice.objects.all()] == ["old"]


@pytest.mark.parametrize("number", [1, 2, 3])
def test_the_smallest_database_still_has_ten_pages_of_cse_and_main(api, number):
    fill(notices=300, seed=number)

    page = api.get("/notice/all?target=cse+main&page=10")

    assert page.status_code == 200
    assert len(page.json()["results"]) == 10


def test_the_default_database_is_what_the_load_test_needs(api):
    fill()
    notices = list(Notice.objects.order_by("id"))
    boards = Counter(notice.board_id for notice in notices)

    assert len(notices) == 5000
    assert boards.keys() == BOARDS.keys()
    assert boards["cse"] + boards["main"] == 1800
    assert 20 <= sum(notice.date is None for notice in notices) <= 250
    assert 20 <= sum(notice.is_fixed for notice in notices) <= 250
    assert 250 <= sum(notice.author is None for notice in notices) <= 1000
    assert 500 <= sum(notice.reference is None for notice in notices) <= 2500

    pages = [api.get("/notice/all", {"target": "cse main", "page": n}) for n in range(1, 11)]
    seen = [notice["id"] for page in pages for notice in page.json()["results"]]
    expected = sorted(
        (notice for notice in notices if notice.board_id in ("cse", "main")),
        key=lambda n: (-n.date.toordinal() if n.date else math.inf, -n.created_at.timestamp()),
    )
    assert {notice.id for notice in expected[:95]} <= set(seen)
    assert len(set(seen)) == 100

    for q in ("장학", "장학 등록", "toeic", "[채용]", "python 기숙사", "축제"):
        words = q.lower().split()
        hits = sum(any(word in notice.title.lower() for word in words) for notice in notices)
        assert api.get("/notice/all", {"q": q}).json()["count"] == hits, q
    assert api.get("/notice/all?target=cse+main&q=장학&page=2").status_code == 200
    assert api.get("/notice/all?q=축제").json()["count"] == 0


def test_every_row_fits_its_columns():
    for notice in make_notices(300, seed=5):
        notice.clean_fields(exclude=["board"])


def test_links_and_ids_are_unique():
    notices = list(make_notices(1000, seed=3))

    assert len({notice.id for notice in notices}) == 1000
    assert len({notice.link for notice in notices}) == 1000

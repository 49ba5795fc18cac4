from collections.abc import Callable
from datetime import datetime
from threading import Barrier, Thread

import pytest
from django.conf import settings
from django.db import connection
from rest_framework.test import APIClient

from notices.models import Board, Notice


@pytest.fixture(scope="session")
def django_db_modify_db_settings(tmp_path_factory):
    """Put SQLite's test database into a file: one in memory has no WAL and no busy timeout."""
    database = settings.DATABASES["default"]
    if "sqlite3" in database["ENGINE"]:
        path = tmp_path_factory.mktemp("database") / "test.sqlite3"
        connection.settings_dict["TEST"]["NAME"] = str(path)


@pytest.fixture
def api():
    """A client that answers 500 as a server does, instead of raising."""
    return APIClient(raise_request_exception=False)


@pytest.fixture
def boards(db):
    return Board.objects.bulk_create(
        Board(code=code, name=name)
        for code, name in [("main", "대학 공지사항"), ("cse", "컴퓨터공학과"), ("law", "법학과")]
    )


@pytest.fixture
def add_notice(boards):
    """A function that stores one notice, numbered, with the given fields."""
    made = iter(range(1, 10_000))

    def add(**fields):
        number = next(made)
        board = fields.pop("board", "cse")
        values = {
            "id": f"{board}-{number:06d}",
            "title": f"공지 {number}",
            "link": f"https://{board}.campus.example/notice/{number}",
            "date": "2020-09-20",
            "created_at": datetime.fromisoformat("2020-09-20T09:00:00+09:00"),
        }
        return Notice.objects.create(board_id=board, **(values | fields))

    return add


def run_together(*calls: Callable[[], object]) -> list[object]:
    """Run the calls in threads that start at the same moment; return what they returned."""
    start = Barrier(len(calls))
    results: list[object] = [None] * len(calls)

    def run(index: int, call: Callable[[], object]) -> None:
        try:
            start.wait(timeout=10)
            results[index] = call()
        finally:
            connection.close()

    threads = [Thread(target=run, args=item) for item in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    return results

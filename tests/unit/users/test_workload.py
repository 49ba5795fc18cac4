"""What the tasks of users declare, and what is refused about it."""

from __future__ import annotations

from types import SimpleNamespace

import locust
from locust import tag, task

import pytest

from harness import ConfigurationError
from harness.http import endpoint
from harness.users import sends
from harness.users.workload import check_endpoints, check_tags, endpoints_of, weights_of

LIST = endpoint("GET", "/items", 200, list[str])
ORDER = endpoint("POST", "/orders", 201, None)


class Shopper(locust.User):
    abstract = True

    @task(3)
    @tag("read")
    @sends(LIST)
    def look_around(self) -> None: ...

    @task
    @sends(ORDER)
    def order(self) -> None: ...


def test_weights_and_endpoints_are_those_of_the_tasks() -> None:
    assert weights_of([Shopper]) == {"look_around": 3, "order": 1}
    assert endpoints_of([Shopper]) == ["GET /items", "POST /orders"]


def test_an_endpoint_that_the_suite_does_not_list_is_refused() -> None:
    """Objectives could not name it, and its rows would be unexpected."""
    check_endpoints([Shopper], (LIST, ORDER))
    with pytest.raises(ConfigurationError) as refused:
        check_endpoints([Shopper], (LIST,))
    assert str(refused.value) == (
        "the task order sends to POST /orders, which is not among the endpoints of the suite; "
        "add it to ENDPOINTS of the contract"
    )


def test_a_tag_that_no_task_has_is_refused() -> None:
    check_tags(SimpleNamespace(tags=["read"], exclude_tags=None), [Shopper])
    with pytest.raises(ConfigurationError, match=r"^unknown tags: reed; choose from read$"):
        check_tags(SimpleNamespace(tags=["reed"], exclude_tags=None), [Shopper])

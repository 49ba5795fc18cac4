"""What users do: their tasks, weights and tags, and the endpoints that the tasks call."""

from __future__ import annotations

from argparse import Namespace
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from locust import User

from harness import ConfigurationError
from harness.http.request import Endpoint

Task = TypeVar("Task", bound=Callable[..., None])


def sends(*endpoints: Endpoint) -> Callable[[Task], Task]:
    """Declare which endpoints a task calls; a run that never calls one of them is invalid."""

    def marked(task: Task) -> Task:
        task.sends = endpoints  # type: ignore[attr-defined]
        return task

    return marked


def tasks_of(user_classes: Iterable[type[User]]) -> list[Any]:
    """Return the tasks of some users, each repeated as often as its weight."""
    return [task for user_class in user_classes for task in user_class.tasks]


def weights_of(user_classes: Iterable[type[User]]) -> dict[str, int]:
    """Return the weight of each task by name."""
    return dict(Counter(task.__name__ for task in tasks_of(user_classes)))


def endpoints_of(user_classes: Iterable[type[User]]) -> list[str]:
    """Return the declared endpoints of the task mix, such as "GET /x", sorted."""
    sent = (each for task in tasks_of(user_classes) for each in getattr(task, "sends", ()))
    return sorted({f"{endpoint.method} {endpoint.name}" for endpoint in sent})


def check_endpoints(user_classes: Iterable[type[User]], known: Iterable[Endpoint]) -> None:
    """Raise a ConfigurationError if a task declares an endpoint that the suite does not list.

    Objectives could not name it, and a run's statistics would have a row that nothing expects.
    """
    listed = {(endpoint.method, endpoint.name) for endpoint in known}
    for task in tasks_of(user_classes):
        for endpoint in getattr(task, "sends", ()):
            if (endpoint.method, endpoint.name) not in listed:
                raise ConfigurationError(
                    f"the task {task.__name__} sends to {endpoint.method} {endpoint.name}, which "
                    "is not among the endpoints of the suite; add it to ENDPOINTS of the contract"
                )


def check_tags(options: Namespace, user_classes: Iterable[type[User]]) -> None:
    """Raise a ConfigurationError if a tag on the command line belongs to no task."""
    tasks = tasks_of(user_classes)
    known = {tag for task in tasks for tag in getattr(task, "locust_tag_set", ())}
    unknown = {*(options.tags or ()), *(options.exclude_tags or ())} - known
    if unknown:
        raise ConfigurationError(
            f"unknown tags: {', '.join(sorted(unknown))}; choose from {', '.join(sorted(known))}"
        )


def defined_users(base: type[User] = User) -> Iterator[type[User]]:
    """Yield every user class that is defined and not abstract."""
    for user_class in base.__subclasses__():
        if not user_class.abstract:
            yield user_class
        yield from defined_users(user_class)


def task_mix() -> str:
    """Return all defined users with their tasks and weights, as one text.

    Call it before Locust filters the tasks by tags. For a worker that connects late, that may
    happen before `init`.
    """
    mixes = (
        f"{user.__name__}({', '.join(f'{task} {n}' for task, n in sorted(weights.items()))})"
        for user in defined_users()
        for weights in (weights_of([user]),)
    )
    return "; ".join(sorted(mixes))

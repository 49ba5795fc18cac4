"""The services in containers, started once for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.compose_stack import Stack, missing


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    if reason := missing():
        pytest.skip(reason)
    stack = Stack(tmp_path_factory.mktemp("compose"))
    try:
        try:
            stack.start(workers=2)
        except BaseException:
            print(stack.logs())
            raise
        yield stack
    finally:
        stack.remove()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Show what the containers have said beside what has failed."""
    report = yield
    if report.failed and isinstance(stack := item.funcargs.get("stack"), Stack):
        report.sections.append(("logs of the containers", stack.logs()))
    return report

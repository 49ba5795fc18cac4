"""What the modules may know of each other, read from the sources."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import locust  # noqa: F401 - first, for gevent's monkey patching

import pytest

from harness.config.settings import PROJECT_DIR
from tasks import devices, notices

HARNESS = sorted((PROJECT_DIR / "harness").rglob("*.py"))
TASKS = sorted((PROJECT_DIR / "tasks").glob("*.py"))
API = sorted((PROJECT_DIR / "notice_api").glob("*.py"))
LOCUSTFILE = PROJECT_DIR / "locustfile.py"
SOURCES = [*HARNESS, *TASKS, *API, LOCUSTFILE]
WITHOUT_LOCUST = (
    "harness.config",
    "harness.report.files",
    "harness.results.judging",
    "harness.results.interim_verdict",
    "harness.experiments.compare.judging",
    "harness.experiments.compare.report.files",
    "harness.experiments.regression.slowdown",
    "notice_api",
)
MAX_MODULES, MAX_LINES = 9, 350
"""In a package, and in a module: more is a sign of two subjects."""


def name_of(path: Path) -> str:
    return str(path.relative_to(PROJECT_DIR))


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(path: Path) -> Iterator[str]:
    """Yield every imported name in full: `harness.config.settings.Settings`, `locust`, ..."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


PACKAGES = sorted({path.parent for path in HARNESS})


@pytest.mark.parametrize("package", PACKAGES, ids=name_of)
def test_a_package_says_what_it_is_for_and_is_small(package: Path) -> None:
    lines = (package / "__init__.py").read_text(encoding="utf-8").splitlines()
    docstring = ast.get_docstring(tree_of(package / "__init__.py")) or ""
    assert docstring.endswith(".") and lines, "its purpose stands at its head"
    modules = [path for path in package.glob("*.py") if path.stem not in ("__init__", "__main__")]
    assert len(modules) <= MAX_MODULES
    for path in modules:
        assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_LINES, path.name


def test_nothing_stands_beside_the_packages() -> None:
    modules = {path.name for path in (PROJECT_DIR / "harness").glob("*.py")}
    assert modules == {"__init__.py", "__main__.py", "processes.py"}


def test_tasks_and_locustfile_see_no_settings_sockets_or_clients() -> None:
    for path in (*TASKS, LOCUSTFILE):
        roots = {name.split(".")[0] for name in imported(path)}
        assert roots <= {"collections", "locust", "harness", "notice_api", "tasks"}, path.name


@pytest.mark.parametrize("module", WITHOUT_LOCUST)
def test_what_only_computes_brings_no_locust_in(module: str) -> None:
    code = f"import sys, {module}; print({{'locust', 'gevent', 'requests'}} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT_DIR, capture_output=True, text=True, check=False
    )
    assert (done.stdout.strip(), done.stderr) == ("set()", "")


ENVIRONMENT_READERS = (
    "harness/config/settings.py",
    "harness/commands/run.py",  # what Locust would take for --host
    "harness/processes.py",  # children inherit it
)


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_settings_have_one_door(path: Path) -> None:
    environment = [
        ast.unparse(node)
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "environb", "getenv")
    ]
    environment += [name for name in imported(path) if re.match(r"os\.(environ|getenv)", name)]
    if name_of(path) in ENVIRONMENT_READERS:
        assert set(environment) == {"os.environ"}
    else:
        assert not environment


def attributes_of(node: ast.ClassDef) -> set[str]:
    """Return the names that a class defines, or sets on `self`."""
    names = {each.name for each in node.body if isinstance(each, ast.FunctionDef)}
    for each in ast.walk(node):
        if isinstance(each, ast.AnnAssign | ast.Assign):
            targets = each.targets if isinstance(each, ast.Assign) else [each.target]
            for target in (name for found in targets for name in ast.walk(found)):
                if isinstance(target, ast.Name):
                    names.add(target.id)
                elif isinstance(target, ast.Attribute):
                    names.add(target.attr)
    return names


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_docstrings_name_attributes_that_exist(path: Path) -> None:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.ClassDef):
            _, _, listed = (ast.get_docstring(node) or "").partition("Attributes:\n")
            documented = set(re.findall(r"^    (\w+):", listed, re.MULTILINE))
            assert documented <= attributes_of(node), node.name


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_paths_of_the_api_stand_in_the_contract_alone(path: Path) -> None:
    found = re.findall(r"/notice/|/accounts/", path.read_text(encoding="utf-8"))
    assert bool(found) == (name_of(path) == "notice_api/contract.py")


def notice_user() -> dict[str, ast.expr]:
    (user,) = (node for node in tree_of(LOCUSTFILE).body if isinstance(node, ast.ClassDef))
    assert user.name == "NoticeUser"
    return {
        ast.unparse(target): node.value
        for node in user.body
        if isinstance(node, ast.Assign)
        for target in node.targets
    }


ORIGINAL_WEIGHTS = {
    "search_notices": 3,
    "browse_pages": 3,
    "subscribe": 1,
    "set_keywords": 1,
    "switch_alarm": 1,
    "list_boards": 1,
}
"""Those of the original test (2020-09-20); tasks of your own may stand beside them."""


def test_the_original_tasks_have_their_weights_literally_in_the_locustfile() -> None:
    table = notice_user()["tasks"]
    assert isinstance(table, ast.Dict)
    names = [ast.unparse(key) for key in table.keys if key is not None]
    weights = {
        name: ast.literal_eval(value) for name, value in zip(names, table.values, strict=True)
    }
    assert len(weights) == len(names) == len(table.values)
    assert {name: weights.get(name) for name in ORIGINAL_WEIGHTS} == ORIGINAL_WEIGHTS


def test_the_rest_of_the_original_test() -> None:
    assert ast.unparse(notice_user()["wait_time"]) == "between(1, 5)"
    assert (notices.LAST_PAGE, notices.LIST_REQUESTS) == (10, 5)


def test_the_tags_of_the_tasks() -> None:
    tags = {
        function.__name__: function.locust_tag_set
        for module in (devices, notices)
        for function in vars(module).values()
        if hasattr(function, "locust_tag_set")
    }
    original = {
        "search_notices": {"read", "search"},
        "browse_pages": {"read", "browse"},
        "list_boards": {"read", "list"},
        "subscribe": {"write", "device"},
        "set_keywords": {"write", "device"},
        "switch_alarm": {"write", "device"},
    }
    assert {name: tags.get(name) for name in original} == original


def test_make_runs_every_file_of_tests() -> None:
    makefile = (PROJECT_DIR / "Makefile").read_text()
    suite = re.search(r"^SUITE = (.*\\\n)*.*$", makefile, re.MULTILINE)
    assert suite
    run = set()
    for pattern in re.findall(r"tests/[^\s)]+", suite[0]):
        for path in PROJECT_DIR.glob(pattern):
            run |= set(path.rglob("test_*.py")) if path.is_dir() else {path}
    assert "$(BIN)/python -m pytest --exitfirst tests/compose" in makefile, "where Docker is"
    run |= set((PROJECT_DIR / "tests" / "compose").rglob("test_*.py"))
    assert run == set((PROJECT_DIR / "tests").rglob("test_*.py"))

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

from harness.settings import PROJECT_DIR
from tasks import devices, notices

HARNESS = sorted((PROJECT_DIR / "harness").rglob("*.py"))
TASKS = sorted((PROJECT_DIR / "tasks").glob("*.py"))
LOCUSTFILE = PROJECT_DIR / "locustfile.py"
SOURCES = [*HARNESS, *TASKS, LOCUSTFILE]
PURE = (
    "contract",
    "settings",
    "runfolder",
    "data",
    "guard",
    "objectives",
    "figures",
    "verdict",
    "result",
    "report",
    "compare",
    "two_runs",
)


def module_of(path: Path) -> str:
    """Return the module of the harness that a file is, or is a part of."""
    return path.relative_to(PROJECT_DIR / "harness").with_suffix("").parts[0]


def name_of(path: Path) -> str:
    return str(path.relative_to(PROJECT_DIR))


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(path: Path) -> Iterator[str]:
    """Yield every imported name in full: `harness.settings.Settings`, `locust`, ..."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", HARNESS, ids=name_of)
def test_the_harness_does_not_know_the_tasks(path: Path) -> None:
    roots = {name.split(".")[0] for name in imported(path)}
    assert not roots & {"tasks", "locustfile", "tests", "target", "conf"}


def test_tasks_and_locustfile_see_no_settings_sockets_or_clients() -> None:
    for path in (*TASKS, LOCUSTFILE):
        roots = {name.split(".")[0] for name in imported(path)}
        assert roots <= {"collections", "locust", "harness", "tasks"}, path.name


@pytest.mark.parametrize("module", PURE)
def test_pure_modules_import_no_locust(module: str) -> None:
    files = [path for path in HARNESS if module_of(path) == module]
    roots = {name.split(".")[0] for path in files for name in imported(path)}
    assert files and not roots & {"locust", "gevent", "requests", "urllib3", "socket"}


def test_pure_modules_bring_no_locust_in() -> None:
    imports = ", ".join(f"harness.{module}" for module in PURE)
    code = f"import sys, {imports}; print({{'locust', 'gevent', 'requests'}} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT_DIR, capture_output=True, text=True, check=False
    )
    assert (done.stdout.strip(), done.stderr) == ("set()", "")


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_settings_have_one_door(path: Path) -> None:
    environment = [
        ast.unparse(node)
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "environb", "getenv")
    ]
    environment += [name for name in imported(path) if re.match(r"os\.(environ|getenv)", name)]
    if path.parent.name == "harness" and path.stem in ("settings", "processes", "__main__"):
        assert set(environment) == {"os.environ"}
    else:
        assert not environment


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_paths_of_the_api_stand_in_the_contract_alone(path: Path) -> None:
    found = re.findall(r"/notice/|/accounts/", path.read_text(encoding="utf-8"))
    assert bool(found) == (path.name == "contract.py")


def notice_user() -> dict[str, ast.expr]:
    (user,) = (node for node in tree_of(LOCUSTFILE).body if isinstance(node, ast.ClassDef))
    assert user.name == "NoticeUser"
    return {
        ast.unparse(target): node.value
        for node in user.body
        if isinstance(node, ast.Assign)
        for target in node.targets
    }


def test_the_weights_are_the_seeds() -> None:
    table = notice_user()["tasks"]
    assert isinstance(table, ast.Dict)
    names = [ast.unparse(key) for key in table.keys if key is not None]
    weights = {
        name: ast.literal_eval(value) for name, value in zip(names, table.values, strict=True)
    }
    assert len(weights) == len(names) == len(table.values)
    assert sum(weights.values()) == 10
    assert weights == {
        "search_notices": 3,
        "browse_pages": 3,
        "subscribe": 1,
        "set_keywords": 1,
        "switch_alarm": 1,
        "list_boards": 1,
    }


def test_the_rest_of_the_seed() -> None:
    assert ast.unparse(notice_user()["wait_time"]) == "between(1, 5)"
    assert (notices.LAST_PAGE, notices.LIST_REQUESTS) == (10, 5)


def test_the_tags_of_the_tasks() -> None:
    tags = {
        function.__name__: function.locust_tag_set
        for module in (devices, notices)
        for function in vars(module).values()
        if hasattr(function, "locust_tag_set")
    }
    assert tags == {
        "search_notices": {"read", "search"},
        "browse_pages": {"read", "browse"},
        "list_boards": {"read", "list"},
        "subscribe": {"write", "device"},
        "set_keywords": {"write", "device"},
        "switch_alarm": {"write", "device"},
    }


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

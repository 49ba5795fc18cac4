"""conf/deployments.toml: what is read from it, and what a wrong line gets."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness import ConfigurationError
from harness.experiments import deployments
from harness.experiments.deployments import Deployment

RIGHT = '[mine]\ncommand = ["{python}", "serve.py", "{address}"]\n'


def refusal(folder: Path, text: str) -> str:
    path = folder / "deployments.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        deployments.load(path)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message.replace(str(path), "FILE")


def test_the_shipped_ones_each_add_one_thing() -> None:
    shipped = deployments.load()
    assert list(shipped) == ["runserver", "gunicorn", "gunicorn-threads", "gunicorn-nginx"]
    workers = {
        name: each.command[each.command.index("--workers") :][:2]
        for name, each in shipped.items()
        if "--workers" in each.command
    }
    assert set(map(tuple, workers.values())) == {("--workers", "2")}
    assert [name for name, each in shipped.items() if "--threads" in each.command] == [
        "gunicorn-threads"
    ]
    assert [name for name, each in shipped.items() if each.nginx] == ["gunicorn-nginx"]
    assert deployments.DEFAULT in shipped


def test_a_table_is_a_deployment(tmp_path: Path) -> None:
    path = tmp_path / "deployments.toml"
    path.write_text(RIGHT + 'environment = { THREADS = "4" }\nhealth = "/"\n', encoding="utf-8")
    assert deployments.load(path) == {
        "mine": Deployment(
            name="mine",
            title="mine",
            command=["{python}", "serve.py", "{address}"],
            environment={"THREADS": "4"},
            health="/",
        )
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "FILE names no deployment"),
        ("[mine\n", "FILE: Expected ']' at the end of a table declaration (at line 1, column 6)"),
        ("mine = 1\n", "FILE, line 1: 'mine' stands outside of a table; begin one with [name]"),
        ("[mine]\n", 'FILE, line 1: there is no command; write command = ["program", "argument"]'),
        (
            '["a/b"]\ncommand = ["x"]\n',
            "FILE, line 1: ['a/b'] cannot name a folder; use letters, digits, '.', '_' and '-'",
        ),
        (RIGHT + "comand = 1\n", "FILE, line 3: unknown key 'comand'; did you mean 'command'?"),
        (RIGHT + "name = 1\n", "FILE, line 3: unknown key 'name'; write one of title, "),
        (
            '[mine]\ncommand = "gunicorn app"\n',
            "FILE, line 2: command is wrong: Expected `array`, got `str` - at `$.command`",
        ),
        (
            '[mine]\ncommand = ["serve", "{adress}"]\n',
            "FILE, line 2: unknown {adress}; did you mean 'address'?",
        ),
        (RIGHT + 'nginx = "unix:{socket}"\n', "FILE, line 3: unknown {socket}; write one of "),
        (RIGHT + 'folder = "nowhere"\n', "FILE, line 3: there is no folder nowhere"),
        (
            RIGHT + 'health = "healthz"\n',
            "FILE, line 3: health = 'healthz': write a path, such as /healthz",
        ),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, text: str, expected: str) -> None:
    assert refusal(tmp_path, text).startswith(expected)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"cannot read .*see DEPLOYMENTS_FILE"):
        deployments.load(tmp_path / "none.toml")


def test_without_nginx_one_is_told_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    shipped = deployments.load()
    with pytest.raises(ConfigurationError, match=r"needs nginx: install it .*apt-get install"):
        deployments.check_programs(shipped["gunicorn-nginx"])
    deployments.check_programs(shipped["gunicorn"])

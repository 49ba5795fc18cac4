"""Reads the deployments of the server under test, and starts, awaits and stops one of them.

Invariant: a server leaves only its logs behind. The filled database that it copies never changes.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template
from types import TracebackType
from typing import Any
from urllib.parse import quote

import msgspec
from msgspec import Struct

from harness import ConfigurationError
from harness.config import toml
from harness.config.settings import PROJECT_DIR
from harness.processes import (
    child_environment,
    find_program,
    free_port,
    last_line,
    open_directly,
    start_process,
    stop_processes,
)
from harness.results.run_folder import data_hash

DEPLOYMENTS = PROJECT_DIR / "conf" / "deployments.toml"
NGINX_TEMPLATE = PROJECT_DIR / "conf" / "nginx.conf.template"
TARGET_DIR = PROJECT_DIR / "target"
DEFAULT = "gunicorn-threads"
NOTICES = 5000
SEED = 1
"""Rows of the database, and the random seed that they follow from."""

START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 10.0
HEALTH_TIMEOUT_S = 1.0
POLL_S = 0.1

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
"""A deployment's name is part of the names of folders."""
PLACE = re.compile(r"\{(\w*)\}")
PLACES = ("address", "port", "python", "tmp")


class Deployment(Struct, frozen=True, kw_only=True):
    """A table of `conf/deployments.toml`, where the keys are documented."""

    name: str = ""
    title: str = ""
    command: list[str] = []
    health: str = "/healthz"
    folder: str = "target"
    environment: dict[str, str] = {}
    nginx: str | None = None


KEYS = tuple(key for key in Deployment.__struct_fields__ if key != "name")


def load(path: Path = DEPLOYMENTS) -> dict[str, Deployment]:
    """Read the deployments, in the order of the file.

    Raises:
        ConfigurationError: the file cannot be read, or a line is wrong; names the line.
    """
    text, name = toml.read(path, "DEPLOYMENTS_FILE"), str(path)
    found = {
        deployment: _deployment(text, name, deployment, table)
        for deployment, table in toml.parse(text, name).items()
    }
    if not found:
        raise ConfigurationError(f"{path} names no deployment")
    return found


def _deployment(text: str, file: str, name: str, table: Any) -> Deployment:
    def wrong(what: str, *keys: str) -> ConfigurationError:
        return toml.wrong(text, file, what, name, *keys)

    if not isinstance(table, dict):
        raise wrong(f"{name!r} stands outside of a table; begin one with [name]")
    if not NAME.fullmatch(name):
        raise wrong(f"[{name!r}] cannot name a folder; use letters, digits, '.', '_' and '-'")
    toml.check_keys(text, file, table, KEYS, name)
    found = toml.struct(text, file, table, Deployment, name)
    for key, value in (("command", " ".join(found.command)), ("nginx", found.nginx or "")):
        for place in PLACE.findall(value):
            if place not in PLACES:
                raise wrong(f"unknown {{{place}}}; {toml.hint(place, PLACES)}", key)
    if not found.command:
        raise wrong('there is no command; write command = ["program", "argument"]')
    if not (PROJECT_DIR / found.folder).is_dir():
        raise wrong(f"there is no folder {found.folder}", "folder")
    if not found.health.startswith("/"):
        raise wrong(f"health = {found.health!r}: write a path, such as /healthz", "health")
    return msgspec.structs.replace(found, name=name, title=found.title or name)


class Server:
    """A deployment that runs on a free loopback port while the context is entered.

    Its database is a copy of one that is filled once, so that every start finds the same rows.
    `url` is empty before the start.
    """

    def __init__(
        self, deployment: Deployment, folder: Path, alarm_fields: Sequence[str] = ()
    ) -> None:
        """Keep the database and the logs in `folder`, which must exist."""
        self._deployment = deployment
        self._folder = folder
        self._alarm_fields = alarm_fields
        self._programs: dict[str, subprocess.Popen[bytes]] = {}
        self._tmp: Path | None = None
        self.url = ""

    @property
    def pids(self) -> list[int]:
        """Return the process ids of its programs."""
        return [process.pid for process in self._programs.values()]

    def __enter__(self) -> Server:
        """Start it and wait until it is healthy.

        Raises:
            ConfigurationError: the database cannot be filled, or the server does not start or
                become healthy; says why.
        """
        try:
            self._start()
            self._await_health()
        except BaseException:  # Python calls __exit__ only after __enter__ has returned
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop all its processes, nginx first; keep the logs, delete the database."""
        stop_processes(list(reversed(self._programs.values())), STOP_TIMEOUT_S)
        for path in self._folder.glob("target.sqlite3*"):
            path.unlink(missing_ok=True)
        if self._tmp is not None:
            shutil.rmtree(self._tmp, ignore_errors=True)

    def died(self) -> str | None:
        """Return which program ended by itself, and how; None if none did."""
        for name, process in self._programs.items():
            code = process.poll()
            if code is not None:
                how = f"signal {-code}" if code < 0 else f"exit code {code}"
                return f"{name} ended with {how}: {self._log_tail(name)}"
        return None

    def _start(self) -> None:
        deployment = self._deployment
        check_programs(deployment)
        database = self._folder / "target.sqlite3"
        shutil.copyfile(filled_database(), database)
        # Not in `folder`: the path of a Unix socket is limited to 107 bytes.
        self._tmp = Path(tempfile.mkdtemp(prefix="notice-load-"))
        port = free_port()
        address = f"127.0.0.1:{port}"
        self.url = f"http://{address}"
        places = {
            "python": sys.executable,
            "address": address,
            "port": str(port),
            "tmp": str(self._tmp),
        }
        environment = _target_environment(database, self._alarm_fields) | deployment.environment
        command = [_filled(part, places) for part in deployment.command]
        self._run("target", command, environment, PROJECT_DIR / deployment.folder)
        if deployment.nginx:
            self._run("nginx", _nginx_command(deployment.nginx, places), None, None)

    def _run(
        self, name: str, command: Sequence[str], env: Mapping[str, str] | None, cwd: Path | None
    ) -> None:
        try:
            log = self._folder / f"{name}.log"
            self._programs[name] = start_process(command, log=log, env=env, cwd=cwd)
        except OSError as error:
            raise ConfigurationError(
                f"{command[0]} of the deployment {self._deployment.name} cannot be started: "
                f"{error.strerror}"
            ) from None

    def _await_health(self) -> None:
        latest = time.monotonic() + START_TIMEOUT_S
        said = "no answer"
        while time.monotonic() < latest:
            for name, process in self._programs.items():
                if process.poll() is not None:
                    raise ConfigurationError(
                        f"the {name} ended at its start: {self._log_tail(name)}"
                    )
            try:
                with open_directly(self.url + self._deployment.health, HEALTH_TIMEOUT_S):
                    return
            except OSError as error:
                said = str(error)
                time.sleep(POLL_S)
        raise ConfigurationError(
            f"the target was not healthy after {START_TIMEOUT_S:.0f} s: "
            f"{self._deployment.health} gave {said}; {self._log_tail('target')}"
        )

    def _log_tail(self, name: str) -> str:
        log = self._folder / f"{name}.log"
        return f"{last_line(log)} (more in {log})"


def _filled(text: str, places: Mapping[str, str]) -> str:
    return PLACE.sub(lambda place: places[place[1]], text)


def check_programs(deployment: Deployment) -> None:
    """Check that the programs of a deployment are installed.

    Raises:
        ConfigurationError: nginx is missing; says how to install it.
    """
    if deployment.nginx and find_program("nginx") is None:
        raise ConfigurationError(
            f"the deployment {deployment.name} needs nginx: install it (Debian, Ubuntu: apt-get "
            "install nginx-light), or leave this deployment out"
        )


def _nginx_command(upstream: str, places: Mapping[str, str]) -> list[str]:
    tmp = places["tmp"]
    template = Template(NGINX_TEMPLATE.read_text(encoding="utf-8"))
    values = {
        "NGINX_LISTEN": places["address"],
        "NGINX_DIR": tmp,
        "NGINX_UPSTREAM": _filled(upstream, places),
    }
    path = Path(tmp) / "nginx.conf"
    path.write_text(template.safe_substitute(values), encoding="utf-8")
    # Started by root, nginx would run its workers as a user who may not enter `tmp`.
    as_root = "user root; " if os.geteuid() == 0 else ""
    directives = f"{as_root}daemon off;"
    program = find_program("nginx") or "nginx"
    return [program, "-c", str(path), "-p", tmp, "-e", "stderr", "-g", directives]


def filled_database() -> Path:
    """Return a migrated and filled SQLite file, made by the first call and kept in `target/`.

    Its name has a hash of the code that fills it, so that a changed target gets a new one.

    Raises:
        ConfigurationError: a command of the target failed; shows its last line.
    """
    sources = [*TARGET_DIR.glob("*/migrations/*.py"), *TARGET_DIR.glob("notices/**/*.py")]
    sources += [TARGET_DIR / "requirements.txt"]
    kept = TARGET_DIR / f"filled-{NOTICES}-{SEED}-{data_hash(sources)[:12]}.sqlite3"
    if kept.exists():
        return kept
    # Renamed when complete, so that an interrupted call leaves no half-filled database.
    unfinished = kept.with_name(f"unfinished-{os.getpid()}.sqlite3")
    fill = ["fill_database", "--notices", str(NOTICES), "--seed", str(SEED)]
    try:
        for arguments in (["migrate", "--verbosity", "0"], fill):
            result = subprocess.run(
                [sys.executable, "manage.py", *arguments],
                cwd=TARGET_DIR,
                env=_target_environment(unfinished),
                capture_output=True,
                text=True,
                check=False,
            )
            if result.returncode:
                words = (result.stderr or result.stdout).strip().splitlines() or ["no word"]
                raise ConfigurationError(f"the target's {arguments[0]} failed: {words[-1]}")
        unfinished.replace(kept)
    finally:
        for path in TARGET_DIR.glob(f"{unfinished.name}*"):
            path.unlink(missing_ok=True)
    return kept


def _target_environment(database: Path, alarm_fields: Sequence[str] = ()) -> dict[str, str]:
    own = {
        "DATABASE_URL": f"sqlite:///{quote(str(database.resolve()))}",
        "DJANGO_SETTINGS_MODULE": "noticeboard.settings",
        "DEBUG": "0",
        "PYTHONUNBUFFERED": "1",
    }
    return child_environment(**own, ALARM_FIELDS=",".join(alarm_fields))

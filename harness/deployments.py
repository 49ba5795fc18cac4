"""Starts, awaits and stops the reference server, whatever happens to the one who started it."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

from harness import ConfigurationError
from harness.runfolder import data_hash
from harness.settings import PROJECT_DIR

TARGET_DIR = PROJECT_DIR / "target"
NOTICES = 5000
SEED = 1
WORKERS = 2
THREADS = 4

START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 10.0
POLL_S = 0.1

_PR_SET_PDEATHSIG = 1


def start_process(
    command: Sequence[str],
    *,
    log: Path | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> subprocess.Popen[bytes]:
    """Start a program in a process group of its own, so that Ctrl-C reaches it only through us.

    On Linux the kernel sends it SIGTERM when this process dies, even by SIGKILL.

    Args:
        command: program and arguments.
        log: file that gets its output; without it the output is shown.
        env: its environment.
        cwd: its working directory.
    """
    output = log.open("ab") if log is not None else None
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT if output else None,
            env=env,
            cwd=cwd,
            start_new_session=True,
            preexec_fn=_die_with_parent(os.getpid()) if sys.platform == "linux" else None,
        )
    finally:
        if output is not None:
            output.close()


def _die_with_parent(parent: int) -> Callable[[], None]:
    prctl = ctypes.CDLL(None).prctl

    def before_exec() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it died between the fork and the line above
            os._exit(1)

    return before_exec


def stop_process(process: subprocess.Popen[bytes], timeout_s: float = STOP_TIMEOUT_S) -> None:
    """End a program and all of its process group: asked first, killed after `timeout_s`."""
    stop_processes([process], timeout_s)


def stop_processes(processes: Sequence[subprocess.Popen[bytes]], timeout_s: float) -> None:
    """End programs and their process groups: all asked first, then killed after `timeout_s`."""
    latest = time.monotonic() + timeout_s
    for process in processes:
        if process.poll() is None:
            process.terminate()
    for process in processes:
        with suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, latest - time.monotonic()))
    for process in processes:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def free_port() -> int:
    """Return a loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class ReferenceServer:
    """The project's own notice server: gunicorn on a free loopback port, SQLite, seeded.

    A context manager. The database is a copy of one that is seeded once and then kept, so that
    every run begins with the same rows and leaves no trace in the next.
    """

    name = "gunicorn"

    def __init__(self, folder: Path, alarm_fields: Sequence[str]) -> None:
        """Keep its database and its log in `folder`, which must exist."""
        self._folder = folder
        self._alarm_fields = alarm_fields
        self._process: subprocess.Popen[bytes] | None = None
        self.url = ""

    def __enter__(self) -> ReferenceServer:
        """Start it and wait until it is healthy.

        Raises:
            ConfigurationError: it cannot be seeded, or did not become healthy; says why.
        """
        database = self._folder / "target.sqlite3"
        shutil.copyfile(seeded_database(), database)
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        log = self._folder / "target.log"
        command = [
            *(sys.executable, "-m", "gunicorn", "noticeboard.wsgi", "--bind", f"127.0.0.1:{port}"),
            *("--workers", str(WORKERS), "--threads", str(THREADS)),
        ]
        self._process = start_process(
            command,
            log=log,
            env=_target_environment(database, self._alarm_fields),
            cwd=TARGET_DIR,
        )
        try:
            self._await_health(log)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop it with all its workers; keep its log, drop its database."""
        if self._process is not None:
            stop_process(self._process)
        for path in self._folder.glob("target.sqlite3*"):
            path.unlink(missing_ok=True)

    def _await_health(self, log: Path) -> None:
        assert self._process is not None
        latest = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < latest:
            if self._process.poll() is not None:
                raise ConfigurationError(f"the target ended at its start: {_last_words(log)}")
            try:
                with urllib.request.urlopen(f"{self.url}/healthz", timeout=1):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(POLL_S)
        raise ConfigurationError(
            f"the target was not healthy after {START_TIMEOUT_S:.0f} s: {_last_words(log)}"
        )


def seeded_database() -> Path:
    """Return a migrated and seeded SQLite file, made at the first call and kept in `target/`.

    Its name holds a hash of what it was made with, so that a changed target makes a new one.

    Raises:
        ConfigurationError: the target's own commands failed; shows their last words.
    """
    sources = [*TARGET_DIR.glob("*/migrations/*.py"), *TARGET_DIR.glob("notices/**/*.py")]
    sources += [TARGET_DIR / "requirements.txt"]
    kept = TARGET_DIR / f"seeded-{NOTICES}-{SEED}-{data_hash(sources)[:12]}.sqlite3"
    if kept.exists():
        return kept
    unfinished = kept.with_name(f"unfinished-{os.getpid()}.sqlite3")
    seeding = ["seed_notices", "--notices", str(NOTICES), "--seed", str(SEED)]
    try:
        for arguments in (["migrate", "--verbosity", "0"], seeding):
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
    return {**os.environ, **own, "ALARM_FIELDS": ",".join(alarm_fields)}


def _last_words(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return f"{lines[-1] if lines else 'it said nothing'} (more in {log})"

"""Programs as child processes: found, started, stopped whatever happens to who started them."""

from __future__ import annotations

import atexit
import ctypes
import functools
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from http.client import HTTPResponse
from pathlib import Path

import psutil

STOP_TIMEOUT_S = 10.0
SYSTEM_FOLDERS = ("/usr/sbin", "/usr/local/sbin")

_PR_SET_PDEATHSIG = 1


def find_program(name: str) -> str | None:
    """Return where a program is: beside this Python, on the path, or among the system's own."""
    folders = [str(Path(sys.executable).parent), os.environ.get("PATH", ""), *SYSTEM_FOLDERS]
    return shutil.which(name, path=os.pathsep.join(folders))


def locustfiles(*paths: Path) -> str:
    """Return the value of Locust's option `-f` for these files.

    That is a list separated by commas, and Locust knows no way to quote one. A file in a folder
    whose path has a comma is named by a link to the folder, which lives as long as this process.
    """
    parts = [path if "," not in str(path) else _link_to(path.parent) / path.name for path in paths]
    return ",".join(str(part) for part in parts)


@functools.cache
def _link_to(folder: Path) -> Path:
    above = tempfile.mkdtemp(prefix="notice-load-")
    atexit.register(shutil.rmtree, above, ignore_errors=True)
    link = Path(above) / "link"
    link.symlink_to(folder.resolve(), target_is_directory=True)
    return link


def inherited(**own: str) -> dict[str, str]:
    """Return the environment of this process, and what a child of it gets besides."""
    return {**os.environ, **own}


def start_process(
    command: Sequence[str],
    *,
    log: Path | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> subprocess.Popen[bytes]:
    """Start a program in a process group of its own, so that Ctrl-C reaches it only through us.

    SIGINT ends it, even where this process ignores SIGINT. On Linux the kernel sends it SIGTERM
    when this process dies, even by SIGKILL. Its output goes to the file `log`, or is shown.
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
            preexec_fn=_preparation(os.getpid()),
        )
    finally:
        if output is not None:
            output.close()


def _preparation(parent: int) -> Callable[[], None]:
    prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None

    def before_exec() -> None:
        # A shell without job control lets what it starts in the background ignore SIGINT, and
        # all children of that inherit this. Ours are stopped by it.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        if prctl is None:
            return
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


_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def open_directly(url: str | urllib.request.Request, timeout_s: float) -> HTTPResponse:
    """Ask a server that we started ourselves, never through a proxy.

    `urlopen` asks the proxy that HTTP_PROXY names even for 127.0.0.1.

    Raises:
        OSError: there was no answer in time, or one with an error status.
    """
    response: HTTPResponse = _DIRECT.open(url, timeout=timeout_s)
    return response


def cpu_s(pid: int) -> float:
    """Return the CPU time of a process and its descendants, user and system, in seconds.

    Raises:
        psutil.NoSuchProcess: it has ended.
    """
    root = psutil.Process(pid)
    own = root.cpu_times()
    total = own.user + own.system + own.children_user + own.children_system
    for child in root.children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # then its time is among its parent's
            times = child.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return float(total)


def last_words(log: Path) -> str:
    """Return the last line that a process wrote."""
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"

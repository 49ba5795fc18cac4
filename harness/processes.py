"""Find, start and stop programs as child processes.

Invariant: on Linux, a child is told to stop when this process dies, even by SIGKILL.
"""

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
"""Seconds a process gets between SIGTERM and SIGKILL."""
SYSTEM_FOLDERS = ("/usr/sbin", "/usr/local/sbin")
"""Where servers such as nginx are installed; the PATH of an ordinary user may lack them."""

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def find_program(name: str) -> str | None:
    """Return the path of a program: beside this Python, on PATH, or in a system folder."""
    # This Python's folder comes first: the virtual environment has the pinned versions.
    folders = [str(Path(sys.executable).parent), os.environ.get("PATH", ""), *SYSTEM_FOLDERS]
    return shutil.which(name, path=os.pathsep.join(folders))


def locustfiles(*paths: Path) -> str:
    """Return the value of Locust's option `-f` for these files.

    Locust splits the value at commas and has no way to quote one. If the path of a folder has a
    comma, the value uses a symbolic link to the folder, which exists as long as this process.
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


def child_environment(**own: str) -> dict[str, str]:
    """Return the environment for a child: that of this process, updated with `own`."""
    return {**os.environ, **own}


def start_process(
    command: Sequence[str],
    *,
    log: Path | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> subprocess.Popen[bytes]:
    """Start a program in its own session, so that Ctrl-C reaches it only through this process.

    SIGINT has its default effect in the child, even if this process ignores SIGINT. On Linux, the
    kernel sends the child SIGTERM when this process dies. Output is appended to `log`, or goes to
    the terminal.
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
    # Loaded before the fork: between fork and exec a child should do as little as possible.
    prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None

    def before_exec() -> None:
        # A shell without job control starts background processes with SIGINT ignored, and their
        # children inherit that. Ours must stop on SIGINT.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        if prctl is None:
            return
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # the parent died before prctl took effect
            os._exit(1)

    return before_exec


def stop_process(process: subprocess.Popen[bytes], timeout_s: float = STOP_TIMEOUT_S) -> None:
    """Stop a process: SIGTERM first; after at most `timeout_s`, SIGKILL to its process group."""
    stop_processes([process], timeout_s)


def stop_processes(processes: Sequence[subprocess.Popen[bytes]], timeout_s: float) -> None:
    """Stop processes: SIGTERM to each; after at most `timeout_s`, SIGKILL to their groups."""
    latest = time.monotonic() + timeout_s
    for process in processes:
        if process.poll() is None:
            process.terminate()
    for process in processes:
        with suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, latest - time.monotonic()))
    # Also after an orderly exit: the group may hold children that the process left behind.
    for process in processes:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def free_port() -> int:
    """Return a loopback port that is free now; another process may take it before it is used."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def open_directly(url: str | urllib.request.Request, timeout_s: float) -> HTTPResponse:
    """Open a URL of a server that we started ourselves, bypassing any proxy.

    `urlopen` would use the proxy in HTTP_PROXY even for 127.0.0.1.

    Raises:
        OSError: no response came in time, or its status is an error.
    """
    response: HTTPResponse = _DIRECT.open(url, timeout=timeout_s)
    return response


def cpu_s(pid: int) -> float:
    """Return the CPU time of a process and its descendants, user and system, in seconds.

    Raises:
        psutil.NoSuchProcess: the process has ended.
    """
    root = psutil.Process(pid)
    own = root.cpu_times()
    total = own.user + own.system + own.children_user + own.children_system
    for child in root.children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # its parent's children_* now include it
            times = child.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return float(total)


def last_line(log: Path, otherwise: str = "it said nothing") -> str:
    """Return the last line of a process's log that is not blank; `otherwise` if there is none."""
    return last_line_of(log.read_text(encoding="utf-8", errors="replace"), otherwise)


def last_line_of(output: str, otherwise: str = "it said nothing") -> str:
    """Return the last line of a process's output that is not blank; `otherwise` without one."""
    lines = output.strip().splitlines()
    return lines[-1] if lines else otherwise

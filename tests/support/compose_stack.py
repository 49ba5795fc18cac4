"""Starts the services of docker-compose.yml as the README says, under a project name of their own.

Containers, networks and volumes are found by that name only. Images keep the names in
docker-compose.yml and are built from this checkout. COMPOSE_FILE applies, so that a machine can
add what its builds need.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest

from harness.config.settings import COMPOSE_NAMES, NAMES, PROJECT_DIR
from harness.processes import free_port
from support.commands import wait_until

BUILD_S = 1200
"""Long enough to pull and build all images for the first time."""
UP_S = 240
CALL_S = 60
POLL_S = 0.5
NGINX_PORT = ":1F90"
ESTABLISHED = "01"

# These tests are not about times, and the machine may be slow.
OBJECTIVES = """
[total]
fail_ratio = 0
p95_ms = 60000

[generator]
cpu_percent = 100000
lag_ms = 60000
saturated_share = 1
"""


@cache
def compose_command() -> tuple[str, ...] | None:
    for command in (("docker", "compose"), ("docker-compose",)):
        with contextlib.suppress(OSError):
            if call(*command, "version").returncode == 0:
                return command
    return None


def missing() -> str | None:
    """Return why the stack cannot run on this machine, or None if it can."""
    try:
        engine = call("docker", "version", "--format", "{{.Server.Version}}")
    except OSError:
        return "there is no docker command"
    if engine.returncode:
        return f"no Docker engine answers: {engine.stderr.strip()}"
    if compose_command() is None:
        return "there is neither docker compose nor docker-compose"
    return None


def call(
    *command: str, timeout_s: float = CALL_S, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=PROJECT_DIR,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout_s,
    )


def docker(*arguments: str) -> str:
    done = call("docker", *arguments)
    assert done.returncode == 0, f"docker {' '.join(arguments)}\n{done.stdout}{done.stderr}"
    return done.stdout


@dataclass
class Run:
    """A headless run in a container of its own."""

    process: subprocess.Popen[bytes]
    run_id: str
    log: Path

    @property
    def output(self) -> str:
        return self.log.read_text()

    def finish(self, timeout_s: float) -> int:
        """Wait until the run ends; return its exit code."""
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            pytest.fail(f"it did not end within {timeout_s} s\n{self.output}")

    def end(self) -> None:
        """Kill the docker client; `Stack.remove` removes the container."""
        self.process.kill()
        self.process.wait()


@dataclass
class Stack:
    folder: Path
    project: str = field(default_factory=lambda: f"notice-load-test-{secrets.token_hex(4)}")
    web_port: int = field(default_factory=free_port)

    def __post_init__(self) -> None:
        self.no_settings.write_text("")
        self.objectives.write_text(OBJECTIVES)
        self.objectives.chmod(0o644)  # the container reads it as another user

    @property
    def no_settings(self) -> Path:
        return self.folder / "empty.env"

    @property
    def objectives(self) -> Path:
        return self.folder / "patient.toml"

    @property
    def web_url(self) -> str:
        return f"http://127.0.0.1:{self.web_port}"

    # docker compose

    def compose_line(self, *arguments: str) -> tuple[str, ...]:
        command = compose_command()
        assert command is not None
        own = (f"--env-file={self.no_settings}", f"--project-name={self.project}", "--ansi=never")
        return (*command, *own, *arguments)

    @property
    def env(self) -> dict[str, str]:
        """The environment without the developer's settings, but with Docker's own variables."""
        theirs = {*NAMES, *COMPOSE_NAMES}
        clean = {name: value for name, value in os.environ.items() if name not in theirs}
        return {**clean, "WEB_PORT": str(self.web_port)}

    def compose(self, *arguments: str, timeout_s: float = CALL_S) -> str:
        line = self.compose_line(*arguments)
        done = call(*line, timeout_s=timeout_s, env=self.env)
        assert done.returncode == 0, f"{' '.join(line)}\n{done.stdout}{done.stderr}"
        return done.stdout

    def start(self, workers: int) -> None:
        self.compose("build", timeout_s=BUILD_S)
        self.compose("up", "--detach", f"--scale=worker={workers}", timeout_s=UP_S)

    @contextlib.contextmanager
    def headless(self, run_id: str, *options: str) -> Iterator[Run]:
        """Start a run as the README says; stop the service `master` first."""
        log = self.folder / f"{run_id}.log"
        line = self.compose_line(
            "run",
            "--rm",
            "-T",
            "--no-deps",
            "--use-aliases",
            f"--volume={self.objectives}:/suite/patient.toml:ro",
            "-eSLO_FILE=patient.toml",
            "master",
            "--config",
            "conf/locust.conf",
            "--headless",
            "--only-summary",
            "--enable-rebalancing",
            "--run-id",
            run_id,
            *options,
        )
        with log.open("wb") as output:
            process = subprocess.Popen(
                line,
                cwd=PROJECT_DIR,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        run = Run(process, run_id, log)
        try:
            yield run
        finally:
            run.end()

    def result(self, run: Run) -> Path:
        """Copy the folder of a run out of the volume."""
        master = self.compose("ps", "-aq", "master").strip()
        docker("cp", f"{master}:/suite/results/{run.run_id}", str(self.folder))
        return self.folder / run.run_id

    def summary(self, run: Run) -> dict:
        return json.loads((self.result(run) / "summary.json").read_text())

    def devices_in_database(self) -> int:
        query = "SELECT count(*) FROM accounts_device"
        psql = ("psql", "--username=notices", "--dbname=notices", "-tA", "--command", query)
        return int(self.compose("exec", "-T", "db", *psql))

    # its containers

    def containers(self, *services: str) -> list[dict]:
        """Return `docker inspect` of the containers of these services, or of all."""
        ids = docker("ps", "-aq", *self.filters).split()
        found = json.loads(docker("inspect", *ids)) if ids else []
        return [each for each in found if not services or service(each) in services]

    @property
    def filters(self) -> tuple[str, str]:
        return "--filter", f"label=com.docker.compose.project={self.project}"

    def users_of_workers(self) -> dict[str, int]:
        """Return the users of each running worker, counted as connections to nginx."""
        return {
            worker["Id"]: connections(worker)
            for worker in self.containers("worker")
            if worker["State"]["Running"]
        }

    def await_users(self, true: Callable[[list[int]], bool], what: str) -> None:
        """Wait until `true` accepts the list of users per worker."""
        seen: list[int] = []

        def is_so() -> bool:
            seen[:] = self.users_of_workers().values()
            return true(seen)

        try:
            wait_until(is_so, what, poll_s=POLL_S)
        except pytest.fail.Exception as failure:
            pytest.fail(f"{failure}; the last count was {seen}")

    def logs(self) -> str:
        """Return the available output of all containers and runs."""
        parts = [f"{log.name}\n{log.read_text()}" for log in sorted(self.folder.glob("*.log"))]
        for each in self.containers():
            said = call("docker", "logs", "--tail=60", each["Id"])
            parts.append(f"{each['Name']} {each['State']['Status']}\n{said.stdout}{said.stderr}")
        return "\n".join(parts)

    def left(self) -> list[str]:
        kinds = (("ps", "-aq"), ("volume", "ls", "-q"), ("network", "ls", "-q"))
        return [id_ for kind in kinds for id_ in docker(*kind, *self.filters).split()]

    def remove(self) -> None:
        """Remove everything, whatever state it is in."""
        ids = [each["Id"] for each in self.containers()]
        if ids:
            docker("rm", "--force", *ids)
        self.compose("down", "--volumes", "--remove-orphans")
        assert self.left() == []


def service(container: dict) -> str:
    return container["Config"]["Labels"]["com.docker.compose.service"]


def health(container: dict) -> str:
    """Return healthy, unhealthy or starting; without a health check, the state or exit code."""
    state = container["State"]
    if "Health" in state:
        return state["Health"]["Status"]
    return f"exited {state['ExitCode']}" if state["Status"] == "exited" else state["Status"]


def user_ids(container: dict) -> set[str]:
    """Return all user ids (real, effective, saved, file system) of a container's processes."""
    script = "cat /proc/[0-9]*/status 2>/dev/null || true"
    lines = docker("exec", container["Id"], "sh", "-c", script).splitlines()
    return {id_ for line in lines if line.startswith("Uid:") for id_ in line.split()[1:]}


def connections(container: dict) -> int:
    """Return the number of a container's connections to nginx; 0 if it has just died."""
    said = call("docker", "exec", container["Id"], "cat", "/proc/net/tcp", "/proc/net/tcp6")
    rows = [line.split() for line in said.stdout.splitlines()]
    return sum(row[2].endswith(NGINX_PORT) and row[3] == ESTABLISHED for row in rows)

"""The generators to compare: how to start each one and how to read its report."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench import BENCH_DIR, BenchError, answers, process
from bench.results import OURS
from bench.server import Nginx
from harness.http.request import Request
from harness.processes import find_program, locustfiles
from harness.results.verdict import EXIT_CODES
from notice_api import contract

USERS = 50
INVALID = EXIT_CODES["invalid"]
PYTHON = sys.executable
LOCUSTFILES = BENCH_DIR / "locustfiles"
SCRIPTS = BENCH_DIR / "scripts"
JUDGE_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Job:
    """What to measure: host (`name:port`), length, and a folder for the generator's files."""

    host: str
    seconds: int
    folder: Path

    @property
    def url(self) -> str:
        """Return the base URL."""
        return f"http://{self.host}"

    @property
    def report(self) -> Path:
        """Return the path for the generator's report; see `read_report`."""
        return self.folder / "report.json"

    @property
    def log(self) -> Path:
        """Return the path of the generator's output."""
        return self.folder / "log-0"


@dataclass(frozen=True, slots=True)
class Reported:
    """What a generator reports when it ends."""

    requests: int
    failures: int


def read_report(job: Job) -> Reported:
    """Read a report `{"requests": ..., "failures": ...}`."""
    return Reported(**json.loads(job.report.read_text(encoding="utf-8")))


@dataclass(frozen=True, slots=True)
class Generator:
    """A generator, one row of the table.

    Attributes:
        name: key in the results.
        title: name in the table.
        command: returns the arguments, without the program.
        program: the program to be installed.
        reported: reads the report.
        checked: whether it parses and checks every response.
        goal: how many times faster `ours`, with every response checked, should be.
        exit_codes: expected exit codes. This suite calls a run invalid if its core is saturated,
            as it is here on purpose.
    """

    name: str
    title: str
    command: Callable[[Job], list[str]]
    program: str
    reported: Callable[[Job], Reported] = read_report
    checked: bool = False
    goal: float | None = None
    exit_codes: tuple[int, ...] = (0,)


def locust(locustfile: str, user: str) -> list[str]:
    """Return the command that runs a user class from a file in `bench/locustfiles`."""
    return [PYTHON, "-m", "locust", "-f", locustfiles(LOCUSTFILES / locustfile), user]


def headless(host: str, users: int, spawn_rate: int, run_time_s: int) -> list[str]:
    """Return Locust's options for a headless run; `host` is a base URL."""
    options = ["--headless", "--only-summary", "--host", host, "--run-time", str(run_time_s)]
    return [*options, "--users", str(users), "--spawn-rate", str(spawn_rate)]


def _locust(locustfile: str, user: str, job: Job) -> list[str]:
    _, *arguments = locust(locustfile, user)
    arguments += headless(job.url, USERS, USERS, job.seconds)
    # The stop timeout lets requests in flight finish and count. Locust appends ".json" by itself.
    return [*arguments, "--stop-timeout", "5", "--json-file", str(job.report.with_suffix(""))]


def _locust_reported(job: Job) -> Reported:
    rows = json.loads(job.report.read_text(encoding="utf-8"))
    return Reported(
        sum(row["num_requests"] for row in rows), sum(row["num_failures"] for row in rows)
    )


def _original(name: str, title: str, user: str, goal: float) -> Generator:
    command = partial(_locust, "original.py", user)
    return Generator(name, title, command, PYTHON, _locust_reported, goal=goal)


def _ours(
    name: str, title: str, user: str, checked: bool = True, goal: float | None = None
) -> Generator:
    command = partial(_locust, "ours.py", user)
    return Generator(
        name, title, command, PYTHON, _locust_reported, checked, goal, exit_codes=(0, INVALID)
    )


def _k6(job: Job) -> list[str]:
    mix = {
        "weights": {
            "search": answers.SEARCHES,
            "browse": answers.BROWSES,
            "list": answers.LISTS,
            "subscribe": answers.WRITES_OF_A_KIND,
            "keywords": answers.WRITES_OF_A_KIND,
            "alarm": answers.WRITES_OF_A_KIND,
        },
        "search": job.url + answers.search().path,
        "pages": [
            job.url + contract.browse(answers.BOARDS, page).path
            for page in range(1, answers.LAST_PAGE + 1)
        ],
        "boards": job.url + contract.BOARDS,
        "lists": answers.LIST_REQUESTS,
        "device": job.url + contract.DEVICE,
        "device_id": answers.DEVICE_ID,
        "words": answers.WORDS,
        "subscriptions": "+".join(answers.BOARDS),
        "keywords": "+".join(answers.KEYWORDS),
    }
    command = ["run", "--quiet", "--no-usage-report", "--no-color"]
    command += ["--vus", str(USERS), "--duration", f"{job.seconds}s"]
    command += ["-e", f"MIX={json.dumps(mix)}", "-e", f"REPORT={job.report}"]
    return [*command, str(SCRIPTS / "mix.js")]


def _k6_checked(job: Job) -> list[str]:
    *options, script = _k6(job)
    return [*options, "-e", "CHECKED=1", script]


def _wrk(job: Job) -> list[str]:
    requests = job.folder / "requests.lua"
    literals = (_lua(answers.rendered(request, job.host)) for request in answers.cycle())
    requests.write_text(f"return {{{', '.join(literals)}}}\n", encoding="ascii")
    command = ["--threads", "1", "--connections", str(USERS), "--duration", f"{job.seconds}s"]
    return [*command, "--script", str(SCRIPTS / "mix.lua"), job.url, "--", str(requests)]


def _lua(text: bytes) -> str:
    # Every byte as a decimal escape: a Lua string literal may then hold any body.
    return '"' + "".join(f"\\{byte:03}" for byte in text) + '"'


def _hey(job: Job) -> list[str]:
    page = job.url + contract.browse(answers.BOARDS, 1).path
    return ["-z", f"{job.seconds}s", "-c", str(USERS), page]


def _hey_reported(job: Job) -> Reported:
    text = job.log.read_text(encoding="utf-8")
    # hey prints "[status] N responses" and, for errors, "[N] message"; errors are no responses.
    statuses = re.findall(r"^ *\[(\d{3})\]\s+(\d+) responses", text, re.MULTILINE)
    errors = re.findall(r"^ *\[(\d+)\]\s+(?!\d+ responses)\S", text, re.MULTILINE)
    requests = sum(int(count) for _, count in statuses)
    right = sum(int(count) for status, count in statuses if status == "200")
    return Reported(requests, requests - right + sum(map(int, errors)))


GENERATORS = (
    _original("original", "original test: HttpUser (requests)", "OriginalUser", goal=15.0),
    _original("original_fast", "the same on FastHttpUser", "OriginalFastUser", goal=3.0),
    _ours(OURS, "ours, every response checked", "CheckedUser"),
    _ours("ours_anew", "ours, checked, no two responses alike", "AnewUser"),
    _ours("ours_unchecked", "ours, unchecked", "UncheckedUser", checked=False),
    _ours("ours_unrecorded", "ours, checked, counted by locust alone", "UnrecordedUser", goal=0.9),
    Generator("k6", "k6, unchecked", _k6, "k6", goal=1.7),
    Generator("k6_checked", "k6, the same checks", _k6_checked, "k6", checked=True, goal=4.0),
    Generator("wrk", "wrk, rendered requests: the limit", _wrk, "wrk", goal=0.45),
    Generator("hey", "hey, one fixed GET", _hey, "hey", _hey_reported, goal=1.0),
)


def own_variables(job: Job) -> dict[str, str]:
    """Return the environment variables for a generator."""
    return process.environment(
        RESULTS_DIR=str(job.folder / "results"), REPORT=str(job.report), DRAW_REPORT="0"
    )


def prove_k6_checks(folder: Path) -> int:
    """Compare k6's checks with those of `notice_api.contract` on valid and invalid responses.

    `folder` has to be empty. Returns the number of responses compared.

    Raises:
        BenchError: they differ, so the rows with checks are not comparable.
    """
    cases = [("a right answer", *case) for case in _right_answers()] + list(answers.wrong())
    program = find_program("k6")
    assert program is not None
    asked, report = folder / "asked.json", folder / "verdicts.json"
    asked.write_text(json.dumps([_described(request) for _, request, _, _ in cases]))
    with Nginx(folder, numbered=[(status, body) for _, _, status, body in cases]) as server:
        command = [program, "run", "--quiet", "--no-usage-report"]
        command += ["-e", f"URL={server.url}", "-e", f"REQUESTS={asked}", "-e", f"REPORT={report}"]
        done = subprocess.run(
            [*command, str(SCRIPTS / "judge.js")],
            env=process.environment(),
            capture_output=True,
            text=True,
            timeout=JUDGE_TIMEOUT_S,
            check=False,
        )
    if done.returncode or not report.exists():
        raise BenchError(f"k6's checks failed: {(done.stderr.splitlines() or ['no word'])[-1]}")
    for (name, request, status, body), verdict in zip(
        cases, json.loads(report.read_text(encoding="utf-8")), strict=True
    ):
        if verdict != (request.problem(status, body) is None):
            said = "right" if verdict else "wrong"
            raise BenchError(f"k6's checks call {name} of {request.endpoint.name} {said}")
    return len(cases)


def _right_answers() -> list[tuple[Request, int, bytes]]:
    return [(request, request.endpoint.status, body) for request, body in answers.every_kind()]


def _described(request: Request) -> dict[str, object]:
    endpoint = request.endpoint
    if endpoint is contract.SEARCH:
        return {"kind": "page", "status": endpoint.status, "words": answers.WORDS}
    if endpoint is contract.BROWSE:
        return {"kind": "page", "status": endpoint.status}
    if endpoint is contract.LIST:
        return {"kind": "boards", "status": endpoint.status}
    assert request.body is not None
    return {"kind": "device", "status": endpoint.status, "sent": json.loads(request.body)}

"""The generators side by side: how each is started, and what it says of itself at its end."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench import BENCH_DIR, BenchError, answers, process
from bench.results import OURS
from bench.server import Nginx
from harness import contract
from harness.contract import Request
from harness.processes import find_program, locustfiles
from harness.verdict import EXIT_CODES

USERS = 50
INVALID = EXIT_CODES["invalid"]
PYTHON = sys.executable
LOCUSTFILES = BENCH_DIR / "locustfiles"
SCRIPTS = BENCH_DIR / "scripts"
JUDGE_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Job:
    """One load to be made: where to, how long, and where to leave what is said at the end."""

    host: str
    seconds: int
    folder: Path

    @property
    def url(self) -> str:
        """Return the base URL."""
        return f"http://{self.host}"

    @property
    def report(self) -> Path:
        """Return the file that gets `{"requests": ..., "failures": ...}` or what stands for it."""
        return self.folder / "report.json"

    @property
    def log(self) -> Path:
        """Return the file that gets what the generator prints."""
        return self.folder / "log"


@dataclass(frozen=True, slots=True)
class Reported:
    """What a generator says of itself."""

    requests: int
    failures: int


@dataclass(frozen=True, slots=True)
class Generator:
    """One row of the table.

    Attributes:
        name: constant key of its results.
        title: what people read.
        checked: whether every answer is parsed and checked.
        program: what has to be installed.
        command: gives its arguments, without the program.
        reported: reads what it said at its end.
        goal: ours, every answer checked, shall be this many times faster.
        exit_codes: with which it may end; a run of this suite that takes a whole core is invalid.
    """

    name: str
    title: str
    checked: bool
    program: str
    command: Callable[[Job], list[str]]
    reported: Callable[[Job], Reported]
    goal: float | None = None
    exit_codes: tuple[int, ...] = (0,)


def _locust(locustfile: str, user: str) -> Callable[[Job], list[str]]:
    def command(job: Job) -> list[str]:
        return [
            *("-m", "locust", "-f", locustfiles(LOCUSTFILES / locustfile), user),
            *("--headless", "--only-summary", "--stop-timeout", "5", "--host", job.url),
            *("--users", str(USERS), "--spawn-rate", str(USERS), "--run-time", str(job.seconds)),
            *("--json-file", str(job.report.with_suffix(""))),
        ]

    return command


def _locust_reported(job: Job) -> Reported:
    rows = json.loads(job.report.read_text(encoding="utf-8"))
    return Reported(
        sum(row["num_requests"] for row in rows), sum(row["num_failures"] for row in rows)
    )


def _k6(job: Job) -> list[str]:
    mix = {
        "weights": {
            **{"search": answers.SEARCHES, "browse": answers.BROWSES, "list": answers.LISTS},
            **dict.fromkeys(("subscribe", "keywords", "alarm"), answers.WRITES_OF_A_KIND),
        },
        "search": job.url + answers.search().target,
        "pages": [
            job.url + contract.browse(answers.BOARDS, page).target
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
    return [
        *("run", "--quiet", "--no-usage-report", "--no-color"),
        *("--vus", str(USERS), "--duration", f"{job.seconds}s"),
        *("-e", f"MIX={json.dumps(mix)}", "-e", f"REPORT={job.report}"),
        str(SCRIPTS / "mix.js"),
    ]


def _k6_checked(job: Job) -> list[str]:
    *options, script = _k6(job)
    return [*options, "-e", "CHECKED=1", script]


def _wrk(job: Job) -> list[str]:
    requests = job.folder / "requests.lua"
    literals = (_lua(answers.rendered(request, job.host)) for request in answers.cycle())
    requests.write_text(f"return {{{', '.join(literals)}}}\n", encoding="ascii")
    return [
        *("--threads", "1", "--connections", str(USERS), "--duration", f"{job.seconds}s"),
        *("--script", str(SCRIPTS / "mix.lua"), job.url, "--", str(requests)),
    ]


def _lua(text: bytes) -> str:
    return '"' + "".join(f"\\{byte:03}" for byte in text) + '"'


def read_report(job: Job) -> Reported:
    """Read a report that is in our own words."""
    return Reported(**json.loads(job.report.read_text(encoding="utf-8")))


def _hey(job: Job) -> list[str]:
    page = job.url + contract.browse(answers.BOARDS, 1).target
    return ["-z", f"{job.seconds}s", "-c", str(USERS), page]


def _hey_reported(job: Job) -> Reported:
    text = job.log.read_text(encoding="utf-8")
    statuses = re.findall(r"^ *\[(\d{3})\]\s+(\d+) responses", text, re.MULTILINE)
    errors = re.findall(r"^ *\[(\d+)\]\s+(?!\d+ responses)\S", text, re.MULTILINE)
    requests = sum(int(count) for _, count in statuses)
    right = sum(int(count) for status, count in statuses if status == "200")
    return Reported(requests, requests - right + sum(map(int, errors)))


GENERATORS = (
    Generator(
        name="seed",
        title="seed's way: HttpUser (requests)",
        checked=False,
        program=PYTHON,
        command=_locust("seed.py", "SeedUser"),
        reported=_locust_reported,
        goal=15.0,
    ),
    Generator(
        name="seed_fast",
        title="the same on FastHttpUser",
        checked=False,
        program=PYTHON,
        command=_locust("seed.py", "SeedFastUser"),
        reported=_locust_reported,
        goal=3.0,
    ),
    Generator(
        name=OURS,
        title="ours, every answer checked",
        checked=True,
        program=PYTHON,
        command=_locust("ours.py", "CheckedUser"),
        reported=_locust_reported,
        exit_codes=(0, INVALID),
    ),
    Generator(
        name="ours_anew",
        title="ours, checked, no two answers alike",
        checked=True,
        program=PYTHON,
        command=_locust("ours.py", "AnewUser"),
        reported=_locust_reported,
        exit_codes=(0, INVALID),
    ),
    Generator(
        name="ours_unchecked",
        title="ours, unchecked",
        checked=False,
        program=PYTHON,
        command=_locust("ours.py", "UncheckedUser"),
        reported=_locust_reported,
        exit_codes=(0, INVALID),
    ),
    Generator(
        name="ours_unrecorded",
        title="ours, checked, counted by locust alone",
        checked=True,
        program=PYTHON,
        command=_locust("ours.py", "UnrecordedUser"),
        reported=_locust_reported,
        goal=0.9,
        exit_codes=(0, INVALID),
    ),
    Generator(
        name="k6",
        title="k6, unchecked",
        checked=False,
        program="k6",
        command=_k6,
        reported=read_report,
        goal=1.7,
    ),
    Generator(
        name="k6_checked",
        title="k6, the same checks",
        checked=True,
        program="k6",
        command=_k6_checked,
        reported=read_report,
        goal=4.0,
    ),
    Generator(
        name="wrk",
        title="wrk, rendered requests: the limit",
        checked=False,
        program="wrk",
        command=_wrk,
        reported=read_report,
        goal=0.45,
    ),
    Generator(
        name="hey",
        title="hey, one fixed GET",
        checked=False,
        program="hey",
        command=_hey,
        reported=_hey_reported,
        goal=1.0,
    ),
)


def own_variables(job: Job) -> dict[str, str]:
    """Return the variables that every generator gets."""
    return process.environment(
        RESULTS_DIR=str(job.folder / "results"), REPORT=str(job.report), DRAW_REPORT="0"
    )


def prove_k6_checks(folder: Path) -> int:
    """Let k6's checks judge what `harness.contract` judges; return the number of answers.

    Args:
        folder: an empty one.

    Raises:
        BenchError: they differ, so a comparison of "checked" with "checked" would be none.
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

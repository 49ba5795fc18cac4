"""What a user can get wrong: one line that says what, where and what to do; exit code 2."""

from __future__ import annotations

import re
import socket

import pytest

from harness.config.settings import PROJECT_DIR

LOG = re.compile(r"\[[-0-9: ,]+\] \S+/(INFO|WARNING)/")
NOWHERE = "http://127.0.0.1:1"


def one_line(run, *parts):
    assert run.exit_code == 2, run.stderr
    lines = [line for line in run.stderr.splitlines() if not LOG.match(line)]
    errors = [line for line in lines if line.strip()]
    assert len(errors) == 1 and "error: " in errors[0], run.stderr
    for part in parts:
        assert part in errors[0]
    assert "Traceback" not in run.stderr + run.stdout


@pytest.mark.parametrize(
    ("dotenv", "parts"),
    [
        ("HOST http://x\n", (".env, line 1", "NAME=value")),
        ("\n# fine\nSEED=1\nANSWER_TIMEOUT_S=soon\n", ("ANSWER_TIMEOUT_S='soon'", ".env, line 4")),
        ("ANSWER_TIMEOUT=3\n", (".env, line 1", "did you mean ANSWER_TIMEOUT_S")),
        ("CLEANUP_TIMEOUT_S=-1\n", ("CLEANUP_TIMEOUT_S='-1'", "more than 0")),
        ("VARY_DATA=maybe\n", ("VARY_DATA='maybe'", "1 or 0")),
        ("WEB_LOGIN=1\n", ("WEB_PASSWORD is empty",)),
        ("ALARM_FIELDS=alarm\n", ("ALARM_FIELDS='alarm'", "alarm_switch_sub")),
    ],
)
def test_a_wrong_env_file(commands, dotenv, parts):
    (commands.folder / ".env").write_text(dotenv)
    one_line(commands.locust("--host", NOWHERE), *parts)
    one_line(commands.harness("run", "--host", NOWHERE), *parts)


def test_an_env_file_that_is_not_utf_8(commands):
    (commands.folder / ".env").write_bytes("SEED=1 # 장학".encode("euc-kr"))
    one_line(commands.locust("--host", NOWHERE), ".env is not UTF-8")


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["--host", "127.0.0.1:8000"], ("no scheme", "write http://127.0.0.1:8000")),
        (["--host", "http://example.com"], ("example.com", "ALLOWED_HOSTS=example.com")),
        (["--host", NOWHERE], ("127.0.0.1:1", "connection refused", "is it running")),
        (["--users=-5", "--host", NOWHERE], ("--users", "-5", "1 or more")),
        (["--spawn-rate=0", "--host", NOWHERE], ("spawn-rate",)),
        (["--spawn-rate=nan", "--host", NOWHERE], ("spawn-rate",)),
        (["--run-time=soon", "--host", NOWHERE], ("run-time",)),
        (["--seed=-1", "--host", NOWHERE], ("--seed -1", "0 or more")),
        (["--run-id=../up", "--host", NOWHERE], ("../up", "cannot name a folder")),
        (["--host", "http://127.0.0.1:99999"], ("not a URL",)),
        (["--host", f"http://{'a' * 70}.localhost"], ("is not this machine",)),
    ],
)
def test_wrong_arguments(commands, arguments, parts):
    one_line(commands.locust(*arguments), *parts)
    one_line(commands.harness("run", *arguments), *parts)


def test_no_host_at_all(commands):
    one_line(commands.locust("--users=1"), "no host", "--host http://127.0.0.1:8000")


@pytest.mark.parametrize("name", ["searches", "boards", "keywords"])
@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"", "line 1"),
        (b"words,weight\n", "no words"),
        (b"words,weight\n\xc0\xe5,1\n", "line 2: not UTF-8"),
        (b"words,weight\nok,1\nbad,much\n", "line 3"),
    ],
)
def test_a_broken_data_file(commands, name, content, part):
    for file in (PROJECT_DIR / "data").glob("*.csv"):
        (commands.folder / file.name).write_bytes(file.read_bytes())
    (commands.folder / f"{name}.csv").write_bytes(content)
    run = commands.locust("--host", NOWHERE, VARY_DATA="1", DATA_DIR=str(commands.folder))
    one_line(run, f"{name}.csv", part)


def test_an_unknown_profile(commands):
    run = commands.harness("run", "--profile=nonsense")
    one_line(run, "'nonsense'", "average, smoke, soak, spike, stress")


def test_a_results_folder_that_cannot_be_made(commands, notice_server):
    (commands.folder / "results").write_text("a file")
    arguments = ("--host", notice_server.url, "--users=1", "--run-time=1s")
    plain = commands.locust(*arguments)  # locust has begun by then, and prints a table of nothing
    assert plain.exit_code == 2 and "Traceback" not in plain.stderr
    assert "error: cannot write the results to results" in plain.stderr
    one_line(commands.harness("run", *arguments), "results", "RESULTS_DIR")


def test_a_taken_web_port(commands, notice_server):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        arguments = (f"--web-port={port}", "--host", notice_server.url)
        run = commands.finish(commands.start_locust(*arguments))
        one_line(run, f"127.0.0.1:{port}", "--web-port")
        one_line(commands.harness("ui", *arguments), f"127.0.0.1:{port}", "--web-port")


def test_a_taken_master_port(commands, notice_server):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        arguments = ("--master", f"--master-bind-port={port}", "--host", notice_server.url)
        one_line(commands.locust(*arguments), f"127.0.0.1:{port}", "--master-bind-port")


def test_a_configuration_file_that_is_not_there(commands):
    one_line(commands.locust("--config", "nowhere.conf"), "nowhere.conf")


def test_an_unknown_tag(commands, notice_server):
    arguments = ("--host", notice_server.url, "--tags", "nonsense")
    one_line(commands.locust(*arguments), "unknown tags: nonsense", "browse, device")


def test_ports_and_workers_out_of_range(commands, notice_server):
    host = ("--host", notice_server.url)
    one_line(commands.harness("ui", *host, "--web-port=99999"), "--web-port 99999", "65535")
    one_line(commands.harness("run", *host, "--workers=0"), "--workers", "1 to 256")

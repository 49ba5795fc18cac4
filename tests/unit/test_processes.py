"""Children and the servers among them: which signals end them, and how they are asked."""

from __future__ import annotations

import signal
import sys
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

from locust.argument_parser import get_locustfiles_locally

import pytest

from harness.processes import locustfiles, open_directly, start_process, stop_process
from support.commands import PATIENCE_S
from support.notice_server import NoticeServer

HANDLER = "import signal; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"


@pytest.fixture
def ignored_ctrl_c() -> Iterator[None]:
    """Be what a shell without job control starts in the background."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ignored_ctrl_c")
def test_ctrl_c_ends_a_child_of_a_process_that_ignores_it(tmp_path: Path) -> None:
    log = tmp_path / "log"
    process = start_process([sys.executable, "-c", HANDLER], log=log)
    assert process.wait(PATIENCE_S) == 0
    stop_process(process)
    assert log.read_text() == "True\n"


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_no_proxy_is_asked_for_a_server_of_our_own(
    notice_server: NoticeServer, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "http://127.0.0.1:1")
    with open_directly(f"{notice_server.url}/notice/list", PATIENCE_S) as answer:
        assert answer.status == 200


def test_a_server_that_is_not_there_is_an_os_error() -> None:
    with pytest.raises(OSError, match="refused"):
        open_directly("http://127.0.0.1:1/", PATIENCE_S)


@pytest.mark.parametrize("name", ["plain", "a b'c,d", ",", "a, ,b"])
def test_locust_finds_its_files_whatever_their_folder_is_named(tmp_path: Path, name: str) -> None:
    files = [tmp_path / name / each for each in ("locustfile.py", "spike.py")]
    files[0].parent.mkdir()
    for file in files:
        file.write_text(file.name)
    found = get_locustfiles_locally(Namespace(locustfile=locustfiles(*files)))
    assert [Path(each).read_text() for each in found] == ["locustfile.py", "spike.py"]

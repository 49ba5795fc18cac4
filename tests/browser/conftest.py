"""A real browser, without a screen."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from integration.conftest import commands  # noqa: F401 - a fixture
from selenium import webdriver

from harness.processes import find_program
from support.commands import PATIENCE_S, Commands
from support.programs import needed

WIDTH, HEIGHT = 1200, 900


@pytest.fixture
def downloads(tmp_path: Path) -> Path:
    return tmp_path / "downloads"


def start_chromium(options: webdriver.ChromeOptions) -> webdriver.Chrome:
    """Start it without a screen; both it and its driver ignore HTTP_PROXY."""
    driver = needed("chromedriver")
    options.binary_location = find_program("google-chrome") or needed("chromium")
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.add_argument("--no-proxy-server")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("no_proxy", "localhost")  # where selenium asks the driver
        return webdriver.Chrome(options, webdriver.ChromeService(driver))


@pytest.fixture
def browser(commands: Commands, downloads: Path) -> Iterator[webdriver.Chrome]:  # noqa: F811
    """Yield a browser that is gone, with its processes, before `commands` looks what is left."""
    options = webdriver.ChromeOptions()
    options.add_argument(f"--window-size={WIDTH},{HEIGHT}")
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    chrome = start_chromium(options)
    yield chrome
    processes = psutil.Process(chrome.service.process.pid).children(recursive=True)
    chrome.quit()
    psutil.wait_procs(processes, timeout=PATIENCE_S)

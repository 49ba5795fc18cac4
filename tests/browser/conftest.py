"""A real browser, without a screen."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from commands import Commands
from integration.conftest import commands  # noqa: F401 - a fixture
from selenium import webdriver

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
WIDTH, HEIGHT = 1200, 900
PATIENCE_S = 30


@pytest.fixture
def downloads(tmp_path: Path) -> Path:
    return tmp_path / "downloads"


@pytest.fixture
def browser(commands: Commands, downloads: Path) -> Iterator[webdriver.Chrome]:  # noqa: F811
    """Yield a browser that is gone, with its processes, before `commands` looks what is left."""
    if CHROMIUM is None or DRIVER is None:
        pytest.skip("needs chromium and chromedriver")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.add_argument(f"--window-size={WIDTH},{HEIGHT}")
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    chrome = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    yield chrome
    processes = psutil.Process(chrome.service.process.pid).children(recursive=True)
    chrome.quit()
    psutil.wait_procs(processes, timeout=PATIENCE_S)

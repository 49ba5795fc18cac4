"""The live page as a person uses it: from locust's form to the download of the result."""

from __future__ import annotations

import json
import re

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from harness.processes import free_port
from support.commands import wait_until
from support.web_ui import post, web_ui

DOWNLOAD = "report.html"


@pytest.fixture
def easy(tmp_path):
    """Return the settings of objectives that a busy machine keeps, its generator's too."""
    slo = tmp_path / "easy.toml"
    slo.write_text("[total]\np95_ms = 30000\n[generator]\nlag_ms = 60000\n")
    return {"SLO_FILE": str(slo), "DRAW_REPORT": "1"}


def element(browser, path):
    """Return what a path leads to, once it is there."""
    wait_until(lambda: browser.find_elements(By.XPATH, path), path)
    return browser.find_element(By.XPATH, path)


def click(browser, path):
    element(browser, path).click()


def fill(browser, name, value):
    field = element(browser, f"//input[@name='{name}']")
    field.send_keys(Keys.CONTROL, "a")
    field.send_keys(str(value))


def headline(browser):
    return browser.find_element(By.ID, "headline").text


def wait_for_headline(browser, text):
    wait_until(lambda: headline(browser) == text, f"the page says {text!r}")


def figure(browser, label):
    """Return the number that stands under a label."""
    script = "return document.evaluate(arguments[0], document).iterateNext()?.textContent"
    text = browser.execute_script(script, f"//dt[.='{label}']/following::dd[1]/text()") or ""
    return int(re.sub(r"\D", "", text) or 0)


def test_a_run_is_started_followed_stopped_and_its_result_downloaded(
    browser, commands, downloads, notice_server, easy
):
    with web_ui(commands, HOST=notice_server.url, **easy) as url:
        browser.get(url)
        fill(browser, "userCount", 40)
        fill(browser, "spawnRate", 20)
        click(browser, "//button[@type='submit']")
        locust = browser.current_window_handle

        click(browser, "//*[@role='tab'][.='Verdict']")
        element(browser, "//tr[td[.='p95 of all requests']]")
        click(browser, "//*[@role='tab'][.='Download Data']")
        click(browser, "//a[.='Verdict: live page and files']")
        wait_until(lambda: browser.find_elements(By.ID, "headline"), "the live page")
        assert headline(browser) == "Too early to say"
        browser.execute_script("window.isTheSamePage = true")
        first = figure(browser, "requests")
        wait_for_headline(browser, "Pass so far")
        browser.execute_script("document.querySelector('.scroll').focus()")
        wait_until(lambda: figure(browser, "requests") > first, "the requests advance")
        focused = browser.switch_to.active_element.get_attribute("aria-label")
        assert focused == "Objectives", "what has the focus keeps it"
        live = browser.current_window_handle

        browser.switch_to.new_window("tab")
        browser.get(url)
        click(browser, "//button[.='Stop']")
        browser.switch_to.window(live)
        wait_for_headline(browser, "Pass")
        assert browser.execute_script("return window.isTheSamePage"), "it was never reloaded"
        assert browser.title.startswith("Pass ")
        assert live == locust

        click(browser, f"//a[.='{DOWNLOAD}']")
        (folder,) = commands.results.iterdir()
        got = downloads / f"{folder.name}-{DOWNLOAD}"
        wait_until(got.exists, "the download")
        wait_until(lambda: got.stat().st_size == (folder / DOWNLOAD).stat().st_size, "all of it")
        assert got.read_bytes() == (folder / DOWNLOAD).read_bytes()
        assert json.loads((folder / "summary.json").read_text())["verdict"] == "pass"
        errors = [line for line in browser.get_log("browser") if line["level"] == "SEVERE"]
        assert errors == []


def test_a_missed_objective_is_named(browser, commands, notice_server, tmp_path):
    slo = tmp_path / "hard.toml"
    slo.write_text("[total]\np95_ms = 0.001\n[generator]\nlag_ms = 60000\n")
    with web_ui(commands, HOST=notice_server.url, SLO_FILE=str(slo)) as url:
        browser.get(f"{url}/verdict")
        assert headline(browser) == "Nothing has run yet"
        browser.execute_script("window.headline = document.getElementById('headline')")
        post(f"{url}/swarm", user_count=20, spawn_rate=20)
        wait_for_headline(browser, "Fail so far")
        row = element(browser, "//tr[th[.='p95 of all requests']]").text
        assert "missed" in row and "≤ 0.001 ms" in row
        is_same = "return window.headline === document.getElementById('headline')"
        assert browser.execute_script(is_same), "a new one would not be read out"


def test_it_says_that_locust_is_gone_and_finds_it_again(browser, commands, notice_server):
    where = {"port": free_port(), "HOST": notice_server.url}
    with web_ui(commands, **where) as url:
        browser.get(f"{url}/verdict")
        assert browser.find_element(By.ID, "gone").text == ""
    gone = "No answer from Locust since"
    wait_until(lambda: gone in browser.find_element(By.ID, "gone").text, "it is gone")
    with web_ui(commands, **where):
        wait_until(lambda: browser.find_element(By.ID, "gone").text == "", "it is back")
        wait_for_headline(browser, "Nothing has run yet")


def test_nothing_is_wider_than_the_window(browser, commands, notice_server, easy):
    with web_ui(commands, HOST=notice_server.url, **easy) as url:
        post(f"{url}/swarm", user_count=40, spawn_rate=40)
        for width in (375, 1200):
            size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
            browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
            browser.get(f"{url}/verdict")
            wait_for_headline(browser, "Pass so far")
            wide = browser.execute_script("return document.documentElement.scrollWidth")
            assert wide <= width

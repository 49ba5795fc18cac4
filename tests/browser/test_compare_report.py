"""report.html of a comparison in a real browser, from the disk, without a network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from browser.test_report import (
    DESKTOP,
    PHONE,
    Open,
    chromium,  # noqa: F401
    colour,
    drawn,
    page,  # noqa: F401
    wait,
)
from selenium.webdriver.common.by import By

from harness.experiments.compare.report.files import draw
from harness.report.charts import palette
from support.compare_folders import write_comparison

HOSTILE = "<img src=http://127.0.0.1:9/x onerror=window.broken=1></script>"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Stand for the run whose page is opened: it is a comparison."""
    folder = write_comparison(
        tmp_path_factory.mktemp("browser") / "x",
        variants=4,
        rounds=2,
        titles=("nothing (runserver)", "gunicorn", HOSTILE, "a title that is long " * 4),
        notes=(HOSTILE,),
        invalid=lambda variant, number, users: (variant, users) == (1, 400),
    )
    draw(folder)
    yield folder


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_finding_is_seen_first_and_the_page_never_scrolls_sideways(
    page: Open,  # noqa: F811
    size: tuple[int, int],
) -> None:
    browser = page(size)
    finding = browser.find_element(By.CSS_SELECTOR, ".finding h2")
    assert finding.text.startswith("gunicorn carries 1.6 (1.4 to 1.8) times")
    assert finding.location["y"] + finding.size["height"] < size[1]
    assert browser.execute_script("return document.documentElement.scrollWidth") <= size[0]
    wide = "const e = document.querySelector('.wide'); return e.scrollWidth > e.clientWidth"
    assert browser.execute_script(wide) is (size == PHONE), "side by side, whatever the width"


def test_every_chart_is_drawn(page: Open) -> None:  # noqa: F811
    browser = page()
    plots = browser.find_elements(By.CSS_SELECTOR, ".plot")
    assert len(plots) == 5
    for plot in plots:
        assert plot.find_elements(By.CSS_SELECTOR, "svg.main-svg"), plot.get_attribute("id")
    lines = browser.find_elements(By.CSS_SELECTOR, "#plot-over-time .js-line")
    assert len(lines) >= 4 * 5, "five and an objective of each of four variants"


def test_dark_is_dark(page: Open) -> None:  # noqa: F811
    browser = page(scheme="dark")
    assert drawn(browser) == "dark"
    assert colour(browser, "html", "backgroundColor") == palette.DARK.paper
    stroke = colour(browser, "#plot-by-users-p95-ms .js-line", "stroke")
    assert stroke == palette.DARK.scopes[0]


def test_a_link_to_the_runs_unfolds_them(page: Open) -> None:  # noqa: F811
    browser = page()
    browser.find_element(By.LINK_TEXT, "Runs").click()
    links = "details[open] tbody th a"
    wait(browser, lambda: browser.find_elements(By.CSS_SELECTOR, links))
    link = browser.find_element(By.CSS_SELECTOR, links)
    assert (link.get_attribute("href") or "").endswith("/runs/r1-v0-50/")

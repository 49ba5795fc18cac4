"""report.html in a real browser, from the disk, without a network."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from browser.conftest import start_chromium
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from harness.report.charts import palette
from harness.report.files import draw
from harness.results import judging
from support.commands import PATIENCE_S
from support.run_folders import KEYS, failure, write_run

HOSTILE = ("GET", "/x</script><script>window.broken=1</script>")
PLOTS = ("over-time", "distribution", "heat-map", "by-endpoint", "health")
DESKTOP, PHONE = (1200, 900), (375, 812)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_run(
        tmp_path_factory.mktemp("browser") / "run",
        steps=((4, 12), (8, 12)),
        keys=[*KEYS, HOSTILE, ("GET", "/공지/검색?q=장학")],
        failures=[failure("<img src=http://127.0.0.1:9/x onerror=window.broken=1>")],
        objectives="[total]\np50_ms = 1\np95_ms = 500\nfail_ratio = 0.5\n",
    )
    draw(folder)
    return folder


@pytest.fixture(scope="module")
def chromium() -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = start_chromium(options)
    offline = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
    driver.execute_cdp_cmd("Network.enable", {})
    driver.execute_cdp_cmd("Network.emulateNetworkConditions", offline)
    yield driver
    driver.quit()


Open = Callable[..., webdriver.Chrome]


@pytest.fixture
def page(chromium: webdriver.Chrome, run: Path) -> Iterator[Open]:
    """Yield a function that opens the report; at the end nobody may have complained."""

    def go(
        size: tuple[int, int] = DESKTOP, scheme: str = "light", media: str = ""
    ) -> webdriver.Chrome:
        metrics = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": False}
        chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        emulate(chromium, scheme, media)
        chromium.get((run / "report.html").as_uri())
        wait(chromium, lambda: drawn(chromium))
        return chromium

    chromium.get_log("browser"), chromium.get_log("performance")
    yield go
    assert chromium.get_log("browser") == []
    urls = [
        entry["message"].split('"url":"')[1].split('"')[0]
        for entry in chromium.get_log("performance")
        if '"Network.requestWillBeSent"' in entry["message"]
    ]
    assert {url.split(":")[0] for url in urls} <= {"file", "data", "blob"}
    assert chromium.execute_script("return window.broken") is None


def emulate(chromium: webdriver.Chrome, scheme: str, media: str = "") -> None:
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})


def drawn(chromium: webdriver.Chrome) -> str | None:
    """Return the colours in which the charts were drawn last."""
    return chromium.execute_script("return document.documentElement.dataset.drawn")


def wait(chromium: webdriver.Chrome, true: Callable[[], object]) -> None:
    WebDriverWait(chromium, PATIENCE_S).until(lambda _: true())


def colour(chromium: webdriver.Chrome, selector: str, name: str) -> str:
    script = "return getComputedStyle(document.querySelector(arguments[0]))[arguments[1]]"
    parts = chromium.execute_script(script, selector, name).split("(")[1].rstrip(")").split(",")
    return "#" + "".join(f"{int(part):02x}" for part in parts[:3])


def picture(chromium: webdriver.Chrome, selector: str) -> bytes:
    return base64.b64decode(chromium.find_element(By.CSS_SELECTOR, selector).screenshot_as_base64)


def data_of(chromium: webdriver.Chrome, id: str) -> list[dict]:
    """Return the traces that a chart draws, with the numbers of their points."""
    return chromium.execute_script(
        "return document.getElementById(arguments[0]).data"
        ".map(({name, type, x}) => ({name, type, points: x.length}))",
        f"plot-{id}",
    )


def test_verdict_rows_and_charts_are_there(page: Open, run: Path) -> None:
    chromium, summary = page(), judging.judge(run)[0]
    assert summary.verdict == "fail"
    verdict = chromium.find_element(By.CSS_SELECTOR, ".verdict").text
    assert verdict.startswith("FAIL: the run is valid and missed objectives")
    assert all(reason in verdict for reason in summary.reasons)
    table = "h2#{} ~ .scroll tbody tr"
    rows = chromium.find_elements(By.CSS_SELECTOR, table.format("endpoints"))
    names = [row.find_element(By.TAG_NAME, "th").text for row in rows]
    expected = [*(f"{each.method} {each.name}" for each in summary.endpoints), "total"]
    assert names[: len(expected)] == expected
    assert chromium.find_element(By.ID, "steps").text == "Steps"
    for id in PLOTS:
        plot = chromium.find_element(By.ID, f"plot-{id}")
        assert plot.find_elements(By.CSS_SELECTOR, "svg.main-svg"), id
        assert plot.get_attribute("aria-label")


def test_a_chart_has_a_point_a_second(page: Open) -> None:
    chromium = page()
    lines = {trace["name"]: trace["points"] for trace in data_of(chromium, "over-time")}
    for name in ("requests/s", "failures/s", "median", "95th percentile", "users"):
        assert lines[name] == 24
    paths = chromium.find_elements(
        By.CSS_SELECTOR, "#plot-over-time .scatterlayer .trace path.js-line"
    )
    assert len(paths) >= 5
    corners = [(path.get_attribute("d") or "").count(",") for path in paths]
    assert max(corners) >= 20, "a line through many points; a level one is drawn with two"
    heat = data_of(chromium, "heat-map")[0]
    assert (heat["type"], heat["points"]) == ("heatmap", 25)
    shown = [trace["name"] for trace in data_of(chromium, "distribution")]
    assert shown[0] == "total" and "GET /공지/검색?q=장학" in shown


def test_no_button_sends_a_chart_anywhere(page: Open) -> None:
    buttons = page().find_elements(By.CSS_SELECTOR, "#plot-over-time .modebar-btn")
    assert {button.get_attribute("data-title") for button in buttons} == {
        "Download plot as a PNG",
        "Zoom",
        "Pan",
        "Zoom in",
        "Zoom out",
        "Reset axes",
    }


def test_a_label_appears_under_the_pointer(page: Open) -> None:
    chromium = page()
    plot = chromium.find_element(By.ID, "plot-over-time")
    chromium.execute_script("arguments[0].scrollIntoView({block: 'center'})", plot)
    area = plot.find_element(By.CSS_SELECTOR, ".nsewdrag")
    assert not plot.find_elements(By.CSS_SELECTOR, ".hoverlayer text")
    webdriver.ActionChains(chromium).move_to_element(area).perform()
    wait(chromium, lambda: plot.find_elements(By.CSS_SELECTOR, ".hoverlayer text"))
    label = plot.find_element(By.CSS_SELECTOR, ".hoverlayer").text
    assert "seconds" in label and "requests/s" in label


def test_dark_differs_from_light_and_follows_the_system(page: Open) -> None:
    chromium = page(scheme="light")
    assert drawn(chromium) == "light"
    light = picture(chromium, "#plot-heat-map")
    assert colour(chromium, "html", "backgroundColor") == palette.LIGHT.paper
    emulate(chromium, "dark")
    wait(chromium, lambda: drawn(chromium) == "dark")
    assert colour(chromium, "html", "backgroundColor") == palette.DARK.paper
    assert colour(chromium, "#plot-over-time .main-svg", "backgroundColor") == palette.DARK.paper
    assert colour(chromium, "#plot-over-time .x3tick text", "fill") == palette.DARK.text
    assert colour(chromium, "#plot-over-time .js-line", "stroke") == palette.DARK.good
    assert picture(chromium, "#plot-heat-map") != light
    emulate(chromium, "light")
    wait(chromium, lambda: drawn(chromium) == "light")
    assert colour(chromium, "#plot-over-time .js-line", "stroke") == palette.LIGHT.good


def test_a_phone_scrolls_tables_but_never_the_page(page: Open) -> None:
    chromium = page(PHONE)
    width = chromium.execute_script("return document.documentElement.scrollWidth")
    assert width <= PHONE[0]
    wide = [
        element
        for element in chromium.find_elements(By.CSS_SELECTOR, ".scroll")
        if element.is_displayed()
        and chromium.execute_script(
            "return arguments[0].scrollWidth > arguments[0].clientWidth", element
        )
    ]
    assert wide, "tables are wider than a phone, and scroll in their own box"
    for id in PLOTS:
        plot = chromium.find_element(By.CSS_SELECTOR, f"#plot-{id} svg.main-svg")
        assert plot.size["width"] <= PHONE[0]


def focused(chromium: webdriver.Chrome) -> WebElement:
    return chromium.switch_to.active_element


def test_everything_is_reached_by_the_keyboard(page: Open) -> None:
    chromium = page()
    focused(chromium).send_keys(Keys.TAB)
    assert focused(chromium).text == "To the result"
    assert focused(chromium).location["x"] >= 0, "seen once it has the focus"
    focused(chromium).send_keys(Keys.ENTER)
    assert focused(chromium).get_attribute("id") == "result"
    seen = set()
    for _ in range(60):
        webdriver.ActionChains(chromium).send_keys(Keys.TAB).perform()
        element = focused(chromium)
        seen.add((element.tag_name, element.get_attribute("aria-label") or ""))
    assert {("div", "Endpoints, steady state"), ("div", "Failures")} <= seen
    assert ("summary", "") in seen
    details = chromium.find_element(By.CSS_SELECTOR, "details summary")
    details.send_keys(Keys.ENTER)
    wait(chromium, lambda: chromium.find_element(By.CSS_SELECTOR, "details[open]"))


def test_a_link_to_a_folded_section_unfolds_it(page: Open) -> None:
    chromium = page()
    chromium.find_element(By.LINK_TEXT, "What was run").click()
    folded = "details:has(#manifest)[open]"
    wait(chromium, lambda: chromium.find_elements(By.CSS_SELECTOR, folded))


def test_headings_and_names_make_an_outline(page: Open) -> None:
    chromium = page()
    script = "return [...document.querySelectorAll('h1,h2,h3')].map(e => +e.tagName[1])"
    levels = chromium.execute_script(script)
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    script = "return [...document.querySelectorAll('[id]')].map(e => e.id)"
    ids = [id for id in chromium.execute_script(script) if id]
    assert len(ids) == len(set(ids))


def test_a_print_is_light_and_whole(page: Open) -> None:
    chromium = page(scheme="dark")
    emulate(chromium, "dark", "print")
    wait(chromium, lambda: drawn(chromium) == "print")
    assert colour(chromium, "html", "color") == palette.LIGHT.text
    assert colour(chromium, "#plot-over-time .js-line", "stroke") == palette.LIGHT.good
    assert not chromium.find_element(By.CSS_SELECTOR, "nav").is_displayed()
    for row in chromium.find_elements(By.CSS_SELECTOR, "details tbody tr"):
        assert row.size["height"] > 0, "what is folded on the screen is printed"
    assert chromium.execute_script(
        "return [...document.querySelectorAll('.scroll')]"
        ".every(e => getComputedStyle(e).overflowX === 'visible')"
    )
    emulate(chromium, "dark")
    wait(chromium, lambda: drawn(chromium) == "dark")
    paper = {"printBackground": True, "paperWidth": 8.27, "paperHeight": 11.69}
    pdf = base64.b64decode(chromium.execute_cdp_cmd("Page.printToPDF", paper)["data"])
    assert pdf.startswith(b"%PDF") and pdf.count(b"/Type /Page\n") >= 3


def test_a_run_without_samples_is_a_page_too(chromium: webdriver.Chrome, tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", requests=0)
    draw(folder)
    chromium.get_log("browser")
    chromium.get((folder / "report.html").as_uri())
    assert "No samples" in chromium.find_element(By.TAG_NAME, "main").text
    assert chromium.get_log("browser") == []

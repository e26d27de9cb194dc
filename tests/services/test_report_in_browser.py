"""The report in a real browser: drawn, readable, silent, at the width of a telephone and of a desk."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from tests.services.conftest import Reported

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]  # the page itself takes most of it

BROWSERS = ("chromium", "google-chrome", "chromium-browser", "chrome")
SWITCHES = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
)  # fmt: skip
WIDTHS = [400, 1400]
SMALLEST_TEXT = {400: 9.0, 1400: 11.0}

# [chart, its box, marks with an extent, boxes and sizes of its texts]
CHARTS = """
return [...document.querySelectorAll('figure')].map(figure => {
  const svg = figure.querySelector('svg'), box = svg.getBoundingClientRect(), card = figure.getBoundingClientRect();
  const scale = box.width / svg.viewBox.baseVal.width;
  const marks = [...svg.querySelectorAll('[class*="role-mark"] path, [class*="role-mark"] line')].filter(mark => {
    const its = mark.getBoundingClientRect(), style = getComputedStyle(mark);
    return its.width + its.height > 0 && (style.fill !== 'none' || style.stroke !== 'none');
  });
  const shown = text => text.textContent.trim() && text.getAttribute('opacity') !== '0';
  const texts = [...svg.querySelectorAll('text')].filter(shown);
  return {
    name: figure.id, width: box.width, height: box.height, marks: marks.length,
    texts: texts.map(text => {
      const its = text.getBoundingClientRect();
      return {
        text: text.textContent, size: parseFloat(getComputedStyle(text).fontSize) * scale,
        inside: its.left >= card.left && its.right <= card.right && its.top >= card.top && its.bottom <= card.bottom,
      };
    }),
  };
});
"""

# the elements that hold text, with the colours of text and ground as [red, green, blue]
COLOURS = """
const rgb = colour => colour.match(/[0-9.]+/g).map(Number);
const ground = element => {
  for (let at = element; at; at = at.parentElement) {
    const colour = rgb(getComputedStyle(at).backgroundColor);
    if (colour.length < 4 || colour[3] > 0) return colour.slice(0, 3);
  }
  return [255, 255, 255];
};
const written = element => [...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
return [...document.querySelectorAll('body *')].filter(element => written(element) && element.checkVisibility())
  .map(element => {
    const style = getComputedStyle(element), svg = element.closest('svg');
    return [element.textContent.trim().slice(0, 40), rgb(svg ? style.fill : style.color).slice(0, 3), ground(element)];
  });
"""


def installed(*names: str) -> str:
    for name in names:
        if found := shutil.which(name):
            return found
    pytest.fail(f"no {' or '.join(names)} here; on Debian: apt-get install chromium chromium-driver")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    options.binary_location = installed(*BROWSERS)
    for switch in (*SWITCHES, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    folder = os.environ.get("CHROMEWEBDRIVER")  # where GitHub's runners keep the driver of their browser
    driver = str(Path(folder) / "chromedriver") if folder else installed("chromedriver")
    started = webdriver.Chrome(options=options, service=Service(driver))
    yield started
    started.quit()


def show(browser: webdriver.Chrome, page: Path, width: int, scheme: str = "light", media: str = "screen") -> None:
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})
    for kind in ("browser", "performance"):
        log(browser, kind)
    browser.get(page.as_uri())


def ask(browser: webdriver.Chrome, script: str, *arguments: str) -> Any:
    return browser.execute_script(script, *arguments)


def log(browser: webdriver.Chrome, kind: str) -> list[dict[str, Any]]:
    """What has come since it was last asked for."""
    entries: list[dict[str, Any]] = browser.get_log(kind)  # type: ignore[no-untyped-call]
    return entries


def requested(browser: webdriver.Chrome) -> list[str]:
    events = [json.loads(entry["message"])["message"] for entry in log(browser, "performance")]
    return [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]


def contrast(one: list[float], other: list[float]) -> float:
    """WCAG 2.2, https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio"""

    def luminance(colour: list[float]) -> float:
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (part / 255 for part in colour)]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_is_silent_and_asks_for_nothing(browser: webdriver.Chrome, reported: Reported, width: int) -> None:
    show(browser, reported.page, width)
    assert log(browser, "browser") == []
    assert [url for url in requested(browser) if not url.startswith("data:")] == [reported.page.as_uri()]


@pytest.mark.parametrize("width", WIDTHS)
def test_every_chart_is_drawn_and_can_be_read(browser: webdriver.Chrome, reported: Reported, width: int) -> None:
    show(browser, reported.page, width)
    charts: list[dict[str, Any]] = ask(browser, CHARTS)
    assert {chart["name"] for chart in charts} >= {
        "holdout_gain", "holdout_lift", "holdout_calibration", "holdout_roc", "holdout_pr", "holdout_deciles",
        "day_scores", "day_gain", "day_deciles", "volume", "score_drift", "column_drift", "importance", "beeswarm",
        "challenger_differences",
    }  # fmt: skip
    for chart in charts:
        assert chart["width"] >= 300, chart["name"]
        assert chart["height"] >= 90, chart["name"]
        assert chart["marks"] > 0, chart["name"]
        assert len(chart["texts"]) >= 4, chart["name"]
        for text in chart["texts"]:
            assert text["inside"], (chart["name"], text)
            assert text["size"] >= SMALLEST_TEXT[width], (chart["name"], text)
    (swarm,) = (chart for chart in charts if chart["name"] == "beeswarm")
    assert swarm["marks"] >= len(reported.figures["beeswarm"]["log_odds"])


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_sticks_out_to_the_side(browser: webdriver.Chrome, reported: Reported, width: int) -> None:
    show(browser, reported.page, width)
    wide = "return document.documentElement.scrollWidth > document.documentElement.clientWidth"
    assert ask(browser, wide) is False
    ask(browser, "document.querySelectorAll('details').forEach(one => one.open = true)")
    assert ask(browser, wide) is False


@pytest.mark.parametrize(("scheme", "media"), [("light", "screen"), ("dark", "screen"), ("dark", "print")])
def test_text_stands_out_from_its_ground(
    browser: webdriver.Chrome, reported: Reported, scheme: str, media: str
) -> None:
    show(browser, reported.page, 1400, scheme, media)
    found = ask(browser, COLOURS)
    assert len(found) > 200
    grounds = {tuple(ground) for _, _, ground in found}
    assert all((sum(ground) < 200) == (scheme == "dark" and media == "screen") for ground in grounds)
    faint = [(text, colour, ground) for text, colour, ground in found if contrast(colour, ground) < 4.5]
    assert faint == []


def test_the_printed_page_leaves_out_what_only_a_screen_can_use(browser: webdriver.Chrome, reported: Reported) -> None:
    show(browser, reported.page, 720, media="print")
    visible = "return [...document.querySelectorAll(arguments[0])].filter(one => one.checkVisibility()).length"
    assert ask(browser, visible, "nav, summary, .skip") == 0
    assert ask(browser, visible, "figure svg") >= 15


def test_headings_go_down_one_step_at_a_time(browser: webdriver.Chrome, reported: Reported) -> None:
    show(browser, reported.page, 1400)
    levels = "return [...document.querySelectorAll('h1,h2,h3,h4,h5,h6')].map(one => Number(one.tagName[1]))"
    found = ask(browser, levels)
    assert found.count(1) == 1
    assert all(deeper - level <= 1 for level, deeper in pairwise(found))

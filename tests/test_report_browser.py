"""The report of a real run in headless Chromium, from disk: sections, charts, a picture. Slow; skipped without one."""

from __future__ import annotations

import shutil
import subprocess
import zlib
from pathlib import Path

import pytest

from conftest import Finished
from devtools import tab
from etalon.report import write_report
from test_report import copied

pytestmark = [pytest.mark.slow, pytest.mark.torch]
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
SECTIONS = (
    "What each phase bought",
    "Stages",
    "What held and what did not",
    "Spectrum",
    "Data",
    "Fine-tuning",
    "Reinforcement learning",
    "Self-distillation",
)


def browse(page: Path, *flags: str) -> str:
    """Standard output of one headless visit."""
    assert BROWSER is not None
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", *flags, page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


def pixels(picture: Path) -> bytes:
    """The image data of a PNG, decompressed."""
    content, data, start = picture.read_bytes(), b"", 8
    while start < len(content):
        size, kind = int.from_bytes(content[start : start + 4], "big"), content[start + 4 : start + 8]
        data += content[start + 8 : start + 8 + size] if kind == b"IDAT" else b""
        start += 12 + size
    return zlib.decompress(data)


@pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")
@pytest.mark.parametrize("width", [1200, 420])
def test_a_browser_shows_every_section_and_draws_something(finished: Finished, tmp_path: Path, width: int) -> None:
    page = write_report(copied(finished.run, tmp_path / "run"))
    dom = browse(page, "--dump-dom")
    for section in (*SECTIONS, "CLR"):
        assert f"<h2>{section}</h2>" in dom, section
    assert dom.count("<svg") > 10
    picture = tmp_path / "report.png"
    browse(page, f"--window-size={width},3000", f"--screenshot={picture}")
    drawn = pixels(picture)
    assert len(drawn) > width * 3000 * 3
    assert len(set(drawn)) > 50  # a blank page has a handful of byte values


# of every chart: what lies outside its box, how much is drawn, and what is said when it has the focus, at both ends of
# its values, when it is pointed at and when the focus has left
READ_CHARTS = """(() => {
  for (const folded of document.querySelectorAll("details")) folded.open = true;
  const said = (selector) => document.querySelector(selector)?.textContent ?? "";
  return [...document.querySelectorAll("svg.chart")].map((chart) => {
    const view = chart.viewBox.baseVal;
    const shapes = [...chart.querySelectorAll("path, rect, circle, line, text")];
    const outside = shapes.filter((shape) => {
      const { x, y, width, height } = shape.getBBox();
      return x < -2 || y < -2 || x + width > view.width + 2 || y + height > view.height + 2;
    });
    const press = (key) => {
      chart.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
      return said(".tip.on");
    };
    const marks = chart.querySelectorAll("path, rect, circle").length;
    chart.focus();
    const focused = said(".tip.on");
    const last = press("End");
    const spoken = said(".spoken");
    const first = press("Home");
    chart.blur();
    const left = said(".tip.on");
    const { x, y, width, height } = chart.getBoundingClientRect();
    const point = { clientX: x + width * 0.6, clientY: y + height / 2, bubbles: true };
    chart.dispatchEvent(new PointerEvent("pointermove", point));
    const pointed = said(".tip.on");
    document.body.dispatchEvent(new PointerEvent("pointermove", { bubbles: true }));
    const name = chart.getAttribute("aria-label");
    return { name, outside: outside.map((one) => one.outerHTML), marks, focused, first, last, spoken, left, pointed,
             away: said(".tip.on") };
  });
})()"""


@pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")
@pytest.mark.parametrize("width", [1200, 420])
def test_every_chart_is_inside_its_box_and_says_its_values_to_a_pointer_and_to_keys(
    finished: Finished, tmp_path: Path, width: int
) -> None:
    page = write_report(copied(finished.run, tmp_path / "run"))
    with tab(tmp_path / "profile") as browser:
        # a window is never narrower than 500
        browser.call("Emulation.setDeviceMetricsOverride", width=width, height=1000, deviceScaleFactor=1, mobile=False)
        browser.open(page.as_uri())
        charts = browser.run(READ_CHARTS)
        assert browser.complaints == []
        wide = browser.run("document.documentElement.scrollWidth")
    assert len(charts) > 10
    assert wide <= width
    for chart in charts:
        name = chart["name"]
        assert chart["outside"] == [], name
        assert chart["marks"], name
        assert chart["focused"] == chart["first"] != "", name
        assert chart["last"], name
        assert chart["spoken"].replace(", ", "") == chart["last"].replace(", ", ""), name
        assert chart["pointed"], name
        assert chart["left"] == chart["away"] == "", name
    several = [chart for chart in charts if chart["first"] != chart["last"]]
    assert len(several) > len(charts) / 2


@pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")
def test_arrow_keys_go_through_the_steps_of_a_curve_and_paper_shows_no_tip(finished: Finished, tmp_path: Path) -> None:
    page = write_report(copied(finished.run, tmp_path / "run"))
    with tab(tmp_path / "profile") as browser:
        browser.open(page.as_uri())
        browser.run("document.querySelector('#sft svg.chart').focus()")
        found = [browser.run("document.querySelector('.tip').textContent")]
        for key in ("ArrowRight", "ArrowRight", "ArrowLeft"):
            browser.press(key)
            found.append(browser.run("document.querySelector('.tip').textContent"))
        values = browser.run("document.querySelector('#sft path[data-said]').dataset.values").split(",")
        browser.press("Escape")
        closed = browser.run("document.querySelector('.tip.on')")
        browser.press("ArrowRight")
        browser.call("Emulation.setEmulatedMedia", media="print")
        printed = browser.run("getComputedStyle(document.querySelector('.tip')).display")
    steps = [pair.split(" ") for pair in values]
    for shown, (step, value) in zip(found, (*steps[:3], steps[1]), strict=True):
        assert shown.startswith(f"step {step}")
        assert f" {value}" in shown
    assert closed is None
    assert printed == "none"

"""The report of a real run in headless Chromium, from disk: sections, charts, a picture. Slow; skipped without one."""

from __future__ import annotations

import shutil
import subprocess
import zlib
from pathlib import Path

import pytest

from conftest import Finished
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

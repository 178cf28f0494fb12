"""`etalon report RUN --watch`: a run is followed on this machine, and on no other."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

import shrunk
from conftest import Finished
from devtools import BROWSER, Tab, tab
from etalon.errors import ConfigError
from etalon.report.live.now import fingerprint, lines
from etalon.report.live.server import PORT, listen
from etalon.store import append_jsonl

SECONDS = 60.0


@contextmanager
def watching(run: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The command, and the address that it says it serves."""
    command = [*shrunk.MAIN, "report", str(run), "--watch", "--port", "0"]
    with subprocess.Popen(
        command, env=shrunk.ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[0], process
        finally:
            process.kill()


def asked(url: str, **headers: str) -> tuple[int, dict[str, str], str]:
    method = headers.pop("method", "GET")
    try:
        with urlopen(Request(url, headers=headers, method=method), timeout=SECONDS) as answer:
            return answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.read().decode()
    except HTTPError as error:
        with error:
            return error.code, dict(error.headers), error.read().decode()


def unfinished(run: Path, target: Path) -> Path:
    """A copy of a run whose last phase of RL goes on."""
    shutil.copytree(run, target, ignore=shutil.ignore_patterns("checkpoint*"))
    (target / "summary.json").unlink()
    for name in ("instruct", "eval-instruct", "clr"):
        shutil.rmtree(target / "stages" / name)
    phase = target / "stages" / "distill"
    (phase / "DONE.json").unlink()
    shutil.rmtree(target / "stages" / "eval-distill")
    return target


@pytest.mark.live
def test_a_run_that_has_not_begun_is_waited_for_until_it_has(finished_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    with watching(run) as (url, process):
        status, headers, html = asked(url)
        assert (status, headers["cache-control"], headers["x-frame-options"]) == (200, "no-store", "DENY")
        assert "the run has not begun" in html
        assert "connect-src &#x27;self&#x27;" in html or "connect-src 'self'" in html
        before = json.loads(asked(f"{url}state")[2])["etag"]
        assert asked(url, **{"if-none-match": headers["etag"]})[0] == 304
        unfinished(finished_run, tmp_path / "copy")
        for path in (tmp_path / "copy").iterdir():
            path.rename(run / path.name)
        deadline = time.monotonic() + SECONDS
        while (state := json.loads(asked(f"{url}state")[2]))["etag"] == before:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        assert state["lines"][0][0] == "Runs now: distill"
        page = asked(url)[2]
        assert '<section id="live"' in page
        assert '<section id="stages">' in page
        assert asked(url, method="POST")[0] == asked(f"{url}state", method="PUT")[0] == 405
        assert asked(url, host="evil.example")[0] == asked(f"{url}state", host="evil.example:80")[0] == 400
        assert asked(f"{url}../resolved.toml")[0] == 404
        assert asked(url, method="HEAD")[2] == ""
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=SECONDS)
        assert (process.returncode, errors) == (130, "interrupted\n")


@pytest.fixture
def finished_run(finished: Finished) -> Path:
    return finished.run


@pytest.mark.torch
def test_what_runs_now_is_told_with_its_newest_whole_step(finished: Finished, tmp_path: Path) -> None:
    run = unfinished(finished.run, tmp_path / "run")
    shutil.rmtree(run / "stages" / "distill")
    phase = run / "stages" / "rl-stem"
    (phase / "DONE.json").unlink()
    before, _ = fingerprint(run)
    step = json.loads((phase / "metrics.jsonl").read_text().splitlines()[-1])
    append_jsonl(phase / "metrics.jsonl", [step | {"step": 3, "accuracy": 0.625}])
    with (phase / "metrics.jsonl").open("a") as stream:
        stream.write('{"step": 4, "accu')
    after, newest = fingerprint(run)
    assert after != before
    told = dict(lines(run, newest))
    assert "step 3 of 4; accuracy 62.5%" in told["Runs now: rl-stem"]
    assert "loss" not in told["Runs now: rl-stem"]
    assert told["Done"].startswith("9 of 13 stages: ")
    assert dict(lines(finished.run, newest))["Finished"]
    assert "may have been stopped" in dict(lines(run, newest - 1000))["Changed"]
    assert fingerprint(run) == (after, newest)


def test_a_port_that_is_taken_is_an_error_unless_none_was_named() -> None:
    with listen(0) as taken, pytest.raises(ConfigError, match=r"--port \d+: .*; name another port"):
        listen(taken.getsockname()[1])
    with listen(None) as first, listen(None) as second:
        ports = [one.getsockname() for one in (first, second)]
    assert ports[0][1] != ports[1][1] >= PORT
    assert {host for host, _ in ports} == {"127.0.0.1"}
    assert first.family == socket.AF_INET


def loaded_again(page: Tab, etag: str) -> None:
    """Wait for another page; a question may fall between the two."""
    is_there = f"document.readyState === 'complete' && document.getElementById('live').dataset.etag !== '{etag}'"
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        try:
            if page.run(is_there):
                return
        except AssertionError as error:
            if "navigated" not in str(error):
                raise
        time.sleep(0.1)
    pytest.fail("the page was not loaded again")


@pytest.mark.slow
@pytest.mark.torch
@pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")
def test_a_page_loads_itself_again_and_stays_where_it_was(finished: Finished, tmp_path: Path) -> None:
    run = unfinished(finished.run, tmp_path / "run")
    with watching(run) as (url, _), tab(tmp_path / "profile") as page:
        page.open(url)
        page.run(
            "document.querySelector('#inputs details').open = true; document.querySelector('#rl').scrollIntoView(); 0"
        )
        etag, place = page.run("document.getElementById('live').dataset.etag"), page.run("scrollY")
        assert place > 500
        append_jsonl(run / "stages" / "distill" / "metrics.jsonl", [{"step": 99, "loss": 1.25}])
        loaded_again(page, etag)
        assert abs(page.run("document.querySelector('#rl').getBoundingClientRect().top")) < 3
        assert page.run("document.querySelector('#inputs details').open")
        assert "loss 1.250" in page.run("document.getElementById('live').textContent")
        # nothing is loaded while somebody reads
        page.run("document.querySelector('#live input').click(); 0")
        kept = page.run("document.getElementById('live').dataset.etag")
        append_jsonl(run / "stages" / "distill" / "metrics.jsonl", [{"step": 100, "loss": 0.5}])
        page.wait_for("document.getElementById('live').textContent.includes('loss 0.500')")
        page.wait_for("document.getElementById('live').textContent.includes('There is more')")
        assert page.run("document.getElementById('live').dataset.etag") == kept
        assert page.complaints == []

"""The page of an evaluation: every problem, every length, texts that cannot act, and bounds that hold."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import subprocess
import tracemalloc
from collections.abc import Iterator
from html import unescape
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path

import pytest
from typer.testing import CliRunner

from etalon.cli import app
from etalon.errors import InputError
from etalon.evaluate.store import Sample, Scored, samples_path, scores_path
from etalon.report.evaluation import write_page
from etalon.report.exports import FORMATS
from etalon.types import Domain, Problem
from evaluations import HOSTILE, RULES, UNSCORED, results, row, sampled, write_evaluation
from test_evaluation import Adder, run

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
Pairs = Iterator[tuple[Sample, Scored]]
ALL_KINDS = ("right", "right", "wrong", "truncated", "undecided", "failed")


class Tags(HTMLParser):
    """Every tag with its attributes; each must be closed in its turn."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def graded(num_problems: int, n: int, text: str = "") -> Pairs:
    """Problem i is solved by i of n samples."""
    for number in range(num_problems):
        for index in range(n):
            kind = "right" if index < number else "wrong"
            yield sampled(f"p{number:03d}", index, kind, tokens=100 * number + index + 1, text=text)


def written(folder: Path) -> str:
    html = write_page(folder).read_text(encoding="utf-8")
    tags = Tags(html).found
    assert not {"img", "iframe", "link", "object"} & {name for name, _ in tags}
    ours = [resources.files("etalon.report") / name for name in ("charts/charts.js", "transcripts/browse.js")]
    codes = {path.read_text(encoding="utf-8") for path in ours}
    assert set(re.findall(r"<script>(.*?)</script>", html, re.DOTALL)) <= codes
    assert {attributes.get("type") for name, attributes in tags if name == "script"} <= {None, "application/gzip"}
    for _, attributes in tags:
        assert not [name for name in attributes if name.startswith("on") or name in ("src", "style")]
        assert (attributes.get("href") or "#").startswith("#")
    return html


def cells(html: str) -> list[str]:
    """The tooltips of the heat map, in order."""
    return [unescape(found) for found in re.findall(r"<g><title>(.*?)</title>", html)]


def test_every_problem_is_a_cell_and_the_hardest_is_last(tmp_path: Path) -> None:
    told = results(row("aime25", title="AIME 2025"), RULES, UNSCORED)
    benchmarks = {"aime25": graded(5, 4), "ifeval": graded(2, 1), "none": [sampled("q", 0, "undecided")]}
    html = written(write_evaluation(tmp_path / "run", benchmarks, told))
    shown = cells(html)
    assert [cell.partition(";")[0] for cell in shown] == [
        "p004: 100.0%", "p003: 75.0%", "p002: 50.0%", "p001: 25.0%", "p000: 0.0%",
        "p001: 100.0%", "p000: 0.0%", "q: –",
    ]  # fmt: skip
    assert "3 right, 1 wrong; 301 to 304 tokens, median 302" in shown[1]
    assert "not finished" not in html
    for words in ("85.0", "[78.1, 90.5]", "17.5%", "91.4", "inside the interval", "avg@64, temperature 1",
                  "What a smaller cap would do", "Score over k", "prompt strict 84.0 [80.0, 88.0] of 541"):  # fmt: skip
        assert words in html, words


@pytest.mark.parametrize(("num_problems", "n"), [(1, 1), (30, 64), (500, 1), (1500, 1)])
def test_a_page_has_room_for_any_number_of_problems(tmp_path: Path, num_problems: int, n: int) -> None:
    folder = write_evaluation(tmp_path / "run", {"x": graded(num_problems, n)}, results(row("x", n=n)))
    html = written(folder)
    assert len(cells(html)) == num_problems
    heat = re.search(r'<svg viewBox="0 0 1120 (\d+)"', html)
    assert heat
    assert int(heat[1]) <= 240
    assert html.count("<tr>") <= 510


def test_what_an_evaluation_wrote_is_read(tmp_path: Path) -> None:
    [found] = run(Adder(5), tmp_path)["benchmarks"]
    html = written(tmp_path)
    assert "not finished" not in html
    interval = f"{100 * found['avg']:.1f} [{100 * found['low']:.1f}, {100 * found['high']:.1f}]"
    assert interval.partition(" ")[2] in html
    assert "cap in tokens the model&#x27;s maximum" in html
    assert [cell.partition(";")[0] for cell in cells(html)][-2:] == ["p6: 0.0%", "p7: 0.0%"]
    told = json.loads((tmp_path / "results.json").read_text())
    assert interval in FORMATS["table"](told)
    [kept] = csv.DictReader(io.StringIO(FORMATS["csv"](told)))
    assert {key: float(kept[key]) for key in ("avg", "low", "high", "n", "temperature")} == {
        **{key: found[key] for key in ("avg", "low", "high", "n")}, "temperature": 1.0,
    }  # fmt: skip


def test_a_name_that_has_no_room_in_its_cell_is_cut_on_one_side(tmp_path: Path) -> None:
    names = ("HumanEval/12", "75ff1e08c1", "p1")
    pairs = [sampled(name, 0, "right") for name in names]
    html = written(write_evaluation(tmp_path / "run", {"x": pairs}, results(row("x"), endpoint=["http://h:1/v1"])))
    assert sorted(re.findall(r'class="cell on name-of"[^>]*>(.*?)<', html)) == ["p1", "…ff1e08c1", "…nEval/12"]
    assert "endpoint http://h:1/v1" in html


def test_a_verdict_is_coloured_by_what_the_row_says_of_it(tmp_path: Path) -> None:
    published = [{"model": "M", "score": 0.9, "verdict": word} for word in ("above", "below", "inside", None)]
    judge = {"name": "J", "disagreements": 12, "listed": [
        {"id": f"p{i}", "index": 0, "reference": "even", "answer": "2n", "rules": 0.0, "judge": 1.0} for i in range(12)
    ]}  # fmt: skip
    told = results(row("x", published=published, truncated=None, judge=judge, metric="clr", clr={"k": 4, "m": 5}))
    html = written(write_evaluation(tmp_path / "run", {"x": graded(2, 2)}, told))
    assert re.findall(r'class="verdict (\w+)">(.*?)<', html) == [
        ("yes", "ours is above"), ("no", "ours is below"), ("unclear", "inside the interval"),
        ("unclear", "no verdict"),
    ]  # fmt: skip
    assert "differ: 10 of 12" in html
    assert html.count('<td class="words">even</td>') == 10
    for words in ("truncation not told", "CLR@64, K = 4, M = 5"):
        assert words in html, words


def test_texts_and_names_of_others_cannot_act(tmp_path: Path) -> None:
    pairs = [sampled(f"{HOSTILE}{p}", i, kind, text=HOSTILE) for p in range(2) for i, kind in enumerate(ALL_KINDS)]
    published = [{"model": HOSTILE, "score": 0.5, "source": HOSTILE, "verdict": "inside"}]
    told = results(row("x", title=HOSTILE, published=published, warnings=[HOSTILE]), model=HOSTILE)
    html = written(write_evaluation(tmp_path / "run", {"x": pairs}, told))
    assert "&lt;script&gt;" in html
    assert not re.search("[\x1b\u202e]", html)


def test_of_a_problem_the_shortest_right_the_longest_wrong_and_a_cut_sample_are_shown(tmp_path: Path) -> None:
    kinds = [("right", 300), ("right", 100), ("wrong", 200), ("wrong", 900), ("truncated", 1000), ("undecided", 5)]
    pairs = [sampled("p", i, kind, tokens=size, text=f"text {i}") for i, (kind, size) in enumerate(kinds)]
    pairs.append(sampled("p", 1, "right", tokens=100, text="asked again"))
    problem = Problem(id="p", domain=Domain.MATH, prompt="What is 1 < 2?", answer="4")
    folder = write_evaluation(tmp_path / "my run", {"x": pairs}, results(row("x")))
    html = write_page(folder, problems={"x": {"p": problem}}).read_text(encoding="utf-8")
    assert "What is 1 &lt; 2?" in html
    reasons = re.findall(r"<summary>Reasoning</summary><pre>(.*?)</pre>", html)
    assert reasons == ["asked again", "text 3", "text 4"]
    assert f"etalon report '{folder}' --sample x/p/INDEX" in unescape(html)


@pytest.mark.live
def test_what_is_shown_and_held_is_bounded_however_much_is_kept(tmp_path: Path) -> None:
    def peak(n: int) -> int:
        kinds = [("right", "wrong")[index % 2] for index in range(n)]
        pairs = (sampled(f"p{p}", i, kind, text="é<" * 15_000) for p in range(35) for i, kind in enumerate(kinds))
        folder = write_evaluation(tmp_path / f"{n}", {"x": pairs}, results(row("x")))
        tracemalloc.start()
        page = write_page(folder)
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        html = page.read_text(encoding="utf-8")
        assert html.count('<details><summary><b class="kind-name') == 60
        texts = "".join(re.findall(r"<pre>(.*?)</pre>", html, re.DOTALL))
        assert 1_500_000 < len(unescape(texts).encode()) <= 2_000_000
        assert "bytes left out" in texts
        return size

    few, many = peak(2), peak(5)
    kept = samples_path(tmp_path / "5", "x").stat().st_size - samples_path(tmp_path / "2", "x").stat().st_size
    assert many - few < kept / 10


def test_an_evaluation_that_is_not_finished_says_so(tmp_path: Path) -> None:
    folder = write_evaluation(tmp_path / "run", {"x": graded(4, 2), "y": graded(2, 2)})
    scores_path(folder, "y").unlink()
    with samples_path(folder, "x").open("a") as stream:
        stream.write('{"id": "torn')
    html = written(folder)
    assert "not finished" in html
    assert "62.5" in html  # of 0, 1/2, 1 and 1
    assert "Not scored yet." in html
    assert len(cells(html)) == 6
    assert "No benchmark has been sampled yet" in written(write_evaluation(tmp_path / "empty", {}))
    for broken in (
        "{",
        "[]",
        '{"benchmarks": [{"name": "x", "avg": "high", "pass": [1], "published": [{"score": "a"}]}]}',
    ):
        (folder / "results.json").write_text(broken)
        assert "<h2>Scores</h2>" in written(folder)
    with pytest.raises(InputError, match=r"is no evaluation: it has no evaluation\.json"):
        write_page(tmp_path)


def test_the_command_writes_the_page_and_prints_a_sample(tmp_path: Path) -> None:
    def report(*arguments: str) -> str:
        result = CliRunner().invoke(app, ["report", *arguments])
        return result.output if result.exit_code == 0 else str(result.exception)

    pairs = [sampled("a/b/1", i, "right", text=f"thought {i} {HOSTILE}") for i in range(3)]
    folder = write_evaluation(tmp_path / "run", {"x": pairs}, results(row("x")))
    assert report(str(folder)).split() == [str(folder / "report.html")]
    printed = report(str(folder), "--sample", "x/a/b/1/2")
    assert "x/a/b/1/2: right, score 1" in printed
    assert "thought 2" in printed
    assert "It is 4." in printed
    assert "\x1b" not in printed
    assert "expected BENCHMARK/PROBLEM/INDEX with a benchmark of" in report(str(folder), "--sample", "y/a/1")
    assert "has no such sample of x" in report(str(folder), "--sample", "x/a/b/1/3")
    assert "is not the directory of an evaluation" in report(str(tmp_path), "--sample", "x/a/1")


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")
def test_a_browser_shows_the_page_and_runs_nothing_of_a_model(tmp_path: Path) -> None:
    assert BROWSER is not None
    pairs = [sampled(f"p{p}", i, kind, text=HOSTILE) for p in range(3) for i, kind in enumerate(ALL_KINDS)]
    page = write_page(write_evaluation(tmp_path / "run", {"x": pairs}, results(row("x"))))
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", page.as_uri()]
    dom = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    assert "<title>org/model_1: Etalon evaluation</title>" in dom
    assert "<h2>Scores</h2>" in dom
    assert dom.count("<svg") >= 4

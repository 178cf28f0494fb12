"""The funnel of the data: reports that the real log of steps wrote, put in order, shown as tables, JSON and a page."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import replace
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

import shrunk
from etalon.data.funnel.chains import Chain, funnel_to_row, read_funnel
from etalon.data.funnel.reading import lost
from etalon.data.gates import KEEP, Decision, Fate, Sieve, drop
from etalon.data.records import ErrorRate, Record, read_records, record_to_row
from etalon.data.step_reports import Calls, StepLog, report_path
from etalon.errors import InputError
from etalon.problems.given.traces import GivenTrace
from etalon.report import write_report
from etalon.report.data import write_page
from etalon.store import to_json, write_json_atomic
from etalon.types import Domain, Problem
from test_report_browser import BROWSER, browse, pixels

MODEL, OTHER = "smol-135m", "teacher-7b"
HOSTILE = '<script>alert("x")</script> \ud800 \x1b[31m'


def record(number: int, *, source: str = "gsm8k", domain: Domain = Domain.MATH, traces: int = 0) -> Record:
    problem = Problem(
        id=f"p{number}", domain=domain, prompt=f"What is {number} + 1?", answer=str(number + 1), source=source
    )
    given = tuple(GivenTrace(response=f"{number} " * 100, num_tokens=100 * (k + 1)) for k in range(traces))
    return Record(problem=problem, traces=given, license="mit" if source == "gsm8k" else "", origin=f"x: line {number}")


def step(
    name: str,
    inputs: Iterable[Path],
    output: Path,
    work: Callable[[Record], Record | None] = lambda one: one,
    *,
    gates: Iterable[Sieve] = (),
    calls: Iterable[Calls] = (),
    more: Iterable[Record] = (),
) -> Path:
    """A step as the commands write them: records in, records out, a report beside them."""
    inputs = list(inputs)
    log = StepLog(step=name, inputs=inputs, settings={"seed": 1}, calls=list(calls))
    output.parent.mkdir(parents=True, exist_ok=True)
    with output.open("wb") as stream:
        for path in inputs:
            for one in read_records(path):
                log.takes(one)
                if (made := work(one)) is not None:
                    log.gives(made)
                    stream.write(to_json(record_to_row(made)) + b"\n")
        for one in more:
            log.gives(one)
            stream.write(to_json(record_to_row(one)) + b"\n")
    log.gates = [sieve.report() for sieve in gates]
    log.write(output, seconds=1.5)
    return output


def raw(path: Path, records: Iterable[Record]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(to_json(record_to_row(one)) + b"\n" for one in records))
    return path


def measured(one: Record) -> Record:
    """A third always right, a third half wrong; a third was never asked."""
    number = int(one.problem.id[1:])
    rates = [{MODEL: ErrorRate(wrong=0, attempts=4)}, {MODEL: ErrorRate(wrong=2, attempts=4)}, {}]
    return replace(one, error_rates=rates[number % 3])


def curriculum(folder: Path) -> Path:
    """import twice -> distill -> error rates -> filter by two gates -> build two sets; 90 and 30 problems."""
    gsm = raw(folder / "gsm8k.raw", [record(n) for n in range(90)])
    stem = raw(folder / "stem.raw", [record(n, source="", domain=Domain.STEM) for n in range(100, 130)])
    first = step("import", [gsm], folder / "data" / "gsm8k.jsonl")
    second = step("import", [stem], folder / "data" / "stem.jsonl")
    asked = [Calls(model=OTHER, asked=240, answered=230, failed=10, remembered=40, prompt_tokens=9000, tokens=50_000)]
    traced = step(
        "distill", [first, second], folder / "data" / "traced.jsonl",
        lambda one: replace(one, traces=record(int(one.problem.id[1:]), traces=2).traces), calls=asked,
    )  # fmt: skip
    paid = [Calls(model=MODEL, asked=120, answered=120, tokens=1200, cost=0.25)]
    rated = step("error-rates", [traced], folder / "data" / "rated.jsonl", measured, calls=paid)
    overlap, length = Sieve("overlap"), Sieve("length")

    def gated(one: Record) -> Record | None:
        number = int(one.problem.id[1:])
        found = drop("copy of a test item", f"{HOSTILE} {number}") if number % 10 == 0 else KEEP
        if not overlap.passes(found, one.group):
            return None
        undecided = Fate.UNDECIDED if number % 2 else Fate.UNDECIDED_KEPT
        found = Decision(outcome=undecided, reason="undecided: no tokens", text="?") if number % 15 == 1 else KEEP
        return one if length.passes(found, one.group) else None

    kept = step("filter", [rated], folder / "data" / "kept.jsonl", gated, gates=[overlap, length])
    step("build", [kept], folder / "sets" / "rl.jsonl", lambda one: replace(one, traces=()))
    step(
        "build",
        [kept],
        folder / "sets" / "stage1.jsonl",
        lambda one: one if one.problem.domain is Domain.MATH else None,
    )
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return curriculum(tmp_path_factory.mktemp("funnel") / "run")


def names(chain: Chain) -> list[str]:
    return [one.place for one in chain.steps]


def test_steps_stand_behind_those_they_took_from(made: Path) -> None:
    [chain] = read_funnel(made).chains
    assert names(chain) == [
        "data/gsm8k.jsonl", "data/stem.jsonl", "data/traced.jsonl", "data/rated.jsonl", "data/kept.jsonl",
        "sets/rl.jsonl", "sets/stage1.jsonl",
    ]  # fmt: skip
    assert chain.sources["data/traced.jsonl"] == ("data/gsm8k.jsonl", "data/stem.jsonl")
    assert chain.sources["sets/stage1.jsonl"] == chain.sources["sets/rl.jsonl"] == ("data/kept.jsonl",)
    assert [one.place for one in chain.first] == ["data/gsm8k.jsonl", "data/stem.jsonl"]
    assert [one.place for one in chain.last] == ["sets/rl.jsonl", "sets/stage1.jsonl"]


def test_what_came_and_went_is_counted_by_domain_and_source(made: Path) -> None:
    [chain] = read_funnel(made).chains
    kept = chain.steps[4]
    overlap, length = kept.gates
    assert (overlap.kept, overlap.dropped, lost(overlap)) == (108, 12, 12)
    assert overlap.groups["math", "gsm8k"] == {"": 81, "copy of a test item": 9}
    undecided = [n for n in (*range(90), *range(100, 130)) if n % 15 == 1 and n % 10]
    stopped = sum(n % 2 for n in undecided)
    assert (length.undecided, lost(length)) == (len(undecided), stopped)
    assert kept.after.total.records == 108 - stopped
    assert (chain.before.total.records, chain.before.total.traces) == (120, 0)
    assert chain.before.groups["stem", ""].records == 30
    assert chain.after.groups["math", "gsm8k"].records == 2 * kept.after.groups["math", "gsm8k"].records
    assert chain.before.rates(MODEL) == {"unmeasured": 120}
    assert kept.before.rates(MODEL) == {"<=0": 40, "<=0.5": 40, "unmeasured": 40}
    assert chain.licenses["unknown"] == kept.after.groups["stem", ""].records


def test_json_has_all_and_nothing_unknown_is_0(made: Path) -> None:
    [chain] = funnel_to_row(read_funnel(made))["chains"]
    assert chain["calls"]["cost"] is None  # one of two models has a price
    assert (chain["calls"]["asked"], chain["calls"]["remembered"], chain["calls"]["tokens"]) == (360, 40, 51_200)
    kept = chain["steps"][4]
    assert kept["gates"][0]["share"] == 0.1
    assert [one["reason"] for one in kept["gates"][0]["examples"]] == ["copy of a test item"] * 3
    assert kept["in"]["error_rates"][MODEL]["unmeasured"] == 40
    assert chain["licenses"].keys() == {"mit", "unknown"}
    assert chain["steps"][3]["calls"][0]["cost"] == 0.25


def test_chains_are_told_apart_and_a_step_that_changes_nothing_has_a_place(tmp_path: Path) -> None:
    first = step("import", [raw(tmp_path / "raw", [record(n) for n in range(5)])], tmp_path / "z.jsonl")
    second = step("dedup", [first], tmp_path / "m.jsonl")
    step("filter", [second], tmp_path / "a.jsonl")
    others = step("import", [raw(tmp_path / "other", [record(9)])], tmp_path / "b.jsonl")
    nothing = step("filter", [others], tmp_path / "c.jsonl", lambda one: None)
    assert nothing.read_bytes() == b""
    renamed = tmp_path / "renamed.jsonl"
    shutil.copy(others, renamed)
    step("label", [renamed], tmp_path / "l.jsonl", measured)
    left, right = read_funnel(tmp_path).chains
    assert sorted([names(left), names(right)]) == [["b.jsonl", "c.jsonl", "l.jsonl"], ["z.jsonl", "m.jsonl", "a.jsonl"]]
    assert dict(right.sources) == {"z.jsonl": (), "m.jsonl": ("z.jsonl",), "a.jsonl": ("m.jsonl",)}
    report_path(first).unlink()  # whose output is that of all three
    [chain] = [one for one in read_funnel(tmp_path).chains if "a.jsonl" in names(one)]
    assert dict(chain.sources) == {"m.jsonl": (), "a.jsonl": ("m.jsonl",)}


def damaged(report: Path, change: Callable[[Any], object]) -> None:
    row = json.loads(report.read_bytes())
    change(row)
    report.write_text(json.dumps(row))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:100]), "is not JSON"),
        (lambda path: path.write_text("[1]"), "is no report of a step: found [1], expected an object"),
        (lambda path: path.write_text('{"tool": "pytest"}'), "is no report of a step: it has no "),
        (lambda path: damaged(path, lambda row: row.pop("gates")), "it has no 'gates'"),
        (lambda path: damaged(path, lambda row: row.update(groups=None)), "is no report of a step: "),
        (lambda path: damaged(path, lambda row: row["licenses"].update(mit=-1)), "found -1, expected a number of rows"),
        (lambda path: damaged(path, lambda row: row.update(lengths={"in": [], "out": {}})), "is no report of a step"),
    ],
)
def test_what_is_no_report_is_one_line_and_the_rest_is_shown(
    change: Callable[[Path], object], told: str, tmp_path: Path
) -> None:
    first = step("import", [raw(tmp_path / "raw", [record(1)])], tmp_path / "a.jsonl")
    step("filter", [first], tmp_path / "b.jsonl")
    change(report_path(first))
    found = read_funnel(tmp_path)
    assert [names(chain) for chain in found.chains] == [["b.jsonl"]]
    [line] = found.left_out
    assert line.startswith(str(report_path(first)))
    assert told in line
    assert "\n" not in line
    (tmp_path / "b.jsonl.report.json").unlink()
    with pytest.raises(InputError, match="report"):
        read_funnel(tmp_path)


class Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.text += data + "\n"


def test_the_page_is_one_file_that_shows_every_part_and_runs_its_charts_alone(made: Path, tmp_path: Path) -> None:
    page = write_page(read_funnel(made), tmp_path / "funnel.html", name="run").read_text(encoding="utf-8")
    words = Words()
    words.feed(page)
    assert {"svg", "details", "table"} <= words.tags
    assert not {"img", "link"} & words.tags
    charts = (resources.files("etalon.report") / "charts" / "charts.js").read_text(encoding="utf-8")
    assert page.count("<script") == page.count(f"<script>{charts}</script>") == 1
    for told in (
        "Data funnel of run", "copy of a test item 12", "filter, overlap: examples of what was dropped",
        "Cost\nunknown",
        "overlap: 12 (10.0%)", "unmeasured", f"Error rate of {MODEL}", "Length of traces, in tokens", "teacher-7b",
        'alert("x")', "the price of a model is not known",
    ):  # fmt: skip
        assert told in words.text, told
    assert words.text.count("copy of a test item\n") == 3  # examples


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")
@pytest.mark.parametrize("width", [1200, 420])
def test_a_browser_draws_the_funnel(made: Path, tmp_path: Path, width: int) -> None:
    page = write_page(read_funnel(made), tmp_path / "funnel.html", name="run")
    assert browse(page, "--dump-dom").count("<svg") >= 5
    picture = tmp_path / "funnel.png"
    browse(page, f"--window-size={width},2000", f"--screenshot={picture}")
    drawn = pixels(picture)
    assert len(drawn) > width * 2000 * 3
    assert len(set(drawn)) > 50  # a blank page has a handful of byte values


def test_the_report_of_a_run_has_the_funnel_and_the_gates_of_stages_without_one(tmp_path: Path) -> None:
    run = tmp_path / "run"
    curriculum(run / "stages" / "data")
    gate = Sieve("quality")
    gate.passes(drop("unclear", "what?"))
    (run / "stages" / "more").mkdir()
    for stage in ("data", "more"):
        write_json_atomic(run / "stages" / stage / "gates.json", [gate.report().to_row()])
    (run / "stages" / "data" / "torn.jsonl.report.json").write_text("{")
    page = write_report(run).read_text(encoding="utf-8")
    assert "gsm8k.raw, stem.raw → data/sets/rl.jsonl, data/sets/stage1.jsonl" in page
    assert "overlap: 12 (10.0%)" in page
    assert page.count("quality: examples of what was dropped") == 1
    assert "torn.jsonl.report.json: is not JSON" in page
    shutil.rmtree(run / "stages" / "data")
    page = write_report(run).read_text(encoding="utf-8")
    assert "Three gates" in page
    assert "unclear 1" in page


def etalon(*words: object, folder: Path) -> subprocess.CompletedProcess[str]:
    return shrunk.etalon(*words, cwd=folder)


@pytest.mark.live
def test_the_command_shows_tables_markdown_and_json_and_writes_the_page(made: Path, tmp_path: Path) -> None:
    table = etalon("data", "funnel", made, "--examples", "-o", tmp_path / "page.html", folder=tmp_path)
    assert table.returncode == 0, table.stderr
    assert table.stderr == f"{tmp_path / 'page.html'}\n"
    assert (tmp_path / "page.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    for told in (
        "gsm8k.raw, stem.raw → sets/rl.jsonl, sets/stage1.jsonl",
        "copy of a test item",
        "10.0%",
        "unknown",
        "unmeasured",
    ):
        assert told in table.stdout, told
    assert table.stdout.count('<script>alert("x")</script>') == 3
    assert "\x1b" not in table.stdout
    markdown = etalon("data", "funnel", made, "--format", "md", folder=tmp_path)
    assert "| filter | overlap | 120 | 108 | 12 | 0 | 10.0% |" in markdown.stdout
    assert "alert" not in markdown.stdout
    told = etalon("data", "funnel", made, "--format", "json", folder=tmp_path)
    assert json.loads(told.stdout) == json.loads(to_json(funnel_to_row(read_funnel(made))))


@pytest.mark.live
def test_what_the_user_can_fix_is_one_line(made: Path, tmp_path: Path) -> None:
    assert "holds no *.report.json" in etalon("data", "funnel", tmp_path, folder=tmp_path).stderr
    assert "no such directory" in etalon("data", "funnel", "none", folder=tmp_path).stderr
    assert "no such directory no" in etalon("data", "funnel", made, "-o", "no/x.html", folder=tmp_path).stderr
    copied = Path(shutil.copytree(made, tmp_path / "copied"))
    (copied / "data" / "half.jsonl.report.json").write_text('{"step": ')
    failed = etalon("data", "funnel", "copied", folder=tmp_path)
    assert failed.returncode == 2
    [line] = failed.stderr.splitlines()
    assert "half.jsonl.report.json: is not JSON" in line
    assert "copy of a test item" in failed.stdout

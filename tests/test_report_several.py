"""`etalon report A B ...`: one page over several runs or evaluations, with the numbers of `etalon compare`."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterable
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import shrunk
from conftest import Finished
from etalon import stats
from etalon.cli import app
from etalon.errors import InputError
from etalon.report.load import load_run
from etalon.report.several import cells
from etalon.report.several.entries import default_name, entries, groups, names_of
from etalon.report.several.page import write_several
from etalon.report.several.paired import compare, means_of
from etalon.report.several.seeds import differences_by_seed, over_seeds
from etalon.report.transcripts.browser import told_of
from etalon.report.transcripts.rows import kind_of
from test_compare import changed_copy, evaluated
from test_report import minus, section_of

DIFFERENCE = re.compile(r'<data value="([^"]+)">(.*?)</data>')


def text_of(markup: str) -> str:
    """What one would read, without the drawings; a space stands between two elements."""
    return " ".join(unescape(re.sub(r"<svg.*?</svg>|<[^>]+>", " ", markup, flags=re.DOTALL)).split())


def row_of(cells: Iterable[str]) -> str:
    return " ".join(" ".join(cells).split())


def page_of(folder: Path, *runs: Path) -> str:
    return write_several(runs, folder / "page.html").read_text(encoding="utf-8")


def changed(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    found = json.loads(path.read_text())
    change(found)
    path.write_text(json.dumps(found))


def seeded(run: Path, target: Path, seed: int, *, shift: float = 0.0) -> Path:
    """A copy as of another seed, whose last stage solves one problem of math by `shift` more often."""
    copy = changed_copy(run, target)
    resolved = copy / "resolved.toml"
    resolved.write_text(resolved.read_text().replace("seed = 0\n", f"seed = {seed}\n", 1))

    def more(means: dict[str, Any]) -> None:
        first = min(means["math"])
        means["math"][first] = min(1.0, means["math"][first] + shift)

    changed(copy / "stages" / "eval-instruct" / "means.json", more)
    changed(copy / "stages" / "eval-instruct" / "DONE.json", lambda done: done.update(key=f"of seed {seed}"))
    return copy


# ---- two runs


@pytest.mark.torch
def test_the_page_of_two_runs_says_every_number_that_compare_says(
    finished: Finished, branched: Finished, tmp_path: Path
) -> None:
    found = compare(finished.run, branched.run)
    html = page_of(tmp_path, finished.run, branched.run)
    stages = section_of(html, "stages")
    above = [None, *found.lines[:-1]]
    told = [
        line
        for line, last in zip(found.lines, above, strict=True)
        if not (line.is_same and last and last.name == line.name)
    ]
    assert [(float(value), text_of(words)) for value, words in DIFFERENCE.findall(stages)] == [
        (line.difference, cells.SAME if line.is_same else minus(cells.difference(line))) for line in told
    ]
    for row in cells.table(found)[1]:
        assert row_of(minus(cell) if "[" in cell else cell for cell in row) in text_of(stages)
    assert text_of(section_of(html, "differs")).count("instruct.gamma 1.0 0") == 1
    assert "The very same steps in all of them: rl-math, rl-long2short" in section_of(html, "curves")
    assert "<h3>instruct</h3>" in section_of(html, "curves")


@pytest.mark.torch
def test_a_problem_that_moved_is_shown_with_an_answer_of_each_side(finished: Finished, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(finished.run, other, ignore=shutil.ignore_patterns("checkpoint*"))
    problem = "unknown"

    def mended(means: dict[str, Any]) -> None:
        nonlocal problem
        problem = next(id_ for id_, mean in means["math"].items() if mean == 0.0)
        means["math"][problem] = 1.0

    folder = other / "stages" / "eval-rl-math"
    changed(folder / "means.json", mended)
    changed(folder / "DONE.json", lambda done: done.update(key="another"))
    rows = [json.loads(line) for line in (folder / "rollouts.jsonl").read_text().splitlines()]
    for row in rows:
        if row["problem_id"] == problem:
            row["rollouts"] = [
                one | {"text": "<b>mended</b>", "score": 1.0, "reason": "exact"} for one in row["rollouts"]
            ]
    (folder / "rollouts.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    moved = section_of(page_of(tmp_path, finished.run, other), "moved")
    assert "rl-math: math +1 −0" in text_of(moved)
    assert f"math: {problem} (0% → 100%)" in text_of(moved)
    assert "&lt;b&gt;mended&lt;/b&gt;" in moved
    told = (finished.run / "stages" / "eval-rl-math" / "rollouts.jsonl").read_text().splitlines()
    before = next(row for row in map(json.loads, told) if row["problem_id"] == problem)
    said = {f"A {kind_of(one)}, {told_of(one)}, {one['tokens']} tokens" for one in before["rollouts"]}
    assert any(words in text_of(moved) for words in said)


def test_an_answer_that_was_cut_is_cut_on_every_page(tmp_path: Path) -> None:
    for name, score in (("a", 0.0), ("b", 1.0)):
        run = tmp_path / name
        folder = run / "stages" / "eval-base"
        folder.mkdir(parents=True)
        stop = "length" if name == "a" else "eos"
        rollout = {"text": "<i>so", "score": score, "tokens": 9, "stop": stop, "reason": "truncated"}
        (folder / "rollouts.jsonl").write_text(json.dumps({"problem_id": "p", "rollouts": [rollout]}) + "\n")
        (folder / "DONE.json").write_text(json.dumps({"key": name, "outputs": {}}))
        (folder / "means.json").write_text(json.dumps({"math": {"p": score}}))
        (run / "resolved.toml").write_text('[[stages]]\nname = "base"\nkind = "base"\n')
    moved = text_of(section_of(page_of(tmp_path, tmp_path / "a", tmp_path / "b"), "moved"))
    assert "A cut, truncated, 9 tokens" in moved
    assert "B right, truncated, 9 tokens" in moved


# ---- several


@pytest.mark.torch
def test_each_of_three_is_held_against_the_first(finished: Finished, branched: Finished, tmp_path: Path) -> None:
    third = changed_copy(branched.run, tmp_path / "third")
    resolved = third / "resolved.toml"
    resolved.write_text(resolved.read_text().replace("threads = 1\n", "threads = 2\n", 1))
    changed(
        third / "stages" / "eval-instruct" / "means.json",
        lambda means: means["math"].update(dict.fromkeys(means["math"], 1.0)),
    )
    changed(third / "stages" / "eval-instruct" / "DONE.json", lambda done: done.update(key="another"))
    html = page_of(tmp_path, finished.run, branched.run, third)
    told = [float(value) for value, _ in DIFFERENCE.findall(section_of(html, "stages"))]
    pairs = [compare(finished.run, other).lines for other in (branched.run, third)]
    assert told == [line.difference for lines in zip(*pairs, strict=True) for line in lines]
    assert "threads 1 1 2" in text_of(section_of(html, "differs"))
    assert "instruct.gamma 1.0 0 0" in text_of(section_of(html, "differs"))


@pytest.mark.torch
def test_seeds_of_a_recipe_are_one_with_an_interval_over_seeds(
    finished: Finished, branched: Finished, tmp_path: Path
) -> None:
    seeds = [finished.run, *(seeded(finished.run, tmp_path / f"s{n}", n, shift=n / 4) for n in (1, 2))]
    others = [branched.run, *(seeded(branched.run, tmp_path / f"b{n}", n, shift=n / 2) for n in (1, 2))]
    ours, theirs = groups(entries([path.resolve() for path in (*seeds, *others)]))
    assert ([one.seed for one in ours.members], [one.seed for one in theirs.members]) == ([0, 1, 2], [0, 1, 2])
    scores = [sum(own.values()) / len(own) for own in (means_of(path, "instruct")["math"] for path in seeds)]
    assert len(set(scores)) == 3
    found = over_seeds(ours)["instruct", "math"]
    expected = stats.mean_interval(scores)
    assert (found.seeds, found.score.mean) == (3, expected.mean)
    assert (found.score.low, found.score.high) == (max(0.0, expected.low), min(1.0, expected.high))
    deltas = [one.domains["math"].delta for one in load_run(finished.run).summary.stages if one.name == "instruct"]
    assert found.change is not None
    assert found.change.mean == pytest.approx(deltas[0])  # the copies say the same of it
    pairs = [compare(a, b) for a, b in zip(seeds, others, strict=True)]
    lines = [
        line.difference for pair in pairs for line in pair.lines if (line.name, line.domain) == ("instruct", "math")
    ]
    by_seed = differences_by_seed(ours, theirs)
    over = stats.mean_interval([one for one in lines if one is not None], lowest=-1.0)
    assert (by_seed["instruct", "math"].seeds, by_seed["instruct", "math"].difference.mean) == (3, over.mean)
    assert by_seed["rl-math", "math"].is_same
    html = page_of(tmp_path, *seeds, *others)
    assert f'<data value="{expected.mean!r}">' in section_of(html, "seeds")
    assert f'<data value="{over.mean!r}">' in section_of(html, "seeds")
    assert "seed " not in text_of(section_of(html, "differs"))
    alone = page_of(tmp_path, *seeds)
    assert "Seeds alone." in section_of(alone, "differs")
    assert "A: seeds 0, 1, 2" in section_of(alone, "seeds")


@pytest.mark.torch
def test_a_stage_whose_weights_are_those_before_it_counts_as_no_change_in_the_mean_over_seeds(
    finished: Finished, tmp_path: Path
) -> None:
    other = seeded(finished.run, tmp_path / "s1", 1)

    def alike(summary: dict[str, Any]) -> None:
        rows = {row["name"]: row for row in summary["stages"]}
        rows["rl-math"]["as"] = "sft-hard-fused"
        for domain, score in rows["rl-math"]["domains"].items():
            score["pass1"] = rows["sft-hard-fused"]["domains"][domain]["pass1"]
            del score["delta"], score["delta_low"], score["delta_high"]

    changed(other / "summary.json", alike)
    delta = next(row for row in shrunk.summary(finished.run)["stages"] if row["name"] == "rl-math")["domains"]["math"][
        "delta"
    ]
    [group] = groups(entries([finished.run.resolve(), other.resolve()]))
    found = over_seeds(group)["rl-math", "math"]
    assert found.change is not None
    assert found.change.mean == pytest.approx(delta / 2)
    assert "Here A is " in text_of(section_of(page_of(tmp_path, finished.run, other), "stages"))


# ---- evaluations


@pytest.mark.live
def test_evaluations_are_shown_as_compare_shows_them(tmp_path: Path) -> None:
    weak, strong, best = (
        evaluated(tmp_path / name, limit) for name, limit in (("weak", 2), ("strong", 7), ("best", 8))
    )
    html = page_of(tmp_path, weak, strong)
    found = compare(weak, strong)
    [(value, words)] = DIFFERENCE.findall(section_of(html, "benchmarks"))
    assert (float(value), text_of(words)) == (0.625, minus(cells.difference(found.lines[0])))
    for row in (*cells.moved(found), *cells.protocol(found), *cells.differing(found)):
        assert row_of(row) in text_of(html)
    three = section_of(page_of(tmp_path, weak, strong, best), "benchmarks")
    assert [float(value) for value, _ in DIFFERENCE.findall(three)] == [0.625, 0.75]


# ---- names and errors


def test_runs_are_called_by_the_end_of_their_paths(tmp_path: Path) -> None:
    assert names_of([Path("/x/a/run"), Path("/x/b/run")]) == ["a/run", "b/run"]
    assert names_of([Path("/x/a"), Path("/x/b")]) == ["a", "b"]
    assert default_name(["a/run", "b/run"]) == "report-a-run-b-run.html"
    assert default_name(["x" * 90, "y" * 90, "z"]) == f"report-{'x' * 90}-and-2-more.html"


@pytest.mark.torch
def test_the_command_says_where_the_page_is_or_what_is_wrong(
    finished: Finished, branched: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["report", str(finished.run), str(branched.run)], catch_exceptions=False)
    [written] = tmp_path.glob("report-*.html")
    assert result.stdout.strip() == written.name
    named = shrunk.etalon("report", finished.run, branched.run, "--out", tmp_path / "named.html")
    assert (named.returncode, named.stdout.strip()) == (0, str(tmp_path / "named.html"))
    evaluation = tmp_path / "evaluation"
    evaluation.mkdir()
    (evaluation / "evaluation.json").write_text("{}")
    for arguments, why in (
        ([finished.run, finished.run / "stages" / ".."], "is the same directory as"),
        ([finished.run, tmp_path / "nowhere"], "nowhere: no such directory"),
        ([finished.run, evaluation], "one is a run, the other an evaluation"),
        ([finished.run, branched.run, "--sample", "a/b/0"], "--sample: is for one; 2 were named"),
        ([finished.run, branched.run, "--watch"], "--watch: follows one run; 2 were named"),
    ):
        failed = CliRunner().invoke(app, ["report", *map(str, arguments)])
        assert isinstance(failed.exception, Exception), arguments
        assert why in str(failed.exception)
    with pytest.raises(InputError, match="one is a run"):
        write_several([finished.run, branched.run, evaluation], tmp_path / "x.html")


# ---- a run that has not ended


@pytest.mark.torch
def test_a_run_without_its_summary_says_what_its_evaluations_say(branched: Finished, tmp_path: Path) -> None:
    told = load_run(branched.run).summary.stages
    copy = changed_copy(branched.run, tmp_path / "copy")
    (copy / "summary.json").unlink()
    found = load_run(copy).summary.stages
    assert [row.name for row in found] == [row.name for row in told] != []
    for mine, row in zip(found, told, strict=True):
        assert mine.model_dump() == row.model_dump(), row.name
    shutil.rmtree(copy / "stages" / "eval-rl-code")
    assert [row.name for row in load_run(copy).summary.stages] == [row.name for row in told if row.name != "rl-code"]

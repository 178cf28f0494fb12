"""What an evaluation gives out is read back: the same numbers in every format, and names that cannot break one."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from etalon.commands.evaluation.rescoring import log_as_evaluation, score_log
from etalon.errors import InputError
from etalon.evaluate.benchmarks.catalogue import Published
from etalon.report.exports import FORMATS, print_table, write_inspect
from etalon.show.progress import Progress
from etalon.types import Domain, Problem
from evaluations import RULES, UNSCORED, results, row, sampled, write_evaluation
from test_evaluation import SUMS, Adder, run, task
from test_judging import judged
from test_judging import problem as asked_about

BAD_NAME = '[a_b] | \\x{1} 50% & $2 #<b>"q"</b> ~^ `c`'
CELL = re.compile(r"(?<!\\)\|")


def test_csv_holds_every_number_with_all_its_digits() -> None:
    told = results(
        row("aime25", domain="math"), RULES, UNSCORED, model=f'=cmd,"{BAD_NAME}"\nnext', endpoint=["http://h/v1"],
        extra={"top_k": 20},
    )  # fmt: skip
    first, rules, unscored = csv.DictReader(io.StringIO(FORMATS["csv"](told)))
    assert {float(first[key]) for key in ("avg", "low", "high")} == {0.8501, 0.7812, 0.9055}
    assert (first["pass_at_8"], first["maj_at_64"], first["n"], first["undecided"], first["failed"]) == (
        "0.97", "0.91", "64", "3", "2",
    )  # fmt: skip
    assert first["model"] == f'=cmd,"{BAD_NAME}" next'
    assert (first["published"], first["verdict"], first["temperature"]) == ("VibeThinker-3B=0.914", "inside", "1")
    assert all(re.fullmatch("[a-z0-9_]+", name) for name in first)
    assert [first[name] for name in ("domain", "endpoint", "etalon", "extra", "max_tokens")] == [
        "math", "http://h/v1", "0.1.0", '{"top_k": 20}', "",
    ]  # fmt: skip
    assert (float(rules["prompt_strict_high"]), rules["prompt_loose_low"]) == (0.88, "")
    assert (unscored["avg"], unscored["truncated"], unscored["samples"]) == ("", "", "1920")


def test_markdown_has_a_cell_for_every_head_and_no_markup_of_a_name() -> None:
    lines = FORMATS["md"](results(row("aime25"), row("x", title=BAD_NAME), UNSCORED)).splitlines()
    table, beside = lines[:5], [line for line in lines[5:] if line.startswith("|")]
    assert [{len(CELL.findall(line)) for line in part} for part in (table, beside)] == [{13}, {9}]
    assert (
        "| aime25 | 30 | 64 | 85.0 \\[78.1, 90.5\\] | 97.0 | 90.0 | 91.0 | 17.5 | 20.0 | 3 | 2 | 12,346 |" in table[2]
    )
    assert "| aime25 | VibeThinker-3B | 91.4 | 64 | inside the interval | 85.0 \\[78.1, 90.5\\] | avg@64," in beside[2]
    assert sum("arxiv.org" in line for line in lines) == 1
    assert "<" not in re.sub(r"\\.", "", table[3])
    assert "| – | – |" in table[4]


def test_latex_has_balanced_braces_and_as_many_cells_as_columns() -> None:
    written = FORMATS["latex"](results(row("aime25"), row(BAD_NAME), RULES, model="a_b & {c}"))
    bare = re.sub(r"\\[\\{}%&$#_]", "", written)
    assert bare.count("{") == bare.count("}")
    specs = re.findall(r"\\begin{tabular}{(\w+)}", written)
    bodies = re.findall(r"\\toprule(.*?)\\bottomrule", written, re.DOTALL)
    scores, beside = ([line for line in body.splitlines() if line.endswith("\\\\")] for body in bodies)
    for spec, lines, count in zip(specs, (scores, beside), (4, 3), strict=True):
        assert len(lines) == count
        assert {len(re.findall(r"(?<!\\)&", line)) for line in lines} == {len(spec) - 1}
    assert "VibeThinker-3B & 91.4 & 64 & 85.0 [78.1, 90.5] & inside the interval" in beside[1]
    assert "aime25, ours: avg@64, temperature 1, cap in tokens the model's maximum, 17.5\\% truncated." in written
    assert [len(spec) for spec in specs] == [12, 6]
    assert "Failed" not in FORMATS["latex"](results(row("x", undecided=0, failed=0)))
    assert "a\\_b \\& \\{c\\}" in written
    assert "{[}a\\_b] \\textbar{} \\textbackslash{}x\\{1\\} 50\\% \\& \\$2 \\#\\textless{}b" in scores[2]
    assert "{[}" not in scores[1]  # only where it would belong to the \\ before it
    assert "prompt strict 84.0 [80.0, 88.0] of 541; prompt loose 87.0 of 536, 5 undecided" in written


def printed(told: dict[str, Any], width: int) -> str:
    """What a terminal of so many columns shows, without its colours."""
    console = Console(file=io.StringIO(), force_terminal=True, color_system=None, width=width)
    print_table(told, console)
    return re.sub(r"\x1b\[[0-9;]*m", "", console.file.getvalue())  # type: ignore[attr-defined]


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120])
def test_a_narrow_terminal_loses_columns_and_no_name_and_no_digit(width: int) -> None:
    told = results(row("aime25", title="AIME 2025, I and II"), row("gsm8k", problems=10, of=1319, avg=1.0, high=1.0))
    shown = printed(told, width)
    table, _, below = shown.partition("Beside published scores")
    assert max(map(len, table.splitlines())) <= width
    flat = " ".join(shown.split())
    for whole in ("aime25", "gsm8k", "85.0 [78.1, 90.5]", "100.0 [78.1, 100.0]", "10 of 1,319", "17.5"):
        assert whole in flat, whole
    gone = re.search(r"Too narrow for: ([^.]*)\.", flat)
    left_out = {80: "pass@8, maj@8, maj@64, Tokens", 100: "maj@64, Tokens"}.get(width)
    assert (gone[1] if gone else None) == left_out
    assert ("Failed 2; Tokens 12,346" in flat) is (width < 80)  # a line for each benchmark
    assert sum("https://arxiv.org/abs/2606.16140" in line for line in below.splitlines()) == 1


def test_the_table_fits_a_pipe_however_many_k_there_are() -> None:
    many = {str(2**i): 0.5 + i / 100 for i in range(7)}
    told = results(
        row("a-benchmark-whose-name-is-longer-than-others", maj=many, of=500, **{"pass": many}), RULES, UNSCORED
    )
    for of in (told, results(row("aime25"), RULES)):
        shown = FORMATS["table"](of)
        assert max(map(len, shown.splitlines())) <= 110
        assert "85.0 [78.1, 90.5]" in shown
        assert "…" not in shown
    wide = FORMATS["table"](told)
    assert re.search(r"others +pass@k +51\.0 .* 56\.0\n", wide)
    assert "30 of 500" in wide
    assert "inside the interval" in wide
    assert "\x1b" not in FORMATS["table"](results(row("x", title="a\x1b[2Jb"), model="\x1b]0;t\x07"))


def test_a_published_score_stands_beside_what_ours_was_sampled_with() -> None:
    def told(**changed: Any) -> str:
        published = {"model": "M", "score": 0.9, "n": 64, "settings": "temperature 0.6, 40,960 tokens", **changed}
        return " ".join(printed(results(row("x", n=8, max_tokens=4096, published=[published])), 120).split())

    assert "x, ours: 85.0 [78.1, 90.5]; avg@8, temperature 1, cap in tokens 4096, 17.5% truncated" in told()
    differ = "settings differ: n 64, here 8; temperature 0.6, here 1; cap 40,960, here 4,096"
    assert f"M 90.0 n = 64 ours is below {differ}" in told(verdict="below")
    assert "M 90.0 n = 8 inside the interval aime" not in told(n=8, settings="", verdict="inside")
    assert "settings differ" not in told(n=8, settings="temperature 1.0, 4,096 tokens", verdict="inside")
    assert "ours is above" in told(score=0.95, verdict="above")  # as the row says, whatever its numbers
    clr = told(metric="clr", settings="K = 32, M = 5")
    assert "M 90.0 (CLR) n = 64 no verdict settings differ: CLR, here the plain mean" in clr


def test_a_score_of_clr_is_called_one_in_every_format(tmp_path: Path) -> None:
    published = (Published(model="M", score=0.967, n=8, metric="clr", source="s", settings="K = 32, M = 5"),)
    flow = {"k": 4, "m": 5}
    told = run(Adder(5), tmp_path / "clr", task(published=published), metric="clr", told={"clr": flow})
    for name in ("table", "md", "latex", "card"):
        shown = FORMATS[name](told)
        assert "CLR@2, K = 4, M = 5" in shown, name
        assert re.search(r"75\.0 \[[\d., ]+\] CLR", re.sub(r"\\", "", shown)), name
        assert "96.7 (CLR)" in re.sub(r"\\", "", shown), name
    assert "settings differ: n 8, here 2; K 32, here 4" in FORMATS["table"](told)
    [kept] = csv.DictReader(io.StringIO(FORMATS["csv"](told)))
    assert [kept[name] for name in ("clr_k", "clr_m", "published", "domain")] == ["4", "5", "M=0.967 (CLR)", "math"]
    named = [{**one, "metric": "clr", "clr": flow} for one in told["benchmarks"]]  # where the row itself tells
    assert FORMATS["md"]({**told, "benchmarks": named, "clr": None}).startswith(
        FORMATS["md"](told).partition("\n- ")[0]
    )


def test_what_evaluate_writes_has_the_keys_that_are_read_here(tmp_path: Path) -> None:
    published = (Published(model="M", score=0.9, n=64, source="s"),)
    [whole] = run(Adder(5), tmp_path / "whole", task(published=published))["benchmarks"]
    assert set(row("x")) <= set(whole)
    assert set(row("x")["published"][0]) <= {*whole["published"][0]}
    part = run(Adder(5), tmp_path / "part", task(name="aime26", problems=SUMS[:4], published=published))
    assert "4 of 8" in FORMATS["table"](part)
    assert FORMATS["hub"](part) == '# "aime26": left out, only 4 of 8 problems were asked\n[]\n'
    odd, _ = judged(tmp_path / "judged", [asked_about(0), asked_about(1)], lambda _: "Yes")
    shown = FORMATS["table"](results(odd))
    assert "sets: with toy@http://judge/v1 as judge 100.0 [" in shown
    assert ": asked about 4 samples, 0 undecided, 4 disagreements" in shown
    assert re.search(r"p0/0 +all even numbers +multiples of two +wrong +right", shown)
    log = Path(__file__).parent / "logs" / "lm-eval" / "samples_own_sums_2026-11-30T00-26-08.689033.jsonl"
    with log_as_evaluation(log) as (folder, found):
        scored = score_log(found, found.task, folder, Progress())
    for name in ("table", "md", "card", "latex"):
        assert "lm-eval's own verdicts agree on 2 of 2" in FORMATS[name](scored).replace("\\-", "-"), name


def test_a_truncation_that_nobody_knows_is_never_a_zero() -> None:
    told = results(row("aime26", truncated=None))
    for name, write in FORMATS.items():
        if name not in ("json", "csv"):
            assert "truncation not told" in write(told), name
    [kept] = csv.DictReader(io.StringIO(FORMATS["csv"](told)))
    assert kept["truncated"] == ""


def test_what_stands_in_the_way_of_a_score_stands_under_it() -> None:
    judge = {
        "name": "J", "avg": 0.9, "low": 0.8, "high": 0.95, "open": 24, "undecided": 1, "disagreements": 2,
        "problems": 28, "published": [{"model": "V", "score": 0.95, "verdict": "inside"}],
        "agreement": {"pairs": 41, "undecided": 1, "share": 0.85, "low": 0.7, "high": 0.94, "wrongly_yes": 4,
                      "wrongly_no": 2},
    }  # fmt: skip
    odd = row(
        "x", title="X", checker="tests of release 6", undecided_problems=2, without=["p1", "p2"], near_copies=3,
        cost={"total": 0.003981, "per_right": 0.000111}, warnings=["12 rows are odd", "2.0% of the samples failed"],
        judge=judge, errors={"HTTP 500": 2},
        clr={"k": 4, "m": 5, "calls_per_answer": 6.25}, metric="clr",
        contests=[{"name": "weekly 1", "right": 3, "of": 4, "undecided": 1, "date": "2026-04-25"}],
        verdict_refused="2.0% of the samples failed",
    )  # fmt: skip
    told = FORMATS["table"](results(odd, row("y", checker="tests of release 6")))
    for words in (
        "x: with J as judge 90.0 [80.0, 95.0] on 28 of 30 problems: asked about 24 samples, 1 undecided, 2 disagree",
        "x: the judged score beside published ones: V 95.0 (inside the interval)",
        "x: the judge agrees with 34 of 40 labelled pairs, 85.0 [70.0, 94.0]: 4 wrong Yes, 2 wrong No, 1 undecided",
        "x: weekly 1 (2026-04-25): 3 of 4, 1 undecided", "x, y: checked by tests of release 6", "x: without p1, p2",
        "x: 2 problems have no decided sample and are left out of the score",
        "x: 3 problems are near copies of others", "x: cost: 0.0040 in all, 0.00011 for each right answer",
        "x: no verdict: 2.0% of the samples failed", "x: warning: 12 rows are odd",
        "x: failed: 2 HTTP 500", "x: CLR: 6.2 calls for each answer",
    ):  # fmt: skip
        assert words in told, words
    assert told.count("2.0% of the samples failed") == 1
    silent = row("x", judge={**judge, "avg": None, "refused": "0 failed, 9 undecided of 60 samples"})
    assert "with J as judge no score (0 failed, 9 undecided of 60 samples): asked" in FORMATS["table"](results(silent))


def test_the_card_says_what_the_scores_hold_for() -> None:
    drawn = {"temperature": 0.6, "top_p": 0.9, "max_tokens": 40960}
    told = {"system": "Be *brief*", "extra": {"top_k": 20}, "server": {"version": "0.32.0"}}
    card = FORMATS["card"](results(row("aime25", **drawn), **told))
    for words in ("85.0 \\[78.1, 90.5\\]", "temperature: 0.6", "cap in tokens: 40960", "avg@64", f"prompt {'cd' * 8}",
                  "17.5", "date: 2026-11-30T10:00:00Z", "Etalon: 0.1.0", "Be \\*brief\\*", "0.32.0",
                  "top\\_k: 20"):  # fmt: skip
        assert words in card, words
    assert "cap in tokens: the model's maximum" in FORMATS["card"](results(row("aime25", prompt_hash="")))
    assert "prompt: as in the file" in FORMATS["card"](results(row("ifeval", prompt_hash="")))
    mixed = results(row("x", max_tokens=1000), row("y", max_tokens=2000))
    assert "- x: avg@64, cap in tokens 1000, answers boxed" in FORMATS["card"](mixed)
    assert "x: cap in tokens 1000." in FORMATS["latex"](mixed)


@pytest.mark.skipif(importlib.util.find_spec("yaml") is None, reason="needs PyYAML")
def test_the_hub_reads_its_entries() -> None:
    import yaml

    named = {"id": "org/set: #1", "task_id": 'a"b\\c', "revision": "0123"}
    odd = "1 \u2028\x85\x7f\ufeff😀: - #"
    kept = {"published": [], "undecided": 0}
    parts = [
        row("gsm8k", expected=1319, **kept), row("gpqa-diamond", missing=30, **kept),
        row("aime26", clr={}, metric="clr"), row("aime26", **kept, failed=20),
    ]  # fmt: skip
    told = results(row("aime26"), row("mine", hub=named), row("unknown\nvalue: 1"), UNSCORED, *parts, started=odd)
    written = FORMATS["hub"](told)
    first, second = yaml.safe_load(written)
    assert first == {
        "dataset": {"id": "MathArena/aime_2026", "task_id": "MathArena/aime_2026"},
        "value": 85.01,
        "date": odd,
        "notes": "avg@64, 95% interval [78.1, 90.5], temperature 1, top_p 0.95, "
        "cap in tokens the model's maximum, 17.5% truncated, Etalon 0.1.0",
    }
    assert second["dataset"] == {"id": "org/set: #1", "task_id": 'a"b\\c', "revision": "0123"}
    more = "more than 1%, and what is missing is seldom like the rest"
    assert [line.partition("left out, ")[2] for line in written.splitlines() if line.startswith("#")] == [
        "the hub's data set and task are not known", "nothing was scored",
        "the file has 30 problems, the published set 1,319",
        f"2 failed, 0 undecided, 30 not there of 1950 samples: {more}",
        "the score is of CLR, not of the model alone", f"20 failed, 0 undecided of 1920 samples: {more}",
    ]  # fmt: skip
    assert '# "unknown\\nvalue: 1": left out' in written
    assert yaml.safe_load(FORMATS["hub"](results(UNSCORED))) == []
    hub = pytest.importorskip("huggingface_hub")
    if hasattr(hub, "parse_eval_result_entries"):
        entries = hub.parse_eval_result_entries([first, second])
        assert [entry.value for entry in entries] == [85.01, 85.01]
        assert hub.eval_result_entries_to_yaml(entries) == [first, second]


def test_json_is_the_results_and_nothing_scored_is_said_in_every_format() -> None:
    told = results(row("aime25"), RULES)
    assert json.loads(FORMATS["json"](told)) == told
    for name, write in FORMATS.items():
        assert write({"benchmarks": []}).strip(), name
        assert write(results(UNSCORED)).strip(), name
    assert "No benchmark has been scored" in FORMATS["table"](results())


def test_without_inspect_the_way_to_it_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "inspect_ai.log", None)
    with pytest.raises(InputError, match=r"needs inspect-ai: .*pip install -e '\.\[inspect\]'"):
        write_inspect(tmp_path)


@pytest.mark.skipif(importlib.util.find_spec("inspect_ai") is None, reason="needs the inspect extra")
def test_inspect_reads_its_log(tmp_path: Path) -> None:
    from inspect_ai.log import read_eval_log
    from inspect_ai.model import ContentReasoning

    kinds = ("right", "wrong", "truncated", "undecided", "failed")
    pairs = [sampled(f"p/{p}", i, kind, tokens=100 + i) for p in range(2) for i, kind in enumerate(kinds)]
    pairs.insert(0, sampled("p/0", 0, "failed"))  # asked again: the later row counts
    folder = write_evaluation(tmp_path / "run", {"aime25": pairs, "other": []}, results(row("aime25", n=5)))
    problem = Problem(id="p/0", domain=Domain.MATH, prompt="What is 2 + 2?", answer="4")
    path, other = write_inspect(folder, tmp_path / "logs", problems={"aime25": {"p/0": problem}})
    log = read_eval_log(str(path))
    assert log.status == "success"
    assert (log.eval.task, log.eval.model, log.eval.config.epochs) == ("aime25", "org/model_1", 5)
    assert log.results
    assert log.results.scores[0].metrics["avg"].value == 0.8501
    assert (log.results.total_samples, log.results.scores[0].unscored_samples) == (10, 4)
    assert log.samples
    by_epoch = {(sample.id, sample.epoch): sample for sample in log.samples}
    assert sorted(by_epoch) == [(f"p/{p}", epoch) for p in range(2) for epoch in range(1, 6)]
    right, cut, undecided, failed = (by_epoch["p/0", epoch] for epoch in (1, 3, 4, 5))
    assert (right.input, right.target, right.error) == ("What is 2 + 2?", "4", None)
    assert right.scores
    assert (right.scores["etalon"].value, right.scores["etalon"].answer) == (1.0, "4")
    thought, text = right.output.choices[0].message.content
    assert isinstance(thought, ContentReasoning)
    assert (thought.reasoning, text.text) == ("hm", "It is 4.")
    assert (right.output.usage.output_tokens, right.total_time) == (100, 2.5)
    assert cut.output.stop_reason == "max_tokens"
    assert undecided.scores
    assert undecided.scores["etalon"].value != undecided.scores["etalon"].value
    assert failed.error
    assert failed.error.message == "HTTP 500: too busy"
    assert read_eval_log(str(other)).samples in (None, [])

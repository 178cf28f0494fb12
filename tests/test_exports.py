"""What an evaluation gives out is read back: the same numbers in every format, and names that cannot break one."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import re
import sys
from pathlib import Path

import pytest

from etalon.errors import InputError
from etalon.report.exports import FORMATS, write_inspect
from etalon.types import Domain, Problem
from evaluations import RULES, UNSCORED, results, row, sampled, write_evaluation

BAD_NAME = '[a_b] | \\x{1} 50% & $2 #<b>"q"</b> ~^ `c`'
CELL = re.compile(r"(?<!\\)\|")


def test_csv_holds_every_number_with_all_its_digits() -> None:
    told = results(row("aime25"), RULES, UNSCORED, model=f'=cmd,"{BAD_NAME}"\nnext')
    first, rules, unscored = csv.DictReader(io.StringIO(FORMATS["csv"](told)))
    assert {float(first[key]) for key in ("avg", "low", "high")} == {0.8501, 0.7812, 0.9055}
    assert (first["pass@8"], first["maj@64"], first["n"], first["undecided"], first["failed"]) == (
        "0.97", "0.91", "64", "3", "2",
    )  # fmt: skip
    assert first["model"] == f'=cmd,"{BAD_NAME}" next'
    assert (first["published"], first["verdict"], first["temperature"]) == ("VibeThinker-3B=0.914", "inside", "1")
    assert (float(rules["prompt_strict_high"]), rules["prompt_loose_low"]) == (0.88, "")
    assert (unscored["avg"], unscored["truncated"], unscored["samples"]) == ("", "", "1920")


def test_markdown_has_a_cell_for_every_head_and_no_markup_of_a_name() -> None:
    lines = FORMATS["md"](results(row("aime25"), row("x", title=BAD_NAME), UNSCORED)).splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert len(table) == 5
    assert {len(CELL.findall(line)) for line in table} == {14}
    assert (
        "| aime25 | 30 | 64 | 85.0 \\[78.1, 90.5\\] | 97.0 | 90.0 | 91.0 | 17.5 | 20.0 | 3 | 2 | 12,346 |" in table[2]
    )
    assert "VibeThinker-3B 91.4 (inside the interval)" in table[2]
    assert "<" not in re.sub(r"\\.", "", table[3])
    assert "| - | - |" in table[4]


def test_latex_has_balanced_braces_and_as_many_cells_as_columns() -> None:
    written = FORMATS["latex"](results(row("aime25"), row("x", title=BAD_NAME), RULES, model="a_b & {c}"))
    bare = re.sub(r"\\[\\{}%&$#_]", "", written)
    assert bare.count("{") == bare.count("}")
    spec = re.search(r"\\begin{tabular}{(\w+)}", written)
    assert spec
    body = written[written.index("\\toprule") : written.index("\\bottomrule")]
    lines = [line for line in body.splitlines() if line.endswith("\\\\")]
    assert len(lines) == 4
    assert {len(re.findall(r"(?<!\\)&", line)) for line in lines} == {len(spec[1]) - 1}
    assert "a\\_b \\& \\{c\\}" in written
    assert "{[}a\\_b] \\textbar{} \\textbackslash{}x\\{1\\} 50\\% \\& \\$2 \\#\\textless{}b" in lines[2]
    assert "{[}" not in lines[1]  # only where it would belong to the \\ before it
    assert "prompt strict 84.0 [80.0, 88.0] of 541; prompt loose 87.0 of 536, 5 undecided" in written


def test_the_table_fits_a_terminal_however_many_k_there_are() -> None:
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
    assert "pass@64" in wide
    assert "30 of 500" in wide
    assert "VibeThinker-3B" in wide
    assert "inside the interval" in wide
    assert "\x1b" not in FORMATS["table"](results(row("x", title="a\x1b[2Jb"), model="\x1b]0;t\x07"))


def test_a_verdict_is_told_from_where_our_score_stands() -> None:
    def told(score: float, verdict: str | None, **changed: object) -> str:
        published = [{"model": "M", "score": score, "source": "paper", "verdict": verdict}]
        return FORMATS["md"](results(row("x", published=published, **changed)))

    assert "M 95.0 (ours is below)" in told(0.95, "below")
    assert "M 70.0 (ours is above)" in told(0.7, "above")
    refused = told(0.9, None, verdict_refused="2.0% of the samples failed")
    assert "M 90.0 (no verdict)" in refused
    assert "no verdict: 2.0% of the samples failed" in refused


def test_what_stands_in_the_way_of_a_score_stands_under_it() -> None:
    odd = row(
        "x", clr={"k": 32, "m": 5}, checker="tests of release 6", undecided_problems=2, without=["p1", "p2"],
        near_copies=3, cost={"total": 1.25, "per_right": 0.005, "currency": "EUR"}, warnings=["12 rows are odd"],
        contests=[{"name": "weekly 1", "right": 3, "of": 4}],
        judge={"name": "J", "avg": 0.9, "low": 0.8, "high": 0.95, "open": 24, "undecided": 1, "disagreements": 2},
    )  # fmt: skip
    told = FORMATS["table"](results(odd))
    for words in ("with J as judge 90.0 [80.0, 95.0]: asked about 24 samples, 1 undecided, 2 disagreements",
                  "CLR: k = 32, m = 5", "weekly 1: 3 of 4", "checked by tests of release 6", "without p1, p2",
                  "2 problems have no decided sample and are left out of the score",
                  "3 problems are near copies of others", "cost 1.25, 0.005 per right answer EUR",
                  "warning: 12 rows are odd"):  # fmt: skip
        assert f"x: {words}" in told, words


def test_the_card_says_what_the_scores_hold_for() -> None:
    drawn = {"temperature": 0.6, "top_p": 0.9, "max_tokens": 40960}
    told = {"system": "Be *brief*", "extra": {"top_k": 20}, "server": {"version": "0.32.0"}}
    card = FORMATS["card"](results(row("aime25", **drawn), **told))
    for words in ("85.0 \\[78.1, 90.5\\]", "temperature: 0.6", "cap in tokens: 40960", "n = 64", f"prompt {'cd' * 8}",
                  "17.5", "date: 2026-11-30T10:00:00Z", "Etalon: 0.1.0", "Be \\*brief\\*", "0.32.0",
                  "top\\_k: 20"):  # fmt: skip
        assert words in card, words
    assert "cap in tokens: the model's maximum" in FORMATS["card"](results(row("aime25")))
    mixed = results(row("x", max_tokens=1000), row("y", max_tokens=2000))
    assert "- x: n = 64, cap in tokens 1000, answers boxed" in FORMATS["card"](mixed)
    assert "x: cap in tokens 1000." in FORMATS["latex"](mixed)


@pytest.mark.skipif(importlib.util.find_spec("yaml") is None, reason="needs PyYAML")
def test_the_hub_reads_its_entries() -> None:
    import yaml

    named = {"id": "org/set: #1", "task_id": 'a"b\\c', "revision": "0123"}
    odd = "1 \u2028\x85\x7f\ufeff😀: - #"
    told = results(row("aime26"), row("mine", hub=named), row("unknown\nvalue: 1"), UNSCORED, started=odd)
    written = FORMATS["hub"](told)
    first, second = yaml.safe_load(written)
    assert first == {
        "dataset": {"id": "MathArena/aime_2026", "task_id": "MathArena/aime_2026"},
        "value": 85.01,
        "date": odd,
        "notes": "avg@64, 95% interval [78.1, 90.5], temperature 1, top_p 0.95, "
        "cap in tokens the model's maximum, truncated 17.5%, Etalon 0.1.0",
    }
    assert second["dataset"] == {"id": "org/set: #1", "task_id": 'a"b\\c', "revision": "0123"}
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

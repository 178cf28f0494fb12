"""data export: trainers' rows, each column of one type, and nothing lost on the way back."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from etalon.cli import app
from etalon.data.exporting.exchange import exported
from etalon.engines.verl.reward import judge
from etalon.store import to_json

ROWS: list[dict[str, Any]] = [
    {"problem": "What is 1 + 1?", "answer": 2, "generations": ["<think>a\u2028</think>2", "b"], "license": "mit"},
    {"problem": "Half \ud83d of it?", "answer": "0.5", "response": "x \ud800 y"},
    {"problem": "Not answered yet"},
    {"question": "Pick", "options": ["x", "y"], "answer": "B"},
    {"question": "Add.", "tests": {"inputs": ["1 2\n"], "outputs": ["3\n"]}, "response": "```python\nprint(3)\n```"},
    {"key": 1, "prompt": "Write.", "instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}], "response": "yes"},
    {"domain": "instruct", "prompt": "Be kind.", "rubric": [{"criterion": "is kind"}], "cluster": "c",
     "error_rates": {"m": {"wrong": 1, "attempts": 4}}, "votes": {"3": 2, "": 1}},
    {"id": "u", "domain": "math", "prompt": "A \u0000 in it", "answer": "7",
     "traces": [{"response": "a", "correct": True, "tokens": 3, "model": "r1"}, {"response": "b", "complete": False}]},
]  # fmt: skip
TRACED = [row for row in ROWS if {"generations", "response", "traces"} & set(row)]
UNTRACED = [row for row in ROWS if row not in TRACED]


def run(*words: object) -> str:
    result = CliRunner().invoke(app, ["data", *map(str, words)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def imported(folder: Path, rows: list[dict[str, Any]]) -> Path:
    source, records = folder / "rows.jsonl", folder / "records.jsonl"
    source.write_bytes(b"".join(to_json(row) + b"\n" for row in rows))
    run("import", source, "-o", records)
    return records


@pytest.mark.parametrize("to", ["verl.parquet", "verl.jsonl", "trl.parquet", "trl.jsonl", "jsonl.jsonl"])
@pytest.mark.parametrize("rows", [ROWS, TRACED, UNTRACED], ids=["mixed", "traced", "untraced"])
@pytest.mark.live
def test_what_is_exported_comes_back_byte_for_byte(tmp_path: Path, rows: list[dict[str, Any]], to: str) -> None:
    if to.endswith("parquet"):
        pytest.importorskip("pyarrow")
    records = imported(tmp_path, rows)
    out, back = tmp_path / f"out-{to}", tmp_path / "back.jsonl"
    run("export", records, "--to", to.partition(".")[0], "-o", out)
    run("import", out, "-o", back)
    assert back.read_bytes() == records.read_bytes()
    assert json.loads((tmp_path / f"out-{to}.report.json").read_text())["step"] == "export"


def shape(value: Any) -> Any:
    """The type of a value as a table would have it; an empty list fits every list."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    return (
        [shape(inner) for inner in value[:1]] or [{"role": "str", "content": "str"}]
        if isinstance(value, list)
        else type(value).__name__
    )


@pytest.mark.parametrize("to", ["verl", "trl"])
def test_every_column_has_one_type(tmp_path: Path, to: str) -> None:
    out = tmp_path / "out.jsonl"
    run("export", imported(tmp_path, ROWS), "--to", to, "-o", out)
    rows = [json.loads(line) for line in out.read_bytes().splitlines()]
    assert len(rows) == (len(ROWS) if to == "verl" else len(ROWS) + 2)
    assert all(shape(first) == shape(second) for first, second in pairwise(rows))


def test_our_reward_function_judges_what_was_exported_for_verl(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    run("export", imported(tmp_path, ROWS[:4]), "--to", "verl", "-o", out, "--split", "test")
    rows = [json.loads(line) for line in out.read_bytes().splitlines()]
    assert [judge(rows[0]["extra_info"], text).score for text in ("\\boxed{2}", "\\boxed{3}")] == [1.0, 0.0]
    assert judge(rows[3]["extra_info"], "\\boxed{B}").is_correct
    assert rows[0]["reward_model"] == {"style": "rule", "ground_truth": "2"}
    assert rows[1]["extra_info"]["split"] == "test"


def test_a_row_that_was_changed_since_is_read_as_it_stands(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    run("export", imported(tmp_path, ROWS[:1]), "--to", "verl", "-o", out)
    row = json.loads(out.read_text())
    assert exported(row) is not None
    row["reward_model"]["ground_truth"] = "3"
    assert exported(row) is None
    out.write_text(json.dumps(row))
    run("import", out, "-o", tmp_path / "back.jsonl")
    assert json.loads((tmp_path / "back.jsonl").read_text())["answer"] == "3"


def test_a_name_that_says_no_format_is_refused(tmp_path: Path) -> None:
    for words, said in (
        (("--to", "trl", "-o", "x.csv"), ".jsonl or .parquet"),
        (("--to", "json", "-o", "x"), "choose one of"),
    ):
        result = CliRunner().invoke(app, ["data", "export", "x.jsonl", *words])
        assert said in str(result.exception)

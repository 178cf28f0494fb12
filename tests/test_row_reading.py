"""`etalon verify` and `etalon run` read one row alike, on files that nobody here wrote."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import shrunk
from etalon.errors import InputError
from etalon.problems.files import read_problems
from etalon.problems.formats import Reading, read_row
from etalon.rows import files
from etalon.rows.files import read_rows
from etalon.types import Problem
from etalon.verifiers import verify
from etalon.verifiers.rows import verify_row

BENCHMARKS = Path(__file__).parents[1].parent / "shared" / "benchmarks"
COUNTS = {
    "aime.parquet": 30,
    "aime25.parquet": 30,
    "gsm8k_test.jsonl": 1319,
    "gsm8k_train_2000.jsonl": 2000,
    "hmmt25.parquet": 30,
    "humaneval.jsonl.gz": 164,
    "ifbench_test.jsonl": 300,
    "ifeval.jsonl": 541,
    "imo_answerbench_v2.csv": 399,  # of 400: algebra-036 has lost a quote
    "math_test.jsonl.gz": 5000,
    "svamp.jsonl": 1000,
}
SAMPLE = 40  # rows of a file whose verdicts are compared

pytestmark = pytest.mark.skipif(not BENCHMARKS.is_dir(), reason="needs ../shared/benchmarks")


def rows_of(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".parquet":
        pytest.importorskip("pyarrow")
    return [row.columns for row in read_rows(path) if row.columns is not None]


def response_to(problem: Problem, number: int) -> str:
    """Something right for every other problem, as far as the file knows what is right."""
    if number % 2 or (problem.answer is None and not problem.solutions):
        return r"So, \boxed{12}."
    return problem.solutions[0] if problem.solutions else rf"\boxed{{{problem.answer}}}"


def test_every_file_is_here_and_counted() -> None:
    assert {path.name for path in BENCHMARKS.iterdir() if path.suffix != ".md"} == set(COUNTS)


@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.live
def test_verify_and_run_read_the_same_problem_and_agree_on_the_verdict(name: str) -> None:
    rows = rows_of(BENCHMARKS / name)
    problems = read_problems(BENCHMARKS / name)
    assert len(rows) == len(problems) == COUNTS[name]
    for row, problem in zip(rows, problems, strict=True):
        _, seen = read_row(row, Reading(needs_question=False))
        assert replace(seen, id=problem.id) == problem
    scores = set()
    for number, (row, problem) in enumerate(zip(rows[:SAMPLE], problems, strict=False)):
        response = response_to(problem, number)
        here = verify(problem, response)
        there = verify_row({**row, "response": response}, None)
        assert (there["score"], there["reason"], there["extracted"]) == (here.score, here.reason, here.extracted)
        scores.add(here.score)
    assert 0.0 in scores


def etalon(*words: object, folder: Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return shrunk.etalon(*words, cwd=folder, stdin=stdin)


@pytest.mark.live
def test_a_table_of_outputs_is_verified_with_a_map(tmp_path: Path) -> None:
    problems = read_problems(BENCHMARKS / "svamp.jsonl")[:50]
    lines = ["Sample,Gold Answer,Output"]
    lines += [f'{number},{p.answer},"Let me see,\n\\boxed{{{p.answer}}}"' for number, p in enumerate(problems)]
    (tmp_path / "outputs.csv").write_text("\n".join(lines))
    failed = etalon("verify", "outputs.csv", "--domain", "math", folder=tmp_path)
    assert failed.returncode == 2
    assert failed.stderr == (
        "etalon: outputs.csv: line 2: response: missing; columns found: Sample, Gold Answer, Output; "
        "--map response=Output --map 'answer=Gold Answer' would do (none of 50 rows can be read)\n"
    )
    maps = ("--map", "response=Output", "--map", "answer=Gold Answer", "--map", "id=Sample")
    done = etalon("verify", "outputs.csv", "--domain", "math", *maps, folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    verdicts = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(row["id"], row["score"]) for row in verdicts] == [(str(number), 1.0) for number in range(50)]


@pytest.mark.live
def test_rows_are_filtered_from_any_kind_of_file(tmp_path: Path) -> None:
    held_out = rows_of(BENCHMARKS / "gsm8k_test.jsonl")[:20]
    fresh = [{"question": f"What is {number} and {number}?", "answer": str(2 * number)} for number in range(30)]
    (tmp_path / "mine.json").write_text(json.dumps([*fresh, *held_out]))
    against = ("--against", BENCHMARKS / "gsm8k_test.jsonl", "--against", BENCHMARKS / "imo_answerbench_v2.csv")
    done = etalon("data", "filter", "mine.json", *against, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [json.loads(line) for line in done.stdout.splitlines()] == fresh
    assert done.stderr.splitlines()[-1] == "50 rows: 30 kept, overlap with an evaluation set 20"
    failed = etalon("data", "filter", "-", "-o", "kept", folder=tmp_path, stdin='{"Frage": "Warum?"}\n' * 9)
    assert failed.returncode == 2
    assert "prompt: missing; columns found: Frage (none of 9 rows can be read)" in failed.stderr
    assert not (tmp_path / "kept").exists()
    mapped = etalon("data", "filter", "-", "--map", "question=Frage", folder=tmp_path, stdin='{"Frage": "Warum?"}\n')
    assert mapped.stdout == '{"Frage": "Warum?"}\n'


def test_a_line_without_an_end_is_no_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MOST_BYTES", 64)
    path = tmp_path / "rows.jsonl"
    path.write_text('{"a": 1}\n' + "x" * 100)
    rows = read_rows(path)
    assert next(rows).columns == {"a": 1}
    with pytest.raises(InputError, match="line 2 is longer than"):
        next(rows)


@pytest.mark.live
def test_a_filter_writes_over_nothing_that_is_read_and_counts_near_rows_as_kept_only_where_they_are(tmp_path):
    asked = (
        "A gardener plants 18 rows of tulips with {} bulbs in each row, but moles eat a third of the bulbs and frost "
        "takes some of the others. How many bulbs are left when the moles have finished?"
    )
    texts = {"rows.jsonl": asked.format(27), "eval.jsonl": asked.format(29)}
    for name, text in texts.items():
        (tmp_path / name).write_text(json.dumps({"id": "q", "question": text, "answer": "5"}) + "\n")
    with (tmp_path / "rows.jsonl").open("a") as rows:
        rows.write(json.dumps({"id": "other", "question": "Name a colour of the sky at noon.", "answer": "5"}) + "\n")
    before = {name: (tmp_path / name).read_bytes() for name in texts}
    words = ("data", "filter", "rows.jsonl", "--against", "eval.jsonl")
    for more, said in (
        (("-o", "eval.jsonl"), "--out eval.jsonl: is the file that is read"),
        (("-o", "out.jsonl", "--dropped", "rows.jsonl"), "--dropped rows.jsonl: is the file that is read"),
        (("-o", "out.jsonl", "--report", "eval.jsonl"), "--report eval.jsonl: is the file that is read"),
        (("-o", "out.jsonl", "--dropped", "out.jsonl"), "--dropped out.jsonl: is also --out"),
    ):
        failed = etalon(*words, *more, folder=tmp_path)
        assert (failed.returncode, failed.stderr.count("\n")) == (2, 1), failed.stderr
        assert said in failed.stderr
    assert {name: (tmp_path / name).read_bytes() for name in texts} == before
    for more, kept in (((), True), (("--drop-near",), False)):
        done = etalon(*words, "-o", "out.jsonl", "--dropped", "gone.jsonl", *more, folder=tmp_path)
        assert done.returncode == 0, done.stderr
        assert ("1 near a held-out item with other numbers (kept)" in done.stderr) == kept
        (gone,) = map(json.loads, (tmp_path / "gone.jsonl").read_text().splitlines())
        told = {key: gone[key] for key in ("id", "benchmark", "row", "share", "near", "kept")}
        assert told == {"id": "q", "benchmark": "eval", "row": "q", "share": 1.0, "near": True, "kept": kept}

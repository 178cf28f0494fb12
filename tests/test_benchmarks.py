"""Benchmarks by name: the catalogue is whole, names find files, files are read as theirs, errors say what would do."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from etalon.config import load, packaged_recipe
from etalon.errors import ConfigError, InputError
from etalon.evaluate import benchmarks
from etalon.evaluate.benchmarks import catalogue, choose, page
from etalon.problems.options import as_asked, draw_order
from etalon.rows.mapping import ColumnMap
from etalon.types import Answers, Domain

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
SHARED = Path(__file__).resolve().parents[2] / "shared" / "benchmarks"
AIME = {
    "problem_idx": 1,
    "problem": "Find $b$.",
    "answer": 70,
    "problem_type": ["Number Theory"],
}  # MathArena's columns


@pytest.fixture(autouse=True)
def nothing_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(benchmarks.FOLDERS_ENV, raising=False)


def written(path: Path, *rows: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def livecodebench(number: int, day: str, **columns: Any) -> dict[str, Any]:
    """A row in the columns of code_generation_lite."""
    test = {"input": f"{number}\n", "output": f"{number}\n", "testtype": "stdin"}
    return {
        "question_title": "Echo",
        "question_content": f"Print {number}.",
        "platform": "atcoder",
        "question_id": f"abc{number}_a",
        "contest_id": f"abc{number}",
        "contest_date": day,
        "starter_code": "",
        "difficulty": "easy",
        "public_test_cases": json.dumps([test]),
        "private_test_cases": json.dumps([test]),
        "metadata": "{}",
    } | columns


def refused(*arguments: str, folders: Sequence[Path] = ()) -> str:
    with pytest.raises(InputError) as caught:
        choose(arguments, folders=folders)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# --- the catalogue


def test_every_benchmark_says_where_it_is_had_and_what_may_be_done_with_it() -> None:
    found = catalogue()
    asked = {"aime24", "aime25", "aime26", "hmmt25", "hmmt26", "brumo25", "imo-answerbench-v1", "imo-answerbench-v2"}
    asked |= {
        "imo-answerbench-v2-clean",
        "math500",
        "math",
        "livecodebench-v5",
        "livecodebench-v6",
        "ojbench",
        "ifeval",
    }
    asked |= {
        "gpqa-diamond",
        "ifbench",
        "gsm8k",
        "humaneval",
        "humaneval-plus",
        "mbpp",
        "mbpp-plus",
        "svamp",
        "leetcode",
    }
    assert asked <= found.keys()
    for name, one in found.items():
        assert name == one.name
        assert one.licence
        assert one.source or one.generated or name == "leetcode"
        assert all(score.source.startswith("https://arxiv.org/abs/") for score in one.published)
        assert one.prompt or one.generated or one.domain is Domain.INSTRUCT or name == "ojbench"
    assert [one.name for one in found.values() if one.domain is Domain.MATH and one.published and one.n != 64] == [
        "imo-answerbench-v1",
        "imo-answerbench-v2",
    ]
    assert found["gpqa-diamond"].n == 16
    assert {one.answers for one in found.values()} == {Answers.BOXED}
    assert found["livecodebench-v6"].window == (date(2025, 2, 1), date(2025, 5, 1))


def test_published_scores_are_those_of_the_reports() -> None:
    scores = {
        (score.model, score.metric, one.name): round(100 * score.score, 1)
        for one in catalogue().values()
        for score in one.published
    }
    big = {
        name: score for (model, metric, name), score in scores.items() if (model, metric) == ("VibeThinker-3B", "avg")
    }
    assert big == {
        "aime25": 91.4, "aime26": 94.3, "hmmt25": 89.3, "brumo25": 93.8,
        "imo-answerbench-v1": 76.4, "imo-answerbench-v2": 76.4,
        "livecodebench-v6": 80.2, "ojbench": 38.6, "leetcode": 96.1,
        "gpqa-diamond": 70.2, "ifeval": 93.4, "ifbench": 74.5,
    }  # fmt: skip
    small = {name: score for (model, _, name), score in scores.items() if model == "VibeThinker-1.5B"}
    assert small == {
        "aime24": 80.3, "aime25": 74.4, "hmmt25": 50.4, "math500": 95.0,
        "livecodebench-v5": 55.9, "livecodebench-v6": 51.1, "gpqa-diamond": 46.7,
    }  # fmt: skip
    clr = {name: score for (_, metric, name), score in scores.items() if metric == "clr"}
    assert clr == {
        "aime25": 96.7, "aime26": 97.1, "hmmt25": 95.4, "brumo25": 99.2, "gpqa-diamond": 72.9,
        "imo-answerbench-v1": 80.6, "imo-answerbench-v2": 80.6,
    }  # fmt: skip


GOOD = {"title": '"T"', "domain": '"math"', "licence": '"MIT"', "n": "4", "fields": '["problem"]'}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"colour": '"red"'}, "rows.toml: mine.colour: unknown key"),
        ({"published": '[{ model = "M", scor = 0.5, source = "s" }]'}, "rows.toml: mine.published.0.scor"),
        ({"published": '[{ model = "M", score = 91.4, source = "s" }]'}, "mine.published.0.score: must be at most 1"),
        ({"licence": ""}, "rows.toml: mine.licence: is missing"),
        ({"revision": '"main"'}, "rows.toml: mine.revision: "),
        ({"prompt": '"no-such"'}, "no such prompt file"),
        ({"window": "[2025-02-01, 2024-02-01]"}, "window ends on 2024-02-01, before it begins"),
        ({"domain": '"maths"'}, "rows.toml: mine.domain: "),
    ],
)
def test_a_row_with_a_mistake_is_refused_with_its_place(changed: dict[str, str], said: str) -> None:
    lines = [f"{key} = {value}" for key, value in (GOOD | changed).items() if value]
    with pytest.raises(ConfigError) as caught:
        benchmarks.read_catalogue("\n".join(["[mine]", *lines]), where="rows.toml")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


# --- what an argument names


def test_a_name_finds_its_file_in_the_callers_folder_then_in_the_environments_then_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = written(Path("benchmarks") / "aime_2025.jsonl", AIME)
    assert choose(["aime25"])[0].path == here
    theirs = written(tmp_path / "theirs" / "aime25.jsonl", AIME)
    monkeypatch.setenv(benchmarks.FOLDERS_ENV, f"{tmp_path / 'none'}:{tmp_path / 'theirs'}")
    assert choose(["aime25"])[0].path == theirs
    mine = written(tmp_path / "mine" / "aime25.jsonl.gz", AIME)
    [chosen] = choose(["aime25"], folders=[tmp_path / "mine"])
    assert (chosen.name, chosen.path, chosen.benchmark) == ("aime25", mine, catalogue()["aime25"])


def test_a_name_with_a_file_is_the_benchmark_whatever_the_file_is_called(tmp_path: Path) -> None:
    file = written(tmp_path / "train-00000-of-00001.jsonl", AIME, AIME | {"problem": "Find $c$.", "answer": "025"})
    [chosen] = choose([f"aime25={file}"])
    first, second = chosen.problems()
    assert (chosen.name, first.domain, first.answer, second.answer) == ("aime25", Domain.MATH, "70", "025")
    assert first.prompt.endswith(r"output the final answer within \boxed{}.")
    assert chosen.problems(limit=1) == [first]
    assert len(chosen.sha256) == 64
    assert chosen.prompt_hash() == choose([f"aime26={file}"])[0].prompt_hash() != ""


def test_a_file_is_a_set_of_its_own_unless_it_is_called_like_a_benchmarks(tmp_path: Path) -> None:
    named = written(tmp_path / "sets" / "hmmt_feb_2025.jsonl", AIME)
    plain = written(tmp_path / "sets" / "my set.jsonl.gz", AIME)
    other = written(tmp_path / "other" / "my set.csv", AIME)
    like = written(tmp_path / "sets" / "gsm8k.v2.jsonl", AIME)
    found = choose([str(named), str(plain), str(other), str(like)])
    assert [(one.name, one.benchmark and one.benchmark.name) for one in found] == [
        ("hmmt25", "hmmt25"), ("my-set", None), ("my-set-2", None), ("gsm8k.v2", None),
    ]  # fmt: skip
    assert (found[0].benchmark or catalogue()["math"]).published
    assert found[3].prompt_hash() != found[0].prompt_hash()


def test_what_is_missing_says_in_one_line_where_it_is_had_and_how_to_point_at_it(tmp_path: Path) -> None:
    assert refused("aime26") == (
        "aime26: its file is not here; it is had from https://huggingface.co/datasets/MathArena/aime_2026 "
        "(CC BY-NC-SA 4.0); save it as aime26 or aime_2026 (.jsonl, .csv, .parquet, ...), in ./benchmarks or in a "
        "folder that ETALON_BENCHMARKS names, or say aime26=FILE"
    )
    assert "at 955558ad67ef (CC BY 4.0)" in refused("imo-answerbench-v2")
    assert "aime26: gone.jsonl: no such file; it is had from https" in refused("aime26=gone.jsonl")
    assert refused("gone.jsonl") == "gone.jsonl: no such file"
    assert refused("aime52").startswith("aime52: no benchmark and no file of this name; did you mean aime2")
    assert "`etalon eval --list`" in refused("xyzzy")
    assert "did you mean gsm8k?" in refused(f"gsm8={tmp_path / 'a.jsonl'}")
    assert "is a directory" in refused(str(tmp_path))
    assert "is a directory" in refused(f"aime25={tmp_path}")
    assert "nano-math is drawn" in refused("nano-math=a.jsonl")
    file = written(tmp_path / "rows.jsonl", AIME)
    again = written(tmp_path / "aime25.jsonl", AIME)
    assert "named twice" in refused(str(file), f"../{tmp_path.name}/rows.jsonl")
    assert "named twice" in refused(f"aime25={file}", str(again))
    assert [one.name for one in choose([f"aime25={file}", str(file)])] == ["aime25", "rows"]


def test_a_file_with_other_columns_or_of_another_kind_is_told_in_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    [chosen] = choose(
        [f"aime25={written(tmp_path / 'a.jsonl', {'problem_statement': 'Find $b$.', 'expected_output': 70})}"]
    )
    with pytest.raises(InputError) as caught:
        chosen.problems()
    assert str(caught.value) == (
        f"aime25: {chosen.path}: line 1: question: missing; columns found: problem_statement, "
        "expected_output; --map question=problem_statement --map answer=expected_output would do (the only row there "
        "is); expected problem, answer"
    )
    mapped = ColumnMap.read(["question=problem_statement", "answer=expected_output"])
    with caplog.at_level(logging.WARNING):
        assert [problem.answer for problem in chosen.problems(columns=mapped)] == ["70"]
    assert "has 1 problems, the published set 30" in caplog.text
    [wrong] = choose([f"aime25={written(tmp_path / 'b.jsonl', livecodebench(1, '2025-01-01T00:00:00'))}"])
    with pytest.raises(InputError, match="has code problems, aime25 has math problems"):
        wrong.problems()


# --- readers


def test_a_window_keeps_the_problems_that_livecodebenchs_loader_keeps(tmp_path: Path) -> None:
    days = ["2025-01-31T19:30:00", "2025-02-01T00:00:00", "2025-03-01T07:30:00", "2025-05-01T00:00:00"]
    days += ["2025-05-01T19:30:00"]
    file = written(tmp_path / "test6.jsonl", *(livecodebench(number, day) for number, day in enumerate(days)))
    [chosen] = choose([str(file)])
    assert chosen.name == "livecodebench-v6"
    assert [problem.date for problem in chosen.problems()] == ["2025-02-01", "2025-03-01T07:30:00", "2025-05-01"]
    undated = written(tmp_path / "a.jsonl", livecodebench(1, "2025-03-01"), livecodebench(2, ""))
    with pytest.raises(InputError, match="1 problems have no date; expected contest_date"):
        choose([f"livecodebench-v6={undated}"])[0].problems()
    with pytest.raises(InputError, match="has no problems from 2024-08-01 to 2025-02-01; it is had from"):
        choose([f"livecodebench-v5={written(tmp_path / 'b.jsonl', livecodebench(1, '2025-03-01'))}"])[0].problems()


def test_a_folder_of_livecodebench_is_read_part_by_part(tmp_path: Path) -> None:
    folder = tmp_path / "benchmarks" / "code_generation_lite"
    for number, name in enumerate(["test", "test2", "test3", "test4"]):
        written(folder / f"{name}.jsonl", livecodebench(number, "2023-08-01T00:00:00"))
    assert "lacks test5.jsonl" in refused("livecodebench-v5")
    written(folder / "test4.jsonl", livecodebench(4, "2024-08-03T00:00:00"))
    written(folder / "test5.jsonl", livecodebench(5, "2025-01-04T00:00:00"))
    [chosen] = choose(["livecodebench-v5"])
    assert [problem.id for problem in chosen.problems()] == ["abc4_a", "abc5_a"]
    before = chosen.sha256
    written(folder / "test5.jsonl", livecodebench(6, "2025-01-04T00:00:00"))
    assert choose(["livecodebench-v5"])[0].sha256 != before


def test_livecodebench_is_asked_as_its_own_runner_asks(tmp_path: Path) -> None:
    starter = "class Solution:\n    def echo(self, n: int) -> int:\n        "
    case = json.dumps([{"input": "1", "output": "1", "testtype": "functional"}])
    method = {"starter_code": starter, "metadata": '{"func_name": "echo"}', "question_content": "Braces: {starter}."}
    rows = [
        livecodebench(1, "2025-03-01"),
        livecodebench(2, "2025-03-01", public_test_cases=case, private_test_cases=case, **method),
    ]
    [chosen] = choose([str(written(tmp_path / "test6.jsonl", *rows))])
    program, function = (problem.prompt for problem in chosen.problems())
    assert program.startswith("You are an expert Python programmer.")
    assert "\n\n### Question:\nPrint 1.\n\n### Format: Read the inputs from stdin" in program
    assert program.endswith("### Answer: (use the provided format with backticks)\n\n")
    assert f"enclose your code within delimiters.\n```python\n{starter.rstrip()}\n```\n\n### Answer" in function
    assert "Braces: {starter}.\n\n### Format" in function
    mine = tmp_path / "prompts"
    mine.mkdir()
    (mine / "livecodebench.txt").write_text("Solve it in Python.\n")
    assert chosen.problems(prompts=str(mine))[0].prompt == "Print 1.\n\nSolve it in Python."
    assert chosen.prompt_hash(str(mine)) != chosen.prompt_hash()


def test_every_sample_of_gpqa_sees_another_order_and_the_right_letter_moves_with_it(tmp_path: Path) -> None:
    lines = ["Question,Correct Answer,Incorrect Answer 1,Incorrect Answer 2,Incorrect Answer 3,Record ID"]
    (tmp_path / "gpqa_diamond.csv").write_text("\n".join([*lines, "What is 2+2?,four,five,six,seven,recA"]) + "\n")
    [chosen] = choose(["gpqa_diamond.csv"])
    [problem] = chosen.problems()
    assert (chosen.name, problem.domain, problem.id) == ("gpqa-diamond", Domain.STEM, "recA")
    asked = [as_asked(problem, draw_order(problem, seed=0, index=index)) for index in range(8)]
    assert all((one.options or {})[one.answer or ""] == "four" for one in asked)
    assert len({one.answer for one in asked}) > 1
    assert len({one.prompt for one in asked}) == 8


def test_mbpp_plus_is_decided_by_the_program_in_its_test_column(tmp_path: Path) -> None:
    row = {
        "task_id": 2,
        "code": "def shared(a, b):\n    return set(a) & set(b)\n",
        "prompt": "Write a function to find the shared elements from the given two lists.",
        "source_file": "Benchmark Questions Verification V2.ipynb",
        "test_imports": [],
        "test_list": ["assert shared((3, 4), (4, 5)) == {4}"],
        "test": "inputs = [[(3, 4), (4, 5)]]\nresults = [{4}]\nfor inp, exp in zip(inputs, results):\n"
        "    assert shared(*inp) == exp\n",
    }
    [problem] = choose([f"mbpp-plus={written(tmp_path / 'a.jsonl', row)}"])[0].problems()
    assert "Your code should pass this test:\n\nassert shared" in problem.prompt
    assert problem.tests is not None
    assert "for inp, exp in zip(inputs, results)" in problem.tests["assert_code"]


def test_attempts_of_a_contest_are_counted_together(tmp_path: Path) -> None:
    rows = [
        {"contest": f"weekly-{500 + i // 4}", "question": f"Print {i}.", "date": f"2026-05-{1 + 7 * (i // 4):02d}",
         "tests": {"inputs": [""], "outputs": [str(i)]}, "test_cases": [{"input": "", "output": str(i)}]}
        for i in range(8)
    ]  # fmt: skip
    problems = choose([f"leetcode={written(tmp_path / 'a.jsonl', *rows)}"])[0].problems()
    scores = [(1.0,) * 4] * 4 + [(1.0, 0.0, 0.0, None)] * 4
    found = benchmarks.by_contest(problems[::-1], {one.id: told for one, told in zip(problems, scores, strict=True)})
    assert [(one.name, one.right, one.attempts, one.undecided, one.problems) for one in found] == [
        ("weekly-500", 16, 16, 0, 4), ("weekly-501", 4, 12, 4, 4),
    ]  # fmt: skip
    assert [one.date for one in found] == ["2026-05-01", "2026-05-08"]


@pytest.mark.live
def test_a_nano_set_is_what_the_nano_recipe_is_tested_on_and_always_the_same() -> None:
    recipe = load(packaged_recipe("nano"))
    assert catalogue()["nano-math"].expected == recipe.problems.test
    assert catalogue()["nano-math"].max_tokens == recipe.eval.max_tokens
    operations = {one.level for one in choose(["nano-math"])[0].problems()}
    assert max(operations) == recipe.problems.operations
    [chosen] = choose(["nano-stem"])
    problems = chosen.problems(limit=5)
    assert (chosen.path, len(chosen.problems()), {one.domain for one in problems}) == (None, 200, {Domain.STEM})
    assert (problems, chosen.sha256) == (choose(["nano-stem"])[0].problems(limit=5), choose(["nano-stem"])[0].sha256)
    assert (chosen.sha256 != choose(["nano-math"])[0].sha256, chosen.prompt_hash()) == (True, "")


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/benchmarks")
@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("aime.parquet", "aime24"),
        ("aime25.parquet", "aime25"),
        ("hmmt25.parquet", "hmmt25"),
        ("gsm8k_test.jsonl", "gsm8k"),
        ("humaneval.jsonl.gz", "humaneval"),
        ("ifeval.jsonl", "ifeval"),
        ("ifbench_test.jsonl", "ifbench"),
        ("math_test.jsonl.gz", "math"),
        ("svamp.jsonl", "svamp"),
        ("imo_answerbench_v2.csv", "imo-answerbench-v2"),
        ("imo_answerbench_v2.csv", "imo-answerbench-v2-clean"),
    ],
)
@pytest.mark.live
def test_a_real_file_is_read_whole_under_its_name(file: str, name: str, caplog: pytest.LogCaptureFixture) -> None:
    if file.endswith(".parquet"):
        pytest.importorskip("pyarrow")
    [chosen] = choose([name], folders=[SHARED])
    assert (chosen.name, chosen.path) == (name, SHARED / file)
    if not name.endswith("-clean"):
        assert choose([str(SHARED / file)]) == [chosen]
    with caplog.at_level(logging.WARNING):
        problems = chosen.problems()
    assert len(problems) == catalogue()[name].expected > 0
    assert {problem.domain for problem in problems} == {catalogue()[name].domain}
    assert "the published set" not in caplog.text


# --- the list and the page


def test_the_list_says_which_files_are_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(tmp_path / "mine" / "aime25.jsonl", AIME)
    (tmp_path / "mine" / "code_generation_lite").mkdir()
    rows = {row.benchmark.name: row for row in benchmarks.listed([tmp_path / "mine"])}
    assert list(rows) == list(catalogue())
    assert (rows["aime25"].path, rows["aime26"].where, rows["nano-math"].where) == (file, "not here", "generated")
    assert "lacks test.jsonl" in rows["livecodebench-v5"].where
    told = {row["name"]: row for row in json.loads(benchmarks.listed_json(list(rows.values())))}
    assert told["aime25"]["path"] == str(file)
    assert told["aime25"]["published"][0] == {
        "model": "VibeThinker-3B", "score": 0.914, "n": 64, "metric": "avg",
        "source": "https://arxiv.org/abs/2606.16140", "settings": "",
    }  # fmt: skip
    assert (told["leetcode"]["problems"], told["ifeval"]["published"][0]["n"]) == (None, None)
    assert [told[name]["trouble"] for name in ("aime25", "livecodebench-v5")] == ["", rows["livecodebench-v5"].trouble]


@pytest.mark.parametrize("width", [80, 200])
def test_the_list_is_a_line_for_each_benchmark_and_a_second_where_there_is_room(tmp_path: Path, width: int) -> None:
    file = written(tmp_path / "a-folder-whose-name-is-long" / "aime25.jsonl", AIME)
    console = Console(file=io.StringIO(), force_terminal=True, color_system=None, width=width)
    benchmarks.print_listed(benchmarks.listed([file.parent]), console)
    head, *lines, foot = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert max(map(len, (head, *lines, foot))) <= width
    named = {line.split()[0]: line.split() for line in lines if not line.startswith(" ")}
    assert list(named) == list(catalogue())
    assert named["aime25"][1:4] == ["30", "64", "math"]
    assert named["aime25"][4].endswith("aime25.jsonl")
    assert named["aime26"][4:] == ["not", "here"]
    assert ("VibeThinker-3B 96.7 (CLR)" in "".join(lines)) is (width == 200)
    assert len(lines) == len(catalogue()) * (2 if width == 200 else 1)


def test_the_page_has_the_tables_of_the_catalogue() -> None:
    text = PAGE.read_text()
    assert page.written(text) == text, "run: python -m etalon.evaluate.benchmarks.page docs/benchmarks.md"
    assert text.count("| `aime25` |") == 1 + 1 + len(catalogue()["aime25"].published)  # how to name it, the tables
    with pytest.raises(InputError, match="expected each of benchmarks, published once"):
        page.written(text.replace("<!-- published -->", ""))

import gzip
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etalon.errors import InputError
from etalon.problems.files import read_problems
from etalon.problems.formats import svamp
from etalon.problems.rows import content_id, problem_from_row, problem_to_row
from etalon.rows.mapping import ColumnMap
from etalon.types import Domain, Problem, Rule
from etalon.verifiers import verify

BENCHMARKS = Path(__file__).parents[1].parent / "shared" / "benchmarks"
needs_benchmarks = pytest.mark.skipif(not BENCHMARKS.is_dir(), reason="needs ../shared/benchmarks")

GSM = {"question": "How many?", "answer": "She has 4*500=<<4*500=2000>>2,000.\n#### 2,000"}


def written(folder: Path, *rows: object, name: str = "rows.jsonl") -> Path:
    path = folder / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def error_of(folder: Path, *rows: object) -> str:
    with pytest.raises(InputError) as caught:
        read_problems(written(folder, *rows))
    return str(caught.value)


def verl(truth: object, ability: str = "math", content: str = "Find $x$.") -> dict[str, object]:
    prompt = [{"role": "user", "content": content}]
    return {"prompt": prompt, "reward_model": {"ground_truth": truth, "style": "rule"}, "ability": ability}


# --- rows --------------------------------------------------------------------------------------------------------

texts = st.text(max_size=8)
problems = st.builds(
    Problem,
    id=texts,
    domain=st.sampled_from(Domain),
    prompt=st.text(min_size=1, max_size=20),
    answer=st.none() | texts,
    options=st.none() | st.dictionaries(texts, texts, max_size=3),
    tests=st.none()
    | st.fixed_dictionaries({"inputs": st.lists(texts, max_size=2), "outputs": st.lists(texts, max_size=2)}),
    rules=st.lists(
        st.builds(Rule, id=texts, kwargs=st.dictionaries(texts, texts | st.integers(), max_size=2)), max_size=2
    ).map(tuple),
    skill=texts,
    level=st.integers(0, 9),
    source=texts,
    solutions=st.lists(texts, max_size=2).map(tuple),
)


@given(problems)
def test_a_problem_survives_json(problem: Problem) -> None:
    assert problem_from_row(json.loads(json.dumps(problem_to_row(problem)))) == problem


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"answr": "1"}, "answr: unknown column"),
        ({"answer": 1}, "answer: found 1, expected text"),
        ({"domain": "maths"}, 'domain: found "maths", expected one of math, code'),
        ({"level": True}, "level: found true, expected an integer"),
        ({"prompt": ""}, "prompt: missing or empty"),
        ({"rules": [{"kwargs": {}}]}, "rules: found"),
        ({"options": {"A": 1}}, "options: found a value that is not text"),
    ],
)
def test_a_native_row_that_does_not_fit_names_the_column(change: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        problem_from_row({"id": "1", "domain": "math", "prompt": "?", "answer": "1", **change})


def test_an_id_made_of_content_ignores_where_the_problem_came_from(tmp_path: Path) -> None:
    first = read_problems(written(tmp_path, GSM, name="a.jsonl"))
    [_, second] = read_problems(written(tmp_path, {"question": "Other", "answer": "#### 1"}, GSM, name="b.jsonl"))
    assert first == [second]
    assert second.id == content_id(second)


# --- files -------------------------------------------------------------------------------------------------------


def test_errors_name_file_line_what_was_found_and_what_was_expected(tmp_path: Path) -> None:
    assert error_of(tmp_path, GSM, {"question": "?", "answer": "#### "}) == (
        f"{tmp_path}/rows.jsonl: line 2: answer: found \"#### \", expected a final answer after '####' "
        "(1 of 2 rows cannot be read, max_bad allows 1%)"
    )
    assert "line 1: answer: found true, expected a reference answer" in error_of(
        tmp_path, {"query": "?", "answer": True}
    )
    assert "line 1: found [1], expected a JSON object" in error_of(tmp_path, [1])
    assert "line 1: question: missing; columns found: text; --map question=text would do (the only row" in error_of(
        tmp_path, {"text": "x"}
    )
    assert 'ability: found "chess", expected one of math' in error_of(tmp_path, verl("1", ability="chess"))
    assert "tests: missing; columns found: id, domain, prompt" in error_of(
        tmp_path, {"id": "1", "domain": "code", "prompt": "?"}
    )


def test_a_gsm8k_row_without_marks_is_not_taken_for_a_plain_answer(tmp_path: Path) -> None:
    message = error_of(tmp_path, GSM, {"question": "?", "answer": "She has 2."})
    assert "line 2: a question and answer row" in message
    assert "began as GSM8K" in message


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    contents = {
        "empty.jsonl": (b"\n", "has no rows"),
        "half.jsonl": (b'{"question": ', "line 1: not JSON"),
        "latin.jsonl": (b'{"question": "\xe9"}', "line 1: not UTF-8"),
        "plain.jsonl.gz": (b"[]", "has no rows"),
        "cut.jsonl.gz": (
            gzip.compress(json.dumps(GSM).encode() + b"\n" + os.urandom(9000))[:-99],
            r"damaged after line \d+: ",
        ),
        "table.csv": (b"a,b", "has no rows"),
        "notes.txt": (b"a,b\nc,d", "none of 2 rows can be read"),
    }
    for name, (content, message) in contents.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=message):
            read_problems(tmp_path / name)
    with pytest.raises(InputError, match="no such file"):
        read_problems(tmp_path / "absent.jsonl")


def test_gz_bom_and_blank_lines_do_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl.gz"
    path.write_bytes(gzip.compress(b"\xef\xbb\xbf" + json.dumps(GSM).encode() + b"\n\n"))
    assert len(read_problems(path)) == 1


def test_a_few_bad_rows_are_left_out_and_said_and_more_end_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows: list[object] = [{"query": f"{number}?", "answer": number} for number in range(198)]
    path = written(tmp_path, *rows, {"query": "?"}, {"query": "??", "answer": [1]})
    assert len(read_problems(path)) == 198
    assert f"{path}: line 199: answer: missing; columns found: query (2 of 200 rows cannot be read" in caplog.text
    with pytest.raises(InputError, match=r"line 199: .* \(2 of 200 rows cannot be read, max_bad allows 0.5%\)"):
        read_problems(path, max_bad=0.005)


def test_columns_may_have_other_names(tmp_path: Path) -> None:
    row = {"Frage": "6*7?", "target": 42, "meta": {"uuid": "a-1"}}
    columns = ColumnMap.read(["question=Frage", "answer=target", "id=meta.uuid"])
    [problem] = read_problems(written(tmp_path, row), columns=columns)
    assert (problem.id, problem.answer) == ("a-1", "42")
    assert "question: missing; columns found: Frage, target, meta" in error_of(tmp_path, row)


def test_exact_copies_count_once_and_are_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert len(read_problems(written(tmp_path, GSM, GSM, GSM))) == 1
    assert "2 rows are exact copies" in caplog.text


def test_one_id_for_two_problems_is_refused(tmp_path: Path) -> None:
    row = {"id": "a", "query": "?", "answer": "1"}
    assert 'line 2: id "a" already names another problem (line 1)' in error_of(tmp_path, row, {**row, "answer": "2"})


def test_parquet_rows_lose_the_nulls_of_other_rows(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = [
        {"id": "1", "domain": "stem", "prompt": "?", "answer": "A", "options": {"A": "x", "B": "y"}, "skill": None},
        {"id": "2", "domain": "stem", "prompt": "?", "answer": "C", "options": {"A": "x", "C": "z"}, "skill": None},
    ]
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "rows.parquet")
    first, second = read_problems(tmp_path / "rows.parquet")
    assert (first.options, second.options) == ({"A": "x", "B": "y"}, {"A": "x", "C": "z"})
    (tmp_path / "rows.parquet").write_bytes(b"PAR1 but not really")
    with pytest.raises(InputError, match="cannot be read as parquet"):
        read_problems(tmp_path / "rows.parquet")


# --- files that nobody here wrote --------------------------------------------------------------------------------


@needs_benchmarks
@pytest.mark.parametrize(
    ("name", "count", "domain"),
    [
        ("gsm8k_test.jsonl", 1319, Domain.MATH),
        ("humaneval.jsonl.gz", 164, Domain.CODE),
        ("ifeval.jsonl", 541, Domain.INSTRUCT),
        ("ifbench_test.jsonl", 300, Domain.INSTRUCT),
        ("gsm8k_train_2000.jsonl", 2000, Domain.MATH),
        ("math_test.jsonl.gz", 5000, Domain.MATH),
        ("svamp.jsonl", 1000, Domain.MATH),
        ("imo_answerbench_v2.csv", 399, Domain.MATH),  # algebra-036 has lost a quote: line 150 is no CSV
    ],
)
@pytest.mark.live
def test_public_sets_are_read_whole(name: str, count: int, domain: Domain) -> None:
    read = read_problems(BENCHMARKS / name)
    assert len(read) == len({problem.id for problem in read}) == count
    assert {problem.domain for problem in read} == {domain}
    assert [problem_from_row(problem_to_row(problem)) for problem in read] == read


@pytest.mark.parametrize(("equation", "answer", "lines"), [
    ("( 8.0 - 3.0 )", 5.0, "8 - 3 = 5"),
    ("( ( 8.0 + 3.0 ) * 2.5 )", 27.5, "8 + 3 = 11\n11 * 2.5 = 27.5"),
    ("( 7.0 - ( 3.0 + 2.0 ) )", 2, "3 + 2 = 5\n7 - 5 = 2"),
    ("( 3.0 - 9.0 )", -6.0, "3 - 9 = -6"),
])  # fmt: skip
def test_an_equation_of_svamp_is_a_worked_solution(equation: str, answer: float, lines: str) -> None:
    [solution] = svamp.worked(equation, answer)
    value = lines.rpartition("= ")[2]
    assert solution == f"<think>{lines}</think>\n\\boxed{{{value}}}"


@pytest.mark.parametrize(("equation", "answer"), [
    ("( 8.0 - 3.0 )", 6.0), ("8.0", 8.0), ("( 8.0 / 0.0 )", 1.0), ("( 10.0 / 3.0 ) * 3.0", 10.0), ("x = 5", 5),
    ("__import__('os')", 1), ("2 ** 9", 512), (None, 5.0), ("(" * 300, 5), ("( 8.0 - 3.0 )", "five"), ("1;2", 2),
    ("", 0), ("(", 1), ("True + 4", 5), ("1e999 - 1", 5), ("9e307*9e307/7", 3),
])  # fmt: skip
def test_what_is_not_arithmetic_that_leads_to_the_answer_is_no_solution(equation: object, answer: object) -> None:
    assert svamp.worked(equation, answer) == ()


@needs_benchmarks
def test_nearly_every_row_of_svamp_comes_with_its_solution() -> None:
    problems = read_problems(BENCHMARKS / "svamp.jsonl")
    solved = [problem for problem in problems if problem.solutions]
    assert len(solved) > 0.95 * len(problems)
    assert all(verify(problem, problem.solutions[0]).score == 1.0 for problem in solved)


@needs_benchmarks
def test_golds_of_vibethinkers_files_are_text_as_written() -> None:
    pytest.importorskip("pyarrow")
    golds = {
        name: [p.answer for p in read_problems(BENCHMARKS / f"{name}.parquet")] for name in ("aime", "aime25", "hmmt25")
    }
    assert [len(answers) for answers in golds.values()] == [30, 30, 30]
    assert golds["aime"][1] == "025"
    assert golds["aime25"][0] == "70"
    assert golds["hmmt25"][2] == r"\frac{1}{576}"


@needs_benchmarks
@pytest.mark.parametrize("number", [0, 32, 38, 50])  # the last three call helpers of their stubs
def test_a_humaneval_solution_passes_its_own_tests(number: int) -> None:
    problem = read_problems(BENCHMARKS / "humaneval.jsonl.gz")[number]
    assert problem.tests is not None
    program = problem.solutions[0].removeprefix("```python\n").removesuffix("\n```")
    exec(program + "\n" + problem.tests["assert_code"], {})

import json
from datetime import datetime
from pathlib import Path

import pytest

from etalon.errors import InputError
from etalon.problems.files import read_problems
from etalon.problems.formats import FORMATS, read_row, recognise
from etalon.problems.instructions import instructions, with_instruction, without_instruction
from etalon.problems.options import draw_order
from etalon.problems.rows import problem_to_row
from etalon.types import Domain, Problem, Rule
from etalon.verifiers import verify

BOX = r"Let's think step by step and output the final answer within \boxed{}."
GSM = {"question": "How many?", "answer": "She has 4*500=<<4*500=2000>>2,000.\n#### 2,000"}

OJ = {"id": 1000, "prompt": "Add.", "dataset": "NOI", "language": "cpp", "difficulty": "hard"}
GPQA = {  # without its sixty other columns
    "Pre-Revision Question": "Sum of 2 and 2, roughly?",
    "Question": "Sum of 2 and 2?",
    "Correct Answer": "4\n",
    "Incorrect Answer 1": "5",
    "Incorrect Answer 2": "6",
    "Incorrect Answer 3": "7",
    "High-level domain": "Physics",
    "Record ID": "rec06pnAkLOr2t2mp",
}


def written(folder: Path, *rows: object, name: str = "rows.jsonl") -> Path:
    path = folder / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def read_one(folder: Path, row: object) -> Problem:
    [problem] = read_problems(written(folder, row))
    return problem


def error_of(folder: Path, *rows: object) -> str:
    with pytest.raises(InputError) as caught:
        read_problems(written(folder, *rows))
    return str(caught.value)


def test_gsm8k_gives_the_number_after_the_marks_and_the_rationale_without_annotations(tmp_path: Path) -> None:
    problem = read_one(tmp_path, GSM)
    assert problem.answer == "2000"
    assert problem.prompt == f"How many? {BOX}"
    assert problem.solutions == ("<think>She has 4*500=2,000.</think>\n\\boxed{2000}",)


def verl(truth: object, ability: str = "math", content: str = "Find $x$.") -> dict[str, object]:
    prompt = [{"role": "user", "content": content}]
    return {"prompt": prompt, "reward_model": {"ground_truth": truth, "style": "rule"}, "ability": ability}


@pytest.mark.parametrize(("truth", "answer"), [("025", "025"), (70, "70"), ('["72"]', "72"), ("[1, 2]", "[1, 2]")])
def test_verl_golds_stay_as_they_are_written(tmp_path: Path, truth: object, answer: str) -> None:
    assert read_one(tmp_path, verl(truth)).answer == answer


def test_a_verl_prompt_that_already_asks_for_a_box_is_left_alone(tmp_path: Path) -> None:
    assert read_one(tmp_path, verl("1", content=r"Answer in \boxed{}.")).prompt == r"Answer in \boxed{}."


def test_verl_code_takes_its_tests_from_json_text_and_drops_null_keys(tmp_path: Path) -> None:
    problem = read_one(tmp_path, verl(json.dumps({"inputs": ["1"], "outputs": ["2"], "fn_name": None}), "code"))
    assert problem.domain is Domain.CODE
    assert problem.tests == {"inputs": ["1"], "outputs": ["2"]}
    assert problem.answer is None


def test_the_index_of_a_verl_row_is_not_its_id(tmp_path: Path) -> None:
    row = {**verl("1"), "extra_info": {"index": 0}}
    other = {**verl("2"), "extra_info": {"index": 0}}
    assert len({problem.id for problem in read_problems(written(tmp_path, row, other))}) == 2


HUMAN = {
    "task_id": "HumanEval/x",
    "prompt": "import math\ndef half(x):\n    return x / 2\n\ndef f(x):\n    '''Half of x.'''\n",
    "entry_point": "f",
    "canonical_solution": "    return half(x)\n",
    "test": "def check(candidate):\n    assert candidate(4) == half(4)\n",
}


def test_humaneval_tests_run_after_a_program_that_leaves_the_helpers_out(tmp_path: Path) -> None:
    problem = read_one(tmp_path, HUMAN)
    assert problem.tests is not None
    exec("def f(x):\n    return x / 2\n" + problem.tests["assert_code"], {})
    with pytest.raises(AssertionError):
        exec("def f(x):\n    return x\n" + problem.tests["assert_code"], {})


def test_ifeval_drops_null_arguments_and_pairs_them_with_their_instruction(tmp_path: Path) -> None:
    ids = ["punctuation:no_comma", "length_constraints:number_words"]
    kwargs = [{"n": None}, {"n": None, "num_words": 300}]
    problem = read_one(tmp_path, {"key": 1000, "prompt": "Write.", "instruction_id_list": ids, "kwargs": kwargs})
    assert problem.rules == (Rule(id=ids[0]), Rule(id=ids[1], kwargs={"num_words": 300}))
    assert (problem.id, problem.prompt) == ("if-1000", "Write.")


@pytest.mark.parametrize(
    ("options", "answer"),
    [
        (["2", "4", "8"], 1),
        (["2", "4", "8"], "B"),
        (["2", "4", "8"], "4"),
        ({"A": "2", "B": "4"}, "B"),
        ({"text": ["two", "four"], "label": ["1", "2"]}, "2"),
    ],
)
def test_a_choice_is_named_by_letter_content_position_or_label(tmp_path: Path, options: object, answer: object) -> None:
    problem = read_one(tmp_path, {"question": "2+2?", "choices": options, "answer": answer})
    assert (problem.domain, problem.answer) == (Domain.STEM, "B")
    assert problem.prompt.startswith("2+2?\n\nA. ")
    assert problem.prompt.count(r"\boxed") == 1


def test_a_choice_that_can_be_read_in_two_ways_is_refused(tmp_path: Path) -> None:
    assert "ambiguous" in error_of(tmp_path, {"question": "?", "options": ["B", "A"], "answer": "A"})


def test_gpqas_right_option_has_no_place_of_its_own(tmp_path: Path) -> None:
    rows = [GPQA | {"Correct Answer": str(i), "Record ID": f"rec{i}"} for i in range(10, 40)]
    problems = read_problems(written(tmp_path, *rows))
    assert len({problem.answer for problem in problems}) == 4
    for number, problem in enumerate(problems, start=10):
        assert problem.options is not None
        assert problem.answer is not None
        assert (problem.options[problem.answer], problem.id, problem.skill) == (str(number), f"rec{number}", "physics")
        assert problem.shuffle
        assert draw_order(problem, seed=0, index=0) is not None
    assert "\\boxed" in problems[0].prompt
    assert "the same text" in error_of(tmp_path, GPQA | {"Incorrect Answer 1": "4"})


def test_an_ojbench_problem_can_be_asked_and_says_who_judges_it(tmp_path: Path) -> None:
    python = OJ | {"language": "python", "prompt": "Add, in Python."}
    first, second = read_problems(written(tmp_path, OJ, python))
    assert (first.id, second.id, first.prompt, first.level) == ("NOI-1000-cpp", "NOI-1000-python", "Add.", 3)
    assert first.tests == {"judge": "ojbench", "id": 1000, "dataset": "NOI", "language": "cpp", "difficulty": "hard"}
    verdict = verify(first, "```cpp\nint main() {}\n```")
    assert verdict.is_undecided
    assert verdict.reason.startswith("judged_elsewhere: its tests are run by ojbench's own judge")
    assert read_one(tmp_path, problem_to_row(first)) == first


def test_a_date_is_kept_and_is_no_part_of_what_a_problem_is(tmp_path: Path) -> None:
    row = {"question": "?", "input_output": {"inputs": ["1"], "outputs": ["1"]}}
    dates = {"2025-01-04T00:00:00": "2025-01-04", "2025-01-04T19:30:00": "2025-01-04T19:30:00", "spring": ""}
    for stated, date in dates.items():
        problem = read_one(tmp_path, row | {"contest_date": stated})
        assert (problem.date, problem.id) == (date, read_one(tmp_path, row).id)
        assert read_one(tmp_path, problem_to_row(problem)) == problem
    _, from_parquet = read_row(row | {"contest_date": datetime(2025, 1, 4)})
    assert from_parquet.date == "2025-01-04"
    native = {"domain": "math", "prompt": "?", "answer": "1", "date": "spring"}
    assert "date: found" in error_of(tmp_path, native)


def test_inputs_of_evalplus_without_outputs_are_not_scored_by_the_base_tests_alone(tmp_path: Path) -> None:
    assert "evalplus/humanevalplus" in error_of(tmp_path, HUMAN | {"base_input": [[1]], "plus_input": [[2]]})


@pytest.mark.parametrize("question", ["problem", "question", "query"])
@pytest.mark.parametrize("answer", ["answer", "final_answer", "expected_answer"])
def test_a_question_and_an_answer_column_make_a_math_problem(tmp_path: Path, question: str, answer: str) -> None:
    problem = read_one(
        tmp_path, {question: "What is 6*7?", answer: 42, "id": 7, "level": "Level 3", "subject": "Algebra"}
    )
    assert (problem.id, problem.domain, problem.answer) == ("7", Domain.MATH, "42")
    assert (problem.skill, problem.level) == ("algebra", 3)


ASKED = [{"role": "user", "content": "Why?"}]


@pytest.mark.parametrize(
    ("row", "known"),
    [
        ({"messages": ASKED, "ground_truth": "4", "question_id": 9}, (Domain.MATH, "4", "9")),
        ({"conversations": [{"from": "human", "value": "Why?"}], "gold": 4, "key": "k"}, (Domain.MATH, "4", "k")),
        ({"instruction": "Why?", "input": "", "output": "Because", "reference": "4"}, (Domain.MATH, "4", "")),
        ({"prompt": ASKED, "solution": "$4$", "task_id": "t"}, (Domain.MATH, "$4$", "t")),
        ({"prompt": ASKED, "reward_model": {"ground_truth": "4"}, "extra_info": {"index": 1}}, (Domain.MATH, "4", "")),
        ({"id": "i", "input": "Why?", "choices": ["3", "4"], "target": "B"}, (Domain.STEM, "B", "i")),
        ({"question": "Why?", "choices": {"text": ["3", "4"], "label": ["1", "2"]}, "answerKey": "2"},
         (Domain.STEM, "B", "")),
        ({"question": "Why?", "A": "3", "B": 4, "answer": "B"}, (Domain.STEM, "B", "")),
        ({"doc_id": 3, "doc": {"question": "Why?", "answer": "x\n#### 4"}, "resps": [["y"]]}, (Domain.MATH, "4", "")),
        ({"prompt": "Why?", "verification_info": '{"test_cases": [{"input": "1", "output": "1"}]}'},
         (Domain.CODE, None, "")),
        ({"question": "Why?", "tests": ["assert f(1)"], "target": {"a": 1}, "reference": "f = abs"},
         (Domain.CODE, None, "")),
    ],
)  # fmt: skip
def test_the_fields_names_need_no_map(tmp_path: Path, row: dict[str, object], known: tuple[Domain, str, str]) -> None:
    problem = read_one(tmp_path, row)
    assert (problem.domain, problem.answer) == known[:2]
    assert problem.prompt.startswith("Why?")
    assert problem.id == known[2] or not known[2]


def test_a_solution_with_a_box_is_an_answer_where_there_is_none(tmp_path: Path) -> None:
    row = {"problem": "1+1?", "level": "Level 2", "type": "Algebra", "solution": "It is $\\boxed{\\frac{4}{2}}$."}
    problem = read_one(tmp_path, row)
    assert (problem.answer, problem.level) == ("\\frac{4}{2}", 2)
    assert problem.solutions == ("<think>It is $\\boxed{\\frac{4}{2}}$.</think>\n\\boxed{\\frac{4}{2}}",)
    assert "answer: missing" in error_of(tmp_path, {**row, "solution": "It is 2."})


def test_our_own_rows_may_have_other_columns_but_none_misspelt(tmp_path: Path) -> None:
    row = {"domain": "math", "prompt": "?", "answer": 70, "id": 7, "idx": 3, "response": "x", "model": "m"}
    problem = read_one(tmp_path, row)
    assert (problem.id, problem.answer) == ("7", "70")
    del row["answer"]
    assert "answr: unknown column; did you mean 'answer'?" in error_of(tmp_path, {**row, "answr": "70"})


def test_letters_of_options_stay_what_they_are_and_other_labels_become_letters(tmp_path: Path) -> None:
    problem = read_one(tmp_path, {"question": "?", "options": {"B": "two", "A": "one"}, "answer": "B"})
    assert (problem.answer, problem.options) == ("B", {"A": "one", "B": "two"})
    problem = read_one(tmp_path, {"question": "?", "choices": {"text": ["x", "y"], "label": ["1", "2"]}, "answer": 2})
    assert (problem.answer, problem.options) == ("B", {"A": "x", "B": "y"})
    problem = read_one(tmp_path, {"question": "?", "options": {"A": "B", "B": "A"}, "answer": "A"})
    assert problem.answer == "A"  # where the row gives names, a name is meant


@pytest.mark.parametrize("answer", ["nan", "N/A", "a rationale ####", " "])
def test_a_reference_that_is_no_answer_is_a_bad_row(tmp_path: Path, answer: str) -> None:
    assert "which is no answer" in error_of(tmp_path, {"problem": "?", "answer": answer})


@pytest.mark.parametrize(
    ("row", "domain"),
    [
        ({"question": "Why?"}, Domain.MATH),
        ({"prompt": "Why?", "answer": None}, Domain.MATH),
        ({"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}]}, Domain.MATH),
        ({"prompt": [{"role": "user", "content": "Why?"}], "reward_model": {}, "ability": "code"}, Domain.CODE),
        ({"domain": "stem", "prompt": "Why?"}, Domain.STEM),
        ({"question": "Why?", "domain": "facts"}, Domain.FACTS),
    ],
)
def test_a_question_is_enough_only_where_no_reference_is_needed(
    tmp_path: Path, row: dict[str, object], domain: Domain
) -> None:
    [problem] = read_problems(written(tmp_path, row), needs_reference=False)
    assert (problem.domain, problem.answer, problem.tests) == (domain, None, None)
    assert problem.prompt.startswith("Why?")
    assert verify(problem, "\\boxed{1}\n```python\nx = 1\n```").reason.startswith("bad_reference")
    with pytest.raises(InputError, match=r"missing|expected"):
        read_problems(written(tmp_path, row))


def test_every_example_row_is_recognised_as_its_own_format() -> None:
    rows = [
        {"id": "1", "domain": "math", "prompt": "?", "answer": "1"},
        verl("1"),
        HUMAN,
        {"question": "?", "input_output": {"inputs": ["1"], "outputs": ["1"]}},
        {"key": "0", "prompt": "?", "instruction_id_list": ["a"], "kwargs": [{}]},
        OJ,
        GPQA,
        {"question": "?", "options": ["a", "b"], "answer": "A"},
        {"ID": "chal-1", "Body": "2 and 2.", "Question": "Sum?", "Equation": "( 2 + 2 )", "Answer": 4.0},
        {"Problem ID": "imo-1", "Problem": "?", "Short Answer": "3", "Category": "Algebra"},
        GSM,
        {"query": "?", "answer": "1"},
    ]
    assert [recognise(row) for row in rows] == list(FORMATS)


def test_the_instruction_comes_off_as_it_went_on() -> None:
    for domain in (Domain.MATH, Domain.CODE, Domain.STEM):
        assert without_instruction(with_instruction("Why?", domain), domain) == "Why?"
    assert with_instruction("Sing.", Domain.INSTRUCT) == "Sing."
    assert BOX in instructions()

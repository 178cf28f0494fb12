"""Rows of published sets of programs, choices and instructions: what is asked, and that its tests and rules decide."""

from __future__ import annotations

import base64
import json
import pickle
import zlib
from pathlib import Path
from typing import Any

import pytest

from etalon.data.records import record_of
from etalon.errors import InputError, LeftOutError
from etalon.problems.files import read_problems
from etalon.problems.formats import read_row
from etalon.problems.formats.foreign.programs import task_in
from etalon.problems.formats.reading import BadReferenceError
from etalon.problems.rows import problem_from_row, problem_to_row
from etalon.types import Domain, Problem, Rule
from etalon.verifiers import verify

SUM = "a, b = map(int, input().split())\nprint(a + b)"
ADD = "class Solution:\n    def add(self, a: int, b: int) -> int:\n        return a + b"
PLAIN_ADD = "def add(a, b):\n    return a + b"
WRONG = "print(0)\ndef add(*_):\n    return None\nclass Solution:\n    add = add\n"
ASKED = "You are given two integers a and b. Print their sum."
STARTER = "class Solution:\n    def add(self, a: int, b: int) -> int:\n        "
EUCLID = (
    "Find the sum of a and b.\n\nWrite Python code to solve the problem. Present the code in \n```python\nYour code\n"
    "```\nat the end."
)
LCB = (
    "You will be given a question (problem specification) and will generate a correct Python program that matches the "
    "specification and passes all tests. You will NOT return anything except for the program.\n\nQuestion:\n"
)
LCB_END = (
    "\n\n### Format: Read the inputs from stdin solve the problem and write the answer to stdout (do not directly test "
    "on the sample inputs). Enclose your code within delimiters as follows. Ensure that when the python program runs, "
    "it reads the inputs, runs the algorithm and writes output to STDOUT.\n```python\n# YOUR CODE HERE\n```\n\n"
    "### Answer: (use the provided format with backticks)\n\n"
)
LCB_STARTER = (
    "\n\n### Format: You will use the following starter code to write the solution to the problem and enclose your "
    f"code within delimiters.\n```python\n{STARTER}\n```\n\n### Answer: (use the provided format with backticks)\n\n"
)
EURUS_SYSTEM = "When tackling complex reasoning tasks, you have access to the following actions: [ASSESS], [ADVANCE]."
FOREIGN = (
    *("Your code\n", "YOUR CODE", "use the provided format", "You will be given", "expert Python", "[ASSESS]"),
    *("executable Python function", "programming language python", "return the code", "markdown", "enclose your"),
    *("Present the code", "do not directly test", "do not include the test"),
)


def verl(content: str, truth: Any, ability: str | None = "code", **columns: Any) -> dict[str, Any]:
    prompt = [{"role": "user", "content": content}]
    truth = truth if isinstance(truth, str) else json.dumps(truth)
    row = {"data_source": "set", "prompt": prompt, "reward_model": {"ground_truth": truth, "style": "rule"}}
    return row | ({"ability": ability} if ability else {}) | {"extra_info": {"index": 3, "split": "train"}} | columns


def packed(cases: list[dict[str, Any]]) -> str:
    return base64.b64encode(zlib.compress(pickle.dumps(json.dumps(cases)))).decode()


def call(arguments: str, value: str) -> dict[str, str]:
    return {"input": arguments, "output": value, "testtype": "functional"}


CODE_CONTESTS = {
    "name": "1_A. Sum", "description": ASKED, "source": 2, "difficulty": 7, "cf_rating": 800,
    "public_tests": {"input": ["1 2\n"], "output": ["3\n"]}, "private_tests": {"input": [], "output": []},
    "generated_tests": {"input": ["-5 5\n"], "output": ["0\n"]},
    "solutions": {"language": [2, 3, 1], "solution": ["int main(){}", SUM, "print sum(map(int, raw_input().split()))"]},
    "incorrect_solutions": {"language": [3], "solution": ["print(1)"]},
    "time_limit": {"seconds": 1, "nanos": 500000000}, "memory_limit_bytes": 256000000,
}  # fmt: skip
TACO = {
    "question": ASKED, "solutions": json.dumps([SUM, "print 1"]), "starter_code": "", "difficulty": "EASY",
    "input_output": json.dumps({"inputs": [["1 2"], ["3", "4"]][:1], "outputs": [["3"]]}), "url": "https://x",
    "time_limit": "2.0 seconds", "memory_limit": "256.0 megabytes", "name": None, "source": "codeforces", "tags": "[]",
}  # fmt: skip
LIVECODEBENCH = {
    "question_title": "Sum", "question_content": ASKED, "platform": "leetcode", "question_id": "3001",
    "contest_id": "weekly", "contest_date": "2025-02-01T00:00:00", "starter_code": STARTER, "difficulty": "easy",
    "public_test_cases": json.dumps([call("1\n2", "3")]), "private_test_cases": packed([call("5\n-5", "0")]),
    "metadata": json.dumps({"func_name": "add"}),
}  # fmt: skip
KODCODE = {
    "version": "v1.0", "style": "instruct", "subset": "Prefill", "question_id": "Prefill_1_I",
    "question": "Add two numbers and give back the result.", "solution": PLAIN_ADD,
    "test": "from solution import add\nimport pytest\n\ndef test_small():\n    assert add(1, 2) == 3\n\n"
            "@pytest.mark.parametrize('a, b, c', [(0, 0, 0), (5, -5, 0)])\ndef test_more(a, b, c):\n"
            "    assert add(a, b) == c\n",
    "test_info": [{"function_name": "add", "function_declaration": "def add(a, b):", "parameter_list": "(a, b)"}],
    "gpt_pass_percentage": 0.4, "metadata": {"original_instruction": "Add.", "prompt_id": "1"},
}  # fmt: skip
SKYWORK_CHECK = {
    "inputs": None, "outputs": None, "fn_name": None, "assert_case": None, "entry_point": "Solution().add",
    "import_prefix": "import math\nfrom typing import *\n\n",
    "test_code": "def check(candidate):\n    assert candidate(a = 1, b = 2) == 3\n"
                 "    assert candidate(a = 5, b = -5) == 0",
}  # fmt: skip
PAIRS = [{"type": "stdin_stdout", "input": "1 2\n", "output": "3\n"}]
SYNTHETIC = {
    "problem_id": "vcp_1", "source": "apps", "task_type": "verifiable_code", "metadata": "{'difficulty': 'EASY'}",
    "gold_standard_solution": f"```python\n{SUM}\n```",
    "prompt": f"Solve the following coding problem using the programming language python:\n\n{ASKED}\n\n"
              "Now solve the problem and return the code.",
    "verification_info": str({"language": "python", "test_cases": json.dumps(PAIRS)}),
}  # fmt: skip
GENERATE = "Generate an executable Python function generated from the given prompt. "
OPENTHOUGHTS = {
    "problem": GENERATE + "The function should take stdin as input and print the output. Simply call the function "
               "after the definition." + ASKED,
    "deepseek_reasoning": "Add them.", "deepseek_solution": f"```python\n{SUM}\n```", "domain": "code",
    "source": "taco", "ground_truth_solution": SUM,
    "test_cases": json.dumps({"inputs": ["1 2"], "outputs": ["3"]}), "starter_code": None,
}  # fmt: skip
RSTAR = {
    "question_id": "seed_1", "question": ASKED, "starter_code": "", "inputs": json.dumps(["1 2\n", "4 4\n"]),
    "outputs": json.dumps(["3\n", "8\n"]), "is_synthesized": False, "test_case_type": "stdin", "func_name": None,
    "class_name": None,
}  # fmt: skip
AM = {
    "messages": [
        {"role": "user", "content": ASKED, "info": {
            "source": "codeio", "reference_answer": None, "think_content": None, "answer_content": None,
            "test_case": json.dumps({"call_type": "std", "inputs": ["1 2"], "outputs": ["3"]})}},
        {"role": "assistant", "content": f"<think>Add.</think>\n<answer>```python\n{SUM}\n```</answer>", "info": {
            "think_content": "Add.", "answer_content": f"```python\n{SUM}\n```", "source": None, "test_case": None}},
    ],
}  # fmt: skip
GURU_CALLS = (
    "_inputs = [[1, 2], [5, -5]]\n_outputs = [[3], [0]]\nimport math\n\nfor i, o in zip(_inputs, _outputs):\n"
    "    assert add(*i) == o[0]\n"
)
GURU_MBPP = (
    f"{ASKED}\n\nYour solution should be a complete, self-contained function in a markdown code block. Make sure your "
    "solution passes the following test cases:\n```python\nassert add(1, 2) == 3\n```\n\nPlease do not include the "
    "test cases in your solution."
)

PROGRAMS: dict[str, tuple[dict[str, Any], str]] = {
    "TACO": (TACO, SUM),
    "TACO, lines": (TACO | {"solutions": "[]", "input_output": json.dumps(
        {"inputs": [["3", "1 2", "2 2"]], "outputs": [["3", "4"]]})},
                    "for _ in range(int(input()) - 1): print(sum(map(int, input().split())))"),
    "TACO, long": (TACO | {"input_output": '{"inputs": ["1 2"], "outputs": [3], "x": ' + "9" * 5000 + "}"}, SUM),
    "APPS, call": (TACO | {"solutions": json.dumps([ADD]), "starter_code": STARTER, "input_output": json.dumps(
        {"fn_name": "add", "inputs": [[1, 2], [5, -5]], "outputs": [[3], [0]]})}, ADD),
    "code_contests": (CODE_CONTESTS, SUM),
    "LiveCodeBench": (LIVECODEBENCH, ADD),
    "LiveCodeBench, stdin": (LIVECODEBENCH | {"starter_code": "", "metadata": "{}", "public_test_cases": "[]",
        "private_test_cases": packed([{"input": "1 2", "output": "3", "testtype": "stdin"}])}, SUM),
    "Skywork, columns": (verl(LCB + ASKED + LCB_END, {
        "inputs": ["1 2"], "outputs": ["3"], "fn_name": None, "import_prefix": None, "test_code": None,
        "entry_point": None, "assert_case": None}), SUM),
    "Skywork, call": (verl(LCB + ASKED + LCB_STARTER, {
        "inputs": [[1, 2]], "outputs": [3], "fn_name": "add", "assert_case": None}), ADD),
    "Skywork, check": (verl(LCB + ASKED + LCB_STARTER, SKYWORK_CHECK), ADD),
    "Skywork, assertions": (verl(ASKED, {"inputs": None, "assert_case": ["assert add(1, 2) == 3",
                                                                        "assert add(2, 2) == 4"]}), PLAIN_ADD),
    "Eurus": (verl(EUCLID, {"inputs": ["1 2\n"], "outputs": ["3\n"]}) | {"prompt": [
        {"role": "system", "content": EURUS_SYSTEM}, {"role": "user", "content": EUCLID}]}, SUM),
    "guru, calls": (verl(SYNTHETIC["prompt"].partition("\n\nNow")[0], {"functional": GURU_CALLS}, "codegen",
                         apply_chat_template=True), PLAIN_ADD),
    "guru, MBPP": (verl(GURU_MBPP, {"functional": "assert add(1, 2) == 3\n"}, "codegen"), PLAIN_ADD),
    "guru, stdin": (verl(f"Solve the programming task below in a Python markdown code block.\n{ASKED}\nRead the inputs "
                         "from stdin solve the problem and write the answer to stdout (do not directly test on the "
                         "sample inputs). Enclose your code within ```python delimiters.",
                         {"inputs": ["1 2"], "outputs": ["3"]}, "codegen"), SUM),
    "SYNTHETIC-1": (SYNTHETIC, SUM),
    "SYNTHETIC-2": (SYNTHETIC | {"gold_standard_solution": PLAIN_ADD, "verification_info": json.dumps({"test_cases": [
        {"type": "function_call", "fn_name": "add", "input": [1, 2], "output": [3]}]})}, PLAIN_ADD),
    "OpenThoughts": (OPENTHOUGHTS, SUM),
    "OpenThoughts, call": (OPENTHOUGHTS | {"problem": GENERATE + "Return the function body without invoking it at the "
        "final solution." + ASKED, "starter_code": STARTER, "ground_truth_solution": ADD,
        "test_cases": json.dumps({"fn_name": "add", "inputs": [[1, 2]], "outputs": [[3]]})}, ADD),
    "KodCode": (KODCODE, PLAIN_ADD),
    "KodCode, judge": (KODCODE | {"style": "online_judge", "question": ASKED, "solution": SUM, "test_info": None,
                                  "test": str({"stdin": ["1 2", "2 2"], "stdout": ["3", "4"]})}, SUM),
    "rStar-Coder": (RSTAR, SUM),
    "rStar-Coder, call": (RSTAR | {"func_name": "add", "class_name": "Solution", "starter_code": STARTER,
        "inputs": json.dumps([[1, 2]]), "outputs": json.dumps([3])}, ADD),
    "AM": (AM, SUM),
    "MBPP": ({"task_id": 5, "text": "Write a function to add.", "code": PLAIN_ADD, "test_setup_code": "",
              "test_list": ["assert add(1, 2) == 3"], "challenge_test_list": ["assert add(2, 2) == 4"]}, PLAIN_ADD),
    "DeepCoder": ({"problem": ASKED, "starter_code": STARTER, "solutions": None, "metadata": {"func_name": "add"},
                   "tests": json.dumps([call("1\n2", "3")])}, ADD),
    "RLVR code": ({"messages": [{"role": "user", "content": ASKED}], "dataset": "code",
                   "ground_truth": json.dumps(["assert add(1, 2) == 3", "assert add(5, -5) == 0"])}, PLAIN_ADD),
}  # fmt: skip


@pytest.mark.live
@pytest.mark.parametrize("name", PROGRAMS)
def test_tests_of_a_published_row_run_and_its_question_is_alone(name: str) -> None:
    row, right = PROGRAMS[name]
    problem = record_of(row).problem
    assert problem.domain is Domain.CODE
    verdict = verify(problem, f"```python\n{right}\n```")
    assert verdict.score == 1.0, verdict.reason
    assert verify(problem, f"```python\n{WRONG}\n```").score == 0.0
    assert not [words for words in FOREIGN if words in _question(problem)]
    assert _question(problem).strip()
    named = "add" in _question(problem) or right == SUM or "map(int" in right
    assert named, "a program must know what its tests call"
    assert all(verify(problem, solution).score == 1.0 for solution in problem.solutions)
    assert problem_from_row(problem_to_row(problem)) == problem


def _question(problem: Problem) -> str:
    """The prompt without the instruction that is ours."""
    return problem.prompt.rpartition("\n\n")[0] if "```python" in problem.prompt[-200:] else problem.prompt


def test_what_a_row_says_beside_its_tests_is_kept() -> None:
    contest, taco, livecodebench = (record_of(row).problem for row in (CODE_CONTESTS, TACO, LIVECODEBENCH))
    assert contest.tests is not None
    assert taco.tests is not None
    assert (contest.tests["time_limit_s"], contest.tests["memory_limit_mb"], contest.source) == (1.5, 256, "codeforces")
    assert contest.tests["inputs"] == ["1 2\n", "-5 5\n"]
    assert contest.solutions == (f"```python\n{SUM}\n```",)
    assert (taco.tests["time_limit_s"], taco.tests["memory_limit_mb"]) == (2.0, 256)
    assert taco.solutions == (f"```python\n{SUM}\n```",)
    assert (livecodebench.date, livecodebench.id, livecodebench.source) == ("2025-02-01", "3001", "leetcode")
    assert "def add(a, b):" in record_of(KODCODE).problem.prompt
    assert "add(1, 2)" in record_of(PROGRAMS["Skywork, assertions"][0]).problem.prompt
    assert record_of(PROGRAMS["Skywork, check"][0]).problem.prompt.count("class Solution") == 1


def test_sets_of_several_domains_are_one_file(tmp_path: Path) -> None:
    rows = [
        OPENTHOUGHTS,
        {"problem": "1+1?", "answer": "2"},
        KODCODE,
        {"question": "?", "options": ["a", "b"], "answer": 1},
    ]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    domains = [problem.domain for problem in read_problems(path)]
    assert domains == [Domain.CODE, Domain.MATH, Domain.CODE, Domain.STEM]


def test_code_without_tests_is_a_problem_that_nothing_decides() -> None:
    row = {"question": ASKED, "starter_code": "", "response": f"<think>Add.</think>```python\n{SUM}\n```", "code": SUM}
    for columns in ({"question_id": "s1", "verified": True, "is_passed": True}, {}):
        record = record_of(row | columns)
        assert (record.problem.domain, record.problem.tests) == (Domain.CODE, None)
        assert record.problem.solutions == (f"```python\n{SUM}\n```",)
        assert [trace.is_correct for trace in record.traces] == [columns.get("is_passed")]
    assert record_of(row | {"is_passed": False}).problem.solutions == ()
    with pytest.raises(InputError, match="tests: missing"):
        read_row(row)
    given = record_of({"input": ASKED, "output": row["response"], "solution": SUM, "dataset": "code_contests"})
    assert (given.problem.domain, given.problem.answer, len(given.traces)) == (Domain.CODE, None, 1)


class _Payload:
    def __reduce__(self) -> tuple[Any, ...]:
        return print, ("executed",)


NO_TESTS = {f"{of}_tests": {"input": [], "output": []} for of in ("public", "private", "generated")}


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (TACO | {"input_output": ""}, "input_output: empty"),
        (TACO | {"input_output": "{}"}, "input_output: empty"),
        (TACO | {"input_output": None}, "input_output: empty"),
        (TACO | {"input_output": json.dumps({"inputs": [], "outputs": []})}, "0 inputs and 0 outputs"),
        (TACO | {"input_output": json.dumps({"inputs": ["1", "2"], "outputs": ["1"]})}, "2 inputs and 1 outputs"),
        (CODE_CONTESTS | NO_TESTS, "no tests"),
        (LIVECODEBENCH | {"private_test_cases": "", "public_test_cases": "[]"}, "0 inputs"),
        (verl(ASKED, {"inputs": None, "outputs": None}), "ground_truth"),
        (verl(ASKED, {"inputs": ["1"], "outputs": []}), "ground_truth"),
        (SYNTHETIC | {"verification_info": str({"language": "rust", "test_cases": json.dumps(PAIRS)})}, "rust"),
        (SYNTHETIC | {"verification_info": str({"language": "python", "test_cases": "[]"})}, "test_cases: empty"),
    ],
)
def test_a_row_without_tests_is_left_out_with_a_reason(row: dict[str, Any], why: str) -> None:
    with pytest.raises(LeftOutError, match=why) as caught:
        record_of(row)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (TACO | {"input_output": '{"fn_name": "f", "inputs": [["x"'}, "input_output"),
        (LIVECODEBENCH | {"metadata": "{}"}, "without func_name"),
        (LIVECODEBENCH | {"private_test_cases": base64.b64encode(zlib.compress(pickle.dumps(_Payload()))).decode()},
         "the pickle asks for"),
        (RSTAR | {"inputs": "[", "outputs": "["}, "inputs"),
    ],
)  # fmt: skip
def test_tests_that_cannot_be_read_are_no_row(row: dict[str, Any], why: str, capfd: Any) -> None:
    with pytest.raises(InputError, match=why) as caught:
        record_of(row)
    assert not isinstance(caught.value, LeftOutError)
    assert "executed" not in capfd.readouterr().out


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("Write a program that adds. Put it in ```python\n# your code here\n```", "Write a program that adds."),
        (
            f"### Instruction: {LCB}{ASKED}\n\n### Format: Implement a function called `main()` which orchastrates the "
            "solution by reading inputs from stdin and writing the answer to stdout.\n```python\n# YOUR CODE HERE\n```",
            ASKED,
        ),
        (
            "You will be given a competitive programming problem.\nDo not include any debug prints or additional "
            "output.\n\n"
            "Put your final solution within a single code block:\n```python\n<your code here>\n```\n\n"
            f"# Problem\n\n{ASKED}",
            ASKED,
        ),
        (
            f"Solve the following coding problem using the programming language python:\n\n{ASKED}\n\nThe input will "
            "be stdin and you should print your solution to stdout\n\n\nNow solve the problem and return the code.",
            ASKED,
        ),
        ("Add.\n\nInput\n\nTwo.\n\n```\n1 2\n```", "Add.\n\nInput\n\nTwo.\n\n```\n1 2\n```"),
        ("What does this print?\n```python\nprint(1)\n```", "What does this print?\n```python\nprint(1)\n```"),
        ("Your code is a word of four letters.", "Your code is a word of four letters."),
        ("Read the inputs from stdin and tell which is odd.", "Read the inputs from stdin and tell which is odd."),
    ],
)
def test_only_words_about_the_answer_leave_a_question(text: str, question: str) -> None:
    assert task_in(text).question == question
    assert task_in(" \n" * 50_000 + text + "\n" * 50_000).question == question  # in linear time


LENGTHS = ["12 m", "7 m", "9 m"]


@pytest.mark.parametrize(
    "answer",
    ["B", "b", "(B)", "B.", "B)", "[B]", "**B**", "$B$", "\\boxed{B}", "\\textbf{(B)}", "Option B", "choice (b)",
     "The answer is (B)", "the correct answer is b.", "Answer: B", "7 m", " 7 m\n", "B. 7 m", "(B) 7 m", "b: 7 m", 1],
)  # fmt: skip
@pytest.mark.parametrize(
    "options",
    [LENGTHS, dict(zip("ABC", LENGTHS, strict=True)), {"text": LENGTHS, "label": ["A", "B", "C"]},
     json.dumps(LENGTHS), str(LENGTHS),
     [{"label": x, "text": y} for x, y in zip("ABC", LENGTHS, strict=True)], "A. 12 m\nB. 7 m\nC. 9 m",
     [*LENGTHS, "N/A", "N/A"], dict(zip("ABCD", [*LENGTHS, "N/A"], strict=True)), [*LENGTHS, None]],
)  # fmt: skip
def test_a_choice_is_read_in_every_form_of_options_and_answers(options: Any, answer: Any) -> None:
    _, problem = read_row({"question": "How far?", "options": options, "answer": answer})
    assert (problem.domain, problem.answer, problem.options) == (
        Domain.STEM,
        "B",
        dict(zip("ABC", LENGTHS, strict=True)),
    )
    assert "N/A" not in problem.prompt
    assert verify(problem, "\\boxed{7\\text{ m}}").score == 1.0


GPQA = {
    "Pre-Revision Question": "Old?", "Pre-Revision Correct Answer": "old", "Question": "Which\nplanet?",
    "Correct Answer": "Mars\n", "Incorrect Answer 1": "Venus", "Incorrect Answer 2": "Earth,\nours",
    "Incorrect Answer 3": "Pluto", "Explanation": "Red.", "Record ID": "rec1", "High-level domain": "Physics",
    "Subdomain": "Astro", "Canary String": "BENCHMARK DATA SHOULD NEVER APPEAR",
}  # fmt: skip


def test_choices_of_published_sets() -> None:
    supergpqa = {"uuid": "u1", "question": "Which?", "options": ["A", "C", "B", "x"], "answer": "B",
                 "answer_letter": "C", "discipline": "Science", "field": "f", "subfield": "s"}  # fmt: skip
    problem = record_of(supergpqa).problem
    assert (problem.id, problem.answer, problem.options["C"], problem.skill) == ("u1", "C", "B", "science")  # type: ignore[index]
    pro = {"question_id": 70, "question": "Which?", "options": [f"{i} J" for i in range(10)], "answer": "J",
           "answer_index": 9, "cot_content": "A: ...", "category": "physics", "src": "ori_mmlu"}  # fmt: skip
    problem = record_of(pro).problem
    assert (problem.id, problem.answer, len(problem.options or ()), problem.skill) == ("70", "J", 10, "physics")
    problem = record_of(pro | {"options": ["a", "b", "N/A"], "answer": "C", "answer_index": 2}).problem
    assert problem.options == {"A": "a", "B": "b", "C": "N/A"}  # the right one is no padding
    written = json.dumps(problem_to_row(record_of(GPQA).problem))
    assert not [word for word in ("Canary", "BENCHMARK", "Old", "old") if word in written]
    assert record_of(GPQA).problem.options is not None
    asked = "Which follows?"
    for row in (
        {"question_stem": asked, "choices": {"text": ["no", "yes"], "label": ["A", "B"]}, "answerKey": "B"},
        {"question": asked, "opa": "no", "opb": "yes", "opc": "never", "cop": 1},
        {"question": asked, "option_1": "no", "option_2": "yes", "answer": "yes"},
        {"context": "All birds fly.", "query": asked, "options": ["no", "yes"], "correct_option": 1},
    ):
        problem = record_of(row).problem
        assert (problem.answer, (problem.options or {})["B"]) == ("B", "yes")
        assert problem.prompt.startswith(("" if "context" not in row else "All birds fly.\n\n") + asked)
    sciq = {"question": asked, "correct_answer": "yes", "distractor1": "no", "distractor2": "maybe",
            "distractor3": "never", "support": "It is known."}  # fmt: skip
    problem = record_of(sciq).problem
    assert (problem.options or {})[problem.answer or ""] == "yes"
    assert len(problem.options or {}) == 4
    assert "support" not in problem.prompt
    for bad in (
        pro | {"answer": "J", "answer_index": 3},
        pro | {"options": ["a", "b"], "answer": "Z", "answer_index": None},
        {"question": "?", "options": ["B", "A"], "answer": "A"},
        {"question": "?", "options": ["x"] * 27, "answer": "A"},
        {"problem": "?\n(A) 1 m\n(B) 2 m\n(C) 3 m", "answer": "E", "question_type": "MCQ"},
    ):
        with pytest.raises(InputError):
            record_of(bad)


@pytest.mark.parametrize("answer", ["B", "(B)", "15"])
@pytest.mark.parametrize(
    "listed",
    [r"$\textbf{(A)}\ 12 \qquad \textbf{(B)}\ 15 \qquad\textbf{(C)}\ 18$", "(A) 12 (B) 15 (C) 18",
     "A. 12\nB. 15\nC. 18",
     r"$\mathrm{(A) \ } 12 \qquad \mathrm{(B) \ } 15 \qquad \mathrm{(C) \ } 18$", "( A ) 12   ( B ) 15\n( C ) 18"],
)  # fmt: skip
def test_options_in_the_text_are_options(listed: str, answer: str) -> None:
    row = {"problem": f"How many?\n{listed}", "answer": answer, "question_type": "MCQ", "source": "amc_aime"}
    problem = record_of(row).problem
    assert (problem.answer, problem.options) == ("B", {"A": "12", "B": "15", "C": "18"})
    assert problem.prompt.count("12") == 1


def rlvr(**truth: Any) -> dict[str, Any]:
    nulls = dict.fromkeys(("N", "quantifier", "end_phrase", "keyword_list", "word", "forbidden_words", "letter", "i"))
    return {"messages": [{"role": "user", "content": "Write. Use * * * between paragraphs."}],
            "ground_truth": json.dumps(truth | {k: v for k, v in nulls.items() if k not in truth}), "dataset": "ifeval",
            "constraint_type": "t", "constraint": "c"}  # fmt: skip


WORDS, LETTERS = "length_constraints:number_words", "keywords:letter_frequency"


@pytest.mark.parametrize(
    ("truth", "rules", "good", "bad"),
    [
        ({"func_name": "validate_lowercase"}, [("change_case:english_lowercase", {})], "all low.", "Not low."),
        ({"func_name": "validate_no_commas"}, [("punctuation:no_comma", {})], "a b", "a, b"),
        ({"func_name": "validate_word_constraint", "N": 3, "quantifier": "at least"},
         [(WORDS, {"num_words": 3, "relation": "at least"})], "a b c", "a b"),
        ({"func_name": "validate_word_constraint", "N": 50, "quantifier": "around"},
         [(WORDS, {"num_words": 45, "relation": "at least"}), (WORDS, {"num_words": 55, "relation": "at most"})],
         "a " * 47, "a " * 60),
        ({"func_name": "verify_letter_frequency", "letter": "q", "N": 2},
         [(LETTERS, {"letter": "q", "let_frequency": 2, "let_relation": relation})
          for relation in ("at least", "at most")], "q q", "q q q"),
        ({"func_name": "verify_keywords", "keyword_list": ["a", "b"]},
         [("keywords:existence", {"keywords": ["a", "b"]})], "a b", "a"),
        ({"func_name": "verify_paragraph_count", "N": 2},
         [("length_constraints:number_paragraphs", {"num_paragraphs": 2})], "a\n* * *\nb", "a\n* * *\nb\n* * *\nc"),
        ({"func_name": "validate_paragraphs", "N": 2, "first_word": "so", "i": 2},
         [("length_constraints:nth_paragraph_first_word", {"num_paragraphs": 2, "nth_paragraph": 2,
                                                           "first_word": "so"})], "a\n\nso b", "a\n\nb"),
        ({"func_name": "validate_sections", "N": 2, "section_splitter": "PART"},
         [("detectable_format:multiple_sections", {"section_spliter": "PART", "num_sections": 2})],
         "PART 1 a PART 2 b", "PART 1 a"),
        ({"func_name": "validate_end", "end_phrase": "The end."},
         [("startend:end_checker", {"end_phrase": "The end."})],
         "So. The end.", "So."),
        ({"func_name": "verify_bullet_points", "N": 2}, [("detectable_format:number_bullet_lists", {"num_bullets": 2})],
         "* a\n* b", "* a"),
    ],
)  # fmt: skip
def test_functions_of_rlvr_ifeval_are_our_rules(
    truth: dict[str, Any], rules: list[tuple[str, dict[str, Any]]], good: str, bad: str
) -> None:
    wanted = tuple(Rule(id=rule, kwargs=kwargs) for rule, kwargs in rules)
    row = rlvr(**truth)
    asked = "Write. Use * * * between paragraphs."
    lists = {"instruction_id_list": [rule.id for rule in wanted], "kwargs": [rule.kwargs for rule in wanted]}
    rows = (
        row,
        verl(asked, row["ground_truth"], "instruction_following"),
        verl(asked, lists, "ifeval"),
        verl(asked, "", None, extra_info=lists | {"kwargs": json.dumps(lists["kwargs"])}),
    )
    for problem in (record_of(row).problem for row in rows):
        assert (problem.domain, problem.rules) == (Domain.INSTRUCT, wanted)
        assert problem.prompt == "Write. Use * * * between paragraphs."
        assert [verify(problem, text).score for text in (good, bad)] == [1.0, 0.0]


@pytest.mark.parametrize(
    "truth",
    [
        "[{'instruction_id': ['punctuation:no_comma', 'keywords:existence'], 'kwargs': [None, {'keywords': ['x'],"
        " 'n': None}]}]",
        '[{"instruction_id": ["punctuation:no_comma", "keywords:existence"], "kwargs": [null, {"keywords": ["x"]}]}]',
        json.dumps([json.dumps({"instruction_id": ["punctuation:no_comma", "keywords:existence"],
                                "kwargs": [{}, {"keywords": ["x"]}]})]),
    ],
)  # fmt: skip
def test_if_multi_constraints_is_read_as_a_literal_and_as_json(truth: str) -> None:
    row = {"key": "k1", "messages": [{"role": "user", "content": "Write with x."}], "ground_truth": truth,
           "dataset": "ifeval", "constraint_type": "multi", "constraint": "c"}  # fmt: skip
    problem = record_of(row).problem
    assert problem.rules == (Rule(id="punctuation:no_comma"), Rule(id="keywords:existence", kwargs={"keywords": ["x"]}))
    assert (problem.id, problem.prompt, problem.domain) == ("k1", "Write with x.", Domain.INSTRUCT)
    assert [verify(problem, text).score for text in ("an x", "an x, too", "a y")] == [1.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("truth", "why"),
    [
        ({"func_name": "validate_rhymes"}, "no rule stands for"),
        ({"func_name": "validate_choice", "options": ["yes", "no", "maybe"]}, "validate_choice"),
        ({"func_name": "verify_bullet_points"}, "N: missing"),
        ({"func_name": "validate_word_constraint", "N": 3, "quantifier": "some"}, "quantifier"),
    ],
)
def test_an_instruction_that_no_rule_stands_for_is_left_out(truth: dict[str, Any], why: str) -> None:
    with pytest.raises(LeftOutError, match=why):
        record_of(rlvr(**truth))
    with pytest.raises(BadReferenceError):
        record_of({"key": 1, "prompt": "?", "instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}, {}]})

"""Tests in the field's forms become ours, and programs are judged by them."""

import base64
import json
import pickle
import zlib

import pytest

from etalon.problems.cases import BadRowError, read_tests
from etalon.problems.files import read_problems
from etalon.types import Domain, Problem
from etalon.verifiers import verify
from etalon.verifiers.rows import verify_row


def judge(program, row):
    """The score by way of `etalon verify`: the row's own columns, then the same in `tests`."""
    response = f"```python\n{program}\n```"
    scores = [
        verify_row({**row, "response": response}, "code"),
        verify_row({"tests": row, "response": response}, "code"),
    ]
    assert scores[0]["score"] == scores[1]["score"], scores
    return scores[0]["score"]


SUM = "print(sum(map(int, input().split())))"
ADD = "class Solution:\n    def add(self, a: int, b: int) -> int:\n        return a + b"
APPEND = "def append(values, one):\n    return values + [one]"


@pytest.mark.parametrize(
    ("row", "program"),
    [
        ({"input_output": json.dumps({"inputs": ["1 2\n"], "outputs": ["3\n"]})}, SUM),
        ({"input_output": {"inputs": [["1 2"]], "outputs": [["3"]]}}, SUM),
        ({"input_output": json.dumps({"fn_name": "add", "inputs": [[1, 2], [3, 4]], "outputs": [3, 7]})}, ADD),
        ({"input_output": json.dumps({"fn_name": "add", "inputs": [[1, 2], [3, 4]], "outputs": [[3], [7]]})}, ADD),
        ({"input_output": {"fn_name": "append", "inputs": [[[1], 2]], "outputs": [[[1, 2]]]}}, APPEND),
        ({"input_output": {"fn_name": "append", "inputs": [[[], 2]], "outputs": [[2]]}}, APPEND),
        ({"input_output": {"fn_name": "f", "inputs": [["ab"]], "outputs": ["ba"]}}, "def f(s): return s[::-1]"),
        ({"official_tests": [{"input": "1 2\n", "output": "3\n"}], "time_limit": 2.0, "memory_limit": 256}, SUM),
        ({"examples": [{"input": "1 2", "output": "3"}, {"input": "4", "output": "4"}]}, SUM),
        ({"public_tests": {"input": ["1 2"], "output": ["3"]}, "private_tests": {"input": [], "output": []}}, SUM),
        ({"assert_case": ["assert append([], 1) == [1]"]}, APPEND),
        ({"test_list": ["assert append([1], 2) == [1, 2]"], "test_setup_code": "", "task_id": 7}, APPEND),
        ({"test_list": ["assert math.isclose(f(), 3.14159, abs_tol=1e-3)"], "test_imports": ["import math"]},
         "import math\ndef f(): return math.pi"),
        ({"entry_point": "append", "test": "def check(candidate):\n    assert candidate([1], 2) == [1, 2]"}, APPEND),
        ({"entry_point": "Solution().add", "test": "def check(candidate):\n    assert candidate(a = 1, b = 2) == 3"},
         ADD),
        ({"entry_point": "Solution().flip",
          "test": "def check(candidate):\n    assert is_same_tree(candidate(root = tree_node([1, 2, None, 3])), "
                  "tree_node([1, None, 2, None, 3]))\n    assert candidate(None) == None"},
         "class Solution:\n    def flip(self, root: Optional[TreeNode]) -> Optional[TreeNode]:\n"
         "        if root:\n            root.left, root.right = self.flip(root.right), self.flip(root.left)\n"
         "        return root"),
        ({"entry_point": "Solution().tail",
          "test": "def check(candidate):\n    assert is_same_list(candidate(list_node([1, 2])), list_node([2]))"},
         "class Solution:\n    def tail(self, head: Optional[ListNode]) -> Optional[ListNode]:\n"
         "        return head.next"),
    ],
)  # fmt: skip
@pytest.mark.live
def test_a_right_program_passes_and_a_wrong_one_does_not(row, program):
    assert judge(program, row) == 1.0
    assert judge("def append(*_): return None\nadd = f = append\nclass Solution: add = flip = tail = f", row) == 0.0


def test_a_list_of_pairs_is_tests():
    pairs = [{"type": "stdin_stdout", "input": "1 2", "output": "3"}]
    calls = [{"type": "function_call", "fn_name": "add", "input": [1, 2], "output": [3]}]
    for tests, program in ((pairs, SUM), (calls, ADD), (json.dumps(pairs), SUM)):
        assert verify_row({"tests": tests, "response": f"```python\n{program}\n```"}, "code")["score"] == 1.0


def packed(value):
    return base64.b64encode(zlib.compress(pickle.dumps(value))).decode()


def test_livecodebench_nodes_follow_the_starter_code():
    case = {"input": "[1, 2, 3]", "output": "[3, 2, 1]", "testtype": "functional"}
    row = {
        "public_test_cases": "[]",
        "private_test_cases": packed(json.dumps([case])),
        "metadata": json.dumps({"func_name": "flip"}),
        "starter_code": "class Solution:\n    def flip(self, head: Optional[ListNode]) -> Optional[ListNode]:\n",
    }
    program = (
        "class Solution:\n    def flip(self, head):\n        last = None\n        while head:\n"
        "            head.next, last, head = last, head, head.next\n        return last"
    )
    assert judge(program, row) == 1.0


@pytest.mark.parametrize(
    "row",
    [
        {},
        [],
        "not JSON",
        {"inputs": "1", "outputs": "1"},
        {"input_output": "{"},
        {"input_output": "[]"},
        {"official_tests": [{"output": "1"}]},
        {"test_list": [1]},
        {"test_list": []},
        {"private_test_cases": "%%%"},
        {"private_test_cases": packed([open])},
        {"private_test_cases": packed(json.loads)},
    ],
)
def test_tests_that_are_none_are_an_error_with_a_name(row):
    with pytest.raises(BadRowError, match=r"\w"):
        read_tests(row)


CHECK = "def check(input, expected, output):\n    return sum(map(int, output.split())) == int(input)"
SCRIPT = (
    "import sys\nn = int(open(sys.argv[1]).read())\na, b = map(int, open(sys.argv[3]).read().split())\n"
    "print(1.0 if a + b == n else 0.0)"
)


@pytest.mark.parametrize("checker", [CHECK, SCRIPT])
def test_a_checker_accepts_every_right_answer(checker):
    tests = {"inputs": ["10", "3"], "outputs": ["4 6", "1 2"], "checker": checker}
    problem = Problem(id="p", domain=Domain.CODE, prompt="", tests=tests)
    assert verify(problem, "```python\nn = int(input())\nprint(n - 1, 1)\n```").score == 1.0
    assert verify(problem, "```python\nprint(1, 1)\n```").reason.startswith("wrong (test 1 of 2)")
    assert verify(problem, "```python\nprint('no number')\n```").score == 0.0
    assert verify(problem, "```python\nimport os; os._exit(0)\n```").score == 0.0


def test_a_checker_that_fails_on_its_own_reference_leaves_the_verdict_open():
    tests = {"inputs": ["1"], "outputs": ["1"], "checker": "def check(input, expected, output): return 1 / 0"}
    verdict = verify(Problem(id="p", domain=Domain.CODE, prompt="", tests=tests), "```python\nprint(1)\n```")
    assert verdict.score is None
    assert "checker" in verdict.reason


def test_files_of_programming_problems_are_read(tmp_path):
    rows = [
        {"question_title": "t", "question_content": "Add.", "question_id": "1", "platform": "leetcode",
         "starter_code": "class Solution:\n    def add(self, a, b):\n        ", "metadata": '{"func_name": "add"}',
         "public_test_cases": json.dumps([{"input": "1\n2", "output": "3", "testtype": "functional"}]),
         "private_test_cases": "[]"},
        {"question": "Add.", "input_output": json.dumps({"inputs": ["1 2"], "outputs": ["3"]}),
         "solutions": json.dumps([SUM]), "problem_id": 3},
        {"description": "Add.", "input_format": "Two.", "id": "1/A",
         "official_tests": [{"input": "1 2", "output": "3"}]},
        {"text": "Append.", "task_id": 7, "test_list": ["assert append([1], 2) == [1, 2]"], "code": APPEND},
        {"question_id": 5, "task_id": "add", "query": "Add.", "entry_point": "Solution().add", "completion": ADD,
         "test": "def check(candidate):\n    assert candidate(a = 1, b = 2) == 3", "prompt": "from typing import *"},
    ]  # fmt: skip
    for number, row in enumerate(rows):
        path = tmp_path / f"{number}.jsonl"
        path.write_text(json.dumps(row) + "\n")
        [problem] = read_problems(path)
        assert problem.domain is Domain.CODE
        assert "```python" in problem.prompt
        assert "Add" in problem.prompt or "append" in problem.prompt
        program = {0: ADD, 1: SUM, 2: SUM, 3: APPEND, 4: ADD}[number]
        assert verify(problem, f"```python\n{program}\n```").score == 1.0
        assert all(verify(problem, solution).score == 1.0 for solution in problem.solutions)
    assert "Complete this starter code" in read_problems(tmp_path / "0.jsonl")[0].prompt

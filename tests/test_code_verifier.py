"""Programs: which one is judged, how outputs compare, and what never passes."""

import ast
import inspect
import json
import time

import pytest

from etalon.sandbox.zygote.child import NODES, PRELUDE
from etalon.types import Domain, Problem, Stop
from etalon.verifiers import verify
from etalon.verifiers.code.guest.nodes import ListNode, TreeNode
from etalon.verifiers.code.outputs import compare_output, compare_value, read_compare, stated_closeness
from etalon.verifiers.code.verdict import extract_program
from etalon.verifiers.rows import verify_row

DOCUMENTED = 'def f():\n    """Doubles.\n\n    ```\n    f()\n    ```\n    """\n'


def judge(program, tests, fence="```python\n{}\n```"):
    return verify(Problem(id="c", domain=Domain.CODE, prompt="", tests=tests), fence.format(program))


def stdin(*pairs, **more):
    return {"inputs": [pair[0] for pair in pairs], "outputs": [pair[1] for pair in pairs], "fn_name": None, **more}


def calls(name, *pairs, **more):
    return {**stdin(*pairs, **more), "fn_name": name}


@pytest.mark.parametrize(
    ("response", "program"),
    [
        ("```python\na = 1\n```", "a = 1\n"),
        ("```py\na\n```\ntext\n```python3\nb\n```", "b\n"),
        ("```python\na\n```\n```\noutput\n```\n```text\nmore\n```", "a\n"),
        ("<think>```python\na\n```</think>", None),
        ("<think>\n```python\na\n```\n</think>\n```python\nb\n```", "b\n"),
        ("```\nno tag\n```", None),
        ("```python\na\n```\n```python\nb = ", None),
        ("print(1)", None),
        ("- item\n  ```python\n  if a:\n      b\n  ```", "if a:\n    b\n"),
        ("````python\ns = '''\n```\n'''\n````", "s = '''\n```\n'''\n"),
        ("```python title=x\na\n```", "a\n"),
        ("The code: ```python\na\n```", "a\n"),
        ("```python\na\nb```", "a\nb\n"),
        ("```python\na\n```</s>", "a\n"),
        ("```python\na\n```<|im_end|>", "a\n"),
        ("```python\na\n```.", "a\n"),
        (f"```python\n{DOCUMENTED}```", DOCUMENTED),
        ("```python\n\ufeffa\n```", "a\n"),
        ("```\nprint(1)\n```", "print(1)\n"),  # no block names a language: the last one that is Python
        ("```\n$ pip install x\n```", None),
        ("```java\nint a;\n```\n```\nprint(1)\n```", None),
        (
            "```python\nimport math, os\nclass Node: ...\ndef other(): ...\n```\n```python\nprint(Node, math.pi)\n```",
            "import math, os\n\nclass Node:\n    ...\n\nprint(Node, math.pi)\n",
        ),
    ],
)
def test_the_last_closed_python_block_of_the_final_part_is_the_program(response, program):
    assert extract_program(response) == program


def test_a_program_may_continue_the_stub_of_its_prompt_and_tests_may_import_it():
    stub = 'from typing import List\n\n\ndef total(xs: List[int]) -> int:\n    """Their sum."""\n'
    row = {"prompt": stub, "test": "def check(f):\n    assert f([1, 2]) == 3\n", "entry_point": "total"}
    for body, score in (("    return sum(xs)", 1.0), ("    # all\n    return max(xs)", 0.0), ("    return (", 0.0)):
        assert verify_row({**row, "response": f"```python\n{body}\n```"}, default_domain="code")["score"] == score
    imports = {"test": "from solution import total\n\ndef test_total():\n    assert total([1, 2]) == 3\n"}
    blocks = (
        "```python\ndef total(xs): return sum(xs)\n```\n```python\nfrom solution import total\nprint(total([1]))\n```"
    )
    assert verify_row({**imports, "response": blocks}, default_domain="code")["score"] == 1.0


def test_a_program_that_passes_every_test_is_correct():
    tests = stdin(*((f"{k}\n", f"{k + 1}\n") for k in range(30)))
    assert judge("print(int(input()) + 1)", tests).reason == "passed"


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("print(int(input()))", "wrong (test 1 of 8)"),
        ("n = int(input())\nprint(n + 1 if n < 6 else 0)", "wrong (test 7 of 8)"),
        ("n = int(input())\nprint(n + 1)\nif n == 2: raise KeyError(n)", "runtime_error (test 3 of 8): KeyError: 2"),
        ("while True: pass", "timeout (test 1 of 8)"),
        ("print('x' * 2**25)", "output_limit (test 1 of 8): OSError: [Errno 27] File too large"),
        ("def", "syntax_error (test 1 of 8): SyntaxError: invalid syntax (solution.py, line 1)"),
    ],
)
def test_the_first_failure_decides_and_is_named(program, reason):
    tests = stdin(*((f"{k}\n", f"{k + 1}\n") for k in range(8)), time_limit_s=0.3)
    verdict = judge(program, tests)
    assert (verdict.score, verdict.reason) == (0.0, reason)


def test_what_one_test_leaves_behind_does_not_fail_the_next():
    program = "import sys\nif hasattr(sys, 'spoilt'): raise SystemExit(1)\nsys.spoilt = True\nprint(input())"
    assert judge(program, stdin(*((str(k), str(k)) for k in range(7)))).score == 1.0


def test_leaving_by_os_exit_does_not_skip_the_other_tests():
    program = "import os\nprint(input(), flush=True)\nos._exit(0)"
    assert judge(program, stdin(("a", "a"), ("b", "b"))).score == 1.0
    assert judge(program, stdin(("a", "a"), ("b", "c"))).reason == "wrong (test 2 of 2)"


def test_slow_and_large_tests_are_judged_like_the_others():
    slow = "import time\nend = time.process_time() + 0.005\nwhile time.process_time() < end: pass\nn = int(input())\n"
    tests = stdin(*((str(k), str(k)) for k in range(9)))
    assert judge(slow + "print(n)", tests).score == 1.0
    assert judge(slow + "print(n % 7)", tests).reason == "wrong (test 8 of 9)"
    large = stdin(*((str(k) * 300_000, str(k) * 300_000) for k in range(9)))
    assert judge("print(input())", large).score == 1.0
    assert judge("print(input().replace('6', '7'))", large).reason == "wrong (test 7 of 9)"


def test_functions_are_compared_by_type_and_value():
    assert judge("def f(a): return a + 1", calls("f", ("1", "2"), ("2", "3"))).score == 1.0
    assert judge("def f(a): return (a, a)", calls("f", ("1", "[1, 1]"))).score == 1.0
    assert judge("def f(a): return a > 0", calls("f", ("1", "1"))).score == 0.0
    assert judge("def f(a): return a / 3", calls("f", ("1", "0.3333333"))).score == 1.0
    assert (
        judge("class Solution:\n    def f(self, a, b):\n        return a + b", calls("f", ("[1]\n[2]", "[1, 2]"))).score
        == 1.0
    )


def test_the_last_block_that_defines_what_is_tested_is_the_program():
    example = "\n```\nExample:\n```python\nprint(f(2))"
    tests = calls("f", ("1", "2"))
    assert judge(f"def f(a): return a + 1{example}", tests).score == 1.0
    assert judge(f"class Solution:\n    def f(self, a): return a + 1{example}", tests).score == 1.0
    assert judge(f"f = lambda a: a + 1{example}", {"assert_code": "assert f(1) == 2"}).score == 1.0
    assert judge(f"def f(a): return 0\n```\nBetter:\n```python\ndef f(a): return a + 1{example}", tests).score == 1.0


def test_the_programs_own_function_is_called_and_not_one_of_the_sandbox():
    for name in ("merge", "gcd", "sqrt", "reduce"):
        tests = calls(name, ("7", "[7, 7]"))
        assert judge(f"class Solution:\n    def {name}(self, x): return [x, x]", tests).score == 1.0
        assert judge(f"from math import *\nclass Solution:\n    def {name}(self, x): return [x, x]", tests).score == 1.0
    assert judge("x = 1", calls("gcd", ("12\n18", "6"))).score == 0.0
    assert judge("from math import gcd", calls("gcd", ("12\n18", "6"))).score == 1.0


def test_long_integers_and_five_decimals():
    long = "1" + "0" * 5000
    assert judge("print(10 ** int(input()))", stdin(("5000", long))).score == 1.0
    assert judge("def f(n): return 10 ** n", calls("f", ("5000", long))).score == 1.0
    assert judge("def f(n): return 10 ** n + 1", calls("f", ("5000", long))).score == 0.0
    thirds = calls("f", ("1", "[0.33333, 0.50000]"))
    assert judge("def f(n): return [n / 3, n / 2]", thirds).score == 1.0
    assert judge("def f(n): return [n / 3 + 2e-5, n / 2]", thirds).score == 0.0
    assert judge("def f(n): return 0.54", calls("f", ("1", "0.5"))).score == 0.0


def test_what_a_prompt_imports_stands_before_the_program():
    row = {"test": "def check(candidate):\n    assert candidate([1, 5]) == 5", "entry_point": "f"}
    row |= {"prompt": "from typing import *\n\n\ndef f(xs: List[int]) -> int:\n    pass\n"}
    row["response"] = "```python\ndef f(xs: List[int]) -> int:\n    return max(xs)\n```"
    assert verify_row(row, "code")["score"] == 1.0
    classes = (
        "import unittest\nclass TestF(unittest.TestCase):\n    def test_f(self):\n        self.assertEqual(f([3]), 3)"
    )
    assert verify_row({**row, "test": classes}, "code")["score"] == 1.0


def test_a_function_that_prints_the_answer_does_not_return_it():
    assert judge("def f(a): print(2)", calls("f", ("1", "2"))).score == 0.0


def test_assertions_judge_a_program():
    assert judge("def f(x): return x + 1", {"assert_code": "assert f(1) == 2"}).score == 1.0
    assert judge("def f(x): return x", {"assert_code": "assert f(1) == 2"}).score == 0.0
    assert judge("import os; os._exit(0)", {"assert_code": "assert f(1) == 2"}).score == 0.0


HUMANEVAL = "METADATA = {}\n\n\ndef check(candidate):\n    assert candidate(1) == 2\n"


@pytest.mark.parametrize(
    "code",
    [
        HUMANEVAL,
        "# nothing",
        "class TestF:\n    def test_f(self):\n        f(1)",
        "def f_test():\n    assert f(1) == 2",
        "f(1)",
        "if False:\n    assert f(1) == 2",
        "check_f(1)",
        "assert f(1) ==",
        "assert f(1) == 2\n  assert f(2) == 3",
    ],
)
def test_checks_that_check_nothing_are_bad_references(code):
    verdict = judge("def f(x): return x + 1", {"assert_code": code})
    assert verdict.score is None
    assert verdict.reason.startswith("bad_reference: assert_code: ")


@pytest.mark.parametrize(
    "tests",
    [
        {"assert_code": HUMANEVAL, "entry_point": "f"},
        {"assert_code": f"{HUMANEVAL}\ncheck(f)"},
        {"assert_code": f"{HUMANEVAL}\ncheck(f)", "entry_point": "f"},
        {"assert_code": f"{HUMANEVAL}\nif __name__ == '__main__':\n    check(f)"},
        {"assert_code": f"{HUMANEVAL}\ndef run():\n    check(f)\nrun()"},
        {"assert_code": "assert f(1) == 2", "entry_point": "f"},
        {"assert_code": "if f(1) != 2:\n    raise ValueError(1)"},
        {"assert_code": "import unittest\nunittest.TestCase().assertEqual(f(1), 2)"},
        {"test": HUMANEVAL, "entry_point": "f"},
        ["assert f(1) == 2"],
    ],
)
def test_checks_are_called_and_decide(tests):
    row = {"domain": "code", "tests": tests, "response": "```python\ndef f(x): return x + 1\n```"}
    assert verify_row(row, None)["score"] == 1.0
    assert verify_row({**row, "response": "```python\ndef f(x): return x\n```"}, None)["score"] == 0.0


def test_an_entry_point_beside_the_tests_is_read():
    row = {"tests": {"assert_code": HUMANEVAL}, "entry_point": "f", "response": "```python\ndef f(x): return 2\n```"}
    assert verify_row(row, "code")["score"] == 1.0
    row["entry_point"] = "f); print("
    assert verify_row(row, "code")["reason"].startswith("bad_reference: entry_point")


def test_two_kinds_of_tests_are_a_bad_reference():
    verdict = judge("def f(x): return x", {"assert_code": "assert f(1) == 1", "inputs": ["1"], "outputs": ["2"]})
    assert verdict.reason == "bad_reference: assert_code beside inputs, outputs; expected one kind of tests"


def test_a_function_that_is_missing_is_named():
    tests = calls("add", ("1", "2"))
    assert judge("x = 1", tests).reason == "runtime_error (test 1 of 1): NameError: no function add"
    nodes = {**tests, "starter_code": "def add(head: ListNode)"}
    assert judge("x = 1", nodes).reason == "runtime_error (test 1 of 1): NameError: no function add"
    assert "NameError" in judge("x = 1", {"assert_code": "assert add(1) == 2"}).reason


def test_tests_that_are_text_are_told_what_is_expected():
    found = verify_row({"tests": "assert f(1) == 2", "response": "```python\nx = 1\n```"}, "code")
    assert (found["score"], found["reason"]) == (
        None,
        "unreadable: tests: found text that is not JSON, expected {inputs, outputs, fn_name?}, {assert_code} or a list "
        "of assertions; columns found: tests, response",
    )


def test_no_block_is_no_answer():
    assert judge("print(1)", stdin(("", "1")), fence="{}").reason == "no_answer"


def test_a_program_in_another_language_says_which_are_read():
    answer = "```rust\nfn main() {}\n```"
    assert judge(answer, stdin(("", "1")), fence="{}").reason == "no_answer: found rust, read are python, cpp"
    assert judge(answer, {"assert_code": "assert f(1)"}, fence="{}").reason == "no_answer: found rust, read are python"
    cpp = "```cpp\nint main() {}\n```"
    assert judge(cpp, {"assert_code": "assert f(1)"}, fence="{}").reason == "no_answer: found cpp, read are python"
    assert judge("```text\n1\n```", stdin(("", "1")), fence="{}").reason == "no_answer"
    assert judge(f"```python\nprint(1)\n```\n{answer}", stdin(("", "1")), fence="{}").score == 1.0
    problem = Problem(id="c", domain=Domain.CODE, prompt="", tests=stdin(("", "1")))
    assert verify(problem, answer, stop=Stop.LENGTH).reason == "truncated"


@pytest.mark.parametrize(
    "tests",
    [
        None,
        {},
        {"inputs": [], "outputs": []},
        {"inputs": ["1"], "outputs": []},
        {"inputs": [1], "outputs": [1]},
        {"inputs": ["1"], "outputs": ["1"], "compare": "fuzzy"},
        {"inputs": ["not json"], "outputs": ["1"], "fn_name": "f"},
        {"inputs": ["1"], "outputs": ["not json"], "fn_name": "f"},
        {"inputs": ["1"], "outputs": ["1"], "fn_name": "not a name"},
        {"inputs": ["1"], "outputs": ["1"], "time_limit_s": -1},
        {"inputs": ["1"], "outputs": ["1"], "memory_limit_mb": "many"},
        {"assert_code": ""},
    ],
)
def test_tests_that_cannot_be_run_are_undecided(tests):
    verdict = judge("print(1)", tests)
    assert verdict.score is None
    assert verdict.reason.startswith("bad_reference")


@pytest.mark.parametrize(
    ("compare", "expected", "output", "same"),
    [
        ("tokens", "1 2\n3\n", "1  2 \n3", True),
        ("tokens", "1 2\n3\n", "1 2 3", False),
        ("tokens", "0.5", "0.50000001", True),
        ("tokens", "5", "5.0", False),
        ("tokens", "1\n2", "1\n2\n3", False),
        ("tokens", "", "\n", True),
        ("tokens", "nan.", "nan.", True),
        ("lines", "a  b\n", "a b\n", False),
        ("lines", "a b\n\n", "a b ", True),
        ("exact", "a\n", "a", True),
        ("exact", "a ", "a", False),
        ("float1e-6", "5", "5.0000001", True),
        ("float1e-6", "5", "5.1", False),
        ("float:1e-3", "1.41421356", "1.4140", True),
        ("float:1e-3", "1.41421356", "1.4120", False),
        ("float:1e-3", "1000000", "1000001", False),  # whole numbers are counted
        ("float:0.01", "1.73 YES", "1.7320508 YES", True),
        ("float:0.01", "1.73 YES", "1.7320508 NO", False),
        ("float:1e-4", "0.3333333\n0.6666667", "0.3333333", False),
        ("tokens", "0.0000004", "0", False),
        ("tokens", "0.0000004", "4.0002e-7", True),
        ("tokens", "0.0", "0.0000004", True),
        ("tokens", "1.2e-17", "0", True),
    ],
)
def test_outputs_compare_as_their_mode_says(compare, expected, output, same):
    assert compare_output(expected, output, read_compare(compare)) is same


@pytest.mark.parametrize(
    ("statement", "tolerance"),
    [
        ("Your answer is accepted if its absolute or relative error does not exceed $10^{-4}$.", 1e-4),
        ("Answers within 10^-5 of the actual answer will be accepted.", 1e-5),
        ("The relative error should be at most 1e-9.", 1e-9),
        ("An error of 0.001 is allowed.", 1e-3),
        ("Print the sum modulo 10^9 + 7.", None),
        ("The error is at most 10^{-40}.", None),
    ],
)
def test_a_statement_may_name_how_close_numbers_are_to_be(statement, tolerance):
    found = stated_closeness(statement)
    assert (found and found.tolerance) == (tolerance and pytest.approx(tolerance))
    row = {"question": statement, "tests": {"inputs": ["2"], "outputs": ["1.41421356"]}}
    verdict = verify_row({**row, "response": "```python\nprint(1.41425)\n```"}, default_domain="code")
    assert verdict["score"] == float(tolerance in (1e-3, 1e-4))


@pytest.mark.parametrize(
    ("expected", "value", "same"),
    [
        (1, 1, True),
        (1, True, False),
        (1, 1.0, False),
        (1.0, 1, True),
        (0.1 + 0.2, 0.3, True),
        ([1, [2]], [1, [2]], True),
        ([1, 2], [1], False),
        ({"a": 1.0}, {"a": 1.0000001}, True),
        ({"a": 1}, {"b": 1}, False),
        (None, None, True),
        ("1", 1, False),
        (float("nan"), float("nan"), True),
    ],
)
def test_values_compare_by_type(expected, value, same):
    assert compare_value(expected, json.dumps(value)) is same


def test_the_same_program_in_a_group_runs_once_and_gets_the_same_verdict():
    tests = stdin(("", "1"))
    program = "import time\ntime.sleep(0.2)\nprint(1)"
    first, second = judge(program, tests), judge(program, dict(reversed(tests.items())))
    assert (first.score, first.reason) == (second.score, second.reason)
    assert second.seconds < first.seconds


YES_NO = ("YES", "NO") * 3


@pytest.mark.parametrize(
    "program",
    [
        "import sys\nfirst = not hasattr(sys, '_x')\nsys._x = 1\nprint('YES' if first else 'NO')",
        "import sys\nsys._x = getattr(sys, '_x', 0) + 1\nif sys._x > 1: raise SystemExit(1)\nprint('YES')",
    ],
)
def test_a_program_that_knows_whether_it_is_the_first_has_no_second_try(program):
    tests = stdin(*((str(k), answer) for k, answer in enumerate(YES_NO)))
    assert judge(program, tests).score == 0.0


def test_a_function_that_counts_its_calls_has_no_second_try():
    program = "n = 0\ndef odd(x):\n    global n\n    n += 1\n    return n == 1"
    tests = calls("odd", *((str(k), "true" if k % 2 else "false") for k in range(1, 7)))
    assert judge(program, tests).score == 0.0


def test_a_function_that_keeps_what_it_has_seen_is_judged_on_its_own_tests():
    program = "seen = []\ndef f(x):\n    seen.append(x)\n    return len(seen), x"
    tests = calls("f", *((str(k), f"[1, {k}]") for k in range(6)))
    assert judge(program, tests).score == 1.0
    assert judge(program.replace("seen), x", "seen), x % 5"), tests).score == 0.0


@pytest.mark.live
def test_guessing_gains_nothing_by_the_repeat():
    tests = stdin(("1", "0"), ("2", "1"), ("3", "1"))
    program = "import os\nprint(os.urandom(1)[0] & 1)  # {}"
    passed = sum(judge(program.format(k), tests).score for k in range(300))
    assert passed < 64  # 1/8 and a little is 39, with a spread of 6; a second try of tests 2 and 3 makes 84


def test_libraries_that_only_the_checks_or_the_checker_import_are_there():
    pytest.importorskip("numpy")
    square = "def f(x): return x * x"
    assert judge(square, {"assert_code": "import numpy as np\nassert np.allclose(f(2), 4)"}).score == 1.0
    assert judge(square, {"assert_code": "import numpy as np\nassert np.allclose(f(2), 5)"}).score == 0.0
    checker = "import numpy\ndef check(given, expected, output):\n    return numpy.isclose(int(output), int(expected))"
    assert judge("print(4)", stdin(("", "4"), checker=checker)).score == 1.0


def test_reading_large_inputs_is_not_the_programs_time():
    tests = stdin(*((str(k) * 10_000_000, "10000000") for k in range(4)), time_limit_s=0.6)
    assert judge("print(len(input()))", tests).reason == "passed"


@pytest.mark.parametrize(
    "checks",
    [
        "import nosuchmodule\nassert f(1) == 2",
        "assert f(1) == 2\nimport nosuchmodule.inner",
        "1 / 0",
        "import sys\nsys.exit(0)",
        "while True: pass",
        "sum(range(10**12))",
        "x = [bytes(2**30) for _ in range(9)]\nassert f(1) == 2",
    ],
)
def test_checks_that_fail_by_themselves_are_undecided(checks):
    verdict = judge("def f(x): return x + 1", {"assert_code": checks, "time_limit_s": 0.3})
    assert verdict.score is None
    assert verdict.reason.startswith("bad_reference")


@pytest.mark.parametrize(
    "program",
    [
        "def f(x): raise ImportError('no')",
        "def f(x): raise SystemExit(0)",
        "def f(x): return 1 // 0",
        "def f(x):\n    while True: pass",
        "def f(x): return None",
        "f = 5",
        "f = sum",
        "import math as f",
        "raise ImportError('no')",
        "import nosuchmodule",
        "import types\nf = types.ModuleType('os.nosuch')",
        pytest.param("import os, signal\nos.kill(os.getppid(), 27)\ndef f(x): return 2", marks=pytest.mark.walled),
    ],
)
def test_a_program_cannot_blame_the_checks(program):
    assert judge(program, {"assert_code": "assert len([f(1)[0]]) == 2", "time_limit_s": 0.3}).score == 0.0


@pytest.mark.parametrize(
    "line", ["from solution import f", "from solution import *", "import solution\nf = solution.f"]
)
def test_checks_may_import_the_program_as_solution(line):
    tests = {"assert_code": f"{line}\ndef test_f():\n    assert f(1) == 2\ntest_f()"}
    assert judge("def f(x): return x + 1", tests).score == 1.0
    assert judge("def f(x): return x", tests).score == 0.0
    assert judge("def g(x): return x", tests).score == 0.0


@pytest.mark.slow
def test_a_checker_that_loops_is_undecided_soon():
    tests = stdin(("", "4"), ("", "4"), checker="def check(given, expected, output):\n    while True: pass")
    before = time.monotonic()
    assert judge("print(4)", tests).score is None
    assert judge("print(5)", tests).score is None
    assert time.monotonic() - before < 60


@pytest.mark.parametrize("expected", ["", None])
def test_an_output_that_breaks_a_checker_without_a_reference_is_wrong(expected):
    checker = "def check(given, expected, output):\n    return int(output) ** 2 >= int(given)"
    tests = stdin(("3", expected), checker=checker)
    assert judge("print(5)", tests).score == 1.0
    assert judge("print('five')", tests).score == 0.0
    broken = stdin(("3", expected), checker=checker.replace("int(given)", "int(given.x)"))
    assert judge("print('5')", broken).score is None
    four = "def check(given, expected, output):\n    a, b, c, d = map(int, output.split())\n    return a + b + c == d"
    assert judge("print('five')", stdin(("3", expected), checker=four)).score == 0.0


def test_an_output_that_breaks_a_good_checker_is_wrong():
    tests = stdin(("", "4"), checker="def check(given, expected, output):\n    return int(output) == 4")
    assert judge("print('four')", tests).score == 0.0
    assert judge("print(' 4')", tests).score == 1.0


def test_programs_and_checks_have_the_same_nodes() -> None:
    classes = [ast.parse(inspect.getsource(kind)).body[0] for kind in (ListNode, TreeNode)]
    for node in (found for kind in classes for found in ast.walk(kind)):
        if isinstance(node, ast.arg):
            node.annotation = None
        elif isinstance(node, ast.FunctionDef):
            node.returns = None
    assert list(map(ast.dump, ast.parse(NODES).body)) == list(map(ast.dump, classes))
    assert NODES in PRELUDE


# --- programs end as in an interpreter of their own -------------------------------------------------------------


ENDINGS = {
    "a pool of threads left open": "from concurrent.futures import ThreadPoolExecutor\n"
    "pool = ThreadPoolExecutor(2)\nprint(sum(pool.map(int, input().split())))",
    "a loop's executor": "import asyncio\nasync def main():\n    loop = asyncio.get_running_loop()\n"
    "    print(await loop.run_in_executor(None, lambda: sum(map(int, input().split()))))\nasyncio.run(main())",
    "a file of its own on descriptor 1": "out = open(1, 'w', buffering=1 << 16)\n"
    "out.write(f'{sum(map(int, input().split()))}\\n')",
    "os.fdopen": "import os\nout = os.fdopen(1, 'w')\nout.write(str(sum(map(int, input().split()))))",
    "/dev/stdout": "out = open('/dev/stdout', 'w')\nout.write(str(sum(map(int, input().split()))))",
    "streams taken apart": "import io, sys\nsys.stdout = io.TextIOWrapper(sys.stdout.detach(), newline='\\n')\n"
    "print(sum(map(int, input().split())))",
    "a finalizer that prints": "class Last:\n    def __del__(self): print(self.total)\n"
    "last = Last()\nlast.me, last.total = last, sum(map(int, input().split()))",
    "its own source": "import inspect\ndef add(a, b):\n    return a + b\n"
    "assert 'return a + b' in inspect.getsource(add)\nassert 'inspect' in open(__file__).read()\n"
    "print(add(*map(int, input().split())))",
}


@pytest.mark.parametrize("kind", ENDINGS)
def test_what_a_program_leaves_to_its_end_is_done(kind):
    assert judge(ENDINGS[kind], stdin(("3 4", "7"), ("10 20", "30"), ("1 1", "2"))).reason == "passed"


@pytest.mark.slow
def test_threads_that_compute_are_not_idle_and_threads_that_wait_are():
    work = "import threading\ndef work():\n    {}\nmade = [threading.Thread(target=work) for _ in range(3)]\n"
    work += "[one.start() for one in made]\n[one.join() for one in made]\nprint(input())"
    busy = work.format("sum(k * k % 7 for k in range(4_000_000))")
    assert judge(busy, stdin(("1", "1"), time_limit_s=10)).score == 1.0
    waiting = judge(work.format("__import__('time').sleep(60)"), stdin(("1", "1"), time_limit_s=0.3))
    assert waiting.reason.startswith("timeout")


# --- what a program says of itself is only a claim ------------------------------------------------------------------


@pytest.mark.parametrize("name", ["infrastructure", "paused", "ok", "passed", "bad_reference", "timeout"])
def test_no_program_ends_in_a_way_that_only_the_sandbox_may(name):
    program = (
        "import os, socket, stat\nfor number in range(3, 64):\n    try:\n"
        "        if stat.S_ISSOCK(os.fstat(number).st_mode):\n"
        f'            text = b\'["{name}", "says the program"]\'\n'
        "            os.write(number, len(text).to_bytes(4, 'little') + text)\n"
        "    except OSError:\n        pass\nraise SystemExit(3)"
    )
    for tests in ({"assert_code": "assert f(2) == 6"}, calls("f", ("2", "6"))):
        assert judge(program, tests).score == 0.0


@pytest.mark.parametrize("name", ["idlelib.idle", "unittest.__main__", "this", "f", "antigravity", "numpy"])
def test_nothing_is_imported_because_a_program_names_it(name):
    program = f"import types\nf = types.ModuleType({name!r})\nf.__name__ = {name!r}"
    verdict = judge(program, {"assert_code": "assert f(1) == 2"})
    assert verdict.score == 0.0


@pytest.mark.parametrize(
    ("program", "checks"),
    [
        ("class math:\n    isclose = lambda *a, **b: True\ndef f(x): return 0", "assert math.isclose(f(2), 4.0)"),
        ("class copy:\n    copy = lambda x: [0]\ndef f(x): return [0]", "assert f(2) == copy.copy([4])"),
        ("def f(x): return 0\nre = type('re', (), {'match': lambda *a: True})", "assert re.match('4', str(f(2)))"),
    ],
)  # fmt: skip
def test_a_library_that_checks_use_is_the_library(program, checks):
    assert judge(program, {"assert_code": checks}).score == 0.0


def test_a_library_that_only_the_program_imports_serves_the_checks():
    program = "import math\nimport collections as c\ndef f(x): return x * x"
    checks = "assert math.isclose(f(2), 4.0)\nassert c.Counter([f(1), f(1)]) == {1: 2}"
    assert judge(program, {"assert_code": checks}).score == 1.0


@pytest.mark.parametrize("value", ["10 ** 400", "-(10 ** 350)", "[10 ** 400]"])
def test_a_number_beyond_floats_is_a_wrong_value(value):
    assert judge(f"def f(x): return {value}", calls("f", ("1", "[1.5]" if "[" in value else "1.5"))).score == 0.0


def test_programs_cannot_talk_through_an_inherited_file():
    program = (
        "import fcntl, os\nwhat = input()\nif what == 'put':\n    for number in range(3, 12):\n        try:\n"
        "            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)\n        except OSError:\n            pass\n"
        "    print('put', flush=True)\nelse:\n    try:\n"
        "        fcntl.flock(os.open('/dev/null', os.O_RDONLY), fcntl.LOCK_EX | fcntl.LOCK_NB)\n"
        "        print('free', flush=True)\n    except OSError:\n        print('taken', flush=True)\nos._exit(0)"
    )
    assert judge(program, stdin(("put", "put"), ("get", "taken"))).score == 0.0
    assert judge(program, stdin(("put", "put"), ("get", "free"))).score == 1.0

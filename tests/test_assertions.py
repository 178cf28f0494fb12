"""Programs under assertions: honest ones have what a plain interpreter gives them, and whatever forges has nothing."""

import ast
import random
import re
import subprocess
import sys

import pytest

from cheats import ALONE, ANYWHERE, FAMILIES
from etalon.types import Domain, Problem
from etalon.verifiers import verify
from etalon.verifiers.code.assertions.alterations import altered, find_sites
from etalon.verifiers.code.assertions.ready import read_assertions
from etalon.verifiers.code.assertions.trial import read_notes
from honest_programs import CASES

pytestmark = pytest.mark.live  # programs are run

SQUARE = "def f(x): return x * x"


def judge(program, checks, **more):
    tests = {"assert_code": checks, **more}
    return verify(Problem(id="a", domain=Domain.CODE, prompt="", tests=tests), f"```python\n{program}\n```")


def in_a_plain_interpreter(program, checks, folder):
    """Whether the checks pass there, or by pytest or unittest where they are written for those."""
    (folder / "solution.py").write_text(program)
    is_importing = re.search(r"(from|import) solution\b", checks)
    (folder / "test_case.py").write_text(checks if is_importing else f"{program}\n{checks}")
    command = ["test_case.py"]
    if re.search(r"^\s*class \w+\(.*TestCase\)", checks, re.MULTILINE):
        command = ["-m", "unittest", "test_case"]
    elif re.search(r"^\s*(async )?def test_|^class Test", checks, re.MULTILINE):
        command = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "test_case.py"]
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    try:
        return subprocess.run([sys.executable, *command], cwd=folder, timeout=10, check=False, **quiet).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def test_honest_programs_pass_and_their_variants_fail():
    for name, program, wrong, checks in CASES[::6]:
        assert judge(program, checks).reason == "passed", name
        assert judge(wrong, checks).score == 0.0, name


@pytest.mark.slow
def test_verdicts_are_those_of_a_plain_interpreter(tmp_path):
    differing = []
    for name, program, wrong, checks in CASES:
        for each, text in enumerate((program, wrong)):
            folder = tmp_path / f"{name}{each}"
            folder.mkdir()
            if judge(text, checks).score != float(in_a_plain_interpreter(text, checks, folder)):
                differing.append((name, each))
    assert len(CASES) > 100
    assert len(differing) <= 2, differing


@pytest.mark.parametrize("family", FAMILIES)
def test_no_cheat_passes_or_is_undecided(family):
    checks = FAMILIES[family]
    for name, program in ANYWHERE.items():
        if name == "peeks" and family in (
            "counted",
            "failures",
        ):  # what is compared outside of any check is not altered
            continue
        verdict = judge(program, checks)
        assert verdict.score == 0.0, (name, verdict)


@pytest.mark.parametrize("name", ALONE)
def test_no_cheat_against_special_checks_passes(name):
    program, checks = ALONE[name]
    for k in range(4):
        assert judge(f"{program}\n# {k}", checks).score == 0.0


@pytest.mark.parametrize("family", FAMILIES)
def test_the_families_of_checks_are_passed_by_right_programs(family):
    program = "def f(x): return x * x + 1" if family == "reference" else SQUARE
    assert judge(program, FAMILIES[family]).reason == "passed"
    assert judge(program.replace("x * x", "x + x"), FAMILIES[family]).score == 0.0


def test_guessing_which_checks_are_altered_seldom_pays():
    coin = "import os\nclass A:\n    def __eq__(s, o): return os.urandom(1)[0] & 1 == 1\ndef f(x): return A()  # {}"
    assert sum(judge(coin.format(k), "assert f(2) == 4").score for k in range(100)) <= 10  # 1.6 are expected at most


def unparsed(checks, numbers=None, seed=0, of_program=("f",)):
    found = find_sites(ast.parse(checks), of_program)
    chosen = frozenset(range(len(found.sites))) if numbers is None else frozenset(numbers)
    return found, ast.unparse(altered(found, chosen, random.Random(seed)))


@pytest.mark.parametrize(
    ("checks", "form"),
    [
        ("assert f(2) == 4", "literal"),
        ("assert f(2) == [1, (2, 'a')]", "literal"),
        ("assert f(2) in (1, 2)", "literal"),
        ("expected = 4\nassert f(2) == expected", "literal"),
        ("for x, y in [(1, 2), (3, 4)]:\n    assert f(x) == y", "literal"),
        ("for case in [{'in': 1, 'out': 2}]:\n    assert f(case['in']) == case['out']", "literal"),
        ("for x, y in zip([1, 2], [3, 4]):\n    assert f(x) == y", "literal"),
        ("for k, (x, y) in enumerate([(1, 2)]):\n    assert f(x) == y", "literal"),
        ("for x, y in {1: 2}.items():\n    assert f(x) == y", "literal"),
        ("outs = [1, 2]\nfor k in range(2):\n    assert f(k) == outs[k]", "literal"),
        ("def run(x, wanted):\n    assert f(x) == wanted\nrun(1, 2)\nrun(3, wanted=4)", "literal"),
        ("assert all(f(x) == y for x, y in [(1, 2)])", "distance"),
        ("assert abs(f(2) - 1.5) < 1e-6", "distance"),
        ("import math\nassert math.isclose(f(2), 1.5)", "distance"),
        ("assert f(2) == sorted([2, 1])", "literal"),
        ("xs = [2, 1]\nassert f(2) == sorted(xs)", "literal"),
        ("xs = [2, 1]\nassert f(xs) == sorted(xs)", "other"),
        ("assert f(2) == len('abcd')", "other"),
        ("assert f(2)", "negated"),
        ("assert f(2) < 3", "negated"),
        ("xs = [1]\nassert f(xs) is xs", "negated"),
    ],
)
def test_sites_are_altered_where_the_value_is_written(checks, form):
    found, code = unparsed(checks)
    assert [site.form for site in found.sites] == [form]
    original = unparsed(checks, numbers=())[1]
    assert code != original
    compile(code, "checks", "exec")


def test_only_what_is_expected_is_altered():
    code = unparsed("for x, y in [(1, 2), (3, 4)]:\n    assert f(x) == y")[1]
    table = ast.literal_eval(re.search(r"in (\[.*\]):", code)[1])
    assert [row[0] for row in table] == [1, 3]
    assert all(row[1] != known for row, known in zip(table, (2, 4), strict=True))


def test_tests_that_pytest_or_unittest_would_run_are_run():
    assert "etalon_run(TestF)" in read_assertions(FAMILIES["unittest"])
    skipped = (
        "import pytest\n@pytest.mark.skip\ndef test_a():\n    assert f(2) == 5\ndef test_b():\n    assert f(2) == 4"
    )
    assert judge(SQUARE, skipped).score == 1.0
    main = FAMILIES["unittest"] + "\nif __name__ == '__main__':\n    unittest.main()"
    assert judge(SQUARE, main).score == 1.0


@pytest.mark.parametrize("line", ["from square import f", "import square\nf = square.f", "from my.square import f"])
def test_a_module_that_nobody_knows_is_the_program(line):
    if "my." in line:
        assert judge(SQUARE, f"{line}\nassert f(2) == 4").score is None  # a package is not
    else:
        assert judge(SQUARE, f"{line}\nassert f(2) == 4").score == 1.0
        assert judge("def g(x): return 4", f"{line}\nassert f(2) == 4").score == 0.0
    assert judge(SQUARE, f"{line}\nassert f(2) == other(2)").score is None  # the tests have another program


def test_a_built_in_function_is_no_answer_where_it_is_asked_for():
    checks = "assert max([1, 2]) == 2\nassert max([3, 1]) == 3"
    assert judge("def max(values): return sorted(values)[-1]", checks).score == 1.0
    assert judge("def max(values): return values[0]", checks).score == 0.0
    assert judge("x = 1", checks).score == 0.0
    imported = "from solution import f\ndef test_f():\n    assert len(f(2)) == 2"
    assert judge("def f(n): return [0] * n", imported).score == 1.0
    assert judge("def f(n): return [0]", imported).score == 0.0
    nested = "assert list(max([[1], [2]])) == [2]"
    assert judge("def max(values): return [0]", nested).score == 0.0


def test_tests_that_cannot_be_altered_decide_only_who_fails():
    checks = "match f(1):\n    case 1: pass\n    case _: raise AssertionError"
    verdict = judge("def f(x): return x", checks)
    assert (verdict.score, verdict.reason.split(":")[0]) == (None, "bad_reference")
    assert judge("def f(x): return 2", checks).score == 0.0


def test_notes_that_are_nonsense_are_none():
    assert read_notes('{"0": [0, 1, 0, 0, 7]}')[0].digest == 7
    for text in (
        "",
        "[]",
        "null",
        '{"0": [0, 1]}',
        '{"0": [Infinity, 1, 0, 0, 0]}',
        '{"-1": [0, 1, 0, 0, 0]}',
        '{"a": 1}',
    ):
        assert read_notes(text) == {}, text

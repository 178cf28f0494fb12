"""Valid programs that graders tend to reject must pass, and programs that cheat must not."""

import pytest

from etalon.types import Domain, Problem
from etalon.verifiers import verify
from hacks import HACKS
from odd_programs import ASSERTS, CALLS, STDIN

pytestmark = pytest.mark.live  # programs are run

SUMS = {"inputs": ["3\n1 2 3\n", "2\n5 6\n", "1\n9\n"], "outputs": ["6\n", "11\n", "9\n"]}


def judge(program, tests):
    return verify(Problem(id="c", domain=Domain.CODE, prompt="", tests=tests), f"```python\n{program}\n```")


def test_there_are_many_odd_programs_and_hacks():
    assert len(STDIN) + len(CALLS) + len(ASSERTS) > 150
    assert len(HACKS) > 20


@pytest.mark.parametrize("name", STDIN)
def test_an_odd_program_of_standard_input_passes(name):
    verdict = judge(STDIN[name], SUMS)
    assert (verdict.score, verdict.reason) == (1.0, "passed")


@pytest.mark.parametrize("name", CALLS)
def test_an_odd_function_passes(name):
    program, tests = CALLS[name]
    verdict = judge(program, tests)
    assert (verdict.score, verdict.reason) == (1.0, "passed")


@pytest.mark.parametrize("name", ASSERTS)
def test_odd_assertions_pass(name):
    program, checks = ASSERTS[name]
    verdict = judge(program, {"assert_code": checks})
    assert (verdict.score, verdict.reason) == (1.0, "passed")


@pytest.mark.parametrize("name", HACKS)
def test_a_hack_does_not_pass(name):
    program, tests = HACKS[name]
    assert judge(program, tests).score == 0.0

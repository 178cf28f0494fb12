"""Judges a program by running it on tests in the sandbox; expected outputs are compared here, never there.

    response -> extract -> sandbox -> compare_output, compare_value or a checker -> Verdict

What tests look like: see suite.py. What one test leaves behind must not cost the next one its reward, and a program
that guesses, or knows which test of its process it is in, must not get another try. So when a test fails that was not
the first of its process, every test is run again, each in a process of its own, and twice: only these count.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from dataclasses import replace
from typing import Any

from etalon.sandbox import CallTests, CppTests, Limits, Outcome, Status, StdinTests, run_program
from etalon.types import Problem, Verdict
from etalon.verifiers.code import guest
from etalon.verifiers.code.assertions.trial import run_asserts
from etalon.verifiers.code.missing import missing_library
from etalon.verifiers.code.outputs import USUAL, Closeness, compare_output, compare_value
from etalon.verifiers.code.programs import Program, continued, extract, extract_program, other_language
from etalon.verifiers.code.suite import BadTestsError, TestSuite, read_tests
from etalon.verifiers.memo import Memo

__all__ = ["BadTestsError", "TestSuite", "extract_program", "read_tests", "run_suite", "verify_code"]

FIRST_TESTS = 4  # (ours) compared before the others run, if tests are slow or large: most wrong programs fail one
REPEATS = 2  # (ours) with one, whoever guesses would have two tries
REPEAT_SECONDS = 300.0  # (ours) CPU time of all repeats of an answer; beyond it the failure stands
LARGE_CHARACTERS = 1 << 20  # (ours) of all inputs together

CHECKER_LIMITS = Limits(cpu_seconds=4.0, output_mb=64)  # (ours) one that loops is asked twice at most

NOT_HERE = "judged_elsewhere: its tests are run by"  # so begins the reason without a verdict of that judge
OF_OUTPUTS = ("ValueError", "IndexError", "KeyError", "TypeError", "AssertionError", "JSONDecodeError", "ZeroDivision")
PLAIN_OUTPUTS = ("0", "1", "1 1", "0\n", "YES", "[]", "1\n1 1")  # (ours)

_NODES = re.compile(r"\b(?:ListNode|TreeNode)\b")
_MEMO: Memo[Verdict] = Memo(4096)
_ACCEPTS: Memo[bool] = Memo(4096)  # whether a checker accepts the reference


def verify_code(problem: Problem, response: str) -> Verdict:
    """1.0 when the last program of the final part passes every test; our own failures are undecided.

    So is a problem whose tests a program of somebody else's has (OJBench).
    """
    if judge := judge_of(problem):
        return Verdict(score=None, reason=f"{NOT_HERE} {judge}'s own judge, not here")
    try:
        suite = read_tests(problem.tests, problem.prompt)
    except BadTestsError as error:
        return Verdict(score=None, reason=f"bad_reference: {error}")
    program = extract(response, suite.languages, suite.tested)
    if program is None:
        other = other_language(response, suite.languages)
        read = f": found {other}, read are {', '.join(suite.languages)}" if other else ""
        return Verdict(score=0.0, reason=f"no_answer{read}")
    known = _MEMO.get((suite.fingerprint, program))
    if known is not None:
        return known
    verdict = run_suite(program, suite)
    if not verdict.is_undecided:
        _MEMO.put((suite.fingerprint, program), verdict)
    return verdict


def judge_of(problem: Problem) -> str:
    """The name of the judge that alone has the problem's tests; "" where programs are run here."""
    return str((problem.tests or {}).get("judge") or "")


def run_suite(program: Program, suite: TestSuite) -> Verdict:
    """The verdict of one program on all tests: the first failure decides."""
    if suite.assert_code is not None:
        written = continued(program.text, suite.stub)
        is_first = bool(suite.preamble) and "from __future__" not in written
        text = f"{suite.preamble}\n{written}" if is_first else written
        return _verdict(run_asserts(text, suite.assert_code, suite.limits), program, "tests", text)
    start, pause_after, total = 0, FIRST_TESTS, len(suite.inputs)
    is_large = sum(map(len, suite.inputs)) > LARGE_CHARACTERS
    while start < total:
        stop = min(total, start + pause_after) if is_large and pause_after else total
        outcomes = _run(program, suite, start, stop, pause_after)
        last, number = outcomes[-1], start + len(outcomes) - 1
        if last.status is not Status.OK:
            if number > start and program.language == "python":  # C++ has a process per test anyway
                number, last = _repeat(program, suite, number, last)
            return _verdict(last, program, f"test {number + 1} of {total}")
        start, pause_after = number + 1, 0
    return Verdict(score=1.0, reason="passed", extracted=program.text)


def _repeat(program: Program, suite: TestSuite, failed: int, failure: Outcome) -> tuple[int, Outcome]:
    """What decides when test `failed` failed behind others: the first failure of a test on its own, or the last test.

    The failed test comes first: most likely it fails again.
    """
    seconds = 0.0
    numbers = [failed, *(k for k in range(len(suite.inputs)) if k != failed)] * REPEATS
    for number in numbers:
        [outcome] = _run(program, suite, number, number + 1, 0)
        if outcome.status is not Status.OK:
            return number, outcome
        seconds += outcome.seconds
        if seconds > REPEAT_SECONDS:
            return failed, failure
    return numbers[-1], outcome


def _run(program: Program, suite: TestSuite, start: int, stop: int, pause_after: int) -> list[Outcome]:
    """Outcomes of tests start..stop-1 in one fresh child, up to the first that failed: `WRONG` if the output differs.

    pause_after: slow tests beyond so many are left out.
    """
    outcomes: list[Outcome] = []
    tests = _tests(program, suite, suite.inputs[start:stop], pause_after)
    for outcome in run_program(program.text, tests, suite.limits):
        compared = _compared(outcome, suite, start + len(outcomes)) if outcome.status is Status.OK else outcome
        outcomes.append(compared)
        if compared.status is not Status.OK:
            break
    return outcomes


def _tests(
    program: Program, suite: TestSuite, inputs: tuple[str, ...], pause_after: int
) -> StdinTests | CallTests | CppTests:
    if program.language == "cpp":
        return CppTests(inputs=inputs, pause_after=pause_after)
    if suite.function is None:
        return StdinTests(inputs=inputs, pause_after=pause_after)
    if not _NODES.search(suite.starter + program.text):
        return CallTests(function=suite.function, inputs=inputs, pause_after=pause_after)
    setup = guest.calling(suite.function, suite.starter)
    return CallTests(function="etalon_call", inputs=inputs, pause_after=pause_after, setup=setup)


def _compared(outcome: Outcome, suite: TestSuite, number: int) -> Outcome:
    """The outcome as it is, or `WRONG`; with a checker, that one decides."""
    expected, output = suite.outputs[number], outcome.output
    if suite.checker is not None:
        return _checked(suite.checker, suite.inputs[number], expected, outcome)
    if suite.function is None:
        is_same = compare_output(expected, output, suite.compare)
    else:
        closeness = suite.compare if isinstance(suite.compare, Closeness) else USUAL
        is_same = compare_value(expected, output, closeness)
        if not is_same and suite.is_wrapped:
            is_same = compare_value(expected[0], output, closeness)
    return outcome if is_same else replace(outcome, status=Status.WRONG, detail="")


def _checked(checker: str, given: str, expected: Any, outcome: Outcome) -> Outcome:
    """What the checker says; one that fails on this output and on the reference is to blame itself.

    Without a reference it must fail on every one of some plain outputs to be blamed: on this one the program may be.
    """
    reference = expected if isinstance(expected, str) else json.dumps(expected)
    found = _ask_checker(checker, given, reference, outcome.output)
    if found.status is Status.OK:
        return outcome if 0 < float(found.output) < math.inf else replace(outcome, status=Status.WRONG)
    is_told = bool(reference.strip()) and expected is not None
    is_ours = found.status is Status.INFRASTRUCTURE or (is_told and outcome.output.strip() == reference.strip())
    works = _accepts_reference if is_told else _reads_something
    is_about_output = not is_told and found.detail.startswith(OF_OUTPUTS)
    if not is_ours and (is_about_output or works(checker, given, reference)):
        return replace(outcome, status=Status.WRONG)
    detail = f"the checker ended with {found.status}: {found.detail}"
    return replace(outcome, status=Status.INFRASTRUCTURE, detail=detail)


def _reads_something(checker: str, given: str, reference: str) -> bool:
    """Whether the checker has an opinion on any plain output, or on the input itself."""
    key = hashlib.sha256("\0".join((checker, given, "any")).encode("utf-8", "surrogatepass")).digest()
    known = _ACCEPTS.get(key)
    if known is None:
        statuses = {_ask_checker(checker, given, reference, output).status for output in (*PLAIN_OUTPUTS, given)}
        known = Status.OK in statuses
        if Status.INFRASTRUCTURE not in statuses:
            _ACCEPTS.put(key, known)
    return known


def _accepts_reference(checker: str, given: str, reference: str) -> bool:
    key = hashlib.sha256("\0".join((checker, given, reference)).encode("utf-8", "surrogatepass")).digest()
    known = _ACCEPTS.get(key)
    if known is None:
        found = _ask_checker(checker, given, reference, reference)
        known = found.status is Status.OK and float(found.output) > 0
        if found.status is not Status.INFRASTRUCTURE:
            _ACCEPTS.put(key, known)
    return known


def _ask_checker(checker: str, given: str, reference: str, output: str) -> Outcome:
    order = {"checker": checker, "input": given, "expected": reference, "output": output}
    tests = CallTests(function="etalon_check", inputs=(json.dumps(order),))
    return run_program(guest.source("checker"), tests, CHECKER_LIMITS)[0]


def _verdict(outcome: Outcome, program: Program, where: str, text: str = "") -> Verdict:
    """text: what was run, where that is more than the program."""
    if outcome.status is Status.INFRASTRUCTURE:
        reason = outcome.detail if outcome.detail.startswith("bad_reference") else f"infrastructure: {outcome.detail}"
        return Verdict(score=None, reason=reason, extracted=program.text)
    if outcome.status is Status.OK:
        return Verdict(score=1.0, reason="passed", extracted=program.text)
    if library := missing_library(outcome, text or program.text):
        return Verdict(score=None, reason=f"infrastructure: no library {library} here", extracted=program.text)
    reason = f"{outcome.status} ({where})" + (f": {outcome.detail}" if outcome.detail else "")
    return Verdict(score=0.0, reason=reason, extracted=program.text)

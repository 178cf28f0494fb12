"""Judges a program by running it on tests in the sandbox; expected outputs are compared here, never there.

    response -> extract_program -> sandbox -> compare_text or compare_value -> Verdict

`Problem.tests` is one of
    {inputs, outputs, fn_name: null, compare?, time_limit_s?, memory_limit_mb?}  standard input and output
    {inputs, outputs, fn_name: "f", ...}      one JSON value per input line; outputs are JSON
    {assert_code: "...", ...}                 runs after the program, in its namespace

A failure after the first test of a child counts only when a fresh child repeats it: what one test leaves behind must
not cost the next one its reward.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from etalon.sandbox import AssertTests, CallTests, Limits, Outcome, Status, StdinTests, run_program
from etalon.types import Problem, Verdict
from etalon.verifiers.memo import Memo
from etalon.verifiers.outputs import COMPARE, compare_value
from etalon.verifiers.text import final_part

FIRST_TESTS = 4  # (ours) compared before the others run, if tests are slow or large: most wrong programs fail one
LARGE_CHARACTERS = 1 << 20  # (ours) of all inputs together
PYTHON_TAGS = frozenset({"python", "python3", "py", "py3", "pypy", "pypy3"})

_FENCE = re.compile(r"[ \t]*(`{3,}|~{3,})[ \t]*([^\s`]*)[^`\n]*$")
_MEMO: Memo[Verdict] = Memo(4096)


class BadTestsError(ValueError):
    """Tests that cannot be run as written; the verdict is undecided."""


@dataclass(frozen=True, kw_only=True)
class TestSuite:
    """`Problem.tests`, read and checked. fingerprint: equal for equal tests, whatever object holds them."""

    inputs: tuple[str, ...]
    outputs: tuple[Any, ...]
    function: str | None
    assert_code: str | None
    compare: str
    limits: Limits
    fingerprint: str


def verify_code(problem: Problem, response: str) -> Verdict:
    """1.0 when the last Python block of the final part passes every test; our own failures are undecided."""
    try:
        suite = read_tests(problem.tests)
    except BadTestsError as error:
        return Verdict(score=None, reason=f"bad_reference: {error}")
    program = extract_program(response)
    if program is None:
        return Verdict(score=0.0, reason="no_answer")
    known = _MEMO.get((suite.fingerprint, program))
    if known is not None:
        return known
    verdict = run_suite(program, suite)
    if not verdict.is_undecided:
        _MEMO.put((suite.fingerprint, program), verdict)
    return verdict


def extract_program(response: str) -> str | None:
    """The last fenced block with a Python tag after `</think>`, dedented to its fence; None if it was never closed."""
    program: str | None = None
    fence, tag, indent = "", "", 0
    lines: list[str] = []
    for line in final_part(response).splitlines():
        mark = _FENCE.match(line)
        if not fence and mark:
            fence, tag, lines = mark[1], mark[2].lower(), []
            indent = len(line) - len(line.lstrip())
        elif fence and mark and not mark[2] and mark[1].startswith(fence):
            program = "\n".join(lines) + "\n" if tag in PYTHON_TAGS else program
            fence = ""
        elif fence:
            lines.append(line[indent:] if not line[:indent].strip() else line)
    return None if fence and tag in PYTHON_TAGS else program


def read_tests(tests: Mapping[str, Any] | None) -> TestSuite:
    """The tests of a problem; raises BadTestsError when they are missing or do not fit together."""
    if not isinstance(tests, Mapping) or not tests:
        raise BadTestsError("the problem has no tests")
    try:
        limits = Limits(
            cpu_seconds=float(tests.get("time_limit_s") or Limits.cpu_seconds),
            memory_mb=int(tests.get("memory_limit_mb") or Limits.memory_mb),
        )
        fingerprint = json.dumps(dict(tests), sort_keys=True)
    except (TypeError, ValueError) as error:
        raise BadTestsError(f"tests: {error}") from error
    if not 0 < limits.cpu_seconds <= 3600 or not 0 < limits.memory_mb <= 1 << 20:
        raise BadTestsError("time_limit_s or memory_limit_mb is out of range")
    compare = tests.get("compare") or "tokens"
    if compare not in COMPARE:
        raise BadTestsError(f"compare: {compare!r} is none of {', '.join(COMPARE)}")
    assert_code, function = tests.get("assert_code"), tests.get("fn_name")
    inputs: tuple[str, ...] = ()
    outputs: tuple[Any, ...] = ()
    if assert_code is None:
        inputs, outputs = _read_cases(tests, function)
    elif not isinstance(assert_code, str) or not assert_code.strip():
        raise BadTestsError("assert_code is not a program")
    return TestSuite(
        inputs=inputs,
        outputs=outputs,
        function=function,
        assert_code=assert_code,
        compare=compare,
        limits=limits,
        fingerprint=fingerprint,
    )


def _read_cases(tests: Mapping[str, Any], function: Any) -> tuple[tuple[str, ...], tuple[Any, ...]]:
    inputs, outputs = tests.get("inputs"), tests.get("outputs")
    if not isinstance(inputs, Sequence) or not isinstance(outputs, Sequence) or isinstance(inputs, str):
        raise BadTestsError("tests need inputs and outputs, or assert_code")
    if not inputs or len(inputs) != len(outputs):
        raise BadTestsError(f"{len(inputs)} inputs and {len(outputs)} outputs")
    if function is None:
        if not all(isinstance(text, str) for text in (*inputs, *outputs)):
            raise BadTestsError("inputs and outputs of a program must be text")
        return tuple(inputs), tuple(outputs)
    if not isinstance(function, str) or not function.isidentifier():
        raise BadTestsError(f"fn_name: {function!r} is not a name")
    if not all(isinstance(text, str) for text in inputs):
        raise BadTestsError("inputs of a function must be text, one JSON value per line")
    for text in inputs:
        _json("inputs", *(line for line in text.split("\n") if line.strip()))
    return tuple(inputs), tuple(_json("outputs", o)[0] if isinstance(o, str) else o for o in outputs)


def _json(where: str, *texts: str) -> list[Any]:
    try:
        return [json.loads(text) for text in texts]
    except (ValueError, RecursionError) as error:
        raise BadTestsError(f"{where}: {error}") from error


def run_suite(program: str, suite: TestSuite) -> Verdict:
    """The verdict of one program on all tests: the first failure decides."""
    if suite.assert_code is not None:
        return _verdict(_run(program, suite, 0, 1, 0)[0], program, "tests")
    start, pause_after, total = 0, FIRST_TESTS, len(suite.inputs)
    is_large = sum(map(len, suite.inputs)) > LARGE_CHARACTERS
    while start < total:
        stop = min(total, start + pause_after) if is_large and pause_after else total
        outcomes = _run(program, suite, start, stop, pause_after)
        failed = next((k for k, outcome in enumerate(outcomes) if outcome.status is not Status.OK), None)
        if failed == 0:
            return _verdict(outcomes[0], program, f"test {start + 1} of {total}")
        start += len(outcomes) if failed is None else failed
        pause_after = 0 if failed is None else 1  # a failure that is repeated will most likely fail again
    return Verdict(score=1.0, reason="passed", extracted=program)


def _run(program: str, suite: TestSuite, start: int, stop: int, pause_after: int) -> list[Outcome]:
    """Outcomes of tests start..stop-1 in one fresh child, with `WRONG` where the output differs.

    pause_after: slow tests beyond so many are left out.
    """
    inputs = suite.inputs[start:stop]
    if suite.assert_code is not None:
        return list(run_program(program, AssertTests(code=suite.assert_code), suite.limits))
    if suite.function is None:
        outcomes = run_program(program, StdinTests(inputs=inputs, pause_after=pause_after), suite.limits)
        is_same = COMPARE[suite.compare]
    else:
        calls = CallTests(function=suite.function, inputs=inputs, pause_after=pause_after)
        outcomes = run_program(program, calls, suite.limits)
        is_same = compare_value
    return [
        Outcome(status=Status.WRONG, output=outcome.output, seconds=outcome.seconds)
        if outcome.status is Status.OK and not is_same(expected, outcome.output)
        else outcome
        for outcome, expected in zip(outcomes, suite.outputs[start:stop], strict=False)
    ]


def _verdict(outcome: Outcome, program: str, where: str) -> Verdict:
    if outcome.status is Status.INFRASTRUCTURE:
        return Verdict(score=None, reason=f"infrastructure: {outcome.detail}", extracted=program)
    if outcome.status is Status.OK:
        return Verdict(score=1.0, reason="passed", extracted=program)
    reason = f"{outcome.status} ({where})" + (f": {outcome.detail}" if outcome.detail else "")
    return Verdict(score=0.0, reason=reason, extracted=program)

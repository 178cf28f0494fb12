"""The tests of a program, read and checked: what `verify_code` runs.

`Problem.tests` is one of
    {inputs, outputs, fn_name: null, compare?, checker?, language?, time_limit_s?, memory_limit_mb?}
    {inputs, outputs, fn_name: "f", ...}      one JSON value per input line, or lists of arguments; outputs are JSON
    {assert_code: "...", entry_point?, ...}   what must hold of the program's names; entry_point: check's argument
    or a row in another form that `etalon.problems.cases` reads.

checker: Python code for problems with several right answers, see `etalon.verifiers.code.guest.checker`.
language: "python" or "cpp"; without it, programs of standard input may be in either.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from etalon.problems.cases import BadRowError
from etalon.problems.cases import read_tests as read_cases
from etalon.sandbox import Limits
from etalon.verifiers.code.assertions.names import asked_for
from etalon.verifiers.code.assertions.ready import BadChecksError, read_assertions
from etalon.verifiers.code.outputs import USUAL, Closeness, read_compare, read_json, stated_closeness

LANGUAGES = ("python", "cpp")
OTHER_KINDS = ("inputs", "outputs", "input_output", "test_list", "test", "public_test_cases", "private_test_cases")


class BadTestsError(ValueError):
    """Tests that cannot be run as written; the verdict is undecided."""


@dataclass(frozen=True, kw_only=True)
class TestSuite:
    """`Problem.tests`, read and checked.

    outputs: text, or JSON values when there is a function. is_wrapped: each of those may stand in a list of its own.
    preamble: what stands before a program under assertions. stub: the beginning of a function, which a program may
    continue. fingerprint: equal for equal tests, whatever holds them.
    """

    inputs: tuple[str, ...]
    outputs: tuple[Any, ...]
    function: str | None
    assert_code: str | None
    preamble: str
    stub: str
    checker: str | None
    compare: str | Closeness
    languages: tuple[str, ...]
    starter: str
    is_wrapped: bool
    limits: Limits
    fingerprint: str

    @property
    def tested(self) -> tuple[str, ...]:
        """Names that a program must define for these tests."""
        if self.function is not None:
            return self.function, "Solution"
        return () if self.assert_code is None else asked_for(self.assert_code)


def read_tests(tests: Mapping[str, Any] | None, statement: str = "") -> TestSuite:
    """The tests of a problem; raises BadTestsError when they are missing or do not fit together.

    statement: of the problem, which may name how close numbers are to be.
    """
    if not isinstance(tests, Mapping) or not tests:
        raise BadTestsError("the problem has no tests")
    _refuse_two_kinds(tests)
    try:
        fingerprint = json.dumps(dict(tests), sort_keys=True)
        tests = read_cases(tests)
    except (BadRowError, TypeError, ValueError, RecursionError) as error:
        raise BadTestsError(f"tests: {error}") from error
    assert_code, function = tests.get("assert_code"), tests.get("fn_name") or None
    inputs: tuple[str, ...] = ()
    outputs: tuple[Any, ...] = ()
    if assert_code is None:
        inputs, outputs = _read_columns(tests, function)
    elif not isinstance(assert_code, str) or not assert_code.strip():
        raise BadTestsError("assert_code is not a program")
    else:
        try:
            assert_code = read_assertions(assert_code, _text(tests, "entry_point"))
        except BadChecksError as error:
            raise BadTestsError(str(error)) from error
    compare = _compare(tests.get("compare"), statement)
    return TestSuite(
        inputs=inputs,
        outputs=outputs,
        function=function,
        assert_code=assert_code,
        preamble=_text(tests, "preamble") or "",
        stub=_text(tests, "stub") or "",
        checker=_text(tests, "checker"),
        compare=compare,
        languages=_languages(tests, is_stdin=assert_code is None and function is None),
        starter=_text(tests, "starter_code") or "",
        is_wrapped=bool(tests.get("is_wrapped")),
        limits=_limits(tests),
        fingerprint=f"{fingerprint} {compare}",
    )


def _refuse_two_kinds(tests: Mapping[str, Any]) -> None:
    """Raises BadTestsError for assert_code beside other tests, of which one kind would go unchecked."""
    others = [name for name in OTHER_KINDS if tests.get(name)]
    if tests.get("assert_code") is not None and others:
        raise BadTestsError(f"assert_code beside {', '.join(others)}; expected one kind of tests")


def _limits(tests: Mapping[str, Any]) -> Limits:
    try:
        limits = Limits(
            cpu_seconds=float(tests.get("time_limit_s") or Limits.cpu_seconds),
            memory_mb=int(tests.get("memory_limit_mb") or Limits.memory_mb),
        )
    except (TypeError, ValueError, OverflowError) as error:
        raise BadTestsError(f"tests: {error}") from error
    if not 0 < limits.cpu_seconds <= 3600 or not 0 < limits.memory_mb <= 1 << 20:
        raise BadTestsError("time_limit_s or memory_limit_mb is out of range")
    return limits


def _languages(tests: Mapping[str, Any], *, is_stdin: bool) -> tuple[str, ...]:
    language = tests.get("language")
    if language is None:
        return LANGUAGES if is_stdin else LANGUAGES[:1]
    language = "cpp" if language == "c++" else language
    if not is_stdin and language != "python":
        raise BadTestsError(f"language: functions are tested in Python only, found {language!r}")
    return (_one_of("language", language, LANGUAGES),)


def _compare(name: Any, statement: str) -> str | Closeness:
    if not name:
        return stated_closeness(statement) or USUAL
    found = read_compare(name) if isinstance(name, str) else None
    if found is None:
        raise BadTestsError(f"compare: {name!r} is none of tokens, lines, exact, float:TOLERANCE (such as float:1e-6)")
    return found


def _one_of(name: str, value: Any, known: tuple[str, ...]) -> str:
    if not isinstance(value, str) or value not in known:
        raise BadTestsError(f"{name}: {value!r} is none of {', '.join(known)}")
    return value


def _text(tests: Mapping[str, Any], name: str) -> str | None:
    value = tests.get(name)
    if value is not None and not isinstance(value, str):
        raise BadTestsError(f"{name}: not text")
    return value or None


def _read_columns(tests: Mapping[str, Any], function: Any) -> tuple[tuple[str, ...], tuple[Any, ...]]:
    inputs, outputs = tests["inputs"], tests["outputs"]
    if not inputs or len(inputs) != len(outputs):
        raise BadTestsError(f"{len(inputs)} inputs and {len(outputs)} outputs")
    if not all(isinstance(text, str) for text in inputs):
        raise BadTestsError("inputs must be text (of a function: one JSON value per line, or a list of arguments)")
    if function is None:
        has_checker = tests.get("checker") is not None  # which may need no example of a right answer
        if not all(isinstance(text, str) or (has_checker and text is None) for text in outputs):
            raise BadTestsError("outputs of a program must be text")
        return tuple(inputs), tuple("" if text is None else text for text in outputs)
    if not isinstance(function, str) or not function.isidentifier():
        raise BadTestsError(f"fn_name: {function!r} is not a name")
    for text in inputs:
        _json("inputs", *(line for line in text.split("\n") if line.strip()))
    return tuple(inputs), tuple(_json("outputs", o)[0] if isinstance(o, str) else o for o in outputs)


def _json(where: str, *texts: str) -> list[Any]:
    try:
        return [read_json(text) for text in texts]
    except (ValueError, RecursionError) as error:
        raise BadTestsError(f"{where}: {error}") from error

"""Tests of programs in the field's forms, read into ours: `read_tests(row)`.

ours                {inputs, outputs, fn_name?, compare?, checker?, language?, time_limit_s?, memory_limit_mb?}
                    or {assert_code, ...}, or {judge, ...}: a program of somebody else's has the tests, and is told this
LiveCodeBench       public_test_cases: JSON; private_test_cases: JSON or base64(zlib(pickle(JSON))), of which only the
                    text is read, nothing is executed; metadata: {func_name?}
APPS, TACO          input_output: JSON {inputs, outputs, fn_name?}; of a function, lists of arguments and values (often
                    each in a list)
Codeforces          official_tests | examples | test_cases: [{input, output, type?, fn_name?}], time_limit, memory_limit
CodeContests        public_tests, private_tests, generated_tests: {input: [...], output: [...]}
OpenThoughts, AM    test_cases | test_case: JSON of columns, of pairs or of assertions
rStar-Coder         inputs, outputs: JSON; func_name?
HumanEval           test, entry_point, prompt;   LeetCodeDataset the same with "Solution().f"
KodCode             test: pytest that imports from `solution`; of an online judge {stdin: [...], stdout: [...]}
MBPP                test_list, test_setup_code? | test_imports?, challenge_test_list?
verl                assert_case;  test_code, entry_point, import_prefix? (Skywork-OR1);  functional | pytest (guru)

    pairs.py    inputs with outputs        checks.py     tests that are code
    limits.py   of time and memory         livecodebench.py
    reading.py  JSON and literals in text
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from etalon.problems.cases.checks import (
    has_assertions,
    has_check,
    read_assertions,
    read_check,
    read_truth,
)
from etalon.problems.cases.limits import limits_of
from etalon.problems.cases.livecodebench import is_livecodebench, read_livecodebench
from etalon.problems.cases.pairs import (
    are_columns,
    called,
    merge,
    read_columns,
    read_input_output,
    read_pairs,
)
from etalon.problems.cases.reading import BadRowError, read_json

__all__ = ["GROUPS", "LISTS", "BadRowError", "called", "has_tests", "read_json", "read_tests"]

LISTS = ("official_tests", "test_cases", "test_case", "examples")  # the first that is there counts
GROUPS = ("public_tests", "private_tests", "generated_tests")  # all of them count
TRUTHS = ("assert_case", "test_code", "functional", "pytest")
FOREIGN = ("input_output", *TRUTHS, *LISTS, *GROUPS)
COLUMNS = frozenset({*FOREIGN, "public_test_cases", "private_test_cases", "test", "test_list", "inputs"})
EXPECTED = "{inputs, outputs, fn_name?}, {assert_code} or a list of assertions"
OURS = ("compare", "checker", "language", "time_limit_s", "memory_limit_mb")
LANGUAGES = {"python": "python", "python3": "python", "py": "python", "cpp": "cpp", "c++": "cpp"}
OTHER_LANGUAGES = frozenset(
    {"javascript", "js", "typescript", "java", "rust", "go", "golang", "c", "c#", "csharp", "kotlin", "ruby", "php"}
)
_PAIRS = re.compile(r"\s*\[?\s*\{.{0,2000}?[\"'](?:inputs?|outputs?|stdin|stdout)[\"']\s*:", re.DOTALL)


def has_tests(row: Mapping[str, Any]) -> bool:
    """Whether the columns of a row are tests that `read_tests` reads."""
    if COLUMNS.isdisjoint(row):  # most rows
        return False
    return (
        is_livecodebench(row)
        or any(name not in LISTS or _are_pairs(value) for name in FOREIGN if (value := row.get(name)))
        or "input_output" in row
        or has_check(row)
        or has_assertions(row)
        or are_columns(row.get("test"))
        or _are_given(row)
    )


def _are_given(row: Mapping[str, Any]) -> bool:
    """Whether a row has its inputs and outputs in columns of their own (rStar-Coder)."""
    return all(isinstance(value := row.get(name), list) or _looks_listed(value) for name in ("inputs", "outputs"))


def _looks_listed(value: Any) -> bool:
    return isinstance(value, str) and value.lstrip()[:1] == "["


def _are_pairs(value: Any) -> bool:
    """Whether a column holds inputs and outputs, or assertions; `examples` are also what prompts show."""
    if isinstance(value, str):
        return _PAIRS.match(value) is not None or value.lstrip("[\"' \n").startswith("assert ")
    first = value[0] if isinstance(value, list) and value else value
    if isinstance(first, str):
        return first.lstrip().startswith("assert ")
    return (isinstance(first, Mapping) and "input" in first) or are_columns(value)


def read_tests(row: Any, function: str | None = None) -> dict[str, Any]:
    """Our form of the tests in a row or in a `tests` column; raises BadRowError.

    function: what is called, where the tests do not tell.
    """
    if isinstance(row, str):
        if not row.lstrip().startswith(("{", "[", '"', "null")):
            raise BadRowError(f"tests: found text that is not JSON, expected {EXPECTED}")
        row = read_json("tests", row)
    if isinstance(row, list):
        if not row:
            raise BadRowError("tests: the list is empty")
        return _counted(_read_given("tests", row, function))
    if not isinstance(row, Mapping):
        raise BadRowError(f"tests: missing, or not an object; expected {EXPECTED}")
    found = _counted(_tests(row))
    tests = {**limits_of(row), **found, **{name: row[name] for name in OURS if row.get(name) is not None}}
    if isinstance(language := tests.get("language"), str) and "judge" not in tests:
        if language.lower() in OTHER_LANGUAGES:
            raise BadRowError(f"language: found {language}; programs are run in Python and C++ only")
        tests["language"] = LANGUAGES.get(language.lower(), language)
    if row.get("generated_checker"):
        tests.setdefault("checker", row["generated_checker"])
    return tests


def _counted(tests: dict[str, Any]) -> dict[str, Any]:
    """The tests, when there are any, and as many outputs as inputs."""
    if "inputs" in tests and not 0 < len(tests["inputs"]) == len(tests["outputs"]):
        found = f"{len(tests['inputs'])} inputs and {len(tests['outputs'])} outputs"
        raise BadRowError(f"tests: found {found}, expected as many of each, and one at least")
    return tests


def _tests(row: Mapping[str, Any]) -> dict[str, Any]:
    if row.get("assert_code") is not None or (isinstance(row.get("judge"), str) and not has_tests(row)):
        return dict(row)
    if row.get("input_output") is not None and not (has_check(row) and _are_pairs(row["input_output"])):
        return read_input_output(row)  # LeetCodeDataset keeps examples there, beside its checks
    if is_livecodebench(row):
        return read_columns(read_livecodebench(row))
    if truth := read_truth(row):
        return truth
    if (test := row.get("test")) and (are_columns(test) or _PAIRS.match(str(test))):
        return _read_given("test", read_json("test", test), called(row))
    if has_check(row):
        return read_check(row)
    if has_assertions(row):
        return read_assertions(row)
    if name := next((name for name in LISTS if row.get(name)), None):
        return _read_given(name, read_json(name, row[name]), called(row))
    if groups := [name for name in GROUPS if row.get(name)]:
        found = [read_pairs(name, read_json(name, row[name])) for name in groups]
        return merge([part for part in found if part["inputs"]])
    if "input_output" in row:
        return read_input_output(row)
    if isinstance(row.get("inputs"), str) or "func_name" in row:
        return read_pairs("inputs", row)
    return read_columns(row)


def _read_given(column: str, value: Any, function: str | None) -> dict[str, Any]:
    """Tests in one column: columns, pairs, or lines of code. function: what is called, where they do not tell."""
    if isinstance(value, str) and value.strip():
        return read_assertions({"test_list": [value]})
    if isinstance(value, list) and value and all(isinstance(line, str) for line in value):
        return read_assertions({"test_list": value})
    if isinstance(value, Mapping) and not are_columns(value):
        return _tests(value)
    return read_pairs(column, value, function)

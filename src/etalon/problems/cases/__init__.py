"""Tests of programs in the field's forms, read into ours: `read_tests(row)`.

ours                {inputs, outputs, fn_name?, compare?, checker?, language?, time_limit_s?, memory_limit_mb?}
                    or {assert_code, ...}
LiveCodeBench       public_test_cases, private_test_cases, metadata      (compressed ones too; no pickle is executed)
APPS, TACO          input_output: JSON {inputs, outputs, fn_name?}
Codeforces          official_tests | examples | test_cases: [{input, output}], time_limit, memory_limit
CodeContests        public_tests, private_tests, generated_tests: {input: [...], output: [...]}
HumanEval           test, entry_point, prompt;   LeetCodeDataset the same with "Solution().f"
MBPP                test_list, test_setup_code | test_imports
verl                assert_case: [...]
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from etalon.problems.cases import asserts, livecodebench, pairs
from etalon.problems.cases.errors import BadRowError, read_json

__all__ = ["BadRowError", "has_tests", "read_tests"]

LISTS = ("official_tests", "test_cases", "examples")  # the first that is there counts
GROUPS = ("public_tests", "private_tests", "generated_tests")  # all of them count
FOREIGN = ("input_output", "assert_case", *LISTS, *GROUPS)
COLUMNS = frozenset({*FOREIGN, "public_test_cases", "private_test_cases", "test", "test_list"})
EXPECTED = "{inputs, outputs, fn_name?}, {assert_code} or a list of assertions"
OURS = ("compare", "checker", "language", "time_limit_s", "memory_limit_mb")


def has_tests(row: Mapping[str, Any]) -> bool:
    """Whether the columns of a row are tests that `read_tests` reads."""
    if COLUMNS.isdisjoint(row):  # most rows
        return False
    return (
        livecodebench.is_livecodebench(row)
        or any(name not in LISTS or _are_pairs(value) for name in FOREIGN if (value := row.get(name)))
        or asserts.has_check(row)
        or asserts.has_assertions(row)
    )


def _are_pairs(value: Any) -> bool:
    """Whether a column holds inputs and outputs; `examples` are also what prompts show."""
    first = value[0] if isinstance(value, list) and value else value
    return (isinstance(first, Mapping) and "input" in first) or (isinstance(value, str) and value.startswith("[{"))


def read_tests(row: Any) -> dict[str, Any]:
    """Our form of the tests in a row or in a `tests` column; raises BadRowError."""
    if isinstance(row, str):
        if not row.lstrip().startswith(("{", "[", '"', "null")):
            raise BadRowError(f"tests: found text that is not JSON, expected {EXPECTED}")
        row = read_json("tests", row)
    if isinstance(row, list):
        if not row:
            raise BadRowError("tests: the list is empty")
        is_code = all(isinstance(line, str) for line in row)
        return asserts.read_assertions({"test_list": row}) if is_code else pairs.read_pairs("tests", row)
    if not isinstance(row, Mapping):
        raise BadRowError(f"tests: missing, or not an object; expected {EXPECTED}")
    tests = _tests(row)
    limits = {"time_limit_s": row.get("time_limit"), "memory_limit_mb": row.get("memory_limit")}
    added = {name: value for name, value in limits.items() if _is_number(value)}
    if row.get("generated_checker"):
        added["checker"] = row["generated_checker"]
    return {**added, **tests, **{name: row[name] for name in OURS if row.get(name) is not None}}


def _tests(row: Mapping[str, Any]) -> dict[str, Any]:
    if row.get("assert_code") is not None:
        return dict(row)
    if row.get("input_output") is not None:
        return pairs.read_input_output(row)
    if livecodebench.is_livecodebench(row):
        return pairs.read_columns(livecodebench.read_tests(row))
    if asserts.has_check(row):
        return asserts.read_check(row)
    if asserts.has_assertions(row):
        return asserts.read_assertions(row)
    if row.get("assert_case"):
        case = row["assert_case"]
        return asserts.read_assertions({"test_list": [case] if isinstance(case, str) else case})
    if name := next((name for name in LISTS if row.get(name)), None):
        return pairs.read_pairs(name, read_json(name, row[name]))
    if groups := [name for name in GROUPS if row.get(name)]:
        found = [pairs.read_pairs(name, read_json(name, row[name])) for name in groups]
        return pairs.merge([part for part in found if part["inputs"]])
    return pairs.read_columns(row)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)

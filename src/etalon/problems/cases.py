"""Tests of programs in the field's forms, read into ours: `read_tests(row)`.

ours                {inputs, outputs, fn_name?, compare?, checker?, language?, time_limit_s?, memory_limit_mb?}
                    or {assert_code, ...}, or {judge, ...}: a program of somebody else's has the tests, and is told this
LiveCodeBench       public_test_cases: JSON; private_test_cases: JSON or base64(zlib(pickle(JSON))), of which only the
                    text is read, nothing is executed; metadata: {func_name?}
APPS, TACO          input_output: JSON {inputs, outputs, fn_name?}; of a function, lists of arguments and values (often
                    each in a list)
Codeforces          official_tests | examples | test_cases: [{input, output, type?, fn_name?}], time_limit, memory_limit
CodeContests        public_tests, private_tests, generated_tests: {input: [...], output: [...]}
HumanEval           test, entry_point, prompt;   LeetCodeDataset the same with "Solution().f"
MBPP                test_list, test_setup_code? | test_imports?, challenge_test_list?
verl                assert_case: [...]
"""

from __future__ import annotations

import ast
import base64
import io
import json
import pickle
import re
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

from etalon.errors import InputError
from etalon.problems.syntax import parse

__all__ = ["BadRowError", "has_tests", "read_tests"]

LISTS = ("official_tests", "test_cases", "examples")  # the first that is there counts
GROUPS = ("public_tests", "private_tests", "generated_tests")  # all of them count
FOREIGN = ("input_output", "assert_case", *LISTS, *GROUPS)
COLUMNS = frozenset({*FOREIGN, "public_test_cases", "private_test_cases", "test", "test_list"})
EXPECTED = "{inputs, outputs, fn_name?}, {assert_code} or a list of assertions"
OURS = ("compare", "checker", "language", "time_limit_s", "memory_limit_mb")
MAX_BYTES = 1 << 28  # (ours) 256 MB of unpacked tests: a bomb is not a test
_CALLS = ("function_call", "functional")


class BadRowError(InputError):
    """Tests that are not what their columns promise."""


def read_json(column: str, value: Any) -> Any:
    """The value of a column that holds JSON as text, or the value itself."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        raise BadRowError(f"{column}: {error}") from error


def has_tests(row: Mapping[str, Any]) -> bool:
    """Whether the columns of a row are tests that `read_tests` reads."""
    if COLUMNS.isdisjoint(row):  # most rows
        return False
    return (
        is_livecodebench(row)
        or any(name not in LISTS or _are_pairs(value) for name in FOREIGN if (value := row.get(name)))
        or has_check(row)
        or has_assertions(row)
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
        return read_assertions({"test_list": row}) if is_code else read_pairs("tests", row)
    if not isinstance(row, Mapping):
        raise BadRowError(f"tests: missing, or not an object; expected {EXPECTED}")
    tests = _tests(row)
    limits = {"time_limit_s": row.get("time_limit"), "memory_limit_mb": row.get("memory_limit")}
    added = {name: value for name, value in limits.items() if _is_number(value)}
    if row.get("generated_checker"):
        added["checker"] = row["generated_checker"]
    return {**added, **tests, **{name: row[name] for name in OURS if row.get(name) is not None}}


def _tests(row: Mapping[str, Any]) -> dict[str, Any]:
    if row.get("assert_code") is not None or (isinstance(row.get("judge"), str) and not has_tests(row)):
        return dict(row)
    if row.get("input_output") is not None and not (has_check(row) and _are_pairs(row["input_output"])):
        return read_input_output(row)  # LeetCodeDataset keeps examples there, beside its checks
    if is_livecodebench(row):
        return read_columns(read_livecodebench(row))
    if has_check(row):
        return read_check(row)
    if has_assertions(row):
        return read_assertions(row)
    if row.get("assert_case"):
        case = row["assert_case"]
        return read_assertions({"test_list": [case] if isinstance(case, str) else case})
    if name := next((name for name in LISTS if row.get(name)), None):
        return read_pairs(name, read_json(name, row[name]))
    if groups := [name for name in GROUPS if row.get(name)]:
        found = [read_pairs(name, read_json(name, row[name])) for name in groups]
        return merge([part for part in found if part["inputs"]])
    return read_columns(row)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


# --- inputs with outputs: APPS, TACO, PrimeIntellect, Codeforces, CodeContests


def read_columns(tests: Mapping[str, Any]) -> dict[str, Any]:
    """Inputs as text and outputs as the verifier takes them; other keys stay."""
    inputs, outputs, function = tests.get("inputs"), tests.get("outputs"), tests.get("fn_name")
    if not _is_list(inputs) or not _is_list(outputs):
        raise BadRowError("tests need inputs and outputs, or assert_code")
    assert inputs is not None
    assert outputs is not None
    if not function:
        others = {name: value for name, value in tests.items() if name != "fn_name"}
        return {**others, "inputs": [*map(_text, inputs)], "outputs": [*map(_text, outputs)]}
    if not all(isinstance(arguments, list) for arguments in inputs):
        return dict(tests)
    is_wrapped = all(isinstance(value, list) and len(value) == 1 for value in outputs)
    return {
        **tests,
        "inputs": ["\n".join(json.dumps(argument) for argument in arguments) for arguments in inputs],
        "outputs": [json.dumps(value) for value in outputs],
        **({"is_wrapped": True} if is_wrapped and outputs else {}),
    }


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _text(value: Any) -> Any:
    """Lines in a list as one text (TACO)."""
    is_lines = isinstance(value, list) and all(isinstance(line, str | int | float) for line in value)
    return "\n".join(map(str, value)) if is_lines else value


def read_pairs(column: str, pairs: Any) -> dict[str, Any]:
    """Tests given one by one, or as two columns."""
    if isinstance(pairs, Mapping):
        return read_columns({"inputs": pairs.get("input"), "outputs": pairs.get("output")})
    if not isinstance(pairs, list) or not all(isinstance(p, Mapping) and "input" in p for p in pairs):
        raise BadRowError(f"{column}: expected a list of {{input, output}}")
    names = {pair.get("fn_name") for pair in pairs if pair.get("type", pair.get("testtype")) in _CALLS}
    if len(names) > 1:
        raise BadRowError(f"{column}: found {len(names)} functions, expected one")
    function = next(iter(names), None)
    return read_columns(
        {
            "inputs": [pair["input"] for pair in pairs],
            "outputs": [pair.get("output") for pair in pairs],
            "fn_name": function,
        }
    )


def merge(parts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Several groups of tests of one program as one."""
    if not parts:
        raise BadRowError("the row has no tests")
    return {
        **parts[0],
        "inputs": [text for part in parts for text in part["inputs"]],
        "outputs": [text for part in parts for text in part["outputs"]],
    }


def read_input_output(row: Mapping[str, Any]) -> dict[str, Any]:
    """The `input_output` column of APPS, TACO and LiveCodeBench's evaluation samples."""
    tests = read_json("input_output", row["input_output"])
    if not isinstance(tests, dict) or not isinstance(tests.get("inputs"), list):
        raise BadRowError("input_output: expected {inputs, outputs, fn_name}")
    return read_columns({name: tests.get(name) for name in ("inputs", "outputs", "fn_name")})


# --- code: HumanEval, LeetCodeDataset, MBPP


def has_check(row: Mapping[str, Any]) -> bool:
    return isinstance(row.get("test"), str) and isinstance(row.get("entry_point", ""), str)


def read_check(row: Mapping[str, Any]) -> dict[str, Any]:
    """The checks of a row with `test`, with the helpers that its prompt defines: `check(candidate)`, or test functions.

    preamble: what the prompt imports and defines, which stands before a program as in the official harness. stub: the
    prompt itself, which a program may continue.
    """
    test, entry_point = row["test"], row.get("entry_point", "").strip()
    has_check = re.search(r"^\s*def check\b", test, re.MULTILINE) is not None
    if not test.strip() or (has_check and not entry_point):
        raise BadRowError("test, entry_point: empty")
    stub, is_method = row.get("prompt"), "." in entry_point
    setup = helpers(stub, entry_point) if isinstance(stub, str) and not is_method else ""
    called = f"\n\ncheck({entry_point})" if has_check else ""
    tests = {"assert_code": f"{setup}{test.strip()}{called}\n", "preamble": setup}
    return {**tests, "stub": stub} if isinstance(stub, str) and stub.strip() else tests


def helpers(stub: str, entry_point: str) -> str:
    """What a stub defines besides the function asked for; nothing if it is no Python.

    The tests of three HumanEval problems use such helpers, and a program that does not repeat them is not wrong.
    """
    try:
        statements = parse(stub).body
    except (SyntaxError, ValueError):
        return ""
    kept = [
        statement
        for statement in statements
        if not (isinstance(statement, ast.FunctionDef) and statement.name == entry_point)
        and not (isinstance(statement, ast.ImportFrom) and statement.module == "__future__")  # only valid on top
    ]
    return "".join(ast.unparse(statement) + "\n\n" for statement in kept)


def has_assertions(row: Mapping[str, Any]) -> bool:
    return isinstance(row.get("test_list"), list)


def read_assertions(row: Mapping[str, Any]) -> dict[str, Any]:
    """The checks of an MBPP row; the challenge tests run too."""
    imports = row.get("test_imports")
    lines = [*(imports if isinstance(imports, list) else []), row.get("test_setup_code") or ""]
    lines += [*row["test_list"], *(row.get("challenge_test_list") or [])]
    if not row["test_list"] or not all(isinstance(line, str) for line in lines):
        raise BadRowError("test_list: expected a list of assertions")
    return {"assert_code": "\n".join(line for line in lines if line.strip()) + "\n"}


# --- LiveCodeBench


class _TextOnly(pickle.Unpickler):
    """Refuses every class and function, so that loading can build plain values only."""

    def find_class(self, module_name: str, global_name: str) -> Any:
        raise BadRowError(f"private_test_cases: the pickle asks for {module_name}.{global_name}")


def is_livecodebench(row: Mapping[str, Any]) -> bool:
    return "public_test_cases" in row or "private_test_cases" in row


def read_livecodebench(row: Mapping[str, Any]) -> dict[str, Any]:
    """{inputs, outputs, fn_name} with public and private tests in order; raises BadRowError."""
    cases: list[Any] = []
    for column in ("public_test_cases", "private_test_cases"):
        found = _livecodebench_cases(column, row.get(column))
        if not isinstance(found, list) or not all(isinstance(case, dict) for case in found):
            raise BadRowError(f"{column}: expected a list of {{input, output, testtype}}")
        cases += found
    metadata = read_json("metadata", row.get("metadata") or {})
    function = metadata.get("func_name") if isinstance(metadata, dict) else None
    is_call = any(case.get("testtype") == "functional" for case in cases)
    if is_call and not function:
        raise BadRowError("metadata: functional tests without func_name")
    starter = row.get("starter_code")
    return {
        **({"starter_code": starter} if is_call and isinstance(starter, str) and starter else {}),
        "inputs": [case.get("input") for case in cases],
        "outputs": [case.get("output") for case in cases],
        "fn_name": function if is_call else None,
    }


def _livecodebench_cases(column: str, value: Any) -> Any:
    if not value:
        return []
    if column == "private_test_cases" and isinstance(value, str) and not value.lstrip().startswith("["):
        value = _unpack(value)
    return read_json(column, value)


def _unpack(value: str) -> Any:
    try:
        unpacker = zlib.decompressobj()
        content = unpacker.decompress(base64.b64decode(value, validate=True), MAX_BYTES)
        if unpacker.unconsumed_tail:
            raise BadRowError("private_test_cases: too large")
        return _TextOnly(io.BytesIO(content)).load()
    except BadRowError:
        raise
    except Exception as error:  # a malformed pickle raises anything
        raise BadRowError(f"private_test_cases: {error}") from error

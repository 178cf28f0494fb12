"""Tests that are inputs with outputs: APPS, TACO, PrimeIntellect and Codeforces rows, in our form.

{inputs, outputs, fn_name?}     APPS and TACO: of a function, lists of arguments and values (often each in a list)
[{input, output, type?, fn_name?}, ...]              Codeforces, PrimeIntellect
{input: [...], output: [...]}                        CodeContests
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from etalon.problems.cases.errors import BadRowError, read_json


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


_CALLS = ("function_call", "functional")


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

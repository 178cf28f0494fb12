"""Inputs with outputs: APPS, TACO, PrimeIntellect, Codeforces, CodeContests, rStar-Coder, KodCode's online judge."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from etalon.problems.cases.reading import BadRowError, read_json

_CALLS = ("function_call", "functional")
NAMES = (("inputs", "outputs"), ("input", "output"), ("stdin", "stdout"))  # of the two columns, or of the two of a pair
FUNCTIONS = ("fn_name", "func_name", "function_name")


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
        "inputs": ["\n".join(map(_value, arguments)) for arguments in inputs],
        "outputs": [*map(_value, outputs)],
        **({"is_wrapped": True} if is_wrapped and outputs else {}),
    }


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _text(value: Any) -> Any:
    """Lines in a list as one text (TACO)."""
    is_lines = isinstance(value, list) and all(isinstance(line, str | int | float) for line in value)
    return "\n".join(map(str, value)) if is_lines else value


def _foreign(inputs: Any, outputs: Any, function: str | None) -> dict[str, Any]:
    """Columns of a data set, in which a program may read or print a bare number."""
    if not function:
        inputs, outputs = (
            [str(one) if isinstance(one, int | float) and not isinstance(one, bool) else one for one in column]
            if isinstance(column, list)
            else column
            for column in (inputs, outputs)
        )
    return read_columns({"inputs": inputs, "outputs": outputs, "fn_name": function})


def _value(value: Any) -> str:
    try:
        return json.dumps(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise BadRowError(f"tests: {error}") from None


def are_columns(value: Any) -> bool:
    """Whether an object has a list of inputs and one of outputs, by whatever names."""
    return isinstance(value, Mapping) and any(one in value and other in value for one, other in NAMES)


def read_pairs(column: str, pairs: Any, function: str | None = None) -> dict[str, Any]:
    """Tests given one by one, or as two columns. function: what is called, where the pairs do not tell."""
    if isinstance(pairs, Mapping):
        name, other = next(((one, other) for one, other in NAMES if one in pairs), NAMES[0])
        inputs, outputs = read_json(column, pairs.get(name)), read_json(column, pairs.get(other))
        return _foreign(inputs, outputs, called(pairs) or function)
    if not isinstance(pairs, list) or not all(isinstance(p, Mapping) and ("input" in p or "stdin" in p) for p in pairs):
        raise BadRowError(f"{column}: expected a list of {{input, output}}")
    calls = [pair for pair in pairs if pair.get("type", pair.get("testtype")) in _CALLS]
    names = {called(pair) or function for pair in calls}
    if len(names) > 1:
        raise BadRowError(f"{column}: found {len(names)} functions, expected one")
    if None in names:
        raise BadRowError(f"{column}: calls of a function that has no name; expected fn_name")
    inputs = [pair.get("input", pair.get("stdin")) for pair in pairs]
    outputs = [pair.get("output", pair.get("stdout")) for pair in pairs]
    return _foreign(inputs, outputs, next(iter(names), None))


def called(tests: Mapping[str, Any]) -> str | None:
    """The function that tests call, by their own word or by that of their metadata."""
    about = tests.get("metadata")
    told = [tests.get(name) for name in FUNCTIONS]
    told += [about.get(name) for name in FUNCTIONS] if isinstance(about, Mapping) else []
    return next((name for name in told if isinstance(name, str) and name), None)


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
    tests = read_json("input_output", row["input_output"] or "{}")
    if isinstance(tests, list):
        return read_pairs("input_output", tests)
    if tests == {}:
        raise BadRowError("input_output: empty, the row has no tests")
    if not isinstance(tests, dict) or not isinstance(tests.get("inputs"), list):
        raise BadRowError("input_output: expected {inputs, outputs, fn_name}")
    return _foreign(tests["inputs"], tests.get("outputs"), called(tests))

"""Tests that are code: HumanEval, LeetCodeDataset, KodCode, MBPP, and the truths of code in verl's rows.

test, entry_point, prompt?                  HumanEval; KodCode's, which import the program from `solution`
test_code, entry_point, import_prefix?      Skywork-OR1
functional | pytest                         guru: a whole program that asserts
test_list, test_setup_code? | test_imports?, challenge_test_list?     MBPP
assert_case                                 Skywork-OR1
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from typing import Any

from etalon.problems.cases.reading import BadRowError
from etalon.problems.syntax import parse

WHOLE = ("functional", "pytest")  # columns that hold all of the tests as a program


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


def read_truth(row: Mapping[str, Any]) -> dict[str, Any] | None:
    """The checks in the truth of a verl row; None where it has none."""
    if isinstance(row.get("test_code"), str):
        given = {
            "test": row["test_code"],
            "entry_point": row.get("entry_point") or "",
            "prompt": row.get("import_prefix"),
        }
        return {name: value for name, value in read_check(given).items() if name != "stub"}
    if code := next((row[name] for name in WHOLE if isinstance(row.get(name), str)), None):
        return {"assert_code": code.strip() + "\n"}
    if case := row.get("assert_case"):
        return read_assertions({"test_list": [case] if isinstance(case, str) else case})
    return None

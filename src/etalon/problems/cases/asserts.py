"""Tests that are code: HumanEval and LeetCodeDataset rows (`check(candidate)`), MBPP rows (a list of assertions).

{test, entry_point, prompt?}                                     entry_point: "f" or "Solution().f"
{test_list, test_setup_code? | test_imports?, challenge_test_list?}
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from etalon.problems.cases.errors import BadRowError
from etalon.problems.syntax import parse


def has_check(row: Mapping[str, Any]) -> bool:
    return isinstance(row.get("test"), str) and isinstance(row.get("entry_point"), str)


def read_check(row: Mapping[str, Any]) -> dict[str, Any]:
    """The checks of a `check(candidate)` row, with the helpers that its prompt defines."""
    test, entry_point = row["test"], row["entry_point"].strip()
    if not test.strip() or not entry_point:
        raise BadRowError("test, entry_point: empty")
    stub, is_method = row.get("prompt"), "." in entry_point
    setup = helpers(stub, entry_point) if isinstance(stub, str) and not is_method else ""
    return {"assert_code": f"{setup}{test.strip()}\n\ncheck({entry_point})\n"}


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

"""HumanEval: {task_id, prompt, entry_point, canonical_solution, test}; the tests call `check(entry_point)`."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from etalon.errors import InputError
from etalon.problems.formats.columns import text
from etalon.problems.instructions import with_instruction
from etalon.types import Domain, Problem

COLUMNS = ("task_id", "prompt", "entry_point", "test")


def recognises(row: Mapping[str, Any]) -> bool:
    return all(column in row for column in COLUMNS)


def read(row: Mapping[str, Any], prompts: str) -> Problem:
    stub, entry_point = text(row, "prompt"), text(row, "entry_point")
    solution = row.get("canonical_solution")
    program = f"{stub.rstrip()}\n{solution.rstrip()}" if isinstance(solution, str) and solution.strip() else ""
    return Problem(
        id=text(row, "task_id"),
        domain=Domain.CODE,
        prompt=with_instruction(stub, Domain.CODE, prompts=prompts),
        tests={"assert_code": f"{helpers(stub, entry_point)}{text(row, 'test').strip()}\n\ncheck({entry_point})\n"},
        skill=Domain.CODE.value,
        source="humaneval",
        solutions=(f"```python\n{program}\n```",) if program else (),
    )


def helpers(stub: str, entry_point: str) -> str:
    """What a stub defines besides the function asked for.

    The tests of three problems use such helpers, and a program that does not repeat them is not wrong.
    """
    try:
        statements = ast.parse(stub).body
    except SyntaxError as error:
        raise InputError(f"prompt: not a Python stub ({error.msg}, its line {error.lineno})") from None
    kept = [
        statement
        for statement in statements
        if not (isinstance(statement, ast.FunctionDef) and statement.name == entry_point)
        and not (isinstance(statement, ast.ImportFrom) and statement.module == "__future__")  # only valid on top
    ]
    return "".join(ast.unparse(statement) + "\n\n" for statement in kept)

"""HumanEval: {task_id, prompt, entry_point, canonical_solution, test}; the tests call `check(entry_point)`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from etalon.errors import InputError
from etalon.problems.cases import read_tests
from etalon.problems.formats.columns import text
from etalon.problems.formats.reading import Reading
from etalon.problems.syntax import parse
from etalon.types import Domain, Problem

COLUMNS = ("task_id", "prompt", "entry_point", "test")


def recognises(row: Mapping[str, Any]) -> bool:
    return "plus_input" in row or (all(column in row for column in COLUMNS) and "." not in str(row["entry_point"]))


def read(row: Mapping[str, Any], reading: Reading) -> Problem:
    if "plus_input" in row:  # beside them `test` has the base tests alone
        raise InputError(
            "plus_input: inputs without outputs, as in EvalPlus's releases; take evalplus/humanevalplus or "
            "evalplus/mbppplus of the hub, which have both in `test`"
        )
    stub, _ = text(row, "prompt"), text(row, "entry_point")
    solution = row.get("canonical_solution")
    program = f"{stub.rstrip()}\n{solution.rstrip()}" if isinstance(solution, str) and solution.strip() else ""
    return Problem(
        id=text(row, "task_id"),
        domain=Domain.CODE,
        prompt=reading.asked(stub, Domain.CODE),
        tests=_checks(row, reading),
        skill=Domain.CODE.value,
        source="humaneval",
        solutions=(f"```python\n{program}\n```",) if program else (),
    )


def _checks(row: Mapping[str, Any], reading: Reading) -> dict[str, Any]:
    text(row, "test")
    if reading.needs_question:
        try:
            parse(row["prompt"])
        except SyntaxError as error:
            raise InputError(f"prompt: not a Python stub ({error.msg}, its line {error.lineno})") from None
    return read_tests(row)

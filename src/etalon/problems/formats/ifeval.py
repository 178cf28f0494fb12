"""IFEval and IFBench: {key, prompt, instruction_id_list, kwargs}, one kwargs object per instruction.

IFBench rows carry every known argument with null in the unused ones: nulls are dropped.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from etalon.errors import InputError
from etalon.problems.formats.columns import row_id, text
from etalon.problems.rows import shown
from etalon.types import Domain, Problem, Rule


def recognises(row: Mapping[str, Any]) -> bool:
    return "prompt" in row and "instruction_id_list" in row


def read(row: Mapping[str, Any], prompts: str) -> Problem:
    ids, kwargs = row["instruction_id_list"], row.get("kwargs")
    if not isinstance(ids, list) or not ids or not all(isinstance(id_, str) for id_ in ids):
        raise InputError(f"instruction_id_list: found {shown(ids)}, expected a list of instruction ids")
    if not isinstance(kwargs, list) or len(kwargs) != len(ids):
        raise InputError(f"kwargs: found {shown(kwargs)}, expected a list of {len(ids)} objects, one per instruction")
    if not all(isinstance(arguments, dict) for arguments in kwargs):
        raise InputError(f"kwargs: found {shown(kwargs)}, expected a list of objects")
    key = row_id(row, "key")
    return Problem(
        id=f"if-{key}" if key else "",
        domain=Domain.INSTRUCT,
        prompt=text(row, "prompt"),
        rules=tuple(
            Rule(id=id_, kwargs={name: value for name, value in arguments.items() if value is not None})
            for id_, arguments in zip(ids, kwargs, strict=True)
        ),
        skill=Domain.INSTRUCT.value,
        source="ifeval",
    )

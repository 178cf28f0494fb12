"""IFEval and IFBench: {key, prompt, instruction_id_list, kwargs}, one kwargs object per instruction.

IFBench rows carry every known argument with null in the unused ones: nulls are dropped.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from etalon.problems.formats.columns import row_id, source_of, text
from etalon.problems.formats.reading import Reading
from etalon.problems.formats.references import rules
from etalon.types import Domain, Problem


def recognises(row: Mapping[str, Any]) -> bool:
    return "prompt" in row and "instruction_id_list" in row


def read(row: Mapping[str, Any], reading: Reading) -> Problem:
    key = row_id(row, "key")
    return Problem(
        id=f"if-{key}" if key else "",
        domain=Domain.INSTRUCT,
        prompt=text(row, "prompt"),
        rules=rules(row),
        skill=Domain.INSTRUCT.value,
        source=source_of(row) or "ifeval",
    )

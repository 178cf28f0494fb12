"""What several formats share: picking a column, JSON in a cell, and a gold of any JSON type as text."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from etalon.errors import InputError
from etalon.rows.bad import shown

QUESTIONS = ("problem", "question", "query")
ANSWERS = ("answer", "final_answer", "expected_answer")
# columns whose values are lists or objects; where a file has only text (CSV), they hold it as JSON
STRUCTURED = frozenset(
    {"options", "choices", "rules", "rubric", "instruction_id_list", "kwargs", "messages", "prompt", "reward_model"}
    | {"test_list", "solutions"}
)


def structured(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """The row with what stands as JSON text in columns of lists and objects as lists and objects."""
    if STRUCTURED.isdisjoint(row):
        return row
    texts = {name: value for name, value in row.items() if name in STRUCTURED and isinstance(value, str)}
    read = {name: _json(value) for name, value in texts.items() if value[:1] in ("[", "{")}
    if "prompt" in read and not _is_conversation(read["prompt"]):  # a prompt may begin with a bracket
        del read["prompt"]
    return {**row, **{name: value for name, value in read.items() if value is not None}} if read else row


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _is_conversation(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(message, dict) and "content" in message for message in value)


def first_of(row: Mapping[str, Any], names: Sequence[str]) -> str | None:
    """The first of the named columns that the row has a value in."""
    for name in names:
        if row.get(name) is not None:
            return name
    return None


def text(row: Mapping[str, Any], name: str) -> str:
    """A column that must hold text."""
    value = row.get(name)
    if not isinstance(value, str) or not value.strip():
        raise InputError(f"{name}: found {shown(value)}, expected text")
    return value


def gold(name: str, value: object) -> str:
    """A reference answer as text, exactly as written: "025" stays "025", 70 becomes "70"."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, float):  # 1e22 would not be read as a number by a LaTeX parser
        return format(Decimal(repr(value)), "f") if math.isfinite(value) else str(value)
    raise InputError(f"{name}: found {shown(value)}, expected a reference answer (text or a number)")


def row_id(row: Mapping[str, Any], *names: str) -> str:
    """The id a row states in one of these columns, "" when it has none."""
    name = first_of(row, names)
    if name is None:
        return ""
    return gold(name, row[name])


def labels(row: Mapping[str, Any]) -> tuple[str, int]:
    """(skill, level) as MATH-like sets state them: {subject: "Algebra", level: "Level 5" or 5}."""
    name = first_of(row, ("skill", "subject"))
    skill = row[name] if name else ""
    level = row.get("level")
    digits = level.removeprefix("Level ") if isinstance(level, str) else level
    is_number = isinstance(digits, int) or (isinstance(digits, str) and digits.isdecimal())
    return (skill.strip().lower() if isinstance(skill, str) else ""), int(digits) if is_number and digits else 0

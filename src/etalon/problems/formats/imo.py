"""IMO-AnswerBench: {Problem ID, Problem, Short Answer, Category, Subcategory, Source}, LaTeX in a CSV."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from etalon.problems.formats.columns import gold, row_id, text
from etalon.problems.formats.reading import Reading
from etalon.types import Domain, Problem


def recognises(row: Mapping[str, Any]) -> bool:
    return "Problem" in row and "Short Answer" in row


def read(row: Mapping[str, Any], reading: Reading) -> Problem:
    category = row.get("Category")
    return Problem(
        id=row_id(row, "Problem ID"),
        domain=Domain.MATH,
        prompt=reading.asked(text(row, "Problem").strip(), Domain.MATH),
        answer=gold("Short Answer", row["Short Answer"]),
        skill=category.strip().lower() if isinstance(category, str) and category.strip() else Domain.MATH.value,
        source="imo-answerbench",
    )

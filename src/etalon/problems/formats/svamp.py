"""SVAMP: {Body, Question, Answer, Equation, Type, ID}; one-step word problems, the answer a float: 145.0."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from etalon.problems.formats.columns import gold, row_id, text
from etalon.problems.formats.reading import Reading
from etalon.types import Domain, Problem


def recognises(row: Mapping[str, Any]) -> bool:
    return "Body" in row and "Question" in row and "Answer" in row


def read(row: Mapping[str, Any], reading: Reading) -> Problem:
    body, question = text(row, "Body").strip(), text(row, "Question").strip()
    answer = row["Answer"]
    if isinstance(answer, float) and answer.is_integer():
        answer = int(answer)
    whole = f"{body if body.endswith(('.', '!', '?', ',')) else f'{body}.'} {question}"
    kind = row.get("Type")
    skill = kind.strip().lower() if isinstance(kind, str) and kind.strip() else Domain.MATH.value
    return Problem(
        id=row_id(row, "ID"),
        domain=Domain.MATH,
        prompt=reading.asked(whole, Domain.MATH),
        answer=gold("Answer", answer),
        skill=skill,
        source="svamp",
    )

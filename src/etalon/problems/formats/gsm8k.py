"""GSM8K: {question, answer}, the answer being a rationale with <<48/2=24>> annotations and "#### 72" at its end."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from etalon.problems.formats.columns import IDS, row_id, source_of, text
from etalon.problems.formats.reading import BadReferenceError, Reading
from etalon.problems.golds import MARK
from etalon.rows.bad import shown
from etalon.types import Domain, Problem

ANNOTATION = re.compile(r"<<[^<>]*>>")  # written by GSM8K's calculator, not by its authors


def recognises(row: Mapping[str, Any]) -> bool:
    answer = row.get("answer")
    return "question" in row and isinstance(answer, str) and MARK in answer


def read(row: Mapping[str, Any], reading: Reading) -> Problem:
    rationale, _, last = text(row, "answer").rpartition(MARK)
    answer = last.strip().replace(",", "")
    if not answer:
        raise BadReferenceError(f"answer: found {shown(row['answer'])}, expected a final answer after '####'")
    rationale = ANNOTATION.sub("", rationale).strip()
    return Problem(
        id=row_id(row, *IDS),
        domain=Domain.MATH,
        prompt=reading.asked(text(row, "question"), Domain.MATH),
        answer=answer,
        skill=Domain.MATH.value,
        source=source_of(row) or "gsm8k",
        solutions=(response(rationale, answer),),
    )


def response(rationale: str, answer: str) -> str:
    """A rationale and its answer in the form our models answer in."""
    return f"<think>{rationale}</think>\n\\boxed{{{answer}}}"

"""GPQA: {Question, Correct Answer, Incorrect Answer 1..3, High-level domain, Record ID, ...}, a CSV with many more.

SciQ is like it: {question, correct_answer, distractor1..3}.

The right option has a column of its own, so the row has no order of options: it gets one from its content, and every
sample is shown another (problems/options.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from string import ascii_uppercase
from typing import Any

from etalon.errors import InputError
from etalon.problems.formats.columns import IDS, row_id, source_of, text
from etalon.problems.formats.reading import Reading
from etalon.types import Domain, Problem

RIGHT = "Correct Answer"
WRONG = ("Incorrect Answer 1", "Incorrect Answer 2", "Incorrect Answer 3")
IN_LOWER_CASE = ("question", "correct_answer", ("distractor1", "distractor2", "distractor3"))  # SciQ


def recognises(row: Mapping[str, Any]) -> bool:
    question, right, wrong = _names(row)
    return question in row and right in row and wrong[0] in row


def read(row: Mapping[str, Any], reading: Reading) -> Problem:
    question, right, wrong = _names(row)
    contents = [text(row, name).strip() for name in (right, *wrong)]
    if len(set(contents)) < len(contents):
        raise InputError(f"{right}, {', '.join(wrong)}: two of them are the same text")
    shown = dict(zip(ascii_uppercase, sorted(contents, key=_place), strict=False))
    lines = "\n".join(f"{letter}. {content}" for letter, content in shown.items())
    field = row.get("High-level domain")
    return Problem(
        id=row_id(row, "Record ID", *IDS),
        domain=Domain.STEM,
        prompt=reading.asked(f"{text(row, question).strip()}\n\n{lines}", Domain.STEM, has_options=True),
        answer=next(letter for letter, content in shown.items() if content == contents[0]),
        options=shown,
        shuffle=True,
        skill=field.strip().lower() if isinstance(field, str) and field.strip() else Domain.STEM.value,
        source="gpqa" if right == RIGHT else source_of(row),
    )


def _names(row: Mapping[str, Any]) -> tuple[str, str, tuple[str, ...]]:
    """The columns of the question, of the right option and of the others."""
    return IN_LOWER_CASE if IN_LOWER_CASE[1] in row else ("Question", RIGHT, WRONG)


def _place(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()

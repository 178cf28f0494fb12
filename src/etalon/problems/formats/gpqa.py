"""GPQA: {Question, Correct Answer, Incorrect Answer 1..3, High-level domain, Record ID, ...}, a CSV with many more.

The right option has a column of its own, so the row has no order of options: it gets one from its content, and every
sample is shown another (problems/options.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from string import ascii_uppercase
from typing import Any

from etalon.errors import InputError
from etalon.problems.formats.columns import row_id, text
from etalon.problems.formats.reading import Reading
from etalon.types import Domain, Problem

RIGHT = "Correct Answer"
WRONG = ("Incorrect Answer 1", "Incorrect Answer 2", "Incorrect Answer 3")


def recognises(row: Mapping[str, Any]) -> bool:
    return "Question" in row and RIGHT in row and WRONG[0] in row


def read(row: Mapping[str, Any], reading: Reading) -> Problem:
    contents = [text(row, name).strip() for name in (RIGHT, *WRONG)]
    if len(set(contents)) < len(contents):
        raise InputError(f"{RIGHT}, {', '.join(WRONG)}: two of them are the same text")
    shown = dict(zip(ascii_uppercase, sorted(contents, key=_place), strict=False))
    lines = "\n".join(f"{letter}. {content}" for letter, content in shown.items())
    field = row.get("High-level domain")
    return Problem(
        id=row_id(row, "Record ID"),
        domain=Domain.STEM,
        prompt=reading.asked(f"{text(row, 'Question').strip()}\n\n{lines}", Domain.STEM, has_options=True),
        answer=next(letter for letter, content in shown.items() if content == contents[0]),
        options=shown,
        shuffle=True,
        skill=field.strip().lower() if isinstance(field, str) and field.strip() else Domain.STEM.value,
        source="gpqa",
    )


def _place(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()

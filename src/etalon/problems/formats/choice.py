"""Multiple choice: {question, options | choices, answer}; options are lettered A, B, ... in the order of the row.

Options may be a list (MMLU), of texts or of objects, an object of label to content, {text: [...], label: [...]} (ARC),
or lines of one text; what only fills a table ("N/A") is none. The answer may be a label, the content of an option, or
an integer: the option's position, counted from 0. A column of its own for the letter decides (SuperGPQA).
Every sample is shown them in an order of its own (problems/options.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from etalon.errors import InputError
from etalon.problems.formats.columns import (
    IDS,
    OPTIONS,
    QUESTIONS,
    about,
    first_of,
    labels,
    passage_of,
    reference_of,
    row_id,
    source_of,
    text,
)
from etalon.problems.formats.reading import BadReferenceError, Reading
from etalon.problems.formats.references import options, stated_letter
from etalon.problems.options import listed_options
from etalon.rows.bad import shown
from etalon.rows.mapping import missing
from etalon.types import Domain, Problem

FIELDS = ("discipline", "category", "subfield", "field")  # of SuperGPQA and MMLU-Pro, the widest first


def recognises(row: Mapping[str, Any]) -> bool:
    column = first_of(row, OPTIONS)
    value = row[column] if column else None
    has_options = isinstance(value, list | dict) or (isinstance(value, str) and len(listed_options(value)) > 1)
    return has_options and first_of(row, QUESTIONS) is not None


def read(row: Mapping[str, Any], reading: Reading) -> Problem:
    question = first_of(row, QUESTIONS)
    assert question is not None
    found = options(row, relabel=True)
    if found is None or len(found.shown) < 2:
        raise InputError(
            f"options: found {shown(row.get('options', row.get('choices')))}, expected between 2 and 26 texts"
        )
    _, answer = reference_of(row) or ("", None)
    letter = stated_letter(row, found) or (None if answer is None else found.letter(answer))
    if letter is None and reading.needs_reference:
        raise missing(row, "answer")
    if letter is not None and reading.needs_question and not found.is_named_by(letter):
        raise BadReferenceError(f"answer: found {shown(answer)}, expected one of {', '.join(found.shown)}")
    asked = about(text(row, question), passage_of(row))
    lines = "\n".join(f"{letter}. {content}" for letter, content in found.shown.items())
    skill, level = labels(row)
    field = first_of(row, FIELDS)
    return Problem(
        id=row_id(row, *IDS),
        domain=Domain.STEM,
        prompt=reading.asked(f"{asked}\n\n{lines}", Domain.STEM, has_options=True),
        answer=letter,
        options=found.shown,
        shuffle=True,
        skill=skill or (str(row[field]).strip().lower() if field else "") or Domain.STEM.value,
        level=level,
        source=source_of(row),
    )

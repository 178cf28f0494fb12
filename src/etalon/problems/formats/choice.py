"""Multiple choice: {question, options | choices, answer}; options are lettered A, B, ... in the order of the row.

Options may be a list (MMLU), an object of label to content, or {text: [...], label: [...]} (ARC). The answer may be
a label, the content of an option, or an integer: the option's position, counted from 0.
Every sample is shown them in an order of its own (problems/options.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from etalon.errors import InputError
from etalon.problems.formats.columns import IDS, QUESTIONS, first_of, labels, reference_of, row_id, source_of, text
from etalon.problems.formats.reading import Reading
from etalon.problems.formats.references import options
from etalon.rows.bad import shown
from etalon.rows.mapping import missing
from etalon.types import Domain, Problem


def recognises(row: Mapping[str, Any]) -> bool:
    has_options = isinstance(row.get("options"), list | dict) or isinstance(row.get("choices"), list | dict)
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
    if answer is None and reading.needs_reference:
        raise missing(row, "answer")
    lines = "\n".join(f"{letter}. {content}" for letter, content in found.shown.items())
    skill, level = labels(row)
    return Problem(
        id=row_id(row, *IDS),
        domain=Domain.STEM,
        prompt=reading.asked(f"{text(row, question).strip()}\n\n{lines}", Domain.STEM, has_options=True),
        answer=None if answer is None else found.letter(answer),
        options=found.shown,
        shuffle=True,
        skill=skill or Domain.STEM.value,
        level=level,
        source=source_of(row),
    )

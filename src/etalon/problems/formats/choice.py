"""Multiple choice: {question, options | choices, answer}; options are lettered A, B, ... in the order of the row.

Options may be a list (MMLU), an object of label to content, or {text: [...], label: [...]} (ARC). The answer may be
a label, the content of an option, or an integer: the option's position, counted from 0.
Every sample is shown them in an order of its own (problems/options.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from string import ascii_uppercase
from typing import Any

from etalon.errors import InputError
from etalon.problems.formats.columns import QUESTIONS, first_of, labels, row_id, text
from etalon.problems.instructions import with_instruction
from etalon.problems.rows import shown
from etalon.types import Domain, Problem


def recognises(row: Mapping[str, Any]) -> bool:
    has_options = any(isinstance(row.get(name), list | dict) for name in ("options", "choices"))
    return has_options and first_of(row, QUESTIONS) is not None


def read(row: Mapping[str, Any], prompts: str) -> Problem:
    question = first_of(row, QUESTIONS)
    assert question is not None
    names, contents = _options(row)
    options = dict(zip(ascii_uppercase, contents, strict=False))
    lines = "\n".join(f"{letter}. {content}" for letter, content in options.items())
    skill, level = labels(row)
    return Problem(
        id=row_id(row, "id", "unique_id", "uuid"),
        domain=Domain.STEM,
        prompt=with_instruction(
            f"{text(row, question).strip()}\n\n{lines}", Domain.STEM, has_options=True, prompts=prompts
        ),
        answer=ascii_uppercase[_position(row.get("answer"), names, contents)],
        options=options,
        shuffle=True,
        skill=skill or Domain.STEM.value,
        level=level,
        source=str(row.get("source") or ""),
    )


def _options(row: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """(labels, contents) of the options; labels are letters when the row gives none."""
    column = "options" if row.get("options") is not None else "choices"
    value = row[column]
    names: list[Any] | None = None
    contents = value
    if isinstance(value, dict):
        is_arc = isinstance(value.get("text"), list) and isinstance(value.get("label"), list)
        present = {name: content for name, content in value.items() if content is not None}
        names, contents = (value["label"], value["text"]) if is_arc else (list(present), list(present.values()))
    if not 2 <= len(contents) <= len(ascii_uppercase) or not all(isinstance(content, str) for content in contents):
        raise InputError(f"{column}: found {shown(value)}, expected between 2 and 26 texts")
    names = list(ascii_uppercase[: len(contents)]) if names is None else [str(name) for name in names]
    if len(names) != len(contents):
        raise InputError(f"{column}: found {len(names)} labels for {len(contents)} options")
    return names, [content.strip() for content in contents]


def _position(answer: object, names: list[str], contents: list[str]) -> int:
    """Where the right option stands."""
    expected = f"expected one of {', '.join(names)}, an option's content, or its position from 0"
    if isinstance(answer, int) and not isinstance(answer, bool) and 0 <= answer < len(names):
        return answer
    if not isinstance(answer, str):
        raise InputError(f"answer: found {shown(answer)}, {expected}")
    wanted = answer.strip()
    by_name = [index for index, name in enumerate(names) if name == wanted]
    by_content = [index for index, content in enumerate(contents) if content == wanted]
    positions = sorted({*by_name, *by_content})
    if len(positions) != 1:
        problem = "is ambiguous (a label and a content, or two contents)" if positions else "is no option"
        raise InputError(f"answer: found {shown(answer)}, which {problem}; {expected}")
    return positions[0]

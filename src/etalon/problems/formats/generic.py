"""A question column and an answer column, whatever they are called: math, unless `domain` names another.

A `solution` column (MATH, NuminaMath) becomes a reference response.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from etalon.problems.formats import gsm8k
from etalon.problems.formats.columns import ANSWERS, QUESTIONS, first_of, gold, labels, row_id, text
from etalon.problems.instructions import with_instruction
from etalon.types import Domain, Problem

ANSWERED = (Domain.MATH, Domain.STEM, Domain.FACTS)  # the domains that a question and an answer describe


def recognises(row: Mapping[str, Any]) -> bool:
    return first_of(row, QUESTIONS) is not None and any(name in row for name in ANSWERS)


def read(row: Mapping[str, Any], prompts: str) -> Problem:
    question = first_of(row, QUESTIONS)
    assert question is not None
    name = first_of(row, ANSWERS) or next(name for name in ANSWERS if name in row)
    answer = gold(name, row[name])
    # Data sets use `domain` for anything ("Mathematics -> Algebra"): only our own names decide
    domain = next((domain for domain in ANSWERED if domain.value == row.get("domain")), Domain.MATH)
    solution = row.get("solution")
    skill, level = labels(row)
    return Problem(
        id=row_id(row, "id", "unique_id", "uuid"),
        domain=domain,
        prompt=with_instruction(text(row, question), domain, prompts=prompts),
        answer=answer,
        skill=skill or domain.value,
        level=level,
        source=str(row.get("source") or ""),
        solutions=(gsm8k.response(solution.strip(), answer),) if isinstance(solution, str) and solution.strip() else (),
    )

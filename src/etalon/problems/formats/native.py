"""Our own rows: the fields of Problem. The prompt is complete as it stands: no instruction is added.

Options are shuffled for every sample where the prompt lists them, unless the row says `"shuffle": false`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from etalon.errors import InputError
from etalon.problems.options import can_shuffle
from etalon.problems.rows import problem_from_row
from etalon.types import Domain, Problem

# What decides a problem of each domain; a row without it cannot be checked.
REFERENCES = {
    Domain.MATH: "answer",
    Domain.STEM: "answer",
    Domain.CODE: "tests",
    Domain.INSTRUCT: "rules",
    Domain.CLAIMS: "answer",
    Domain.FACTS: "answer",
}


def recognises(row: Mapping[str, Any]) -> bool:
    return "domain" in row and isinstance(row.get("prompt"), str)


def read(row: Mapping[str, Any], prompts: str) -> Problem:
    problem = problem_from_row(row)
    reference = REFERENCES[problem.domain]
    if problem.rubric and problem.domain is not Domain.INSTRUCT:
        raise InputError(f"rubric: a problem of domain {problem.domain} is not judged by one; use domain instruct")
    if not problem.rubric and not getattr(problem, reference):
        raise InputError(f"{reference}: missing or empty, a problem of domain {problem.domain} is checked by it")
    if problem.options is not None and problem.answer not in problem.options:
        raise InputError(f"answer: found {problem.answer!r}, expected one of {', '.join(problem.options)}")
    if problem.options is not None and row.get("shuffle") is None:
        problem = replace(problem, shuffle=can_shuffle(problem))
    elif problem.shuffle and not can_shuffle(problem):
        raise InputError("shuffle: found true, but the prompt does not list the options, or one names another's letter")
    return replace(problem, skill=problem.skill or problem.domain.value)

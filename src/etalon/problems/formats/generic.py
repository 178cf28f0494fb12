"""A row that is in no format of its own: a question, whatever its column is called, and what its domain is decided by.

math, facts, claims   an answer; a `solution` column (MATH, NuminaMath) becomes a reference response, and where there is
                      no answer its last box is one
stem                  an answer, and options if there are any
code                  tests, in their column or in columns of the field
instruct              rules, or a rubric

The domain is the row's own, else what its columns say, else that of whoever reads. A response that is there already is
verified without a question; a reward of the user's own needs no reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from etalon.errors import InputError, LeftOutError
from etalon.problems.cases import has_tests
from etalon.problems.formats import gsm8k
from etalon.problems.formats.columns import (
    IDS,
    QUESTIONS,
    SOLUTIONS,
    STATED,
    about,
    first_of,
    gold,
    is_of_programs,
    kind_of,
    labels,
    passage_of,
    reference_of,
    row_id,
    source_of,
)
from etalon.problems.formats.foreign.programs import asks_for_code, task_in
from etalon.problems.formats.reading import Reading
from etalon.problems.formats.references import Options, hidden, options, rules, tests
from etalon.problems.golds import MARK, final_reference, is_sentinel, last_boxed
from etalon.problems.options import can_shuffle
from etalon.problems.rows import read_rubric
from etalon.problems.texts import CONVERSATIONS, TASKS, said, task_of
from etalon.rows.bad import shown
from etalon.rows.mapping import missing
from etalon.types import Domain, Problem

FREE = (*QUESTIONS, "prompt", *CONVERSATIONS, *TASKS)  # columns of a question, the plainest first
SHORT_WORDS = 3  # (ours) of a solution that is nothing but an answer
DOMAINS = {domain.value: domain for domain in Domain}
# columns that tell a domain, beside those of `cases`; the first that is there
IMPLIED = (
    ("tests", Domain.CODE),
    ("rules", Domain.INSTRUCT),
    ("instruction_id_list", Domain.INSTRUCT),
    ("rubric", Domain.INSTRUCT),
)


def recognises(row: Mapping[str, Any]) -> bool:
    return first_of(row, FREE) is not None


def read(row: Mapping[str, Any], reading: Reading) -> Problem:
    """The problem of any row that says enough; InputError with the columns found and the --map that would do."""
    question = _question(row, reading)
    if question is None and reading.needs_question:
        raise missing(row, "question", *(["answer"] if reference_of(row) is None else []))
    solution = row.get(first_of(row, SOLUTIONS) or "")
    domain = _domain(row, reading, question=question)
    is_answered = domain not in (Domain.CODE, Domain.INSTRUCT)
    name, value = _answer(row) or ("", None)
    found = options(row) if domain is Domain.STEM else None
    if found is None and question and _is_choice(row) and not _states(row, reading):
        found = hidden(question, value, is_choice=True)
        domain = Domain.STEM if found else domain
    answer = None
    if is_answered and value is not None:
        answer = found.letter(value) if found else gold(name, value)
    skill, level = labels(row)
    problem = Problem(
        id=row_id(row, *IDS),
        domain=domain,
        prompt="" if question is None else _prompt(question, domain, found, reading),
        answer=answer,
        options=found.shown if found else None,
        tests=tests(row) if domain is Domain.CODE else None,
        rules=() if is_answered else rules(row),
        rubric=() if is_answered else read_rubric(row),
        skill=skill or domain.value,
        level=level,
        source=source_of(row),
        solutions=_solutions(solution, answer) if is_answered else (),
    )
    if reading.needs_reference and (field := lacks(problem)):
        raise missing(row, field)
    return replace(problem, shuffle=True) if found and can_shuffle(problem) else problem


def _solutions(solution: Any, answer: str | None) -> tuple[str, ...]:
    if not isinstance(solution, str) or solution.strip() in ("", answer) or answer is None:
        return ()
    return (gsm8k.response(solution.strip(), answer),)


def lacks(problem: Problem) -> str:
    """The field without which nothing decides a problem, "" when it is there."""
    if problem.domain is Domain.CODE:
        return "" if problem.tests else "tests"
    if problem.domain is Domain.INSTRUCT:
        return "" if problem.rules or problem.rubric else "rules"
    return "answer" if problem.answer is None else ""


def _question(row: Mapping[str, Any], reading: Reading) -> str | None:
    """The first of the columns, as text: a conversation's users say it. None without one that is needed."""
    name = first_of(row, FREE)
    if name is None:
        return None
    found = task_of(row) if name in TASKS else said(row[name], "user")
    if not reading.needs_question:
        return found
    if found is None or not found.strip():
        raise InputError(f"{name}: found {shown(row[name])}, expected text")
    if is_sentinel(found) or not found.strip(" -"):  # OpenCodeReasoning: the question stands in another set
        raise LeftOutError(f"{name}: found {shown(found)}, which asks nothing")
    return about(found, passage_of(row)) if name in QUESTIONS else found


def _domain(row: Mapping[str, Any], reading: Reading, *, question: str | None) -> Domain:
    """Data sets use `domain` for anything ("Mathematics -> Algebra"): beside a question only our own names decide."""
    own = row.get("domain")
    if isinstance(own, str) and own in DOMAINS:
        return DOMAINS[own]
    if question is None and own:
        raise InputError(f"domain: found {shown(own)}, expected one of {', '.join(Domain)}")
    if reading.domain is not None:
        return reading.domain
    answered = Domain.STEM if first_of(row, ("options", "choices")) else Domain.MATH
    if (kind := kind_of(row)) is Domain.STEM and answered is Domain.MATH:
        answered = kind
    if first_of(row, STATED):
        return answered
    if implied := next((domain for name, domain in IMPLIED if row.get(name)), None):
        return implied
    if has_tests(row):
        return Domain.CODE
    if kind is not Domain.STEM and reference_of(row) is None and (kind is Domain.CODE or is_of_programs(row)):
        return Domain.CODE
    if _answer(row):
        return answered
    if reading.needs_reference:
        return Domain.MATH
    return kind or (Domain.CODE if question and asks_for_code(question) else reading.alone)


def _states(row: Mapping[str, Any], reading: Reading) -> bool:
    """Whether somebody says which domain the row is of."""
    own = row.get("domain")
    return reading.domain is not None or (isinstance(own, str) and own in DOMAINS)


def _is_choice(row: Mapping[str, Any]) -> bool:
    kind = row.get("question_type")
    return isinstance(kind, str) and kind.strip().lower() in ("mcq", "multiple choice", "multiple-choice")


def _answer(row: Mapping[str, Any]) -> tuple[str, Any] | None:
    """The column of the reference and its value; where no column holds one, what a solution ends in, or all of it."""
    if found := reference_of(row):
        return found
    column = first_of(row, SOLUTIONS) or ""
    solution = row.get(column)
    if not isinstance(solution, str) or is_sentinel(solution):
        return None if not isinstance(solution, int | float) else (column, solution)
    ends = final_reference(solution) or ""
    is_all = len(ends.split(maxsplit=SHORT_WORDS)) <= SHORT_WORDS and not ends.endswith(".")
    answer = last_boxed(solution) or (ends if MARK in solution or ends != solution.strip() or is_all else "")
    return (column, answer) if answer else None


def _prompt(question: str, domain: Domain, found: Options | None, reading: Reading) -> str:
    """The question with the options, unless it lists them, and how to answer."""
    if found is None:
        return reading.asked(task_in(question).question if domain is Domain.CODE else question, domain)
    if not all(content in question for content in found.shown.values()):
        question += "\n\n" + "\n".join(f"{letter}. {content}" for letter, content in found.shown.items())
    return reading.asked(question, domain, has_options=True)


__all__ = ["lacks", "read", "recognises"]

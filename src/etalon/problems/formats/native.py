"""Our own rows: the fields of Problem. The prompt is complete as it stands: no instruction is added.

Options are shuffled for every sample where the prompt lists them, unless the row says `"shuffle": false`. Columns that
are no fields of ours are left alone, unless one looks like a field that is misspelt.
"""

from __future__ import annotations

import difflib
import functools
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from etalon.errors import InputError
from etalon.problems.formats.columns import ANSWERS, STATED, gold, reference_of, row_id
from etalon.problems.formats.generic import lacks
from etalon.problems.formats.reading import Reading
from etalon.problems.formats.references import options, rules, tests
from etalon.problems.options import can_shuffle
from etalon.problems.rows import FIELDS, problem_from_row, read_rubric
from etalon.rows.mapping import missing
from etalon.types import Domain, Problem

REFERENCES = ("answer", "options", "tests", "rules", "rubric")
OWN = tuple(domain.value for domain in Domain)
SPELT = (*REFERENCES, "solutions", "shuffle")  # what a column with nearly this name is taken for
BESIDE = (*FIELDS, *ANSWERS, "test", "solution")  # names that mean something else


def recognises(row: Mapping[str, Any]) -> bool:
    domain = row.get("domain")
    is_ours = isinstance(domain, str) and (domain in OWN or difflib.get_close_matches(domain.lower(), OWN, cutoff=0.75))
    return bool(is_ours) and isinstance(row.get("prompt"), str)


def read(row: Mapping[str, Any], reading: Reading) -> Problem:
    for name in row:
        if (meant := misspelt(name)) and row.get(meant) is None:
            raise InputError(f"{name}: unknown column; did you mean {meant!r}?")
    own = {name: row[name] for name in FIELDS if name not in REFERENCES and row.get(name) is not None}
    problem = problem_from_row({**own, "id": row_id(row, "id")})
    problem = _with_references(problem, row)
    if problem.rubric and problem.domain is not Domain.INSTRUCT:
        raise InputError(f"rubric: a problem of domain {problem.domain} is not judged by one; use domain instruct")
    if reading.needs_reference and (field := lacks(problem)):
        raise missing(row, field)
    if problem.options is not None and row.get("shuffle") is None:
        problem = replace(problem, shuffle=can_shuffle(problem))
    elif problem.shuffle and not can_shuffle(problem):
        raise InputError("shuffle: found true, but the prompt does not list the options, or one names another's letter")
    return replace(problem, skill=problem.skill or problem.domain.value)


def _with_references(problem: Problem, row: Mapping[str, Any]) -> Problem:
    """Whatever references the row has; most domains look at one of them only."""
    is_answered = problem.domain not in (Domain.CODE, Domain.INSTRUCT)
    name, value = reference_of(row, ANSWERS if is_answered else STATED) or ("", None)
    found = options(row)
    answer = found.letter(value) if found and value is not None else value
    if name and not isinstance(answer, str):
        answer = gold(name, value)
    return replace(
        problem,
        answer=answer,
        options=found.shown if found else None,
        tests=tests(row),
        rules=rules(row),
        rubric=read_rubric(row),
    )


@functools.lru_cache(maxsize=256)
def misspelt(name: str) -> str:
    """The field that a column's name was to be, "" when it is one, or is nothing like one."""
    close = [] if name in BESIDE else difflib.get_close_matches(name, SPELT, n=1, cutoff=0.85)
    return close[0] if close else ""

"""Our own row format: the fields of `Problem` as one JSON object, written and read without loss."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any

from etalon.errors import InputError
from etalon.rows.bad import shown
from etalon.types import Criterion, Domain, Problem, Rule

Row = Mapping[str, Any]

CANONICAL = json.JSONEncoder(sort_keys=True, ensure_ascii=True)

FIELDS = tuple(field.name for field in fields(Problem))


def problem_to_row(problem: Problem) -> dict[str, Any]:
    """The problem as JSON values; fields at their default are left out."""
    row: dict[str, Any] = {"id": problem.id, "domain": problem.domain.value, "prompt": problem.prompt}
    if problem.answer is not None:
        row["answer"] = problem.answer
    if problem.options is not None:
        row["options"] = dict(problem.options)
        row["shuffle"] = problem.shuffle
    if problem.tests is not None:
        row["tests"] = dict(problem.tests)
    if problem.rules:
        row["rules"] = [{"id": rule.id, "kwargs": dict(rule.kwargs)} for rule in problem.rules]
    if problem.rubric:
        row["rubric"] = [{"criterion": one.text, "weight": one.weight} for one in problem.rubric]
    for name, value in (("skill", problem.skill), ("level", problem.level), ("source", problem.source)):
        if value:
            row[name] = value
    if problem.solutions:
        row["solutions"] = list(problem.solutions)
    if problem.date:
        row["date"] = problem.date
    return row


def problem_from_row(row: Row) -> Problem:
    """The problem a row describes; InputError names the column that is unknown, missing or of a wrong type."""
    unknown = sorted(set(row) - set(FIELDS))
    if unknown:
        raise InputError(f"{unknown[0]}: unknown column; a native row has {', '.join(FIELDS)}")
    options = _typed(row, "options", dict, "an object of letter to content")
    if options is not None and not all(isinstance(v, str) for pair in options.items() for v in pair):
        raise InputError("options: found a value that is not text, expected an object of letter to content")
    solutions = _typed(row, "solutions", list, "a list of texts") or []
    if not all(isinstance(solution, str) for solution in solutions):
        raise InputError("solutions: found a value that is not text, expected a list of texts")
    return Problem(
        id=_typed(row, "id", str, "text") or "",
        domain=_domain(row),
        prompt=_required(row, "prompt"),
        answer=_typed(row, "answer", str, "text"),
        options=options,
        shuffle=_typed(row, "shuffle", bool, "true or false") or False,
        tests=_typed(row, "tests", dict, "an object"),
        rules=tuple(_rule(rule) for rule in _typed(row, "rules", list, "a list of {id, kwargs}") or []),
        rubric=read_rubric(row),
        skill=_typed(row, "skill", str, "text") or "",
        level=_typed(row, "level", int, "an integer") or 0,
        source=_typed(row, "source", str, "text") or "",
        solutions=tuple(solutions),
        date=_date(row),
    )


def content_id(problem: Problem) -> str:
    """An id made of the problem's content: the same in every file and on every machine."""
    row = problem_to_row(problem)
    del row["id"]
    row.pop("shuffle", None)  # how a problem is asked, not what it is
    row.pop("date", None)
    return hashlib.sha256(CANONICAL.encode(row).encode()).hexdigest()[:16]


def _domain(row: Row) -> Domain:
    name = _required(row, "domain")
    try:
        return Domain(name)
    except ValueError:
        raise InputError(f"domain: found {shown(name)}, expected one of {', '.join(Domain)}") from None


def _date(row: Row) -> str:
    text: str = _typed(row, "date", str, "an ISO date") or ""
    try:
        _ = text and datetime.fromisoformat(text)
    except ValueError:
        raise InputError(f"date: found {shown(text)}, expected an ISO date such as 2025-02-01") from None
    return text


def _required(row: Row, name: str) -> str:
    value: str | None = _typed(row, name, str, "text")
    if not value:
        raise InputError(f"{name}: missing or empty, expected text")
    return value


def _typed(row: Row, name: str, kind: type, expected: str) -> Any:
    """The value of an optional column (None when absent), or InputError when it has another type."""
    value = row.get(name)
    if value is None or (isinstance(value, kind) and isinstance(value, bool) == (kind is bool)):
        return value
    raise InputError(f"{name}: found {shown(value)}, expected {expected}")


def read_rubric(row: Row) -> tuple[Criterion, ...]:
    """The criteria of a row, `rubric: [{criterion, weight}]`; a weight is 1 where none is said, below 0 it costs."""
    return tuple(_criterion(one) for one in _typed(row, "rubric", list, "a list of {criterion, weight}") or [])


def _criterion(one: object) -> Criterion:
    if not isinstance(one, dict) or set(one) - {"criterion", "weight"}:
        raise InputError(f"rubric: found {shown(one)}, expected {{criterion, weight}}")
    text, weight = one.get("criterion"), one.get("weight", 1.0)
    if not isinstance(text, str) or not text.strip():
        raise InputError(f"rubric: criterion: found {shown(text)}, expected text")
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not math.isfinite(weight) or not weight:
        raise InputError(f"rubric: weight: found {shown(weight)}, expected a number other than 0")
    return Criterion(text=text.strip(), weight=float(weight))


def _rule(rule: object) -> Rule:
    if not isinstance(rule, dict) or not isinstance(rule.get("id"), str) or set(rule) - {"id", "kwargs"}:
        raise InputError(f"rules: found {shown(rule)}, expected {{id, kwargs}}")
    kwargs = rule.get("kwargs") or {}
    if not isinstance(kwargs, dict):
        raise InputError(f"rules: {rule['id']}: kwargs: found {shown(kwargs)}, expected an object")
    return Rule(id=rule["id"], kwargs=kwargs)

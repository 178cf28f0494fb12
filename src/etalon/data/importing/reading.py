"""One row of a file as a record, or why it is none.

Read     the record, and the format that its row is in
Dropped  the row can be read and is no problem to learn from: a proof, an answer that is none
Unread   it cannot be read: no JSON, no UTF-8, a list where a text is expected
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from etalon.data.records import OPEN, Record, read_record, record_to_row
from etalon.errors import InputError
from etalon.problems.cases import BadRowError
from etalon.problems.formats import BadReferenceError, LeftOutError, Reading
from etalon.problems.formats.columns import STATED
from etalon.problems.formats.generic import FREE
from etalon.problems.formats.references import doubt
from etalon.rows.files import Row
from etalon.rows.mapping import AS_NAMED, ColumnMap

_NAMED = re.compile(r"([A-Za-z_][\w.]*)(?:, [\w.]+)*: ")  # the column that a message begins with
_NO_NUMBERS = ("nan", "inf", "-inf")  # floats that JSON has no way to write


@dataclass(frozen=True, kw_only=True)
class Read:
    """format: the name of the format that the row was read in."""

    format: str
    record: Record


@dataclass(frozen=True, kw_only=True)
class Dropped:
    """text: what an example of the reason shows."""

    reason: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Unread:
    """column: "" where the row as a whole is at fault."""

    column: str
    reason: str


def read(row: Row, *, columns: ColumnMap = AS_NAMED, reading: Reading = OPEN) -> Read | Dropped | Unread:
    """What a row of a file is. It never raises: whatever a row holds, the rows behind it count, too."""
    if row.columns is None:
        return Unread(column="", reason=row.why)
    named = columns.apply(row.columns)
    try:
        format_, record = read_record(named, reading)
        why = doubt(record.problem)
    except InputError as error:
        found = _unread(str(error))
        return Dropped(reason=str(error), text=text_of(named)) if _is_no_problem(error, found, named) else found
    except RecursionError:
        return Unread(column="", reason="nested too deep")
    except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError) as error:
        # a value of a kind that a reader did not reckon with must not stop a file of a million rows
        return Unread(column="", reason=f"cannot be read ({type(error).__name__}: {str(error)[:100]})")
    answer = record.problem.answer
    if answer is not None and answer.lower() in _NO_NUMBERS and (name := not_a_number(row.columns)):
        return Unread(column=name, reason=f"{name}: found {answer}, expected an answer")
    if why:
        return Dropped(reason=why, text=record.problem.prompt)
    if name := not_a_number(record_to_row(record)):
        return Unread(column=name, reason=f"{name}: holds NaN or Infinity, which JSON has no way to write")
    return Read(format=format_.name, record=record)


def _is_no_problem(error: InputError, found: Unread, columns: Mapping[str, Any]) -> bool:
    """Whether a row can be read and lacks only what decides it: a reference, tests, rules that can be used.

    An answer of a wrong type is none of these: somebody who maps the columns wrongly must hear of it.
    """
    if isinstance(error, LeftOutError | BadReferenceError | BadRowError):
        return True
    if found.column.partition(".")[0] in (*STATED, *FREE):
        return False
    alone = {name: columns[name] for name in FREE if name in columns}
    try:
        return bool(alone) and bool(read_record(alone))
    except (InputError, RecursionError):
        return False


def not_a_number(columns: Mapping[str, Any]) -> str:
    """The first column that holds NaN or Infinity, "" where none does."""
    return next((name for name, value in columns.items() if _has_none(value)), "")


def _has_none(value: Any) -> bool:
    if isinstance(value, float):
        return not math.isfinite(value)
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return any(map(_has_none, inner))


def _unread(message: str) -> Unread:
    named = _NAMED.match(message)
    return Unread(column=named[1] if named else "", reason=message)


def text_of(columns: Mapping[str, Any]) -> str:
    """What an example of a row shows: its longest text among the columns."""
    return max((value for value in columns.values() if isinstance(value, str)), key=len, default="")

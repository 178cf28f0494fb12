"""Read problems from a file in one of the field's formats, recognised by its columns.

file -> Row (rows.files) -> --map -> format of the first row -> Problem -> exact copies merged, ids checked
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from etalon.errors import InputError
from etalon.problems.formats import Format, Reading, read_row
from etalon.problems.formats.references import doubt
from etalon.problems.rows import content_id
from etalon.rows.bad import MAX_BAD, BadRows, shown
from etalon.rows.files import Row, read_rows
from etalon.rows.mapping import AS_NAMED, ColumnMap
from etalon.types import Problem

LOG = logging.getLogger(__name__)


def read_problems(
    path: Path,
    *,
    prompts: str = "default",
    columns: ColumnMap = AS_NAMED,
    max_bad: float = MAX_BAD,
    needs_reference: bool = True,
    reading: Reading | None = None,
    wanted: Callable[[Mapping[str, Any]], bool] | None = None,
) -> list[Problem]:
    """All problems of a file, in its order; InputError names the file, the line, the column and what would do.

    Args:
        prompts: folder of prompt files whose math.txt, code.txt and stem.txt say how to answer.
        columns: other names of its columns.
        max_bad: share of rows that may be left out because they cannot be read.
        needs_reference: False where a reward of the user's own decides, so that a question is enough.
        reading: all that is asked of a row, in place of `prompts` and `needs_reference`.
        wanted: which rows to read, by their columns; of the others no tests are unpacked.
    """
    reading = reading or Reading(prompts=prompts, needs_reference=needs_reference)
    bad = BadRows(str(path), max_bad)
    found = _Collected(path)
    for row in read_rows(path):
        if row.is_blank:
            continue
        if wanted and row.columns is not None and not wanted(columns.apply(row.columns)):
            bad.count(row.place)
            continue
        try:
            found.add(row.place, *_read(row, columns, reading))
        except (InputError, RecursionError) as error:
            bad.count(row.place, str(error) or "nested too deep")
        else:
            bad.count(row.place)
    bad.check()
    bad.warn()
    if not bad.rows:
        raise InputError(f"{path}: has no rows")
    found.warn()
    return list(found)


def _read(row: Row, columns: ColumnMap, reading: Reading) -> tuple[Format, Problem]:
    if row.columns is None:
        raise InputError(row.why)
    format_, problem = read_row(columns.apply(row.columns), reading)
    if reading.needs_reference and (why := doubt(problem)):
        raise InputError(why)
    return format_, problem if problem.id else replace(problem, id=content_id(problem))


class _Collected:
    """Problems by id: exact copies count once (DAPO-Math repeats each of its 17k problems 100 times)."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._format: Format | None = None
        self._by_id: dict[str, tuple[str, Problem]] = {}
        self._num_copies = 0

    def __iter__(self) -> Iterator[Problem]:
        return (problem for _, problem in self._by_id.values())

    def add(self, place: str, format_: Format, problem: Problem) -> None:
        """One more; InputError for another format than the first row's, and for an id that names another problem."""
        self._format = self._format or format_
        if format_ is not self._format and not (format_.is_mixed and self._format.is_mixed):
            raise InputError(
                f"a {format_.name} row in a file that began as {self._format.name}; put each format in its own file"
            )
        first_place, first = self._by_id.setdefault(problem.id, (place, problem))
        if first != problem:
            raise InputError(f"id {shown(problem.id)} already names another problem ({first_place})")
        self._num_copies += first_place != place

    def warn(self) -> None:
        """Say what nobody would see in the problems."""
        fixed = [problem.id for problem in self if problem.options and not problem.shuffle]
        if fixed:
            told = "%s: %d problems show their options in one order to every sample (%s)"
            LOG.warning(told, self._path, len(fixed), fixed[0])
        if self._num_copies:
            LOG.warning("%s: %d rows are exact copies of earlier ones and count once", self._path, self._num_copies)

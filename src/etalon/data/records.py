"""A record: a problem with the traces that belong to it and all that the steps have learned of it; a line of JSONL.

    import -> record -> expand, label, distill, filter, stratify -> record -> build -> rows to train on

A record's row is a row of `Problem` (native format) with more columns, so every command that reads problems reads it.
Files in any other format are read as records, too: the steps do not ask who wrote a file.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from etalon.data.exporting.exchange import exported
from etalon.errors import InputError
from etalon.problems.formats import Format, LeftOutError, Reading, read_row
from etalon.problems.formats.columns import structured
from etalon.problems.given.difficulty import given_rates
from etalon.problems.given.traces import GivenTrace, trace_to_row, traces_of
from etalon.problems.rows import content_id, problem_to_row
from etalon.rows.bad import MAX_BAD, BadRows
from etalon.rows.files import Row, read_rows, unchanged
from etalon.rows.mapping import AS_NAMED, ColumnMap
from etalon.types import Problem

LOG = logging.getLogger(__name__)

# of a file of records no answer is asked for: expanded queries have none before they are labelled
OPEN = Reading(needs_reference=False)
BESIDE = ("license", "origin", "cluster", "parent", "dimension")  # columns of text beside those of the problem


@dataclass(frozen=True, kw_only=True)
class ErrorRate:
    """How often a model fails: `wrong` of `attempts` decided attempts. Unmeasured is no ErrorRate, never one of 0.

    stated: the share that a data set states without its attempts, which then are 0.
    """

    wrong: int = 0
    attempts: int = 0
    stated: float | None = None

    @property
    def share(self) -> float:
        """In [0, 1]."""
        return self.wrong / self.attempts if self.stated is None else self.stated


@dataclass(frozen=True, kw_only=True)
class Record:
    """One problem on its way from a file to a curriculum.

    error_rates: by the name of the model they are of. votes: answers of a teacher to the query and how many gave each;
    "" is no answer. license: of the set it came from, "" where that says nothing. origin: file and place, "x.jsonl:
    line 3". cluster: near copies share it; "" before anybody looked. parent, dimension: the id of the seed that a
    teacher made the query of, and along which dimension; "" of what was found and not made.
    """

    problem: Problem
    traces: tuple[GivenTrace, ...] = ()
    error_rates: Mapping[str, ErrorRate] = field(default_factory=dict)
    votes: Mapping[str, int] = field(default_factory=dict)
    license: str = ""
    origin: str = ""
    cluster: str = ""
    parent: str = ""
    dimension: str = ""

    @property
    def group(self) -> tuple[str, str]:
        """What the funnel counts by: (domain, source)."""
        return self.problem.domain.value, self.problem.source


def record_to_row(record: Record) -> dict[str, Any]:
    """The record as JSON values; what is not known is left out."""
    row = problem_to_row(record.problem)
    if record.traces:
        row["traces"] = [trace_to_row(trace) for trace in record.traces]
    if record.error_rates:
        row["error_rates"] = {model: _rate_to_row(rate) for model, rate in record.error_rates.items()}
    if record.votes:
        row["votes"] = dict(record.votes)
    return row | {name: value for name in BESIDE if (value := getattr(record, name))}


def record_of(columns: Mapping[str, Any], reading: Reading = OPEN) -> Record:
    """The record that a row describes: one of ours, or a row in any format that problems are read in.

    Raises InputError (column, what was found, what would do) for a row that is no problem.
    """
    return read_record(columns, reading)[1]


def read_record(columns: Mapping[str, Any], reading: Reading = OPEN) -> tuple[Format, Record]:
    """The format of a row and its record, as `record_of` reads it."""
    ours = exported(columns)
    row = structured(columns if ours is None else ours.row)
    format_, problem = read_row(row, reading)
    return format_, Record(
        problem=problem if problem.id else replace(problem, id=content_id(problem)),
        traces=traces_of(row),
        error_rates=_rates(row),
        votes=row.get("votes") or {},
        license=str(row.get("license") or row.get("licence") or ""),
        origin=str(row.get("origin") or ""),
        cluster=str(row.get("cluster") or ""),
        parent=str(row.get("parent") or ""),
        dimension=str(row.get("dimension") or ""),
    )


def _rate_to_row(rate: ErrorRate) -> dict[str, Any]:
    return {"wrong": rate.wrong, "attempts": rate.attempts} if rate.stated is None else {"stated": rate.stated}


def _rates(row: Mapping[str, Any]) -> dict[str, ErrorRate]:
    """The rates of our own column, and those that a data set states of other models."""
    found: dict[str, ErrorRate] = {}
    for model, given in given_rates(row).items():
        counted = None if given.wrong is None else ErrorRate(wrong=given.wrong, attempts=given.attempts)
        found[model] = counted or ErrorRate(stated=given.share)
    return found | {model: ErrorRate(**rate) for model, rate in (row.get("error_rates") or {}).items()}


def read_records(
    path: Path, *, columns: ColumnMap = AS_NAMED, max_bad: float = MAX_BAD, reading: Reading = OPEN
) -> Iterator[Record]:
    """The records of a file, one after the other. InputError at its end where more than `max_bad` were unreadable."""
    bad, left_out = BadRows(str(path), max_bad), 0
    with unchanged(path):
        for row in read_rows(path):
            if row.is_blank:
                continue
            try:
                record = _record(row, columns, reading)
            except LeftOutError:
                bad.count(row.place)
                left_out += 1
                continue
            except (InputError, RecursionError) as error:
                bad.count(row.place, str(error) or "nested too deep")
                continue
            bad.count(row.place)
            yield record
    bad.check()
    bad.warn()
    if left_out:
        LOG.warning("%s: %d of %d rows have no answer or no verifier and are left out", path, left_out, bad.rows)
    if not bad.rows:
        raise InputError(f"{path}: has no rows")


def _record(row: Row, columns: ColumnMap, reading: Reading) -> Record:
    if row.columns is None:
        raise InputError(row.why)
    return record_of(columns.apply(row.columns), reading)

"""The records of files, one after the other, and the count of all that was not one.

    Source -> rows -> rows of one exported record joined -> read -> usable? -> an exact copy? -> Record

Memory does not grow with the files, but for some 50 bytes a record that tell exact copies (`seen`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from etalon.data.exporting.exchange import joined
from etalon.data.gate_reports import GateReport
from etalon.data.gates import KEEP, Sieve, drop
from etalon.data.importing.columns import mapping, would_do
from etalon.data.importing.reading import Dropped, Read, Unread, read, text_of
from etalon.data.importing.seen import News, Seen
from etalon.data.importing.sources import Source
from etalon.data.records import OPEN, Record
from etalon.data.step_reports import StepLog
from etalon.errors import InputError
from etalon.problems.formats import Reading
from etalon.problems.formats.generic import lacks
from etalon.problems.given.unread import unread_columns
from etalon.problems.rows import content_id
from etalon.rows.bad import MAX_BAD, BadRows
from etalon.rows.files import Row, read_rows, unchanged
from etalon.rows.mapping import AS_NAMED, ColumnMap

PATIENCE = 1000  # (ours) rows of a file of which none can be read, and no more are tried
LOOKED_AT = 100  # (ours) first records of a file in which columns are looked for that nothing reads
MOST_LOOKED_AT = 1 << 20  # (ours) characters of such a record
SHOWN = 3  # records that a dry run shows
# columns that a step of ours has left: such a row is a record, and says all there is
LEFT_BY_STEPS = ("votes", "cluster", "parent", "dimension")
MOST_SHOWN = 9  # (ours) with the first of each further file
MOST_REASONS = 50  # (ours) that are counted one by one
COPY = "an exact copy of an earlier row"
UNKNOWN = "unknown"  # domain of a row that is no problem
_DETAIL = re.compile(r" ?\(.*|: found .*|; .*", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class ImportSettings:
    """What holds for all files of an import.

    license, source: of rows that state none; without a source rows are of the set whose file they stand in.
    max_bad: share of a file's rows that may be unreadable.
    """

    columns: ColumnMap = AS_NAMED
    reading: Reading = OPEN
    license: str = ""
    source: str = ""
    max_bad: float = MAX_BAD


@dataclass(frozen=True, kw_only=True)
class Skipped:
    """A row that cannot be read: where it is, the column at fault ("" is the row), and why."""

    file: str
    line: int
    column: str
    reason: str

    def to_row(self) -> dict[str, Any]:
        return {"file": self.file, "line": self.line, "column": self.column or None, "reason": self.reason}


class Import:
    """Reads files into records; `records` may be called for one source after the other.

    log: counts what is read and written, with the gates read, usable and copies.
    skip: is told every row that cannot be read.
    progress: is told how many rows have been read, now and then.
    """

    def __init__(
        self,
        settings: ImportSettings,
        log: StepLog,
        *,
        skip: Callable[[Skipped], None] = lambda _: None,
        progress: Callable[[int], None] = lambda _: None,
    ) -> None:
        self.settings, self.log = settings, log
        self.rows = self.records_read = self.problems = self.traces = self.renamed = self.without_reference = 0
        self.looked_at = 0
        self.formats: Counter[str] = Counter()
        self.unread: Counter[str] = Counter()
        self.mappings: dict[str, dict[str, str]] = {}
        self._mapped: set[tuple[str, str]] = set()
        self.examples: list[Record] = []
        self.empty: list[str] = []
        self._readable, self._usable, self._copies = Sieve("read"), Sieve("usable"), Sieve("copies")
        self._seen = Seen()
        self._skip, self._progress = skip, progress

    def records(self, source: Source) -> Iterator[Record]:
        """The records of one file; InputError where it cannot be read, or more rows are bad than may be."""
        bad = BadRows(source.name, self.settings.max_bad)
        first_bad: Row | None = None
        looked_at = 0
        with unchanged(source.path, source.name):
            for row, is_ours in joined(row for row in read_rows(source.path) if not row.is_blank):
                names = AS_NAMED if is_ours else self.settings.columns
                found = read(row, columns=names, reading=self.settings.reading)
                self._counted(row, found, source, bad)
                if isinstance(found, Unread):
                    first_bad = first_bad or row
                    if bad.bad == bad.rows == PATIENCE:
                        break
                    continue
                record = self._kept(row, found, source, is_ours=is_ours)
                if record is None or not isinstance(found, Read):
                    continue
                if looked_at < LOOKED_AT:
                    looked_at += 1
                    self._look(row, names, found.format, record, source)
                    self._show(record, is_first=looked_at == 1)
                yield record
        self._check(bad, first_bad)

    def gates(self) -> list[GateReport]:
        """What became of the rows, in the order in which they were looked at."""
        return [sieve.report() for sieve in (self._readable, self._usable, self._copies)]

    def check(self) -> None:
        """InputError when nothing came of all files."""
        if not self.rows:
            raise InputError(f"{', '.join(self.empty[:3]) or 'no file'}: has no rows")
        if not self.records_read:
            reasons = self._usable.report().reasons.items()
            told = ", ".join(f"{reason} ({count})" for reason, count in list(reasons)[:3])
            raise InputError(f"none of {self.rows} rows is a problem to learn from: {told}")

    def _counted(self, row: Row, found: Read | Dropped | Unread, source: Source, bad: BadRows) -> None:
        self.rows += 1
        if not self.rows % 256:
            self._progress(self.rows)
        if not isinstance(found, Unread):
            bad.count(row.place)
            self._readable.passes(KEEP)
            return
        bad.count(row.place, found.reason)
        shown = text_of(row.columns) if row.columns else row.text[:1000].decode("utf-8", "replace")
        self._readable.passes(drop(_capped(_DETAIL.sub("", found.reason), self._readable), shown))
        self._skip(Skipped(file=source.name, line=_line(row.place), column=found.column, reason=found.reason))

    def _kept(self, row: Row, found: Read | Dropped, source: Source, *, is_ours: bool) -> Record | None:
        """The record of a row, None where it is no problem or was there before."""
        if isinstance(found, Dropped):
            name = (row.columns or {}).get("source") or (row.columns or {}).get("data_source")
            group = UNKNOWN, name if isinstance(name, str) else self.settings.source or source.set_name
            self.log.read[group].records += 1
            self._usable.passes(drop(_capped(found.reason, self._usable), found.text), group)
            return None
        news = self._seen.add(found.record)
        record = self._finished(found.record, row, source, news, is_ours=is_ours)
        self.log.takes(record)
        self._usable.passes(KEEP, record.group)
        if news.is_copy:
            self._copies.passes(drop(COPY, record.problem.prompt), record.group)
            return None
        self._copies.passes(KEEP, record.group)
        self.formats[found.format] += 1
        self.records_read += 1
        self.problems += news.is_problem
        self.renamed += news.is_taken
        self.traces += len(record.traces)
        self.without_reference += bool(lacks(record.problem))
        return record

    def _finished(self, record: Record, row: Row, source: Source, news: News, *, is_ours: bool) -> Record:
        """The record with what its row leaves open; one that was exported, or imported before, says all there is."""
        problem = record.problem
        is_ours |= any(name in (row.columns or {}) for name in LEFT_BY_STEPS)
        is_whole = is_ours or bool(record.origin)
        name = problem.source or self.settings.source or ("" if is_whole else source.set_name)
        if news.is_taken or name != problem.source:
            problem = replace(problem, id=content_id(problem) if news.is_taken else problem.id, source=name)
        origin = record.origin or ("" if is_ours else f"{source.name}: {row.place}")
        return replace(record, problem=problem, origin=origin, license=record.license or self.settings.license)

    def _look(self, row: Row, names: ColumnMap, format_: str, record: Record, source: Source) -> None:
        """What became of the columns, by format and where files differ by file; the names of those in no record."""
        assert row.columns is not None
        if (source.name, format_) not in self._mapped:
            self._mapped.add((source.name, format_))
            found = mapping(row.columns, record)
            if self.mappings.setdefault(format_, found) != found:
                self.mappings[f"{format_}, {source.name}"] = found
        if len(record.problem.prompt) + sum(len(trace.response) for trace in record.traces) < MOST_LOOKED_AT:
            self.looked_at += 1
            with suppress(InputError):  # what the row leaves open is known here, not there
                self.unread.update(unread_columns(names.apply(row.columns)))

    def _show(self, record: Record, *, is_first: bool) -> None:
        """Keep a record for a dry run. is_first: of its file."""
        if len(self.examples) < (MOST_SHOWN if is_first else SHOWN):
            self.examples.append(record)

    def _check(self, bad: BadRows, first: Row | None) -> None:
        if not bad.rows:
            self.empty.append(bad.name)
        try:
            bad.check()
        except InputError as error:
            is_unknown = first is not None and bad.bad == bad.rows and "columns found" in bad.first
            hint = would_do(first, self.settings.reading) if is_unknown and first and "--map" not in bad.first else ""
            raise InputError(f"{error}{f'; {hint} would do' if hint else ''}") from None


def _capped(reason: str, sieve: Sieve) -> str:
    """A reason to count by; where there are too many of them, the column that it is about."""
    if reason in sieve.reasons or len(sieve.reasons) < MOST_REASONS:
        return reason
    return f"{reason.partition(':')[0][:40]}: cannot be used"


def _line(place: str) -> int:
    """The number of a place, "line 3" or "row 3, line 5": of its line where it says one."""
    return int(re.findall(r"\d+", place)[-1])

"""Rows of a file or of standard input, one after the other: memory does not grow with the file.

JSONL        an object a line
JSON array   of objects, or of conversations that are arrays themselves (ORZ): a row {"conversations": [...]}
JSON object  over several lines, or many of them; one that is a log has its rows in a list: {"samples": [...]}, one
             of columns has them in all its values: {"problem": [...], "answer": [...]}
CSV          with a header, when the name says .csv or .tsv (before .gz or .zst)
parquet      needs pyarrow, and a file that is not packed; a null is no value

All of it UTF-8, with or without a byte order mark. What a file is, its first bytes say; CSV alone goes by its name.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
import os
import re
import stat
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, NamedTuple

from etalon.errors import InputError
from etalon.rows import arrays
from etalon.rows.bad import shown
from etalon.rows.mapping import FIELDS
from etalon.rows.packed import MARK, PARQUET, inflated, name_of, opened, start_of, unpacked

Kind = Literal["lines", "array", "object", "CSV", "parquet"]

BATCH_BYTES = 8 << 20  # (ours) of a parquet file that are unpacked at a time, as far as its rows are of one size
MOST_BATCH = 1024  # (ours) rows
READ_BYTES = 1 << 20  # (ours) of a column of parquet: read in pieces, where a row group may have gigabytes
MOST_BYTES = 512 << 20  # (ours) of a line: a row of a data set has 30 MB at most, and a device has no end of line
DAMAGES = (EOFError, zlib.error, gzip.BadGzipFile)  # of a packed file, or of a JSON array that never closes
BLANK = "the line is blank"
OBJECT = re.compile(rb"\s*\{[ \t]*\r?\n\s*\"")  # that goes on in the next line
_NO_SPACE = re.compile(r"\S")
QUESTIONS = ("problem", "question", "query", "prompt", "instruction")  # columns that hold one text in a row
ROWS_OF = ("samples", "rows", "data")  # of a log of evaluations or of an export: the list of its rows
_DELIMITED = re.compile(r"\.(?:csv|tsv)(?:\.gz|\.zst)?$", re.IGNORECASE)


class Row(NamedTuple):
    """One row of a file. columns: None where it cannot be read, and `why` says why.

    place: as people count, "line 1" first. text: the bytes of its line, without its end; b"" where it has no line.
    """

    place: str
    columns: dict[str, Any] | None
    why: str = ""
    text: bytes = b""

    @property
    def is_blank(self) -> bool:
        """A line with nothing in it: no row, and no bad one."""
        return self.why == BLANK

    def line(self) -> bytes:
        """The row as one line of JSONL: as it stood in the file where it was a line there."""
        if self.text and b"\n" not in self.text:
            return self.text
        try:
            return json.dumps(self.columns, ensure_ascii=False).encode()
        except UnicodeEncodeError:  # half of a surrogate pair
            return json.dumps(self.columns).encode()


@contextmanager
def unchanged(file: str | Path, name: str = "") -> Iterator[None]:
    """InputError where a file is another one at the end of the block, or gone; of a pipe nothing is asked."""
    before = _state(file)
    yield
    if _state(file) != before:
        raise InputError(f"{name or file}: changed while it was read; run the command again when it is complete")


def _state(file: str | Path) -> tuple[int, int, int] | None:
    try:
        found = os.stat(file)
    except OSError:
        return None
    return (found.st_ino, found.st_size, found.st_mtime_ns) if stat.S_ISREG(found.st_mode) else None


def read_rows(file: str | Path) -> Iterator[Row]:
    """The rows of a file, "-" for standard input; InputError when it cannot be read as a file of rows, or not further.

    A row that cannot be read comes without columns: whoever counts decides how many may be.
    """
    with content_of(file) as content:
        for row in rows_of(file, content):
            content.last = row.place
            yield row


@dataclass
class Content:
    """A file that is being read, unpacked and behind its byte order mark. last: the place that was read last."""

    name: str
    stream: io.BufferedReader
    kind: Kind
    is_packed: bool
    last: str = ""


@contextmanager
def content_of(file: str | Path) -> Iterator[Content]:
    """The content of a file, "-" for standard input; InputError that says how far it could be read."""
    name = name_of(file)
    content = None
    try:
        with opened(file) as packed, unpacked(name, packed) as stream:
            if start_of(stream).startswith(MARK):
                stream.read(len(MARK))
            content = Content(name, stream, kind_of(name, start_of(stream)), is_packed=stream is not packed)
            if content.kind == "parquet" and (content.is_packed or name == "standard input"):
                raise InputError(f"{name}: is parquet, which is read from a file only, and not from a packed one")
            yield content
    except DAMAGES as error:
        reached = content.last if content is not None else ""
        raise InputError(f"{name}: damaged after {reached or 'its first bytes'}: {error}") from None
    except OSError as error:
        raise InputError(f"{name}: cannot be read: {error.strerror or str(error).splitlines()[0]}") from None


def rows_of(file: str | Path, content: Content) -> Iterator[Row]:
    """The rows of what was opened."""
    if content.kind == "parquet":
        return parquet_rows(Path(file))
    readers = {"array": _array_rows, "object": _object_rows, "CSV": _csv_rows, "lines": _line_rows}
    return readers[content.kind](content.name, content.stream)


def kind_of(name: str, start: bytes) -> Kind:
    """What a file of rows is, by its first bytes (unpacked, behind a byte order mark), and by its name alone CSV."""
    if start.startswith(PARQUET):
        return "parquet"
    if arrays.STARTS.match(start):
        return "array"
    if OBJECT.match(start):
        return "object"
    return "CSV" if _DELIMITED.search(name) else "lines"


def _line_rows(name: str, stream: io.BufferedReader) -> Iterator[Row]:
    number = 0
    while line := stream.readline(MOST_BYTES):
        number += 1
        if len(line) == MOST_BYTES and not line.endswith(b"\n"):
            raise too_long(name, number)
        yield from rows_in(row_of(f"line {number}", line), is_first=number == 1)


def too_long(name: str, number: int) -> InputError:
    """The error for a line of MOST_BYTES and more."""
    return InputError(f"{name}: line {number} is longer than {MOST_BYTES >> 20} MiB: no file of rows")


def _object_rows(name: str, stream: io.BufferedReader) -> Iterator[Row]:
    """Objects over several lines, one after the other: all in memory, for nothing tells beforehand where one ends."""
    content = stream.read(MOST_BYTES)
    if len(content) == MOST_BYTES:
        raise InputError(f"{name}: objects over several lines, {MOST_BYTES >> 20} MiB or more; write one a line")
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(f"{name}: line {line}: not UTF-8, in an object of several lines") from None
    end = number = 0
    line = 1
    while start := _NO_SPACE.search(text, end):
        number, line = number + 1, line + text.count("\n", end, start.start())
        try:
            value, end = json.JSONDecoder().raw_decode(text, start.start())
        except (ValueError, RecursionError) as error:
            raise InputError(
                f"{name}: line {line}: not JSON, an object of several lines begins there ({error})"
            ) from None
        yield from rows_in(Row(f"row {number}, line {line}", *_columns(value)), is_first=number == 1)
        line += text.count("\n", start.start(), end)


def rows_in(row: Row, *, is_first: bool) -> Iterator[Row]:
    """The row of a line, or the rows in a list of the first object, which is no row itself: a log, an export."""
    listed: list[dict[str, Any]] = []
    if is_first and row.columns is not None and row.columns.keys().isdisjoint(FIELDS):
        listed = next((value for name in ROWS_OF if (value := _objects(row.columns.get(name)))), [])
    if is_first and row.columns is not None and not listed:
        listed = _transposed(row.columns)
    yield from ((Row(f"row {number}", columns) for number, columns in enumerate(listed, start=1)) if listed else (row,))


def _transposed(columns: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of an object that holds whole columns, as lists or as pandas writes them: {"problem": {"0": ...}}."""
    values = [value.values() if isinstance(value, dict) else value for value in columns.values()]
    if any(isinstance(value, str) or not hasattr(value, "__len__") for value in values):
        return []
    questions = [value for name, value in zip(columns, values, strict=True) if name in QUESTIONS]
    if not questions or len({len(value) for value in values}) > 1:
        return []
    if not all(isinstance(text, str) for value in questions for text in value):
        return []
    return [dict(zip(columns, cells, strict=True)) for cells in zip(*values, strict=True)]


def _columns(value: Any) -> tuple[dict[str, Any] | None, str]:
    """The columns of a row, and why there are none. A conversation that is a row (ORZ) has one column."""
    if _is_conversation(value):
        return {"conversations": value}, ""
    return (value, "") if isinstance(value, dict) else (None, f"found {shown(value)}, expected a JSON object")


def _is_conversation(value: Any) -> bool:
    turns = _objects(value)
    return bool(turns) and all("from" in turn or ("role" in turn and "content" in turn) for turn in turns)


def _objects(value: Any) -> list[dict[str, Any]]:
    return value if isinstance(value, list) and all(isinstance(one, dict) for one in value) else []


def row_of(place: str, line: bytes) -> Row:
    """The row in one line, or in one element of an array."""
    text = line.removesuffix(b"\n")
    try:
        decoded = text.decode()
        if not decoded or decoded.isspace():
            return Row(place, None, BLANK, text)
        value = json.loads(decoded)
    except UnicodeDecodeError as error:
        return Row(place, None, f"not UTF-8 (column {error.start + 1})", text)
    except json.JSONDecodeError as error:
        is_element = place.startswith("row")  # which may have several lines, and begins somewhere in one
        where = f"line {error.lineno}, column {error.colno} of it" if is_element else f"column {error.colno}"
        return Row(place, None, f"not JSON ({error.msg}: {where})", text)
    except (ValueError, RecursionError) as error:  # a number of too many digits; brackets too deep
        return Row(place, None, f"not JSON ({error})", text)
    return Row(place, *_columns(value), text)


def _array_rows(name: str, stream: io.BufferedReader) -> Iterator[Row]:
    try:
        for number, (line, element) in enumerate(arrays.elements(stream), start=1):
            yield row_of(f"row {number}, line {line}" if line > 1 else f"row {number}", element)
    except ValueError as error:
        raise InputError(f"{name}: {error}") from None


def _csv_rows(name: str, stream: io.BufferedReader) -> Iterator[Row]:
    """Cells are text. A line break in a cell is one; the place of a row is the line where it begins."""
    csv.field_size_limit(sys.maxsize)  # of the whole process; the module's own limit is below one long response
    first = stream.readline()
    lines = (line.decode("utf-8", "surrogateescape") for part in ((first,), stream) for line in part)
    delimiter = max(",\t;", key=first.decode("utf-8", "replace").count)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    header = [column.strip() for column in next(reader, [])]
    if twice := next((column for column in header if header.count(column) > 1), None):
        raise InputError(f"{name}: line 1: two columns have the name {shown(twice)}")
    while True:
        place = f"line {reader.line_num + 1}"
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Row(place, None, f"not CSV ({error})")
            continue
        if cells:
            yield _csv_row(place, header, cells)


def _csv_row(place: str, header: list[str], cells: list[str]) -> Row:
    if len(cells) != len(header):
        return Row(place, None, f"found {len(cells)} cells, expected {len(header)} as in the header")
    for column, cell in zip(header, cells, strict=True):
        try:
            cell.encode()
        except UnicodeEncodeError:
            return Row(place, None, f"{column}: not UTF-8")
    return Row(place, dict(zip(header, cells, strict=True)))


def parquet_rows(path: Path, start: int = 0, stop: int | None = None) -> Iterator[Row]:
    """The rows of a table from `start` up to `stop`. What is in front of them in their row group is decoded, too."""
    with _table(path) as table:
        first = 0
        for group in range(table.num_row_groups):
            last = first + table.metadata.row_group(group).num_rows
            if start < last and (stop is None or first < stop):
                yield from _group_rows(table, group, first, start, last if stop is None else stop)
            first = last


def group_sizes(path: Path) -> list[int]:
    """How many rows each row group of a table has."""
    with _table(path) as table:
        return [table.metadata.row_group(group).num_rows for group in range(table.num_row_groups)]


@contextmanager
def _table(path: Path) -> Iterator[Any]:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError:
        raise InputError(f"{path}: parquet needs pyarrow; run: pip install pyarrow") from None
    try:
        with parquet.ParquetFile(path, buffer_size=READ_BYTES) as table:
            yield table
    except ArrowException as error:
        raise InputError(f"{path}: cannot be read as parquet: {str(error).splitlines()[0]}") from None


def _batch_size(group: Any) -> int:
    """How many rows of a row group make a batch, by their mean size."""
    size = group.total_byte_size / max(1, group.num_rows)
    return max(1, min(MOST_BATCH, int(BATCH_BYTES / max(1.0, size))))


def _group_rows(table: Any, group: int, first: int, start: int, stop: int) -> Iterator[Row]:
    """Of one row group, whose first row is number `first`, the rows of [start, stop)."""
    size = _batch_size(table.metadata.row_group(group))
    for batch in table.iter_batches(batch_size=size, row_groups=[group], use_threads=False):
        low, high = max(start - first, 0), min(stop - first, batch.num_rows)
        wanted = batch.slice(low, high - low).to_pylist() if low < high else []
        for number, columns in enumerate(wanted, start=first + low + 1):
            yield Row(f"row {number}", _plain(columns))
        first += batch.num_rows
        if first >= stop:
            return


def _plain(value: Any) -> Any:
    """A value of a table as JSON has it. A struct has the keys of all rows: those null here are not this row's."""
    if isinstance(value, str | bool | int):
        return value
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items() if not _is_null(inner)}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if value is None or isinstance(value, float):
        return value
    return _text_of(value) if isinstance(value, bytes) else str(value)


def _text_of(content: bytes) -> str:
    """Bytes of a cell as text: what is packed in them (guru keeps zlib-compressed JSON), or they themselves."""
    text = inflated(content) if content.startswith(b"x") else None
    return content.decode("utf-8", "replace") if text is None else text


def _is_null(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))

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
import re
import sys
import zlib
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from etalon.errors import InputError
from etalon.rows import arrays
from etalon.rows.bad import shown
from etalon.rows.mapping import FIELDS
from etalon.rows.packed import MARK, PARQUET, name_of, opened, start_of, unpacked

BATCH_BYTES = 8 << 20  # (ours) of a parquet file that are unpacked at a time, as far as its rows are of one size
MOST_BATCH = 1024  # (ours) rows
READ_BYTES = 1 << 20  # (ours) of a column of parquet: read in pieces, where a row group may have gigabytes
MOST_BYTES = 512 << 20  # (ours) of a line: a row of a data set has 30 MB at most, and a device has no end of line
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


def read_rows(file: str | Path) -> Iterator[Row]:
    """The rows of a file, "-" for standard input; InputError when it cannot be read as a file of rows, or not further.

    A row that cannot be read comes without columns: whoever counts decides how many may be.
    """
    name, last = name_of(file), ""
    try:
        with opened(file) as stream, unpacked(name, stream) as content:
            for row in _rows(file, name, content, is_packed=content is not stream):
                last = row.place
                yield row
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{name}: damaged after {last or 'its first bytes'}: {error}") from None
    except OSError as error:
        raise InputError(f"{name}: cannot be read: {error.strerror or error}") from None


def _rows(file: str | Path, name: str, stream: io.BufferedReader, *, is_packed: bool) -> Iterator[Row]:
    start = start_of(stream)
    if start.startswith(MARK):
        stream.read(len(MARK))
        start = start[len(MARK) :]
    if start.startswith(PARQUET):
        if is_packed or name == "standard input":
            raise InputError(f"{name}: is parquet, which is read from a file only, and not from a packed one")
        return _parquet_rows(Path(file))
    if arrays.STARTS.match(start):
        return _array_rows(name, stream)
    if OBJECT.match(start):
        return _object_rows(name, stream)
    if _DELIMITED.search(name):
        return _csv_rows(name, stream)
    return _line_rows(name, stream)


def _line_rows(name: str, stream: io.BufferedReader) -> Iterator[Row]:
    number = 0
    while line := stream.readline(MOST_BYTES):
        number += 1
        if len(line) == MOST_BYTES and not line.endswith(b"\n"):
            raise InputError(f"{name}: line {number} is longer than {MOST_BYTES >> 20} MiB: no file of rows")
        yield from _rows_in(row_of(f"line {number}", line), is_first=number == 1)


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
        yield from _rows_in(Row(f"row {number}, line {line}", *_columns(value)), is_first=number == 1)
        line += text.count("\n", start.start(), end)


def _rows_in(row: Row, *, is_first: bool) -> Iterator[Row]:
    """The row, or the rows in a list of the first object, which is no row itself: a log, an export."""
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


def _parquet_rows(path: Path) -> Iterator[Row]:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError:
        raise InputError(f"{path}: parquet needs pyarrow; run: pip install pyarrow") from None
    try:
        number = 0
        with parquet.ParquetFile(path, buffer_size=READ_BYTES) as table:
            for group in range(table.num_row_groups):
                size = _batch_size(table.metadata.row_group(group))
                for batch in table.iter_batches(batch_size=size, row_groups=[group], use_threads=False):
                    for columns in batch.to_pylist():
                        number += 1
                        yield Row(f"row {number}", _plain(columns))
    except ArrowException as error:
        raise InputError(f"{path}: cannot be read as parquet: {str(error).splitlines()[0]}") from None


def _batch_size(group: Any) -> int:
    """How many rows of a row group make a batch, by their mean size."""
    size = group.total_byte_size / max(1, group.num_rows)
    return max(1, min(MOST_BATCH, int(BATCH_BYTES / max(1.0, size))))


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
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _is_null(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))

"""Parts of a file of rows that can travel to another process or machine, where they become rows.

JSONL, packed or not     Lines: whole lines as they stand in the file; who gets them reads them
parquet                  Table: a range of rows; who gets it reads the file
arrays, CSV, logs        Given: rows that were read here, with the text they had

Source                   a file every machine sees, cut into (start, stop): bytes of JSONL, rows of parquet
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Protocol

from etalon.errors import InputError
from etalon.rows.files import (
    DAMAGES,
    MOST_BYTES,
    Row,
    content_of,
    group_sizes,
    kind_of,
    parquet_rows,
    row_of,
    rows_in,
    rows_of,
    too_long,
)
from etalon.rows.packed import GZIP, MARK, OTHERS, ZSTD, start_of

PART_BYTES = 256 << 10  # (ours) of lines that travel together; one line may be longer
PART_ROWS = 1000  # (ours) of a table
PARTS_OF_GROUP = 16  # (ours) of one row group: each decodes what is in front of it, on average half the group


class Part(Protocol):
    """Some rows of a file, one after the other."""

    def rows(self) -> Iterable[Row]: ...

    def places(self) -> list[str]: ...


@dataclass(frozen=True, kw_only=True)
class Lines:
    """Lines of JSONL, the first of which is line `first` of its file."""

    first: int
    count: int
    text: bytes

    def rows(self) -> Iterator[Row]:
        lines = self.text.removesuffix(b"\n").split(b"\n")
        return (row_of(place, line) for place, line in zip(self.places(), lines, strict=True))

    def places(self) -> list[str]:
        return [f"line {number}" for number in range(self.first, self.first + self.count)]


@dataclass(frozen=True, kw_only=True)
class TableRows:
    """Rows of a parquet file, [start, stop)."""

    path: Path
    start: int
    stop: int

    def rows(self) -> Iterator[Row]:
        return parquet_rows(self.path, self.start, self.stop)

    def places(self) -> list[str]:
        return [f"row {number + 1}" for number in range(self.start, self.stop)]


@dataclass(frozen=True, kw_only=True)
class Given:
    """Rows that were read where the file is. Those with a text travel as text, and are read once more."""

    given: tuple[Row, ...]

    @classmethod
    def of(cls, rows: Iterable[Row]) -> Given:
        return cls(given=tuple(row._replace(columns=None) if row.text else row for row in rows))

    def rows(self) -> Iterator[Row]:
        return (row_of(row.place, row.text) if row.text else row for row in self.given)

    def places(self) -> list[str]:
        return [row.place for row in self.given]


def parts_of(file: str | Path) -> Iterator[Part]:
    """All rows of a file, "-" for standard input, in parts; they are what `read_rows` gives, with the same errors."""
    with content_of(file) as content:
        if content.kind == "parquet":
            yield from (TableRows(path=Path(file), start=start, stop=stop) for start, stop in row_ranges(Path(file)))
            return
        if content.kind != "lines":
            yield from _given(rows_of(file, content))
            return
        number = 1
        for lines in _blocks(content.name, content.stream):
            part = Lines(first=number, count=lines.count(b"\n") + (not lines.endswith(b"\n")), text=lines)
            yield from [part] if number > 1 else _as_log(part)
            number += part.count
            content.last = f"line {number - 1}"


def _blocks(name: str, stream: io.BufferedReader) -> Iterator[bytes]:
    """A stream in pieces that end where lines end; in front of a damage comes what could be read."""
    held: list[bytes] = []
    size, number = 0, 1
    try:
        while block := stream.read1(PART_BYTES):
            held.append(block)
            size += len(block)
            cut = block.rfind(b"\n") + 1
            if not cut and size > MOST_BYTES:
                raise too_long(name, number + sum(piece.count(b"\n") for piece in held))
            if not cut or size < PART_BYTES:
                continue
            lines = b"".join([*held[:-1], block[:cut]])
            yield lines
            number += lines.count(b"\n")
            held = [block[cut:]]
            size = len(held[0])
    except DAMAGES:
        whole, newline, _ = b"".join(held).rpartition(b"\n")
        if newline:
            yield whole + newline
        raise
    if size:
        yield b"".join(held)


def _as_log(part: Lines) -> Iterator[Part]:
    """The first lines of a file; where the first of them is a log, the rows that are listed in it."""
    first, _, others = part.text.partition(b"\n")
    row = row_of("line 1", first)
    listed = tuple(rows_in(row, is_first=True))
    if listed == (row,):
        yield part
        return
    yield Given.of(listed)
    if others:
        yield Lines(first=2, count=part.count - 1, text=others)


def _given(rows: Iterable[Row]) -> Iterator[Given]:
    """Rows in parts of about PART_BYTES, and of PART_ROWS at most."""
    held: list[Row] = []
    size = 0
    for row in rows:
        held.append(row)
        size += len(row.text) or sum(len(cell) for cell in (row.columns or {}).values() if isinstance(cell, str))
        if size >= PART_BYTES or len(held) >= PART_ROWS:
            yield Given.of(held)
            held, size = [], 0
    if held:
        yield Given.of(held)


def row_ranges(path: Path, most: int = PART_ROWS) -> list[tuple[int, int]]:
    """(start, stop) of the parts of a parquet file, of `most` rows or the sixteenth part of a large row group."""
    found: list[tuple[int, int]] = []
    start = stop = 0
    for size in group_sizes(path):
        stop += size
        step = max(most, -(-size // PARTS_OF_GROUP))
        while stop - start >= step:
            found.append((start, start + step))
            start += step
    return found + ([(start, stop)] if start < stop else [])


@dataclass(frozen=True, kw_only=True)
class Source:
    """A file that every machine sees: absolute path, size in bytes, and rows where it is parquet."""

    path: str
    size: int
    num_rows: int | None = None

    @property
    def end(self) -> int:
        """Where the last part stops, in its unit."""
        return self.size if self.num_rows is None else self.num_rows

    @property
    def unit(self) -> str:
        return "bytes" if self.num_rows is None else "rows"

    def parts(self, size: int) -> list[tuple[int, int]]:
        """(start, stop) of parts that cover the file; size: of one, in bytes."""
        if self.num_rows is None:
            return slices(self, size)
        rows = size * self.num_rows // max(self.size, 1)  # as many as have that many bytes, in the mean
        return row_ranges(Path(self.path), max(rows, 1))

    def read(self, start: int, stop: int) -> list[Row]:
        """The rows of a part, as `read_rows` gives them, but for the places of lines: nobody here knows them."""
        if self.num_rows is not None:
            return list(parquet_rows(Path(self.path), start, stop))
        return read_slice(self, start, stop)


def source_of(path: Path) -> Source:
    """The file as it is now; InputError when there is none, or it can be cut by reading all of it only."""
    try:
        size = path.stat().st_size
        found = _kind_found(path)
        num_rows = sum(group_sizes(path)) if found == "parquet" else None
    except OSError as error:
        raise InputError(f"{path}: {(error.strerror or str(error)).lower()}") from None
    if found not in ("lines", "parquet"):
        raise InputError(
            f"{path}: is {found}; --ray reads parts of plain JSONL and of parquet, unpack or convert it first"
        )
    return Source(path=str(path.resolve()), size=size, num_rows=num_rows)


def _kind_found(path: Path) -> str:
    """ "lines", "parquet", or words for another kind."""
    if path.is_dir():
        raise InputError(f"{path}: is a directory; name a JSONL file")
    with open(path, "rb") as stream:
        start = start_of(stream)
    packed = {GZIP: "packed by gzip", ZSTD: "packed by zstd"} | OTHERS
    if found := next((words for magic, words in packed.items() if start.startswith(magic)), None):
        return found
    words = {"array": "a JSON array", "object": "a JSON object over several lines"}
    kind = kind_of(str(path), start.removeprefix(MARK))
    return words.get(kind, kind)


def slices(source: Source, size: int) -> list[tuple[int, int]]:
    """(start, stop) of the parts of a file, in bytes; each ends behind a newline or at the end of the file."""
    cuts = [0]
    with open(source.path, "rb") as stream:
        for position in range(size, source.size, size):
            if position <= cuts[-1]:
                continue
            stream.seek(position - 1)
            stream.readline()
            cuts.append(min(stream.tell(), source.size))
    cuts.append(source.size)
    return [(start, stop) for start, stop in pairwise(cuts) if start < stop]


def read_slice(source: Source, start: int, stop: int) -> list[Row]:
    """The rows of a slice, as `read_rows` gives them, but for their places: which line it is, nobody here knows."""
    with open(source.path, "rb") as stream:
        stream.seek(start)
        text = stream.read(stop - start)
    lines = (text if start else text.removeprefix(MARK)).split(b"\n")
    return [row_of("", line) for line in (lines if lines[-1] else lines[:-1])]

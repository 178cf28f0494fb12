"""Lines of JSON from a file of rows or from standard input, packed or not: what a file is, its first bytes say."""

from __future__ import annotations

import gzip
import io
import json
import sys
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from etalon.errors import InputError

_GZIP, _PARQUET = b"\x1f\x8b", b"PAR1"
_OTHERS = {
    b"PK\x03\x04": "a zip archive",
    b"\x28\xb5\x2f\xfd": "packed by zstd",
    b"BZh": "packed by bzip2",
    b"\xfd7zXZ": "packed by xz",
    b"ARROW1": "an Arrow file",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}


@contextmanager
def open_lines(file: str) -> Iterator[Iterable[str]]:
    """The lines of a file, or of standard input for "-"; InputError when they cannot be had.

    Bytes that are not UTF-8 stay visible as escapes.
    """
    name = "standard input" if file == "-" else file
    with _open(file) as stream:
        start = stream.peek(8)[:8]
        found = next((kind for magic, kind in _OTHERS.items() if start.startswith(magic)), None)
        if found is not None:
            raise InputError(f"{name}: is {found}; expected JSONL, JSONL.gz or parquet")
        if start.startswith(_PARQUET):
            yield _parquet_lines(file)
        elif start.startswith(_GZIP):
            yield _unpacked(name, stream)
        else:
            yield _text(stream)


def plain_file(file: str) -> Path:
    """The path of a JSONL file that can be read in parts; InputError for standard input and for what is packed."""
    if file == "-":
        raise InputError("standard input: --ray needs a file that every machine sees")
    with _open(file) as stream:
        start = stream.peek(8)[:8]
    packed = {_GZIP: "packed by gzip", _PARQUET: "parquet"} | _OTHERS
    found = next((kind for magic, kind in packed.items() if start.startswith(magic)), None)
    if found is not None:
        raise InputError(f"{file}: is {found}; --ray reads parts of plain JSONL, unpack it first")
    return Path(file)


def _open(file: str) -> io.BufferedReader:
    try:
        return open(sys.stdin.fileno() if file == "-" else file, "rb", closefd=file != "-")
    except FileNotFoundError:
        raise InputError(f"{file}: no such file") from None
    except IsADirectoryError:
        raise InputError(f"{file}: is a directory; name a JSONL file") from None


def _text(stream: io.BufferedReader | gzip.GzipFile) -> io.TextIOWrapper:
    return io.TextIOWrapper(stream, encoding="utf-8", errors="surrogateescape", newline="\n")


def _unpacked(name: str, stream: io.BufferedReader) -> Iterator[str]:
    try:
        with gzip.open(stream, "rb") as packed:
            yield from _text(packed)
    except (EOFError, OSError, zlib.error) as error:  # gzip.BadGzipFile is an OSError
        raise InputError(f"{name}: damaged: {error}") from None


def _parquet_lines(file: str) -> Iterator[str]:
    if file == "-":
        raise InputError("standard input: is parquet, which is read from a file only")
    from etalon.problems.files import parquet_rows

    for _, row in parquet_rows(Path(file)):
        yield json.dumps(row, default=str)

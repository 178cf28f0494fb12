"""Read problems from a file in one of the field's formats: JSONL, JSONL.gz or parquet, recognised by its columns.

file -> (place, row) -> format of the first row -> Problem -> exact copies merged, ids checked
"""

from __future__ import annotations

import gzip
import json
import logging
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from etalon.errors import InputError
from etalon.problems.formats import FORMATS, Format, recognise
from etalon.problems.rows import content_id, shown
from etalon.types import Problem

LOG = logging.getLogger(__name__)

Rows = Iterator[tuple[str, dict[str, Any]]]  # (place: "line 7", row)


def read_problems(path: Path, *, prompts: str = "default") -> list[Problem]:
    """All problems of a file, in its order; InputError names the file, the line and what would do.

    Args:
        prompts: folder of prompt files whose math.txt, code.txt and stem.txt say how to answer.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        problems = _collect(path, _problems(path, prompts))
    except OSError as error:  # gzip.BadGzipFile is one
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
    if not problems:
        raise InputError(f"{path}: has no rows")
    return problems


def _collect(path: Path, problems: Iterator[tuple[str, Problem]]) -> list[Problem]:
    """Problems by id: exact copies count once (DAPO-Math repeats each of its 17k problems 100 times)."""
    by_id: dict[str, tuple[str, Problem]] = {}
    num_copies = 0
    for place, problem in problems:
        first_place, first = by_id.setdefault(problem.id, (place, problem))
        if first != problem:
            raise InputError(f"{path}: {place}: id {shown(problem.id)} already names another problem ({first_place})")
        num_copies += first_place != place
    fixed = [p.id for _, p in by_id.values() if p.options and not p.shuffle]
    if fixed:
        LOG.warning("%s: %d problems show their options in one order to every sample (%s)", path, len(fixed), fixed[0])
    if num_copies:
        LOG.warning("%s: %d rows are exact copies of earlier ones and count once", path, num_copies)
    return [problem for _, problem in by_id.values()]


def _problems(path: Path, prompts: str) -> Iterator[tuple[str, Problem]]:
    """(place, problem) per row; every row must be in the format of the first."""
    expected: Format | None = None
    for place, row in _rows(path):
        found = recognise(row)
        if found is None:
            raise InputError(f"{path}: {place}: columns {_columns(row)} fit no known format; {_known()}")
        expected = expected or found
        if found is not expected:
            raise InputError(
                f"{path}: {place}: a {found.name} row ({_columns(row)}) in a file that began as {expected.name}; "
                "put each format in its own file"
            )
        try:
            problem = found.read(row, prompts)
        except InputError as error:
            raise InputError(f"{path}: {place}: {error}") from None
        yield place, problem if problem.id else replace(problem, id=content_id(problem))


def _columns(row: dict[str, Any]) -> str:
    return "{" + ", ".join(list(row)[:12]) + "}"


def _known() -> str:
    return "known are {question, answer}, {id, domain, prompt, ...} and " + ", ".join(f.name for f in FORMATS[1:-1])


def _rows(path: Path) -> Rows:
    name = path.name.lower()
    if name.endswith(".parquet"):
        return parquet_rows(path)
    if name.endswith((".jsonl", ".jsonl.gz")):
        return _jsonl_rows(path)
    raise InputError(f"{path}: unknown kind of file; expected .jsonl, .jsonl.gz or .parquet")


def _jsonl_rows(path: Path) -> Rows:
    is_packed = path.name.lower().endswith(".gz")
    with gzip.open(path, "rb") if is_packed else path.open("rb") as lines:
        number = 0
        try:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield f"line {number}", _object(path, number, line)
        except (EOFError, zlib.error) as error:
            raise InputError(f"{path}: damaged after line {number}: {error}") from None


def _object(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        row = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: line {number}: not UTF-8 (byte {error.start})") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: line {number}: not JSON ({error})") from None
    if not isinstance(row, dict):
        raise InputError(f"{path}: line {number}: found {shown(row)}, expected a JSON object")
    return row


def parquet_rows(path: Path) -> Rows:
    """(place, row) of a parquet file, without nulls; InputError when it is damaged or pyarrow is missing."""
    try:
        from pyarrow import ArrowException, parquet
    except ImportError:
        raise InputError(f"{path}: parquet needs pyarrow; run: pip install pyarrow") from None
    try:
        number = 0
        with parquet.ParquetFile(path) as table:
            for batch in table.iter_batches(batch_size=1024):
                for row in batch.to_pylist():
                    number += 1
                    yield f"row {number}", {name: _without_nulls(value) for name, value in row.items()}
    except ArrowException as error:
        raise InputError(f"{path}: cannot be read as parquet: {str(error).splitlines()[0]}") from None


def _without_nulls(value: Any) -> Any:
    """A parquet struct has the keys of all rows; those that are null here are not this row's."""
    if isinstance(value, dict):
        return {name: _without_nulls(inner) for name, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [_without_nulls(inner) for inner in value]
    return value

"""A function mapped over the rows of a file: in threads of this process, or on a Ray cluster; the output is the same.

file -> Row -> work.start()(row) -> one line of bytes per row, with the row's place, in the order of the file
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from etalon.errors import InputError
from etalon.rows import arrays
from etalon.rows.files import OBJECT, read_rows
from etalon.rows.packed import GZIP, OTHERS, PARQUET, ZSTD, opened, start_of
from etalon.rows.work import RowWork, in_order


def map_rows(
    file: str | Path, work: RowWork, *, ray: str = "", workers: int | None = None
) -> Iterator[tuple[str, bytes]]:
    """(place, output) for every row of a file, blank lines included, in its order. The work is started at once.

    Args:
        ray: address of a running Ray cluster; "" is this process.
        workers: parts of the file worked on at a time by the cluster; None is one per CPU.
    """
    if ray:
        return _on_cluster(plain_file(str(file)), work, address=ray, workers=workers)
    done = in_order(work.start(), read_rows(file), threads=work.threads)
    return ((row.place, line) for row, line in done)


def _on_cluster(path: Path, work: RowWork, *, address: str, workers: int | None) -> Iterator[tuple[str, bytes]]:
    from etalon.rows.cluster import map_lines

    parts = map_lines(path, work, address=address, workers=workers)
    lines = (line for part in parts for line in part)
    yield from ((f"line {number}", line) for number, line in enumerate(lines, start=1))


def plain_file(file: str) -> Path:
    """The path of a JSONL file that can be read in parts; InputError for every other kind."""
    if file == "-":
        raise InputError("standard input: --ray needs a file that every machine sees")
    with opened(file) as stream:
        start = start_of(stream)
    kinds = {GZIP: "packed by gzip", ZSTD: "packed by zstd", PARQUET: "parquet"} | OTHERS
    found = next((kind for magic, kind in kinds.items() if start.startswith(magic)), None)
    if found is None and arrays.STARTS.match(start):
        found = "a JSON array"
    if found is None and OBJECT.match(start):
        found = "a JSON object over several lines"
    if found is None and file.lower().endswith((".csv", ".tsv")):
        found = "CSV"
    if found is not None:
        raise InputError(f"{file}: is {found}; --ray reads parts of plain JSONL, unpack or convert it first")
    return Path(file)

"""A function mapped over the rows of files: in threads of this process, in several processes, or on a Ray cluster.

file -> Row -> work.start()(row) -> one line of bytes per row, with the row's place, in the order of the file

The output is the same each way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from etalon.errors import InputError
from etalon.rows.files import read_rows
from etalon.rows.packed import name_of
from etalon.rows.parts import parts_of, source_of
from etalon.rows.pool import map_over
from etalon.rows.work import RowWork, in_order

ROW_FILES = (".jsonl", ".csv", ".tsv", ".parquet")  # of a directory of shards, also before .gz and .zst
PACKED = (".gz", ".zst")


def map_rows(
    file: str | Path | Sequence[str | Path],
    work: RowWork,
    *,
    ray: str = "",
    workers: int | None = None,
    processes: int = 1,
) -> Iterator[tuple[str, bytes]]:
    """(place, output) for every row, blank lines included, in its order. The work is started at once.

    Args:
        file: one, several that follow each other, or a directory of them. Of several a place begins with its file.
        ray: address of a running Ray cluster; "" is this machine.
        workers: parts of a file worked on at a time by the cluster; None is one per CPU.
        processes: of this machine; 1 is this process alone.

    Raises InputError for a file that cannot be read, or not in parts by a cluster; RunError when a process dies.
    """
    files = files_of(file)
    if ray:
        mapped = _on_cluster(files, work, address=ray, workers=workers)
    elif processes > 1:
        mapped = _in_processes(files, work, processes)
    else:
        mapped = _here(files, work)
    if len(files) == 1:
        return ((place, line) for _, place, line in mapped)
    return ((f"{name}: {place}", line) for name, place, line in mapped)


def files_of(file: str | Path | Sequence[str | Path]) -> list[str | Path]:
    """The files that are meant: of a directory those of rows in it, in the order of their names."""
    if not isinstance(file, str | Path):
        return [one for each in file for one in files_of(each)]
    if str(file) == "-" or not Path(file).is_dir():
        return [file]
    inside = [path for path in sorted(Path(file).iterdir()) if path.is_file() and not path.name.startswith(".")]
    found: list[str | Path] = [path for path in inside if _unpacked_suffix(path) in ROW_FILES]
    if not found:
        raise InputError(f"{file}: is a directory; name a JSONL file")
    return found


def _unpacked_suffix(path: Path) -> str:
    return (path.with_suffix("") if path.suffix.lower() in PACKED else path).suffix.lower()


def _here(files: Sequence[str | Path], work: RowWork) -> Iterator[tuple[str, str, bytes]]:
    function = work.start()

    def mapped() -> Iterator[tuple[str, str, bytes]]:
        for file in files:
            name = name_of(file)
            for row, line in in_order(function, read_rows(file), threads=work.threads):
                yield name, row.place, line

    return mapped()


def _in_processes(files: Sequence[str | Path], work: RowWork, processes: int) -> Iterator[tuple[str, str, bytes]]:
    parts = ((name_of(file), part) for file in files for part in parts_of(file))
    for name, part, lines in map_over(parts, work, processes=processes):
        for place, line in zip(part.places(), lines, strict=True):
            yield name, place, line


def _on_cluster(
    files: Sequence[str | Path], work: RowWork, *, address: str, workers: int | None
) -> Iterator[tuple[str, str, bytes]]:
    if "-" in map(str, files):
        raise InputError("standard input: --ray needs a file that every machine sees")
    sources = [(name_of(file), source_of(Path(file))) for file in files]

    def mapped() -> Iterator[tuple[str, str, bytes]]:
        from etalon.rows.cluster import connected, map_parts

        with connected(address):
            for name, source in sources:
                word = "line" if source.num_rows is None else "row"
                parts = map_parts(source, work, address=address, workers=workers)
                lines = (line for part in parts for line in part)
                yield from ((name, f"{word} {number}", line) for number, line in enumerate(lines, start=1))

    return mapped()

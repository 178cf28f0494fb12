"""`etalon data filter`: the n-gram gates over a file of rows, on this machine or on a Ray cluster (2.1.1 step 4a)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from etalon.commands.options import (
    FILE_HELP,
    RAY_HELP,
    MapOption,
    MaxBadOption,
    OutOption,
    check_place,
    need_out,
    refuse_same,
    written,
)


def sift(
    file: Annotated[str, typer.Argument(metavar="FILE", help=FILE_HELP)],
    against: Annotated[
        list[Path] | None,
        typer.Option("--against", metavar="FILE", help="Problems that no row may hold; may be repeated."),
    ] = None,
    out: OutOption = None,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the counts, reasons and examples of every gate as JSON.")
    ] = None,
    threshold: Annotated[
        float, typer.Option(min=0.01, max=1.0, help="Share of a problem of --against that a row may not cover.")
    ] = 0.7,
    ngram: Annotated[
        int, typer.Option(min=1, help="Words: a problem of --against with fewer has to be there whole.")
    ] = 12,
    max_repetition: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share of repeated n-grams that a response may have.")
    ] = 0.5,
    columns: MapOption = None,
    max_bad: MaxBadOption = 0.01,
    ray: Annotated[str, typer.Option(metavar="ADDRESS", help=RAY_HELP)] = "",
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Processes; with --ray parts at a time.", show_default="1; with --ray all CPUs"),
    ] = None,
) -> None:
    """Drop rows that hold a problem of an evaluation set or repeat themselves; the others stay as they are, in order.

    A row's query is its `prompt`, `question`, `problem`, `query` or what users say in `messages`, its answer its
    `response`, `completion` or last message. A row without either, or that cannot be read, is not kept and counts as
    undecided; more of them than --max-bad end the command. Counts go to standard error.
    """
    need_out(ray, out)
    refuse_same(file, out)
    if report is not None:
        check_place("--report", report)
    from etalon.data.contamination.index import rule
    from etalon.data.contamination.items import read_items
    from etalon.data.row_gates import GateRows, Sifted
    from etalon.rows.bad import BadRows
    from etalon.rows.mapping import ColumnMap
    from etalon.rows.packed import name_of
    from etalon.rows.spread import map_rows
    from etalon.store import write_json_atomic, writing

    names = ColumnMap.read(columns or [])
    items = read_items([(path.name, path) for path in against or []], columns=names, max_bad=max_bad)
    evaluation = rule(items, threshold=threshold, short=ngram)
    work = GateRows(evaluation=evaluation, max_repetition=max_repetition, columns=names)
    sifted = Sifted(bad := BadRows(name_of(file), max_bad))
    with writing(out or Path("standard output")), written(out) as stream:
        for line in sifted.kept(map_rows(file, work, ray=ray, workers=workers, processes=workers or 1)):
            stream.write(line + b"\n")
        if report is not None:
            write_json_atomic(report, sifted.rows())
        print(sifted, file=sys.stderr)  # noqa: T201
        bad.check()

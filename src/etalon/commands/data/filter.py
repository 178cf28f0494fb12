"""`etalon data filter`: the n-gram gates over a file of rows, on this machine or on a Ray cluster (2.1.1 step 4a)."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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

if TYPE_CHECKING:
    from etalon.rows.mapping import ColumnMap


def sift(
    file: Annotated[str, typer.Argument(metavar="FILE", help=FILE_HELP)],
    against: Annotated[
        list[Path] | None,
        typer.Option("--against", metavar="FILE", help="Problems that no query may overlap with; may be repeated."),
    ] = None,
    out: OutOption = None,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the counts, reasons and examples of every gate as JSON.")
    ] = None,
    ngram: Annotated[int, typer.Option(min=1, help="Words in a row that make an overlap.")] = 10,
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
    """Drop rows that overlap with an evaluation set or repeat themselves; the others stay as they are, in order.

    A row's query is its `prompt`, `question`, `problem`, `query` or what users say in `messages`, its answer its
    `response`, `completion` or last message. A row without either, or that cannot be read, is not kept and counts as
    undecided; more of them than --max-bad end the command. Counts go to standard error.
    """
    need_out(ray, out)
    refuse_same(file, out)
    if report is not None:
        check_place("--report", report)
    from etalon.data.row_gates import GateRows, Sifted
    from etalon.problems.instructions import instructions
    from etalon.rows.bad import BadRows
    from etalon.rows.mapping import ColumnMap
    from etalon.rows.packed import name_of
    from etalon.rows.spread import map_rows
    from etalon.store import write_json_atomic, writing

    names = ColumnMap.read(columns or [])
    prompts, known = _prompts(against or [], names, max_bad), tuple(instructions())
    work = GateRows(evaluation=prompts, boilerplate=known, ngram=ngram, max_repetition=max_repetition, columns=names)
    sifted = Sifted(bad := BadRows(name_of(file), max_bad))
    with writing(out or Path("standard output")), written(out) as stream:
        for line in sifted.kept(map_rows(file, work, ray=ray, workers=workers, processes=workers or 1)):
            stream.write(line + b"\n")
        if report is not None:
            write_json_atomic(report, sifted.rows())
        print(sifted, file=sys.stderr)  # noqa: T201
        bad.check()


def _prompts(files: Sequence[Path], columns: ColumnMap, max_bad: float) -> tuple[str, ...]:
    """The questions of evaluation sets; answers are not asked for."""
    from etalon.problems.files import read_problems

    found = [read_problems(path, columns=columns, max_bad=max_bad, needs_reference=False) for path in files]
    return tuple(problem.prompt for problems in found for problem in problems)

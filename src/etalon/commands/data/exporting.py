"""`etalon data export`: records as the rows of a trainer; `etalon data import` reads them back without loss."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from etalon.commands.options import MaxBadOption, check_place, refuse_same, written
from etalon.errors import ConfigError

if TYPE_CHECKING:
    from etalon.data.records import Record
    from etalon.data.step_reports import StepLog

SUFFIXES = (".jsonl", ".parquet")
TARGETS = ("verl", "trl", "jsonl")


def send(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Records, or rows in any format of the field.")],
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FILE", help="A name in .jsonl or .parquet; whole or not at all.")
    ],
    to: Annotated[
        str, typer.Option("--to", metavar="|".join(TARGETS), help="Who reads the rows; jsonl: the records themselves.")
    ],
    split: Annotated[str, typer.Option(metavar="NAME", help="What verl's rows call their split.")] = "train",
    max_bad: MaxBadOption = 0.01,
) -> None:
    """Write records as verl or TRL reads them; what neither has a column for goes along as JSON text.

    \b
    verl  {data_source, prompt, ability, reward_model: {style, ground_truth},
           extra_info: {index, split, problem, record}}
    trl   {prompt, completion, metadata}: a row for every trace; {prompt, solution, metadata} for records without traces

    etalon data import of the file gives the same records, byte for byte.
    """
    if to not in TARGETS:
        raise ConfigError(f"--to {to}: unknown target; choose one of {', '.join(TARGETS)}")
    wanted = SUFFIXES if to != "jsonl" else SUFFIXES[:1]
    if out.suffix not in wanted:
        raise ConfigError(f"--out {out}: rows for {to} are written to a file in {' or '.join(wanted)}")
    check_place("--out", out)
    refuse_same(str(file), out)
    from etalon.data.exporting.rows import Kinds, Target, rows_for, write_jsonl, write_parquet
    from etalon.data.records import read_records
    from etalon.data.step_reports import StepLog
    from etalon.store import writing

    started = time.monotonic()
    log = StepLog(step="export", inputs=[file], settings={"to": to, "split": split, "max_bad": max_bad})
    kinds = Kinds.of(read_records(file, max_bad=max_bad)) if to == "trl" else Kinds()
    rows = rows_for(_told(read_records(file, max_bad=max_bad), log), Target(to), kinds=kinds, split=split)
    with writing(out), written(out) as stream:
        count = (write_parquet if out.suffix == ".parquet" else write_jsonl)(rows, stream)
    log.write(out, seconds=time.monotonic() - started)
    typer.echo(f"{sum(side.records for side in log.wrote.values())} records -> {count} rows for {to}", err=True)
    if kinds.with_traces and kinds.without:
        typer.echo(f"  {kinds.without} records have no traces: their completion is empty", err=True)


def _told(records: Iterator[Record], log: StepLog) -> Iterator[Record]:
    for record in records:
        log.takes(record)
        log.gives(record)
        yield record

"""`etalon data import`: files as people have them become records (2.1.1)."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from etalon.commands.options import MapOption, MaxBadOption, OutOption, check_place, counting, refuse_same, written
from etalon.types import Domain

if TYPE_CHECKING:
    from etalon.data.importing import Import, Skipped, Source
    from etalon.data.records import Record

FILES_HELP = (
    "Rows: JSONL, JSON, CSV or parquet, plain or packed by gzip or zstd; a directory of such files; hf:NAME, a data "
    "set in the Hub's cache; - reads standard input."
)
SKIPPED = ".skipped.jsonl"

FilesArgument = Annotated[list[str], typer.Argument(metavar="FILE|hf:NAME ...", help=FILES_HELP)]
DryRunOption = Annotated[
    bool,
    typer.Option("--dry-run", help="Show which column becomes what, three records and all counts; write nothing."),
]
LicenseOption = Annotated[str, typer.Option("--license", metavar="TEXT", help="Of rows that state none.")]
SourceOption = Annotated[
    str,
    typer.Option(metavar="NAME", help="Of rows that state none.", show_default="the name of the file or data set"),
]
DomainOption = Annotated[
    Domain | None, typer.Option(help="Of rows whose columns leave it open.", show_default="by what decides them")
]
SplitOption = Annotated[
    str, typer.Option(metavar="NAME", help="Of directories and data sets, only the files of this split.")
]
SkippedOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Write each unreadable row as {file, line, column, reason}.",
        show_default=f"OUT{SKIPPED}",
    ),
]


def bring(
    files: FilesArgument,
    out: OutOption = None,
    columns: MapOption = None,
    dry_run: DryRunOption = False,
    max_bad: MaxBadOption = 0.01,
    license_: LicenseOption = "",
    source: SourceOption = "",
    domain: DomainOption = None,
    split: SplitOption = "",
    skipped: SkippedOption = None,
) -> None:
    """Read files in any format of the field, responses included, and write records: one problem a line, with traces.

    A row that is no problem (a proof, an answer that is none) and an exact copy are left out and counted by reason; one
    that cannot be read goes to --skipped, and more of them in a file than --max-bad end the command without OUT. Counts
    go to standard error and, with every reason and examples, to OUT.report.json.
    """
    for option, place in (("--out", out), ("--skipped", skipped)):
        if place is not None:
            check_place(option, place)
    from etalon.data.importing import Import, ImportSettings, sources
    from etalon.data.step_reports import StepLog
    from etalon.problems.formats import Reading
    from etalon.rows.mapping import ColumnMap

    found = sources(files, split=split)
    for one in found:
        refuse_same(str(one.path), out)
    reading, names = Reading(needs_reference=False, domain=domain), ColumnMap.read(columns or [])
    settings = ImportSettings(columns=names, reading=reading, license=license_, source=source, max_bad=max_bad)
    told = {"map": columns or [], "max_bad": max_bad, "license": license_, "source": source, "split": split}
    log = StepLog(step="import", inputs=[one.path for one in found if one.path.is_file()], settings=told)
    started = time.monotonic()
    aside = None if dry_run else skipped or _beside(out)
    with ExitStack() as stack:
        progress = stack.enter_context(counting("import", "read rows"))
        skip = stack.enter_context(_skipping(aside))
        reader = Import(settings, log, skip=skip, progress=progress)
        if dry_run:
            _read_only(reader, found)
        else:
            _write(reader, found, out)
    if dry_run:
        typer.echo("\n".join(_dry_lines(reader)))
    elif out is not None and out.is_file():
        log.gates.extend(reader.gates())
        log.write(out, seconds=time.monotonic() - started)
    typer.echo("\n".join(_lines(reader, found, aside)), err=True)


def _beside(out: Path | None) -> Path | None:
    """Where unreadable rows go; beside a pipe or a device nothing is written."""
    is_plain = out is not None and (out.is_file() or not out.exists())
    return out.with_name(out.name + SKIPPED) if out and is_plain else None


def _write(reader: Import, found: list[Source], out: Path | None) -> None:
    from etalon.data.records import record_to_row
    from etalon.store import to_json, writing

    with writing(out or Path("standard output")), written(out) as stream:
        for one in found:
            for record in reader.records(one):
                stream.write(to_json(record_to_row(record)) + b"\n")
                reader.log.gives(record)
        reader.check()


def _read_only(reader: Import, found: list[Source]) -> None:
    for one in found:
        for record in reader.records(one):
            reader.log.gives(record)
    reader.check()


@contextmanager
def _skipping(path: Path | None) -> Iterator[Callable[[Skipped], None]]:
    """Writes skipped rows to a file that is there when there are any, whatever became of the import."""
    from etalon.store import to_json, writing

    if path is None:
        yield lambda _: None
        return
    partial = path.with_name(f"{path.name}.part")
    count = 0
    try:
        with writing(path), open(partial, "wb") as stream:

            def skip(row: Skipped) -> None:
                nonlocal count
                count += 1
                stream.write(to_json(row.to_row()) + b"\n")

            yield skip
    finally:
        if count:
            os.replace(partial, path)
        else:
            partial.unlink(missing_ok=True)
            path.unlink(missing_ok=True)


def _lines(reader: Import, found: list[Source], aside: Path | None) -> Iterator[str]:
    """The summary: what was read, what came of it, and what nobody would see in the output."""
    copies, bad = reader.gates()[2].dropped, reader.gates()[0].dropped
    yield (
        f"{reader.rows} rows of {len(found)} file{'s' * (len(found) > 1)} -> {reader.records_read} records: "
        f"{reader.problems} problems, {reader.traces} traces"
    )
    yield f"  formats: {_counted(reader.formats.items())}"
    for (domain, source), side in sorted(reader.log.wrote.items()):
        yield f"  {domain}, {source or 'no source'}: {side.records} records, {side.traces} traces"
    for reason, count in reader.gates()[1].reasons.items():
        yield f"  left out: {count} {reason}"
    if copies:
        yield f"  left out: {copies} exact copies of earlier rows"
    if bad:
        yield f"  cannot be read: {bad}, see {aside}" if aside else f"  cannot be read: {bad}"
    if reader.renamed:
        yield f"  {reader.renamed} ids name another problem, too, and were replaced"
    if reader.without_reference:
        yield f"  {reader.without_reference} records have nothing that decides them yet"
    yield f"  licences: {_counted((name or 'unknown', count) for name, count in reader.log.licenses.most_common())}"
    for name, count in reader.unread.most_common():
        yield f"  nothing reads column {name}: long text in {count} of the {reader.looked_at} rows looked at"
    for name in reader.empty:
        yield f"  {name}: has no rows"


def _counted(counts: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts)


def _dry_lines(reader: Import) -> Iterator[str]:
    """What a dry run shows: the columns of each format, and the first records as they will be written."""
    for format_, columns in reader.mappings.items():
        yield f"{format_}:"
        yield from (f"  {field:9} <- {column}" for field, column in columns.items())
    for number, record in enumerate(reader.examples, start=1):
        yield from ("", f"record {number}: {record.problem.domain}, {record.problem.source or 'no source'}")
        yield from _shown(record)
    yield ""


def _shown(record: Record) -> Iterator[str]:
    from etalon.data.gates import excerpt

    problem = record.problem
    yield f"  question  {_indented(excerpt(problem.prompt))}"
    for letter, content in (problem.options or {}).items():
        yield f"            {letter}. {_indented(excerpt(content))}"
    if problem.answer is not None:
        yield f"  answer    {_indented(excerpt(problem.answer))}"
    for name, value in (("tests", problem.tests), ("rules", [vars(rule) for rule in problem.rules])):
        if value:
            yield f"  {name:9} {_indented(excerpt(json.dumps(value, ensure_ascii=True, default=str)))}"
    for trace in record.traces:
        says = {None: "", True: ", right", False: ", wrong"}[trace.is_correct]
        cut = ", cut" if trace.is_complete is False else ""
        yield f"  trace     {len(trace.response)} characters{says}{cut}: {_indented(excerpt(trace.response))}"


def _indented(text: str) -> str:
    """A text as one block behind its name; what a terminal would obey is shown as an escape."""
    kept = "".join(one if one.isprintable() or one == "\n" else one.encode("unicode_escape").decode() for one in text)
    return kept.strip().replace("\n", "\n            ")

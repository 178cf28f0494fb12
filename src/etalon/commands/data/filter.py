"""`etalon data filter`: the gates over files of rows, on this machine or on a Ray cluster (2.1.1 step 4a)."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from etalon.commands.options import (
    FILE_HELP,
    RAY_HELP,
    MapOption,
    MaxBadOption,
    OutOption,
    WorkersOption,
    check_place,
    counting,
    need_out,
    refuse_same,
    written,
)
from etalon.errors import ConfigError

if TYPE_CHECKING:
    from etalon.data.contamination.index import Rule
    from etalon.data.duplicates import Decisions
    from etalon.data.filtering import Dropped, GateRows, Sifted
    from etalon.data.filtering.judged import Judges
    from etalon.data.step_reports import StepLog
    from etalon.rows.mapping import ColumnMap
    from etalon.rows.work import RowWork

FilesArgument = Annotated[list[str], typer.Argument(metavar="FILE ...", help=FILE_HELP)]
AgainstOption = Annotated[
    list[str] | None,
    typer.Option("--against", metavar="NAME|FILE", help="A benchmark that no row may hold; may be repeated."),
]
ReportOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Write the counts, reasons and examples of every gate as JSON.")
]
DroppedOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Write what did not pass, and what is near a benchmark's item.")
]
ThresholdOption = Annotated[
    float, typer.Option(min=0.01, max=1.0, help="Share of an item that a row must cover to hold it.")
]
NgramOption = Annotated[int, typer.Option(min=1, help="Words: an item of fewer has to be there whole.")]
DropNearOption = Annotated[
    bool, typer.Option("--drop-near", help="Also drop rows that differ from an item in its numbers only.")
]
CopiesOption = Annotated[
    bool, typer.Option("--copies/--no-copies", help="Drop copies, and all copies that disagree on the answer.")
]
VerifyOption = Annotated[
    bool, typer.Option("--verify", help="Hold responses against the references of their rows; drop wrong ones.")
]
ThoughtsOption = Annotated[
    str,
    typer.Option(metavar="any|whole|needed", help="Thoughts: any, none that is empty, or one in every response."),
]
MaxRepetitionOption = Annotated[
    float, typer.Option(min=0.0, max=1.0, help="Share of repeated n-grams that a response may have.")
]
JudgeOption = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Ask a model about what passed: MODEL@http://..., a directory, FILE.py:NAME."),
]
RayOption = Annotated[str, typer.Option(metavar="ADDRESS", help=RAY_HELP)]


def sift(
    files: FilesArgument,
    against: AgainstOption = None,
    out: OutOption = None,
    report: ReportOption = None,
    dropped: DroppedOption = None,
    threshold: ThresholdOption = 0.7,
    ngram: NgramOption = 12,
    drop_near: DropNearOption = False,
    copies: CopiesOption = True,
    verify: VerifyOption = False,
    thoughts: ThoughtsOption = "whole",
    max_repetition: MaxRepetitionOption = 0.5,
    judge: JudgeOption = None,
    columns: MapOption = None,
    max_bad: MaxBadOption = 0.01,
    ray: RayOption = "",
    workers: WorkersOption = None,
) -> None:
    """Drop rows that hold a benchmark's item, whose responses are broken, or that are copies; others stay in order.

    Every text of a row is searched for the items of --against: names of `etalon eval --list`, or files. Its responses
    are looked at wherever they stand: `response`, `generations`, the last message, ... A row of records (`traces`)
    loses single traces, any other goes as a whole. What cannot be read is undecided and not kept; more of it than
    --max-bad ends the command, and so does a filter that keeps nothing. In a pipe, which is read once, copies are not
    looked for. Counts go to standard error, and with -o all of them to OUT.report.json.
    """
    need_out(ray, out)
    _check_places(files, against or [], {"--out": out, "--report": report, "--dropped": dropped})
    if thoughts not in ("any", "whole", "needed"):
        raise ConfigError(f"--thoughts {thoughts}: expected any, whole or needed")
    from etalon.data.filtering import GateRows, Sifted
    from etalon.rows.bad import BadRows
    from etalon.rows.files import unchanged
    from etalon.rows.mapping import ColumnMap
    from etalon.rows.spread import files_of, map_rows

    names, places = ColumnMap.read(columns or []), _Places(files=files, out=out, report=report, dropped=dropped)
    mapped = partial(map_rows, files, ray=ray, workers=workers, processes=workers or 1)
    with ExitStack() as stack:
        for one in files_of(files):
            stack.enter_context(unchanged(one))
        decisions = None if not copies or _is_stream(files) else _decisions(mapped, names)
        rule = _rule(files, against or [], names, max_bad, threshold=threshold, short=ngram)
        work = GateRows(
            against=rule, drop_near=drop_near, verifies=verify, max_repetition=max_repetition,
            thoughts=cast("Any", thoughts), columns=names,
        )  # fmt: skip
        judges, bad = stack.enter_context(_asking(judge, out, names)), BadRows(_name(files), max_bad)
        _run(places, work, mapped(work), Sifted(bad=bad, duplicates=decisions, judges=judges))


def _check_places(files: Sequence[str], against: Sequence[str], places: Mapping[str, Path | None]) -> None:
    """ConfigError where a file would be written over one that is read, or over another that is written."""
    if "-" in files and len(files) > 1:
        raise ConfigError("-: standard input is read alone; name files only")
    named: dict[Path, str] = {}
    for option, place in places.items():
        if place is None:
            continue
        for one in (*files, *against):
            refuse_same(one, place, option=option)
        if option != "--out":
            check_place(option, place)
        if (other := named.setdefault(place.resolve(), option)) != option and not place.is_char_device():
            raise ConfigError(f"{option} {place}: is also {other}; name another")


@dataclass(frozen=True, kw_only=True)
class _Places:
    """What is read, and what is written."""

    files: Sequence[str]
    out: Path | None
    report: Path | None
    dropped: Path | None


def _run(places: _Places, work: GateRows, lines: Iterator[tuple[str, bytes]], sifted: Sifted) -> None:
    from etalon.store import write_json_atomic, writing

    started, out = time.monotonic(), places.out
    with writing(out or Path("standard output")), written(out) as stream:
        with _telling(places.dropped) as tell:  # whole before it is said that nothing is left: it holds why
            sifted.dropped = tell
            for line in sifted.kept(_watched(lines, "look at every row")):
                stream.write(line + b"\n")
        if places.report is not None:
            write_json_atomic(places.report, sifted.rows())
        if work.against is not None:
            print(sifted.sweep, file=sys.stderr)  # noqa: T201
        print(sifted, file=sys.stderr)  # noqa: T201
        sifted.check()
    if out is not None and out.is_file():
        _log(places.files, work, sifted).write(out, seconds=time.monotonic() - started)


def _watched(lines: Iterator[tuple[str, bytes]], purpose: str) -> Iterator[tuple[str, bytes]]:
    """The lines as they are; how many there were is shown on a terminal."""
    with counting("filter", purpose) as count:
        for number, line in enumerate(lines):
            if not number % 256:
                count(number)
            yield line


def _name(files: Sequence[str]) -> str:
    """What bad rows are called by in front of their places, which name the file where there are several."""
    from etalon.rows.packed import name_of
    from etalon.rows.spread import files_of

    found = files_of(files)
    return name_of(found[0]) if len(found) == 1 else ""


@contextmanager
def _asking(judge: str | None, out: Path | None, columns: ColumnMap) -> Iterator[Judges | None]:
    """A judge whose answers are kept beside what is written."""
    if judge is None:
        yield None
        return
    if out is None:
        raise ConfigError("--judge: needs --out FILE; its answers are kept beside it")
    from etalon.commands.data.asking import CALLS_SUFFIX, open_model
    from etalon.data.calls.remembered import Remembered
    from etalon.data.filtering.judged import Judges
    from etalon.sampling.source import check_named, identity_of

    check_named(judge, key="--judge")
    sampler = open_model(judge, key="--judge", concurrency=None)
    with Remembered(sampler, out.with_name(out.name + CALLS_SUFFIX), identity=identity_of(judge)) as model:
        yield Judges(model, columns=columns)


def _log(files: Sequence[str], work: GateRows, sifted: Sifted) -> StepLog:
    from etalon.rows.spread import files_of

    settings: dict[str, Any] = {
        "verify": work.verifies, "max_repetition": work.max_repetition, "thoughts": work.thoughts,
    }  # fmt: skip
    if work.against is not None:
        items = work.against.items
        settings |= {"against": sorted({item.benchmark for item in items}), "items": len(items)}
        settings |= {"threshold": work.against.threshold, "drop_near": work.drop_near, "sweep": sifted.sweep.to_row()}
    log = sifted.log
    log.inputs = [] if _is_stream(files) else [Path(file) for file in files_of(files)]
    log.settings, log.gates = settings, sifted.reports()
    log.calls = [sifted.judges.model.calls] if sifted.judges else []
    return log


def _is_stream(files: Sequence[str]) -> bool:
    """Whether rows can be read once only: no copies are looked for then, and no boilerplate."""
    return any(
        file == "-" or (Path(file).exists() and not Path(file).is_file() | Path(file).is_dir()) for file in files
    )


def _decisions(mapped: Callable[[RowWork], Iterator[tuple[str, bytes]]], columns: ColumnMap) -> Decisions:
    from etalon.data.filtering.copies import KeyRows, compared

    return compared(_watched(mapped(KeyRows(columns=columns)), "compare the rows"))


def _rule(
    files: Sequence[str], against: Sequence[str], columns: ColumnMap, max_bad: float, *, threshold: float, short: int
) -> Rule | None:
    """The rule that finds the items of benchmarks; what many rows of the files share is boilerplate."""
    if not against:
        return None
    from etalon.data.contamination.index import rule
    from etalon.data.contamination.items import items_in
    from etalon.evaluate.benchmarks import choose

    items = items_in(choose(against), columns=columns, max_bad=max_bad)
    return rule(items, threshold=threshold, short=short, common=() if _is_stream(files) else _texts(files))


def _texts(files: Sequence[str]) -> Iterator[str]:
    from etalon.data.contamination.rows import texts_of
    from etalon.rows.files import read_rows
    from etalon.rows.spread import files_of

    rows = (row for one in files_of(files) for row in read_rows(one))
    return ("\n".join(texts_of(row.columns)) for row in rows if row.columns is not None)


@contextmanager
def _telling(path: Path | None) -> Iterator[Callable[[Dropped], None] | None]:
    """What is told of each row that does not pass, written whole or not at all."""
    if path is None:
        yield None
        return
    from etalon.store import to_json

    with written(path) as stream:

        def tell(one: Dropped) -> None:
            stream.write(to_json(one.to_row()) + b"\n")

        yield tell

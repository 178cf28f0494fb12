"""`etalon compare`: two runs, or two evaluations, paired by problem."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from etalon.commands.options import isolation_of
from etalon.errors import EtalonError, InputError

if TYPE_CHECKING:
    from etalon.report.several.paired import Paired, SideBySide

PIPE_WIDTH = 100
WIDE = 100  # columns from which an interval stands beside its score, below that under it
DIFFERS = ("Differs", "A", "B")
ASKED = ("Asked", "A", "B")
MOVED = ("Moved most", "Problem", "A", "B", "Difference")
TEXTS = ("Stage", "Benchmark", "Domain", "Differs", "Moved most", "Problem", "Asked")
BOTH = ("n", "score", "truncated")  # of how a benchmark was asked, what csv has of both sides


def compare(
    a: Annotated[Path, typer.Argument(metavar="A", help="A run, an evaluation of eval --out, or another tool's log.")],
    b: Annotated[Path, typer.Argument(metavar="B", help="Another one of the same sort.")],
    shown_as: Annotated[
        Literal["table", "json", "csv", "md"], typer.Option("--format", help="csv holds the scores alone.")
    ] = "table",
) -> None:
    """Compare two runs or two evaluations, problem by problem. Stages of one name are paired, and what differs is told.

    JSON is {"stages": [{name, domain, a, b, difference, low, high, problems, seconds_a, seconds_b}], "differs":
    {KNOB: [A, B]}}; of evaluations "benchmarks" without domain and seconds, with the intervals of A and B, the problems
    that moved and how each side was asked. A benchmark of which more than 1% of the samples failed or are undecided is
    not compared (exit 2).
    """
    from etalon.report.several.paired import compare as compared

    with _as_directory(a) as mine, _as_directory(b) as theirs:
        found = compared(mine, theirs, named=(a, b))
    formats: Mapping[str, Callable[[SideBySide, Path, Path], None]] = {
        "table": _table, "json": _json, "csv": _csv, "md": _markdown,
    }  # fmt: skip
    formats[shown_as](found, a, b)
    for told in _unpaired(found):
        typer.echo(told, err=True)
    if refused := [f"{one.name}: not compared: {one.refused}" for one in found.lines if one.refused]:
        raise InputError("; ".join(refused))


@contextmanager
def _as_directory(path: Path) -> Iterator[Path]:
    """A run, an evaluation, or what another tool's log comes to when it is scored here."""
    if not path.is_file():
        yield path
        return
    from etalon.commands.evaluation.rescoring import log_as_evaluation, score_log
    from etalon.sandbox import connect
    from etalon.show.progress import Progress

    connect("", concurrency=1, key_env="", fork_each=True, isolation=isolation_of(None))
    progress = Progress()
    with log_as_evaluation(path) as (folder, found):
        progress.say(found.line)
        try:
            score_log(found, found.task, folder, progress)
        except EtalonError as error:
            raise EtalonError(f"{path}: {error}") from None
        yield folder


def _unpaired(found: SideBySide) -> list[str]:
    """What could not be compared, in words."""
    if not found.lines:
        raise InputError("nothing to pair: no stage of one name was evaluated in both")
    apart = [f"{one.name} {one.domain}".strip() for one in found.lines if not one.problems and not one.refused]
    return [f"no problem in common: {', '.join(apart)}"] if apart else []


def _json(found: SideBySide, a: Path, b: Path) -> None:
    typer.echo(json.dumps(found.record(), indent=2, ensure_ascii=False))


def _csv(found: SideBySide, a: Path, b: Path) -> None:
    [rows] = [value for name, value in found.record().items() if name != "differs"]
    if not found.of_runs:
        rows = [row | _sides(line, a, b) for row, line in zip(rows, found.lines, strict=True)]
    stream = io.StringIO()
    if rows:
        plain = [name for name, value in rows[0].items() if not isinstance(value, list | dict | tuple)]
        writer = csv.DictWriter(stream, plain, lineterminator="\n", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    typer.echo(stream.getvalue(), nl=False)


def _sides(line: Paired, a: Path, b: Path) -> dict[str, Any]:
    """Who A and B are, and how each was asked."""
    asked = {f"{name}_{side}": line.protocol[name][place] for name in BOTH for place, side in enumerate("ab")}
    return {"name_a": str(a), "name_b": str(b), **asked}


def _markdown(found: SideBySide, a: Path, b: Path) -> None:
    from etalon.report.several import cells

    head, rows = cells.table(found)
    _markdown_table(head, rows)
    typer.echo(f"\nA: {a}, B: {b}. {cells.caption(found)}")
    for names, lines in (
        (MOVED, cells.moved(found)),
        (ASKED, cells.protocol(found)),
        (DIFFERS, cells.differing(found)),
    ):
        if lines:
            typer.echo("")
            _markdown_table(names, lines)


def _markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    for row in (head, ["---"] * len(head), *rows):
        typer.echo(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |")


def _table(found: SideBySide, a: Path, b: Path) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from etalon.report.several import cells

    console = Console()
    if not console.is_terminal:
        console.width = max(console.width, PIPE_WIDTH)
    head, rows = cells.table(found, between=" " if console.width >= WIDE else "\n")
    for names, lines, caption in (
        (head, rows, f"A: {a}\nB: {b}\n{cells.caption(found)}"),
        (MOVED, cells.moved(found), ""),
        (ASKED, cells.protocol(found), ""),
        (DIFFERS, cells.differing(found), ""),
    ):
        if not lines:
            continue
        table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, caption=Text(caption))
        table.caption_justify = "left"
        for name in names:
            is_number = name not in TEXTS and names not in (DIFFERS, ASKED)
            table.add_column(Text(name), justify="right" if is_number else "left", overflow="fold")
        for row in lines:
            table.add_row(*map(Text, row))
        console.print(table)

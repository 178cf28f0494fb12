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
    from etalon.report.paired import Paired, SideBySide

PIPE_WIDTH = 100
WIDE = 100  # columns from which an interval stands beside its score, below that under it
MOST_MOVED = 5  # (ours) problems of a benchmark that a table names; json has more
MOST_LETTERS = 40  # of a problem's name
DIFFERS = ("Differs", "A", "B")
ASKED = ("Asked", "A", "B")
MOVED = ("Moved most", "Problem", "A", "B", "Difference")
TEXTS = ("Stage", "Benchmark", "Domain", "Differs", "Moved most", "Problem", "Asked")
SAME, ALIKE = "same in both", " Nothing else differs."
CAPTION = "Pass@1 in percent over the problems that both have; the difference is B - A, * where it excludes 0."
CLR_CAPTION = " CLR: over whole flows, of which each gives one answer."
CAP = "max_tokens"
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
    from etalon.report.paired import compare as compared

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


def _caption(found: SideBySide) -> str:
    is_clr = any(_is_clr(line, side) for line in found.lines for side in (0, 1))
    return f"{CAPTION}{CLR_CAPTION if is_clr else ''}{'' if found.differs else ALIKE}"


def _markdown(found: SideBySide, a: Path, b: Path) -> None:
    head, rows = _cells(found)
    _markdown_table(head, rows)
    typer.echo(f"\nA: {a}, B: {b}. {_caption(found)}")
    for names, lines in ((MOVED, _moved(found)), (ASKED, _protocol(found)), (DIFFERS, _differing(found))):
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

    console = Console()
    if not console.is_terminal:
        console.width = max(console.width, PIPE_WIDTH)
    head, rows = _cells(found, between=" " if console.width >= WIDE else "\n")
    for names, lines, caption in (
        (head, rows, f"A: {a}\nB: {b}\n{_caption(found)}"),
        (MOVED, _moved(found), ""),
        (ASKED, _protocol(found), ""),
        (DIFFERS, _differing(found), ""),
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


def _cells(found: SideBySide, between: str = " ") -> tuple[list[str], list[list[str]]]:
    """Head and rows; a stage's name and seconds stand in its first row only, one that both share has no other.

    between: what stands between a score and its interval.
    """
    head = ["Stage" if found.of_runs else "Benchmark", "Domain", "A", "B", "Difference [95%]", "Problems"]
    rows = []
    above = ""
    for one in found.lines:
        if one.is_same:  # one row for all domains
            seconds = [_seconds(one.seconds_a), _seconds(one.seconds_b)]
            rows += [[one.name, "", "", "", SAME, "", *seconds]] if one.name != above else []
            above = one.name
            continue
        scores = [_percent(one.a), _percent(one.b)] if found.of_runs else [_score(one, side) for side in (0, 1)]
        scores = [shown.replace(" [", f"{between}[") for shown in (*scores, _difference(one))]
        cells = [one.name, one.domain, *scores, str(one.problems)]
        if found.of_runs:
            cells = ["" if one.name == above else one.name, *cells[1:]]
            cells += ["", ""] if one.name == above else [_seconds(one.seconds_a), _seconds(one.seconds_b)]
        else:
            del cells[1]
            cells.append(f"+{one.better} -{one.worse}" if one.problems else "")
        rows.append(cells)
        above = one.name
    if found.of_runs:
        return [*head, "Seconds A", "B"], rows
    return [head[0], *head[2:], "Moved"], rows


def _protocol(found: SideBySide) -> list[list[str]]:
    """How each side was asked, and what was cut of it."""
    shown: dict[str, Callable[[Any], str]] = {
        "truncated": lambda value: "not told" if value is None else f"{_percent(value)}%", "score": str,
    }  # fmt: skip
    return [
        [f"{line.name}: {name}", *(shown.get(name, _of(name))(value) for value in pair)]
        for line in found.lines
        for name, pair in line.protocol.items()
    ]


def _moved(found: SideBySide) -> list[list[str]]:
    """The problems that moved most, under the name of their benchmark; only evaluations tell."""
    return [
        [
            "" if place else line.name,
            shortened(one.id),
            _percent(one.a),
            _percent(one.b),
            f"{100 * (one.b - one.a):+.1f}",
        ]
        for line in (() if found.of_runs else found.lines)
        for place, one in enumerate(line.moved[:MOST_MOVED])
    ]


def shortened(name: str) -> str:
    """A name that is cut in its middle, where it is longer than MOST_LETTERS."""
    half = (MOST_LETTERS - 1) // 2
    return name if len(name) <= MOST_LETTERS else f"{name[:half]}…{name[-half:]}"


def _percent(value: float | None) -> str:
    from etalon.report.exports.cells import percentage

    return percentage(value)


def _score(one: Paired, side: int) -> str:
    """Of a benchmark, with its interval."""
    from etalon.report.exports.cells import scored

    shown = scored(*((one.a, one.a_low, one.a_high), (one.b, one.b_low, one.b_high))[side])
    return f"{shown}{' CLR' if _is_clr(one, side) else ''}"


def _is_clr(one: Paired, side: int) -> bool:
    return "score" in one.protocol and one.protocol["score"][side].startswith("CLR")


def _seconds(value: float | None) -> str:
    from etalon.report.html import MISSING

    return MISSING if value is None else f"{value:,.1f}"


def _difference(one: Paired) -> str:
    from etalon.report.exports.cells import bounds
    from etalon.report.html import MISSING

    if one.difference is None:
        return MISSING
    interval = bounds(one.low, one.high, "+")
    return f"{100 * one.difference:+.1f}{f' {interval}' if interval else ''}{' *' if one.is_clear else ''}"


def _differing(found: SideBySide) -> list[list[str]]:
    return [[knob, *map(_of(knob), pair)] for knob, pair in found.differs.items()]


def _of(knob: str) -> Callable[[Any], str]:
    """How a knob's value is shown; a cap that is not set is the model's own."""
    from etalon.report.exports.shape import MAXIMUM

    is_cap = knob.rpartition(".")[2] == CAP
    return lambda value: MAXIMUM if value is None and is_cap else _told(value)


def _told(value: Any) -> str:
    """A value as a recipe writes it; a stage by its kind and what it says."""
    from etalon.report.html import MISSING

    if value is None:
        return MISSING
    if isinstance(value, Mapping):
        return ", ".join(f"{key} = {_told(inner)}" for key, inner in value.items())
    return json.dumps(value, ensure_ascii=False)

"""The results on a terminal: the scores, what was published beside ours, then the remarks.

A column that has no room is left out, the least telling first, and said to be; the name and the score never are.
Where even these have none, every benchmark is a line of its own.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from etalon.report.exports.cells import COUNTS, at_k, caption, curves, ks, legend, score_of, short_columns, whole
from etalon.report.exports.published import differing, published_score, settings, standing
from etalon.report.exports.remarks import disagreements, remarks
from etalon.report.exports.shape import BenchmarkRow, ResultsFile, shaped
from etalon.report.html import clip
from etalon.report.terminal import plain

WIDTH = 110  # columns of a pipe or a file
GAP = 2  # columns between two of a table, and before its first
MOST_CURVES = 4  # columns of pass@k and maj@k beside the others; more get a table of their own
TEXTS = ("Benchmark", "Curve", "Problem", "Reference", "Answer", "Program", "Right by", "Likely reason", "Said")
MOST_DISAGREEMENTS = 10  # (ours) programs that are shown; results.json has more
Columns = Mapping[str, Sequence[str]]  # the cells of a table by their head


def print_table(results: Mapping[str, Any], console: Console) -> None:
    """Print the results; a pipe gets 110 columns."""
    if not console.is_terminal:
        console.width = max(console.width, WIDTH)
    found = shaped(results)
    rows = found.benchmarks
    if not rows:
        console.print(Text("No benchmark has been scored."))
        return
    _scores(rows, console)
    _published(rows, console)
    for told, names in _remarks(found).items():
        console.print(Text(plain(f"{', '.join(names)}: {told}")), soft_wrap=True)
    _disagreements(rows, console)


def as_table(results: Mapping[str, Any]) -> str:
    """What `print_table` prints into a file."""
    stream = io.StringIO()
    print_table(results, Console(file=stream, width=WIDTH))
    return "\n".join(written.rstrip() for written in stream.getvalue().splitlines()) + "\n"


# ---- scores


def _scores(rows: Sequence[BenchmarkRow], console: Console) -> None:
    over_k = curves(rows)
    shown = short_columns(rows, has_curves=len(over_k) <= MOST_CURVES)
    table = {name: [_line(cell(row)) for row in rows] for name, cell in shown.items()}
    fits = fitted(table, console.width, _least_telling(table))
    if fits:
        console.print(_table(fits))
    else:
        for line in zip(*table.values(), strict=True):
            told = "; ".join(f"{head} {cell}" for head, cell in zip(list(table)[1:], line[1:], strict=True))
            console.print(Text(f"{line[0]}: {told}"))
    left_out = ", ".join(name for name in table if fits and name not in fits)
    gone = f" Too narrow for: {left_out}." if left_out else ""
    console.print(Text(f"{caption(rows)} {legend(fits or table)}{gone}", style="dim"))
    if len(over_k) > MOST_CURVES:
        _curves(rows, console)


def _least_telling(table: Columns) -> list[str]:
    """The columns that may be left out, in the order in which they are; those that say nothing first."""
    empty = [name for name in COUNTS if set(table[name]) <= {"0"}]
    over_k = [name for name in table if "@" in name]
    return ["Tokens", *empty, *reversed(over_k), "None %"]


def fitted(table: Columns, width: int, may_go: Sequence[str]) -> dict[str, Sequence[str]]:
    """The columns that fit `width`, without the first of `may_go` that leave room; empty where all are too few."""
    for count in range(len(may_go) + 1):
        kept = {head: cells for head, cells in table.items() if head not in may_go[:count]}
        if sum(max(map(len, (head, *cells))) + GAP for head, cells in kept.items()) <= width:
            return kept
    return {}


def _curves(rows: Sequence[BenchmarkRow], console: Console) -> None:
    """A line for each benchmark and curve."""
    lines = [(row, curve) for row in rows for curve in ("pass", "maj") if ks([row], curve)]
    table = {
        "Benchmark": [_line(row.name) for row, _ in lines],
        "Curve": [f"{curve}@k" for _, curve in lines],
        **{f"k = {k}": [at_k(curve, k, row) for row, curve in lines] for k in ks(rows)},
    }
    console.print(_table(fitted(table, console.width, list(table)[2:]) or table))


# ---- published scores


def _published(rows: Sequence[BenchmarkRow], console: Console) -> None:
    """Under each of our scores, with its settings, what was published; each source once, below."""
    asked = [row for row in rows if row.published]
    if not asked:
        return
    sources = list(dict.fromkeys(one.source for row in asked for one in row.published if one.source))
    console.print(Text("\nBeside published scores", style="bold"))
    models = max(len(_line(one.model)) for row in asked for one in row.published)
    for row in asked:
        console.print(Text(_line(f"{row.name}, ours: {score_of(row)}; {settings(row)}")))
        for one in row.published:
            note = f" [{sources.index(one.source) + 1}]" if one.source else ""
            drawn = "n not told" if one.n is None else f"n = {whole(one.n)}"
            told = f"{_line(one.model):<{models}}  {published_score(one):<10}  {drawn:<10}  {standing(one)}{note}"
            console.print(Text(plain(f"  {told}")), soft_wrap=True)
            if apart := differing(row, one):
                console.print(Text(plain(f"    settings differ: {apart}")), soft_wrap=True)
    for number, source in enumerate(sources, start=1):
        console.print(Text(_line(f"[{number}] {source}"), style="dim"), soft_wrap=True)


# ---- remarks


def _remarks(results: ResultsFile) -> dict[str, list[str]]:
    """Every remark with the benchmarks that it is on."""
    found: dict[str, list[str]] = {}
    for row in results.benchmarks:
        for told in remarks(results, row):
            found.setdefault(told, []).append(row.name)
    return found


def _disagreements(rows: Sequence[BenchmarkRow], console: Console) -> None:
    for row in rows:
        if lines := disagreements(row.judge):
            console.print(Text(_line(f"{row.name}: answers on which judge and rules differ")))
            console.print(_wrapped(("Problem", "Reference", "Answer", "Rules", "Judge"), lines))
        if row.official.disagreements:
            console.print(_wrapped(("Program", "Right by", "Likely reason", "Said"), list(_programs(row))))
            console.print(Text(plain(f"{row.name}: {_reasons(row)}"), style="dim"), soft_wrap=True)


def _programs(row: BenchmarkRow) -> Iterator[list[str]]:
    """The first programs on which another checker differs; in the last column our words, then its own."""
    for one in row.official.disagreements[:MOST_DISAGREEMENTS]:
        right = "undecided" if one.ours is None else "ours" if one.ours >= 1 else row.official.tool
        said = " | ".join(words for words in (one.reason, one.said) if words)
        yield [f"{one.id}/{whole(one.index)}", right, one.why, said]


def _reasons(row: BenchmarkRow) -> str:
    """How many disagreements there are of each likely reason."""
    return "likely reasons: " + "; ".join(f"{whole(count)} {why}" for why, count in row.official.reasons.items())


# ---- tables


def _table(table: Columns) -> Table:
    """A table that fits: no cell of it is broken."""
    shown = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for head in table:
        shown.add_column(Text(head), justify="left" if head in TEXTS else "right", no_wrap=True)
    for line in zip(*table.values(), strict=True):
        shown.add_row(*map(Text, line))
    return shown


def _wrapped(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """A table of words, which are broken where there is no room."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for name in head:
        table.add_column(Text(name), overflow="fold")
    for row in rows:
        table.add_row(*(Text(_line(cell)) for cell in row))
    return table


def _line(cell: str) -> str:
    """One line, without what would steer a terminal."""
    return plain(clip(" ".join(cell.split()), 200))

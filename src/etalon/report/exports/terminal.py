"""The results on a terminal: a table of 110 columns at most, the published numbers under it, then the remarks."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from etalon.report.exports.cells import columns, curves, ks, percentage, remarks, score_of, standing, whole
from etalon.report.exports.shape import BenchmarkRow, shaped
from etalon.report.html import clip
from etalon.report.terminal import plain

WIDTH = 110
MOST_CURVES = 4  # columns of pass@k and maj@k beside the others; more get a table of their own
SHORT = {"Truncated %": "Cut %", "No answer %": "None %", "Undecided": "Open", "Problems": "Probl."}
CAPTION = (
    "Score: percent right, mean over n samples and then over problems. Cut: truncated, None: without an answer, Open: "
    "undecided samples; Tokens: mean length."
)
WORDS = ("Benchmark", "Model", "Ours", "Source", "Program", "Right by", "Likely reason", "Said")
MOST_DISAGREEMENTS = 10  # (ours) programs that are shown; results.json has more


def print_table(results: Mapping[str, Any], console: Console) -> None:
    """Print the results; a pipe gets 110 columns."""
    if not console.is_terminal:
        console.width = max(console.width, WIDTH)
    rows = shaped(results).benchmarks
    if not rows:
        console.print(Text("No benchmark has been scored."))
        return
    over_k = curves(rows)
    shown = columns(rows, has_curves=len(over_k) <= MOST_CURVES)
    console.print(
        _table([SHORT.get(name, name) for name in shown], [[cell(r) for cell in shown.values()] for r in rows])
    )
    console.print(Text(CAPTION, style="dim"))
    if len(over_k) > MOST_CURVES:
        cells = [[row.called, *(cell(row) for cell in over_k.values())] for row in rows if ks([row])]
        console.print(_table(["Benchmark", *over_k], cells))
    if published := _published(rows):
        console.print(_table(("Benchmark", "Model", "Published", "n", "Score [95%]", "Ours", "Source"), published))
    for row in rows:
        for words in remarks(row):
            console.print(Text(plain(f"{row.called}: {words}")), soft_wrap=True)
    for row in rows:
        if row.official.disagreements:
            console.print(_table(("Program", "Right by", "Likely reason", "Said"), _disagreements(row)))
            console.print(Text(plain(f"{row.called}: {_reasons(row)}"), style="dim"), soft_wrap=True)


def as_table(results: Mapping[str, Any]) -> str:
    """What `print_table` prints into a file."""
    stream = io.StringIO()
    print_table(results, Console(file=stream, width=WIDTH))
    return "\n".join(written.rstrip() for written in stream.getvalue().splitlines()) + "\n"


def _published(rows: Sequence[BenchmarkRow]) -> list[list[str]]:
    return [
        [
            row.called,
            one.model,
            f"{percentage(one.score)}{f' {one.metric}' if one.metric not in ('', 'avg') else ''}",
            whole(one.n),
            score_of(row),
            standing(row, one),
            one.source,
        ]
        for row in rows
        for one in row.published
    ]


def _disagreements(row: BenchmarkRow) -> list[list[str]]:
    """The first programs on which another checker differs; in the last column our words, then its own."""
    return [
        [
            f"{one.id}/{whole(one.index)}",
            "undecided" if one.ours is None else "ours" if one.ours >= 1 else row.official.tool,
            one.why,
            " | ".join(words for words in (one.reason, one.said) if words),
        ]
        for one in row.official.disagreements[:MOST_DISAGREEMENTS]
    ]


def _reasons(row: BenchmarkRow) -> str:
    """How many disagreements there are of each likely reason."""
    return "likely reasons: " + "; ".join(f"{whole(count)} {why}" for why, count in row.official.reasons.items())


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for name in head:
        is_words = name in WORDS
        least = 14 if name == "Benchmark" else 2
        table.add_column(
            Text(name), justify="left" if is_words else "right", overflow="fold", no_wrap=not is_words, min_width=least
        )
    for row in rows:
        table.add_row(*(Text(plain(clip(" ".join(cell.split()), 200))) for cell in row))
    return table

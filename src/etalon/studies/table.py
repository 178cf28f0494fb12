"""A result on the terminal, as Markdown, and as it is kept: one line per arm, stage and domain."""

from __future__ import annotations

from collections.abc import Iterator

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from etalon.studies.pairing import Difference, Spread
from etalon.studies.result import Result, Row

WIDTH = 100  # of a pipe
HEAD = ("Arm", "Stage", "Domain", "Pass@1 [95%]", "Pass@K", "Tokens", "Difference", "over seeds", "over problems")
BAR = "\\|"  # inside a cell of Markdown
CAPTION = (
    "Means over {seeds} seeds, in percent. Difference: against the first arm, paired by seed and problem; its 95% "
    "intervals over seeds and over problems; * where both exclude 0."
)


def print_result(result: Result, console: Console | None = None) -> None:
    """Table and conclusion on stdout; a pipe gets 100 columns."""
    console = console or Console()
    if not console.is_terminal:
        console.width = WIDTH
    table = Table(
        box=box.SIMPLE_HEAD, padding=0, pad_edge=False, caption=caption(result), caption_justify="left", min_width=60
    )
    for place, name in enumerate(HEAD):
        table.add_column(name, justify="left" if place < 3 else "right", overflow="fold")
    above = ("", "")
    for row in result.rows:
        cells = cells_of(row)
        shown = ["" if mine == last else mine for mine, last in zip(cells[:2], above, strict=True)]
        shown = cells[:2] if shown[0] else shown
        above = (cells[0], cells[1])
        table.add_row(*map(Text, [*shown, *cells[2:]]))
    console.print(table)
    for line in remarks(result):
        console.print(Text(line), soft_wrap=True)


def markdown(result: Result) -> str:
    """The same table for a document."""
    lines = [f"| {' | '.join(HEAD)} |", f"|{'---|' * len(HEAD)}"]
    lines += [
        f"| {' | '.join(' '.join(cell.split()).replace('|', BAR) for cell in cells_of(row))} |" for row in result.rows
    ]
    return "\n".join([*lines, "", caption(result), "", *remarks(result)])


def caption(result: Result) -> str:
    return CAPTION.format(seeds=len(result.seeds))


def remarks(result: Result) -> Iterator[str]:
    """What it comes to, and whatever is not in the table."""
    if result.question:
        yield f"Question: {result.question}"
    yield f"Conclusion: {result.sentence}"
    yield from (f"did nothing: {one}" for one in result.skipped)
    yield from (f"failed: {one.name}: exit code {one.code}: {one.words} ({one.log})" for one in result.failures)
    if result.missing:
        yield f"not done: {', '.join(result.missing)}; seeds that lack a run are left out"


def cells_of(row: Row) -> list[str]:
    """The cells of one line, in the order of HEAD."""
    found = row.difference
    stage = row.stage if row.stage == row.of else f"{row.stage} as {row.of}"
    star = " *" if found is not None and found.is_clear else ""
    return [
        row.arm, stage, row.domain, with_bounds(row.numbers.get("pass1")), mean(row.numbers.get("passk")),
        mean(row.numbers.get("mean_tokens"), scale=1.0), f"{signed(found)}{star}",
        "" if found is None else bounds(found.low, found.high),
        "" if found is None else bounds(found.problems_low, found.problems_high),
    ]  # fmt: skip


def with_bounds(spread: Spread | None) -> str:
    if spread is None:
        return ""
    if spread.low is None or spread.high is None:
        return mean(spread)
    return f"{mean(spread)} [{100 * spread.low:.1f}, {100 * spread.high:.1f}]"


def mean(spread: Spread | None, *, scale: float = 100.0) -> str:
    return "" if spread is None else f"{scale * spread.mean:.1f}"


def signed(found: Difference | None) -> str:
    return "" if found is None else f"{100 * found.mean:+.1f}"


def bounds(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"[{100 * low:+.1f}, {100 * high:+.1f}]"

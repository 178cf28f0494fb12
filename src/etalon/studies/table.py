"""A result on the terminal, as Markdown, and as it is kept: one line per arm, stage and domain."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from etalon.show.table import CLR_METHODS
from etalon.studies.pairing import Difference, Spread
from etalon.studies.result import Result, Row, is_gain, said

WIDTH = 100  # of a pipe
CLEAR = " \\*"  # behind a difference whose intervals both exclude 0, as Markdown writes a star
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
    """A table per measured stage, of the domains that the study is about; of one arm a single table of all stages."""
    stages = list(dict.fromkeys(row.stage for row in result.rows))
    if len(result.arms) == 1:
        tables = [pivot("Stage", [(row.stage, row) for row in own]) for own in by_sort(result.rows)]
    else:
        tables = [
            pivot(f"After {stage}", [(row.arm, row) for row in own], result.domains)
            for stage in stages
            for own in by_sort([row for row in result.rows if row.stage == stage])
        ]
    lines = []
    for head, *rows in tables:
        written = [[" ".join(cell.split()).replace("|", BAR) for cell in cells] for cells in (head, *rows)]
        lines += [f"| {' | '.join(cells)} |" for cells in (written[0], ["---"] * len(head), *written[1:])]
        lines.append("")
    notes = [line for line in remarks(result) if not line.startswith("Question")]
    return "\n".join([*lines, caption(result), "", *notes])


def by_sort(rows: Sequence[Row]) -> list[list[Row]]:
    """Rows of domains, of ways to answer, and of what CLR adds to them, apart; none of what there is none."""
    sorts = (
        [row for row in rows if row.domain not in CLR_METHODS and not is_gain(row.domain)],
        [row for row in rows if row.domain in CLR_METHODS],
        [row for row in rows if is_gain(row.domain)],
    )
    return [found for found in sorts if found]


def pivot(head: str, rows: Sequence[tuple[str, Row]], asked: Sequence[str] = ()) -> list[list[str]]:
    """Head and lines: one per name, per domain Pass@1 and what was added to it; of one domain also the tokens.

    asked: these domains alone, as far as there are any of them.
    """
    there = list(dict.fromkeys(row.domain for _, row in rows))
    domains = [name for name in there if name in asked] or there
    found = {(name, row.domain): row for name, row in rows}
    columns: list[tuple[str, Callable[[Row], str], str]] = []
    for domain in domains:
        own = [row for _, row in rows if row.domain == domain]
        if any(row.numbers for row in own):
            columns.append((said(domain), lambda row: with_bounds(row.numbers.get("pass1")), domain))
        if any(change(row) for row in own):
            columns.append(("change" if any(row.numbers for row in own) else said(domain), change, domain))
    if len(domains) == 1 and any("correct_tokens" in row.numbers for _, row in rows):
        columns += [
            ("tokens of right answers", lambda row: mean(row.numbers.get("correct_tokens"), scale=1.0), domains[0]),
            ("change", lambda row: spread_of(row.changes.get("correct_tokens")), domains[0]),
        ]
    lines = [
        [name, *(show(found[name, domain]) if (name, domain) in found else "" for _, show, domain in columns)]
        for name in dict.fromkeys(name for name, _ in rows)
    ]
    return [[head, *(title for title, _, _ in columns)], *lines]


def change(row: Row) -> str:
    """A difference with its intervals over seeds and over problems; of a first arm, what the stage itself added."""
    found = row.difference
    if found is None:
        return spread_of(row.numbers.get("delta"), scale=100.0)
    star = CLEAR if found.is_clear else ""
    both = [bounds(found.low, found.high), bounds(found.problems_low, found.problems_high)]
    return f"{signed(found)} {', '.join(filter(None, both))}{star}".strip()


def spread_of(spread: Spread | None, *, scale: float = 1.0) -> str:
    """A change over seeds with its interval."""
    if spread is None:
        return ""
    if spread.low is None or spread.high is None:
        return f"{scale * spread.mean:+.1f}"
    return f"{scale * spread.mean:+.1f} [{scale * spread.low:+.1f}, {scale * spread.high:+.1f}]"


def caption(result: Result) -> str:
    return CAPTION.format(seeds=len(result.seeds))


def remarks(result: Result) -> Iterator[str]:
    """What it comes to, and whatever is not in the table."""
    if result.question:
        yield f"Question: {result.question}"
    yield f"Conclusion: {result.sentence}"
    yield from (f"failed: {one.name}: exit code {one.code}: {one.words} ({one.log})" for one in result.failures)
    yield from result.gaps


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

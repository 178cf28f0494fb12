"""`etalon data funnel`: what every step of the data took, gave and lost, from the reports beside their outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from etalon.commands.options import check_place
from etalon.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

    from etalon.data.funnel.chains import Funnel
    from etalon.report.data.tables import Table

PIPE_WIDTH = 120
MOST_ROWS = 40  # (ours) of one table in a terminal; json and md have all


def funnel(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where the outputs lie, or a run; looked through.")],
    shown_as: Annotated[Literal["table", "json", "md"], typer.Option("--format", help="json holds all.")] = "table",
    examples: Annotated[
        bool, typer.Option("--examples", help="Three rows that were dropped, for every reason.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE.html", help="Write the funnel as a page, too.")
    ] = None,
) -> None:
    """Show how many records and traces went into and came out of every step, and why the others did not.

    Every step of `etalon data` leaves OUT.report.json beside its output. They are read wherever they lie below DIR and
    put in order by the content of the files, so several chains of steps are told apart. A cost that nobody knows is
    unknown, not 0; so is a licence. A report that cannot be read is named, and ends the command with exit 2.
    """
    if out is not None:
        check_place("--out", out)
    from etalon.data.funnel.chains import read_funnel

    found = read_funnel(directory)
    formats: Mapping[str, Callable[[Funnel, bool], None]] = {"table": _tables, "json": _json, "md": _markdown}
    formats[shown_as](found, examples)
    if out is not None:
        from etalon.report.data import write_page

        typer.echo(write_page(found, out, name=directory.resolve().name), err=True)
    if found.left_out:
        raise InputError("; ".join(found.left_out))


def _json(found: Funnel, examples: bool) -> None:
    from etalon.data.funnel.chains import funnel_to_row
    from etalon.store import to_json

    typer.echo(to_json(funnel_to_row(found), indent=2))


def _markdown(found: Funnel, examples: bool) -> None:
    from etalon.report.data import chain_name, tables

    for chain in found.chains:
        typer.echo(f"# {chain_name(chain)}\n")
        for table in tables.tables(chain):
            typer.echo(f"## {table.title}\n")
            for row in (table.head, ["---"] * len(table.head), *table.rows):
                typer.echo(f"| {' | '.join(_shown(cell).replace('|', chr(92) + '|') for cell in row)} |")
            typer.echo("")
        for title, told in tables.examples(chain) if examples else ():
            typer.echo(f"## {title}: examples of what was dropped\n")
            for reason, text in told:
                typer.echo(f"{_shown(reason)}:\n\n{_indented(text)}\n")


def _tables(found: Funnel, examples: bool) -> None:
    from rich.console import Console
    from rich.text import Text

    from etalon.report.data import chain_name, tables

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = max(console.width, PIPE_WIDTH)
    for chain in found.chains:
        console.print(Text(_shown(chain_name(chain)), style="bold"), soft_wrap=True)
        for table in tables.tables(chain, is_short=True):
            _print(table, console)
        for title, told in tables.examples(chain) if examples else ():
            console.print(Text(f"\n{title}: examples of what was dropped"))
            for reason, text in told:
                console.print(Text(f"  {_shown(reason)}\n{_indented(text)}"), soft_wrap=True)


def _print(table: Table, console: Console) -> None:
    from rich import box
    from rich.table import Table as Drawn
    from rich.text import Text

    drawn = Drawn(title=Text(table.title), box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    drawn.title_justify = "left"
    for place, name in enumerate(table.head):
        is_text = place < table.texts
        drawn.add_column(Text(name), justify="left" if is_text else "right", overflow="fold", no_wrap=not is_text)
    for row in table.rows[:MOST_ROWS]:
        drawn.add_row(*(Text(_shown(cell)) for cell in row))
    console.print(drawn)
    if len(table.rows) > MOST_ROWS:
        console.print(f"  and {len(table.rows) - MOST_ROWS} more rows, which --format md and json have")


def _shown(text: str) -> str:
    """A name or a reason in one line, without what would steer a terminal."""
    from etalon.report.terminal import plain

    return " ".join(plain(text).split())


def _indented(text: str) -> str:
    from etalon.report.terminal import plain

    return "\n".join(f"    {line}" for line in plain(text).splitlines())

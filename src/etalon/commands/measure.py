"""`etalon report`: show what a run did."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from etalon.errors import InputError


def report(run: Annotated[Path, typer.Argument(metavar="RUN", help="A run directory, finished or not.")]) -> None:
    """Write the report of a run. RUN/report.html is one file that opens without a network."""
    if not run.is_dir():
        raise InputError(f"{run}: no such run directory")
    if not any((run / name).exists() for name in ("resolved.toml", "summary.json", "stages")):
        raise InputError(f"{run}: is not a run directory: it has no resolved.toml, summary.json or stages")
    from etalon.report import write_report

    typer.echo(write_report(run))

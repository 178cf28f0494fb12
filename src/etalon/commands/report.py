"""`etalon report`: show what a run or an evaluation did."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from etalon.errors import ConfigError, InputError


def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run, or an evaluation of eval --out; finished or not.")],
    sample: Annotated[
        str | None, typer.Option(metavar="BENCHMARK/PROBLEM/INDEX", help="Print this sample of an evaluation instead.")
    ] = None,
) -> None:
    """Write the report of a run or of an evaluation. RUN/report.html is one file that opens without a network."""
    if not run.is_dir():
        raise InputError(f"{run}: no such run directory")
    if (run / "evaluation.json").is_file():
        from etalon.report.evaluation import print_sample, write_page

        typer.echo(write_page(run) if sample is None else print_sample(run, sample))
        return
    if sample is not None:
        raise ConfigError(f"--sample: {run} is not the directory of an evaluation: it has no evaluation.json")
    if not any((run / name).exists() for name in ("resolved.toml", "summary.json", "stages")):
        raise InputError(f"{run}: is not a run directory: it has no resolved.toml, summary.json or stages")
    from etalon.report import write_report

    typer.echo(write_report(run))

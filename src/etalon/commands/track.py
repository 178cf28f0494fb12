"""`etalon track`: what a run has measured, into a tracker, after the fact."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated

import typer

from etalon.errors import EtalonError, InputError, RunError


def track(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run, finished or not.")],
    names: Annotated[list[str], typer.Argument(metavar="NAME ...", help="trackio, wandb or tensorboard.")],
) -> None:
    """Send the steps and scores of a run to trackers. What they were sent before is not sent again."""
    from etalon.track.sender import folder_of, sending
    from etalon.track.trackers import require

    if not run.is_dir():
        raise InputError(f"{run}: no such run directory")
    require(names)
    for name in dict.fromkeys(names):
        try:
            with redirect_stdout(sys.stderr), sending(run, name) as sender:
                count = sender.catch_up()
        except (EtalonError, OSError):
            raise
        except Exception as error:
            raise RunError(
                f"tracker {name}: {type(error).__name__}: {error}; run the same again for the rest"
            ) from error
        typer.echo(f"{name}: {count} steps and evaluations sent; {folder_of(run, name)} knows what it has", err=True)

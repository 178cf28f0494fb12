"""`etalon eval` and `etalon report`: score a model on problem files; show what a run did."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from etalon.errors import InputError


def evaluate(
    files: Annotated[list[Path], typer.Argument(metavar="FILE.jsonl", help="Problems in any format of the field.")],
    model: Annotated[Path, typer.Option(metavar="DIR", help="A Hugging Face model directory.")],
    n: Annotated[int, typer.Option("-n", min=1, help="Generations per problem.")] = 8,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Keep rollouts and scores here; resumes.")] = None,
    max_tokens: Annotated[
        int | None, typer.Option(min=1, help="Cap per answer [default: the model's maximum].")
    ] = None,
    temperature: Annotated[float, typer.Option(min=0.0, help="0 is greedy.")] = 1.0,
    top_p: Annotated[float, typer.Option(min=0.01, max=1.0, help="Nucleus of the sampling distribution.")] = 0.95,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the sampling.")] = 0,
) -> None:
    """Score a model on problem files. Pass@1 is the mean over n generations, with its interval."""
    for path in files:
        if not path.is_file():
            raise InputError(f"{path}: no such file")
    if not model.is_dir():
        raise InputError(f"{model}: no such directory; --model takes a Hugging Face model directory")
    from etalon.commands.run import require_train_extra

    require_train_extra()
    from etalon.evaluate import evaluate_files
    from etalon.sandbox.choice import connect

    connect("", concurrency=1, key_env="", fork_each=True)
    evaluate_files(files, model, n=n, out=out, max_tokens=max_tokens, temperature=temperature, top_p=top_p, seed=seed)


def report(run: Annotated[Path, typer.Argument(metavar="RUN", help="A run directory, finished or not.")]) -> None:
    """Write the report of a run. RUN/report.html is one file that opens without a network."""
    if not run.is_dir():
        raise InputError(f"{run}: no such run directory")
    if not any((run / name).exists() for name in ("resolved.toml", "summary.json", "stages")):
        raise InputError(f"{run}: is not a run directory: it has no resolved.toml, summary.json or stages")
    from etalon.report import write_report

    typer.echo(write_report(run))

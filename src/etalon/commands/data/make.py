"""`etalon data make`: problems of our own for models that know a language."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from etalon.commands.options import check_place, written
from etalon.errors import ConfigError
from etalon.problems.made import rules as tasks
from etalon.problems.made import stories as word_problems

app = typer.Typer(name="make")

OutOption = Annotated[
    Path, typer.Option("--out", "-o", metavar="FILE.jsonl", help="Where the rows go; whole or not at all.")
]
CountOption = Annotated[int, typer.Option(min=1, metavar="N", help="How many; all are different.")]
SeedOption = Annotated[int, typer.Option(min=0, metavar="N", help="Of what is drawn; the same rows for the same seed.")]


@app.callback()
def make() -> None:
    """Write problems that a generator makes: a curriculum for a small model, with no row of any benchmark."""


@app.command("stories")
def stories(
    out: OutOption,
    count: CountOption = 1000,
    seed: SeedOption = 0,
    steps: Annotated[
        str, typer.Option(metavar="A-B", help=f"Fewest and most steps, 1 to {word_problems.MAX_STEPS}.")
    ] = f"1-{word_problems.MAX_STEPS}",
) -> None:
    """Word problems with solutions, as rows of GSM8K: {question, answer}, the answer ending in "#### 12"."""
    bounds = _bounds("--steps", steps, word_problems.MAX_STEPS)
    _write(out, word_problems.stories(count, seed=seed, steps=bounds), count, "problems")


@app.command("rules")
def rules(
    out: OutOption,
    count: CountOption = 1000,
    seed: SeedOption = 0,
    most: Annotated[
        str, typer.Option("--rules", metavar="A-B", help=f"Fewest and most rules, 1 to {tasks.MAX_RULES}.")
    ] = f"1-{tasks.MAX_RULES}",
) -> None:
    """Tasks under rules that a program checks, as rows of IFEval: {key, prompt, instruction_id_list, kwargs}."""
    bounds = _bounds("--rules", most, tasks.MAX_RULES)
    _write(out, tasks.tasks(count, seed=seed, rules=bounds), count, "tasks")


def _bounds(option: str, text: str, most: int) -> tuple[int, int]:
    low, _, high = text.partition("-")
    if not (low.isdigit() and (high or low).isdigit() and 1 <= int(low) <= int(high or low) <= most):
        raise ConfigError(f"{option} {text}: expected a number or a range of 1 to {most}, such as 1-{most}")
    return int(low), int(high or low)


def _write(out: Path, rows: Iterable[dict[str, Any]], asked: int, name: str) -> None:
    check_place("--out", out)
    if out.suffix != ".jsonl":
        raise ConfigError(f"--out {out}: rows are written to a file in .jsonl")
    count = 0
    with written(out) as stream:
        for row in rows:
            stream.write((json.dumps(row, ensure_ascii=False) + "\n").encode())
            count += 1
    short = "" if count == asked else f"; there are no {asked} different ones of this kind"
    typer.echo(f"{count} {name} -> {out}{short}", err=True)

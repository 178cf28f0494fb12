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

STORIES, RULES = "stories", "rules"


def make(
    kind: Annotated[str, typer.Argument(metavar=f"{STORIES}|{RULES}", help="What to write.")],
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FILE.jsonl", help="Where the rows go; whole or not at all.")
    ],
    count: Annotated[int, typer.Option(min=1, metavar="N", help="How many; all are different.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="Of what is drawn; it gives the same rows again.")] = 0,
    steps: Annotated[
        str | None,
        typer.Option(metavar="A-B", help=f"Stories: fewest and most steps, 1-{word_problems.MAX_STEPS} or fewer."),
    ] = None,
    rules: Annotated[
        str | None, typer.Option(metavar="A-B", help=f"Rules: fewest and most of a task, 1-{tasks.MAX_RULES} or fewer.")
    ] = None,
) -> None:
    """Write problems that a generator makes: a curriculum for a small model, with no row of any benchmark.

    \b
    stories  word problems with solutions, as rows of GSM8K: {question, answer}, the answer ending in "#### 12"
    rules    tasks under rules that a program checks, as rows of IFEval: {key, prompt, instruction_id_list, kwargs}
    """
    if kind not in (STORIES, RULES):
        raise ConfigError(f"{kind}: there are {STORIES} and {RULES}")
    other, given = ("--rules", rules) if kind == STORIES else ("--steps", steps)
    if given is not None:
        raise ConfigError(f"{other}: is not of {kind}")
    check_place("--out", out)
    if out.suffix != ".jsonl":
        raise ConfigError(f"--out {out}: rows are written to a file in .jsonl")
    if kind == STORIES:
        bounds = _bounds("--steps", steps, word_problems.MAX_STEPS)
        _write(out, word_problems.stories(count, seed=seed, steps=bounds), count, kind)
    else:
        _write(out, tasks.tasks(count, seed=seed, rules=_bounds("--rules", rules, tasks.MAX_RULES)), count, "tasks")


def _bounds(option: str, text: str | None, most: int) -> tuple[int, int]:
    low, _, high = (text or f"1-{most}").partition("-")
    if not (low.isdigit() and (high or low).isdigit() and 1 <= int(low) <= int(high or low) <= most):
        raise ConfigError(f"{option} {text}: expected a number or a range of 1 to {most}, such as 1-{most}")
    return int(low), int(high or low)


def _write(out: Path, rows: Iterable[dict[str, Any]], asked: int, name: str) -> None:
    count = 0
    with written(out) as stream:
        for row in rows:
            stream.write((json.dumps(row, ensure_ascii=False) + "\n").encode())
            count += 1
    short = "" if count == asked else f"; there are no {asked} different ones of this kind"
    typer.echo(f"{count} {name} -> {out}{short}", err=True)

"""`etalon data make`: problems of our own for models that know a language."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated

import typer

from etalon.commands.options import check_place, written
from etalon.errors import ConfigError
from etalon.problems.made import Row
from etalon.problems.made import rules as tasks
from etalon.problems.made import stories as word_problems
from etalon.problems.made import sums as plain_sums

SUMS, STORIES, CLAIMS, RULES = KINDS = ("sums", "stories", "claims", "rules")
# which of the options below say something of which kind
OPTIONS = {
    "--lines": (SUMS,), "--steps": (STORIES, CLAIMS), "-m": (CLAIMS,), "--prompts": (CLAIMS,), "--rules": (RULES,),
}  # fmt: skip


def make(
    kind: Annotated[str, typer.Argument(metavar="|".join(KINDS), help="What to write.")],
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FILE.jsonl", help="Where the rows go; whole or not at all.")
    ],
    count: Annotated[int, typer.Option(min=1, metavar="N", help="How many; all are different.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="Of what is drawn; it gives the same rows again.")] = 0,
    lines: Annotated[
        str | None,
        typer.Option(metavar="A-B", help=f"Sums: fewest and most of a row, up to {plain_sums.MAX_SUMS}; else 10."),
    ] = None,
    steps: Annotated[
        str | None,
        typer.Option(metavar="A-B", help=f"Stories, claims: fewest and most steps, 1-{word_problems.MAX_STEPS}."),
    ] = None,
    m: Annotated[
        int | None, typer.Option("-m", min=1, metavar="N", help="Claims: how many of a solution; 2 where not said.")
    ] = None,
    prompts: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="Claims: folder with prompt files of CLR in place of the packaged ones."),
    ] = None,
    rules: Annotated[
        str | None, typer.Option(metavar="A-B", help=f"Rules: fewest and most of a task, 1-{tasks.MAX_RULES} or fewer.")
    ] = None,
) -> None:
    """Write problems, or traces, that a generator makes: a curriculum for a small model, with no row of any benchmark.

    \b
    sums     plain sums, several a row, as rows of GSM8K
    stories  word problems with solutions, as rows of GSM8K: {question, answer}, the answer ending in "#### 12"
    claims   both calls of CLR on such stories, as traces that teach their form: {prompt, response, domain}
    rules    tasks under rules that a program checks, as rows of IFEval: {key, prompt, instruction_id_list, kwargs}
    """
    _check(kind, {"--lines": lines, "--steps": steps, "-m": m, "--prompts": prompts, "--rules": rules})
    check_place("--out", out)
    if out.suffix != ".jsonl":
        raise ConfigError(f"--out {out}: rows are written to a file in .jsonl")
    if kind == RULES:
        _write(out, tasks.tasks(count, seed=seed, rules=_bounds("--rules", rules, tasks.MAX_RULES)), count, "tasks")
    elif kind == SUMS:
        many = _bounds("--lines", "10" if lines is None else lines, plain_sums.MAX_SUMS)
        _write(out, plain_sums.sums(count, seed=seed, lines=many), count, "rows of sums")
    else:
        most = _bounds("--steps", steps, word_problems.MAX_STEPS)
        if kind == STORIES:
            _write(out, word_problems.stories(count, seed=seed, steps=most), count, kind)
        else:
            _write(out, _claims(count, seed, m or 2, most, prompts), count, "traces")


def _check(kind: str, given: Mapping[str, object]) -> None:
    if kind not in KINDS:
        raise ConfigError(f"{kind}: there are {', '.join(KINDS[:-1])} and {KINDS[-1]}")
    for option, value in given.items():
        if value is not None and kind not in OPTIONS[option]:
            raise ConfigError(f"{option}: is not of {kind}")


def _claims(count: int, seed: int, m: int, steps: tuple[int, int], prompts: str | None) -> Iterator[Row]:
    from etalon.clr.claims import load_templates
    from etalon.problems.made.claims import traces

    folder = "default" if prompts is None else prompts
    if folder == "nano":
        raise ConfigError("--prompts nano: its claims are of the nano world; leave it out, or name a folder")
    load_templates(folder)  # says what is missing
    return traces(count, seed=seed, m=m, steps=steps, folder=folder)


def _bounds(option: str, text: str | None, most: int) -> tuple[int, int]:
    low, _, high = (f"1-{most}" if text is None else text).partition("-")
    if not (low.isdigit() and (high or low).isdigit() and 1 <= int(low) <= int(high or low) <= most):
        raise ConfigError(f"{option} {text}: expected a number or a range of 1 to {most}, such as 1-{most}")
    return int(low), int(high or low)


def _write(out: Path, rows: Iterable[Row], asked: int, name: str) -> None:
    count = 0
    with written(out) as stream:
        for row in rows:
            stream.write((json.dumps(row, ensure_ascii=False) + "\n").encode())
            count += 1
    short = "" if count == asked else f"; there are no {asked} different ones of this kind"
    typer.echo(f"{count} {name} -> {out}{short}", err=True)

"""`--dry-run`: which stages are cached, which would run, and what each would do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import typer

from etalon.pipeline import graph
from etalon.pipeline.stage import Stage
from etalon.recipe import Recipe
from etalon.store import StageDir


def print_plan(
    recipe: Recipe, keys: Mapping[str, str], directories: Mapping[str, Path], from_stage: str | None
) -> None:
    """One line per stage on standard output, and where seconds of an earlier run are known, their sum."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console, JustifyMethod
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, padding=0, pad_edge=False)
    for column in ("Stage", "Section", "State", "Steps", "Rollouts", "Last run"):
        justify: JustifyMethod = "left" if column in ("Stage", "Section", "State") else "right"
        table.add_column(column, justify=justify, no_wrap=True)
    redo: set[str] = set()
    known = 0.0
    for stage in graph.STAGES:
        done = StageDir(directories[stage.name]).done()
        is_cached = done is not None and done["key"] == keys[stage.name]
        if stage.name == from_stage or redo & set(stage.needs) or not is_cached:
            redo.add(stage.name)
        before = done["seconds"] if done else None
        known += before or 0.0 if stage.name in redo else 0.0
        state = "to run" if stage.name in redo else "cached"
        steps, rollouts = work_of(stage, recipe)
        table.add_row(stage.name, stage.section, state, steps, rollouts, f"{before:.0f} s" if before else "")
    console = Console()
    if not console.is_terminal:
        console.width = 100
    console.print(Text(f"{recipe.name} in {directories['problems'].parent.parent}"), table)
    console.print(f"{len(redo)} of {len(graph.STAGES)} stages to run" + (f", {known:.0f} s last time" if known else ""))


def print_lines(lines: Sequence[str]) -> None:
    """On standard output as they are, however long: commands are there to be copied."""
    for line in lines:
        typer.echo(line)


def work_of(stage: Stage, recipe: Recipe) -> tuple[str, str]:
    """Optimiser steps and sampled rollouts of a stage, as far as they are known before it runs."""
    rl = recipe.rl
    if stage.name.startswith("eval-"):
        return "", f"{recipe.problems.test * recipe.eval.n} a domain"
    if stage.work == "reinforce:reinforce":
        steps = getattr(rl, stage.arguments["phase"]).steps
        return str(steps), str(steps * rl.prompts_per_step * rl.group_size)
    if stage.name == "instruct":
        return str(recipe.instruct.steps), str(recipe.instruct.steps * rl.prompts_per_step * rl.group_size)
    if stage.name == "base" and recipe.model.base == "scratch":
        return str(-(-recipe.base.documents // recipe.base.batch)), ""
    if stage.name in ("sft-broad", "sft-hard"):
        part = recipe.sft.broad if stage.name == "sft-broad" else recipe.sft.hard
        return f"{part.epochs} epoch{'s' if part.epochs > 1 else ''}", ""
    if stage.name == "clr":
        return "", f"up to {recipe.clr.problems * recipe.clr.k * 4}"
    return "", ""

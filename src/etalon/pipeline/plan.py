"""`--dry-run`: which stages are cached, which would run, what each would do, and what that costs on given GPUs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING

import typer

from etalon.config.stages import PREFLIGHT
from etalon.pipeline import machine
from etalon.pipeline.forecast import Forecast, forecast
from etalon.pipeline.graph import Graph
from etalon.pipeline.seconds import Expected, seconds_forecast, told
from etalon.pipeline.stage import Stage, finished
from etalon.store import StageDir

if TYPE_CHECKING:
    from rich.table import Table

WIDTH = 100  # columns of a pipe
ROOMY = 92  # columns from which the tables have room to breathe


@dataclass(frozen=True, kw_only=True)
class Line:
    """One stage of the plan. state: "cached", "reused", "to run" or "left out". seconds: of its last run, if any."""

    stage: Stage
    state: str
    seconds: float | None


def lines_of(
    graph: Graph,
    keys: Mapping[str, str] | None,
    directories: Mapping[str, Path],
    *,
    from_stage: str | None = None,
    chosen: Collection[str] | None = None,
    reused: Collection[str] = (),
) -> list[Line]:
    """Every stage with its state; without keys nothing can be cached. chosen: those that may run. reused: of a run."""
    redo: set[str] = set()
    lines = []
    for stage in graph.stages:
        done = StageDir(directories[stage.name]).done()
        is_same = keys is not None and finished(stage, keys[stage.name], directories[stage.name]) is not None
        is_here = is_same or stage.name in reused
        if stage.name == from_stage or redo & set(stage.needs) or not is_here:
            redo.add(stage.name)
        state = "to run" if stage.name in redo else "cached" if is_same else "reused"
        if chosen is not None and stage.name not in chosen and state == "to run":
            state = "left out"
        lines.append(Line(stage=stage, state=state, seconds=done["seconds"] if done else None))
    return lines


def print_plan(
    graph: Graph,
    keys: Mapping[str, str] | None,
    directories: Mapping[str, Path],
    *,
    from_stage: str | None = None,
    chosen: Collection[str] | None = None,
    reused: Collection[str] = (),
    absent: Sequence[str] = (),
    measured: Mapping[str, float] | None = None,
) -> None:
    """The plan on standard output: one line per stage; with a GPU type also tokens, GPU-hours and memory.

    absent: what the recipe names and is not on this machine, one line each. keys: None when that leaves none.
    measured: seconds of the same stages in earlier runs.
    """
    from rich.console import Console
    from rich.text import Text

    recipe = graph.recipe
    lines = lines_of(graph, keys, directories, from_stage=from_stage, chosen=chosen, reused=reused)
    to_run = [line for line in lines if line.state == "to run"]
    reckoned = forecast(recipe, [line.stage for line in to_run])
    console = Console()
    if not console.is_terminal:
        console.width = WIDTH
    console.print(Text(f"{recipe.name} in {directories['problems'].parent.parent}"))
    stages = [line.stage for line in to_run]
    expected = {} if reckoned.gpu or not stages else seconds_forecast(graph, measured or {})
    console.print(stage_table(lines, reckoned, expected, width=console.width))
    if reckoned.memory:
        console.print(memory_table(reckoned, width=console.width))
    for sentence in (*absent, *reckoned.notes):
        wrapped = wrap(sentence, console.width, initial_indent="- ", subsequent_indent="  ", break_on_hyphens=False)
        console.print(Text("\n".join(wrapped)), soft_wrap=True)
    for sentence in on_this_machine(graph, keys, stages, directories):
        console.print(Text(sentence), soft_wrap=True)
    for sentence in told(expected, stages, jobs=recipe.jobs):
        console.print(Text(sentence), soft_wrap=True)
    known = sum(line.seconds or 0.0 for line in to_run)
    console.print(f"{len(to_run)} of {len(lines)} stages to run" + (f", {known:.0f} s last time" if known else ""))


def on_this_machine(
    graph: Graph, keys: Mapping[str, str] | None, stages: Sequence[Stage], directories: Mapping[str, Path]
) -> list[str]:
    """The forecast by the rates that this run's preflight has measured; before that, that there is none yet."""
    look = graph.by_name.get(PREFLIGHT)
    if look is None:
        return []
    is_known = keys is not None and finished(look, keys[PREFLIGHT], directories[PREFLIGHT]) is not None
    lines = machine.measured(stages, graph.recipe, directories) if is_known else []
    if not is_known and not graph.recipe.hardware.gpu:
        return ["- no hours and no memory for this machine yet: the preflight measures it before anything is trained"]
    return lines


def stage_table(
    lines: Iterable[Line], forecast: Forecast, expected: Mapping[str, Expected], *, width: int = WIDTH
) -> Table:
    """A row per stage: its state, its work and, where it is known, its cost."""
    table = _table(("Stage", "Section", "State"), _columns(forecast, expected), width)
    is_evaluation = False
    for line in lines:
        if forecast.hours and line.stage.is_background and not is_evaluation:
            table.add_row("together", "", "", "", "", "", _hours(forecast.training_hours), end_section=True)
            is_evaluation = True
        before = f"{line.seconds:.0f} s" if line.seconds else ""
        work = _costs(line, forecast) if forecast.hours else line.stage.shown
        table.add_row(line.stage.name, line.stage.section, line.state, *work, *([] if forecast.hours else [before]),
                      *([_seconds(line, expected)] if expected and not forecast.hours else []))  # fmt: skip
    if forecast.hours:
        table.add_row("together", "", "", "", "", "", _hours(forecast.total_hours - forecast.training_hours))
    return table


def _columns(forecast: Forecast, expected: Mapping[str, Expected]) -> tuple[str, ...]:
    if forecast.hours:
        return ("Steps", "Sampled", "Trained", "GPU-hours")
    return ("Steps", "Rollouts", "Last run", *(["Seconds"] if expected else []))


def _seconds(line: Line, expected: Mapping[str, Expected]) -> str:
    """Of a stage that is to run: 64 where it was measured, ~64 where it is reckoned."""
    if line.state != "to run" or line.stage.name not in expected:
        return ""
    found = expected[line.stage.name]
    return f"{'~' if found.how == 'reckoned' else ''}{found.seconds:.0f}"


def _table(left: Sequence[str], right: Sequence[str], width: int) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    is_narrow = width < ROOMY
    table = Table(box=SIMPLE_HEAD, padding=0 if is_narrow else (0, 1, 0, 0), pad_edge=False)
    for column in left:
        table.add_column(column, no_wrap=True)
    for column in right:
        table.add_column(column, justify="right", no_wrap=True, min_width=None if is_narrow else 9)
    return table


def _costs(line: Line, forecast: Forecast) -> tuple[str, str, str, str]:
    """Steps, tokens and hours; a stage that does not run costs nothing."""
    if line.state != "to run":
        return "", "", "", ""
    cost = line.stage.cost
    hours = forecast.hours[line.stage.name]
    return f"{cost.steps:,}" if cost.steps else "", _tokens(cost.sampled), _tokens(cost.trained), _hours(hours)


def memory_table(forecast: Forecast, *, width: int = WIDTH) -> Table:
    """GiB per GPU, part by part, while the model trains and while it samples."""
    gpu = forecast.gpu
    assert gpu is not None
    table = _table(
        (f"GiB of an {gpu.name}" if gpu.name[0] in "ahl" else f"GiB of a {gpu.name}",), tuple(forecast.memory), width
    )
    parts = list(dict.fromkeys(part for column in forecast.memory.values() for part in column))
    for position, part in enumerate(parts, start=1):
        values = (column.get(part) for column in forecast.memory.values())
        table.add_row(part, *(_gib(value) for value in values), end_section=position == len(parts))
    table.add_row("sum", *(_gib(sum(column.values())) for column in forecast.memory.values()))
    table.add_row("usable", *(_gib(forecast.usable) for _ in forecast.memory))
    return table


def _gib(size: float | None) -> str:
    return "" if size is None else f"{size / 2**30:,.1f}"


def _tokens(count: float) -> str:
    """`12.3B`, `840M`, `56K`; nothing for none."""
    if not count:
        return ""
    scale, unit = next(((s, u) for s, u in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K")) if count >= s), (1.0, ""))
    return f"{count / scale:.3g}{unit}" if count / scale < 1000 else f"{count / scale:.0f}{unit}"


def _hours(hours: float) -> str:
    """Hours with a digit where that says something; nothing for none."""
    if not hours:
        return ""
    return f"{hours:,.0f}" if hours >= 10 else f"{hours:.1f}" if hours >= 0.1 else "<0.1"


def print_lines(lines: Sequence[str]) -> None:
    """On standard output as they are, however long: commands are there to be copied."""
    for line in lines:
        typer.echo(line)

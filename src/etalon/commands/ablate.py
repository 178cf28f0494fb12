"""`etalon ablate`: a recipe with values that differ and with seeds, run as one and compared."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from etalon.commands.run import SetOption, find_recipe, require_train_extra
from etalon.errors import RunError

if TYPE_CHECKING:
    from etalon.studies import Plan, Result, Study

MOST_SEEDS = 1000  # (ours) more of them are a mistake

Vary = Annotated[
    list[str] | None,
    typer.Option(metavar="STAGE.KEY=A,B", help="Values to compare, the first is the baseline; repeat for a grid."),
]
Seeds = Annotated[
    int,
    typer.Option(min=1, max=MOST_SEEDS, metavar="N", help="Seeds; each deals problems anew in nano's world."),
]
FirstSeed = Annotated[int, typer.Option("--first-seed", min=0, metavar="N", help="The first of them.")]
Measure = Annotated[
    list[str] | None,
    typer.Option(metavar="STAGE", help="Stage to score; the runs go no further. Default: the one that is varied."),
]
StudyDir = Annotated[Path | None, typer.Option("--run", metavar="DIR", help="Directory [default: runs/NAME].")]
Jobs = Annotated[int, typer.Option(min=1, metavar="N", help="Runs at a time, a process each.")]
Reuse = Annotated[
    list[Path] | None,
    typer.Option(metavar="RUN", help="Take what this run, or this file of cells, has already; repeatable."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print what would run, and stop.")]
Format = Annotated[Literal["table", "json", "md"], typer.Option("--format", help="What is printed at the end.")]


def ablate(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="A recipe file, or a packaged recipe such as nano.")],
    vary: Vary = None,
    seeds: Seeds = 1,
    first_seed: FirstSeed = 0,
    measure: Measure = None,
    overrides: SetOption = None,
    run_dir: StudyDir = None,
    jobs: Jobs = 2,
    reuse: Reuse = None,
    dry_run: DryRun = False,
    shown_as: Format = "table",
) -> None:
    """Compare values of a recipe, over seeds. Runs only what differs; run again, it continues where it stopped.

    Every combination of the values is an arm, and the first is the baseline. Arms are paired by seed and problem. DIR
    has result.json, report.html and the runs themselves, runs/seed-S/ARM, for `etalon report` and `etalon compare`.
    """
    from etalon.studies.study import varied

    study = varied(
        find_recipe(recipe), vary or [], seeds=range(first_seed, first_seed + seeds), sets=overrides or [],
        measure=measure or [],
    )  # fmt: skip
    run_study(study, run_dir, jobs=jobs, reuse=reuse or [], dry_run=dry_run, shown_as=shown_as)


def run_study(
    study: Study, run_dir: Path | None, *, jobs: int, reuse: Sequence[Path], dry_run: bool, shown_as: str
) -> None:
    """Plan or conduct a study and print what it found. RunError after that when a run of it failed."""
    from etalon.show.progress import Progress
    from etalon.studies import conduct, lay_out

    directory = run_dir or Path("runs") / study.name
    if dry_run:
        print_plan(study, lay_out(study, directory, reuse), jobs)
        return
    require_train_extra()
    command = shlex.join(["etalon", *sys.argv[1:]])
    result = conduct(study, directory, command=command, jobs=jobs, reuse=reuse, progress=Progress())
    show(result, directory, shown_as)
    if result.failures:
        raise RunError(
            f"{len(result.failures)} of its runs failed, the first: {result.failures[0].name}; see "
            f"{result.failures[0].log}; run the same command again"
        )


def print_plan(study: Study, plan: Plan, jobs: int) -> None:
    """What a study would run, a line per run, and how long that takes."""
    for name, stages in plan.left.items():
        typer.echo(f"{name}: {', '.join(stages) if stages else 'takes what other runs of the study have'}")
    total = sum(map(len, plan.left.values()))
    scored = f"scored after {', '.join(study.measure)}"
    typer.echo(f"{len(plan.left)} of {len(plan.tasks)} runs to do, {total} stages; {scored}")
    if told := plan.forecast(jobs):
        typer.echo(told)


def show(result: Result, directory: Path, shown_as: str) -> None:
    """The table, the JSON or the Markdown, and where it is kept."""
    from etalon.studies.table import markdown, print_result

    if shown_as == "json":
        typer.echo(json.dumps(result.record(), ensure_ascii=False))
    elif shown_as == "md":
        typer.echo(markdown(result))
    else:
        print_result(result)
        typer.echo(directory / "report.html")

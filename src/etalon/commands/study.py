"""`etalon study`: a study that ships with the package, by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from etalon.commands.run import require_train_extra
from etalon.errors import ConfigError

if TYPE_CHECKING:
    from etalon.studies.compression.plan import Study

COMPRESSION = "compression-coverage"
NAMES = (COMPRESSION,)


def study(
    name: Annotated[str, typer.Argument(metavar="NAME", help=f"{', '.join(NAMES)}.")],
    run_dir: Annotated[
        Path | None, typer.Option("--run", metavar="DIR", help="Directory [default: runs/NAME].")
    ] = None,
    small: Annotated[bool, typer.Option("--small", help="A version of minutes; it decides nothing.")] = False,
    sizes: Annotated[str | None, typer.Option(metavar="N,N,...", help="Widths of the models.")] = None,
    seeds: Annotated[int | None, typer.Option(min=1, metavar="N", help="Seeds of everything.")] = None,
    facts: Annotated[str | None, typer.Option(metavar="N,N,...", help="Numbers of facts.")] = None,
    jobs: Annotated[int, typer.Option(min=1, metavar="N", help="Models trained at a time, a process each.")] = 2,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would run and how long it takes.")] = False,
    shown_as: Annotated[Literal["table", "json", "md"], typer.Option("--format", help="What is printed.")] = "table",
) -> None:
    """Run a study, or go on with it, and print what it found; DIR has result.json and report.html.

    compression-coverage: does reasoning fit into few parameters, while facts need ever more? Models of seven sizes, on
    the same reasoning traces and on facts to learn by heart.
    """
    if name not in NAMES:
        raise ConfigError(f"study: there is no {name!r}; there are {', '.join(NAMES)}")
    from etalon.studies.compression import plan

    base = plan.SMALL if small else plan.Study()
    chosen = plan.checked(
        plan.Study(
            widths=_numbers("--sizes", sizes) or base.widths, seeds=tuple(range(seeds)) if seeds else base.seeds,
            facts=_numbers("--facts", facts) or base.facts, budget=base.budget,
        )
    )  # fmt: skip
    require_train_extra()
    directory = run_dir or Path("runs") / (f"{name}-small" if small else name)
    if dry_run:
        _say_plan(chosen, jobs)
    else:
        _conduct(chosen, directory, jobs=jobs, shown_as=shown_as)


def _numbers(option: str, text: str | None) -> tuple[int, ...]:
    """The numbers of a list; none where there is no text."""
    try:
        return tuple(int(part) for part in text.split(",")) if text else ()
    except ValueError:
        raise ConfigError(f"{option} {text}: name whole numbers, such as {option} 8,32,96") from None


def _say_plan(study: Study, jobs: int) -> None:
    """The cells by size, and what they take here: a few steps of every size are timed for that."""
    from etalon.studies.compression import run

    speed = run.time_sizes(study)
    for width in study.widths:
        own = [cell for cell in study.cells if cell.width == width and cell.seed == study.seeds[0]]
        tokens = sum(run.tokens_of(cell, study) for cell in own)
        typer.echo(
            f"width {width}: {len(own)} models a seed, {tokens / 1e6:.1f}M tokens, {speed[str(width)]:,.0f} a second"
        )
    seconds = run.forecast(study, speed, jobs=jobs, finished={})
    typer.echo(f"{len(study.cells)} models, {jobs} at a time: about {run.about(seconds)} here")


def _conduct(study: Study, directory: Path, *, jobs: int, shown_as: str) -> None:
    from etalon.show.progress import Progress
    from etalon.studies.compression import page, result, run, table

    run.run_cells(directory, study, jobs=jobs, progress=Progress())
    found = result.conclude(directory, study)
    written = page.write_page(directory, found)
    if shown_as == "json":
        typer.echo(json.dumps(found))
    elif shown_as == "md":
        typer.echo(table.markdown(found))
    else:
        table.print_result(found)
        typer.echo(written)

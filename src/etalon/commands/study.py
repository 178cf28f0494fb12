"""`etalon study`: a study that ships with the package, by name, or one of a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from etalon.commands.ablate import MOST_SEEDS, DryRun, Format, Jobs, Reuse, StudyDir, run_study
from etalon.commands.run import SetOption, require_train_extra
from etalon.errors import ConfigError

if TYPE_CHECKING:
    from etalon.studies import Study
    from etalon.studies.compression.plan import Design

COMPRESSION = "compression-coverage"
OF_SIZES = "Of compression-coverage alone: "


def study(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME|FILE.toml", help="A packaged study, or a file. None: list them.")
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(min=1, max=MOST_SEEDS, metavar="N", help="Seeds [default: as the study says].")
    ] = None,
    overrides: SetOption = None,
    run_dir: StudyDir = None,
    jobs: Jobs = 2,
    reuse: Reuse = None,
    dry_run: DryRun = False,
    shown_as: Format = "table",
    small: Annotated[bool, typer.Option("--small", help=f"{OF_SIZES}minutes; it decides nothing.")] = False,
    sizes: Annotated[str | None, typer.Option(metavar="N,N,...", help=f"{OF_SIZES}widths of the models.")] = None,
    facts: Annotated[str | None, typer.Option(metavar="N,N,...", help=f"{OF_SIZES}numbers of facts.")] = None,
) -> None:
    """Run a study, or go on with it, and print what it found; DIR has result.json and report.html.

    Most compare arms of the nano recipe over five seeds, as `etalon ablate` does. compression-coverage trains models of
    seven sizes on the same reasoning traces and on facts to learn by heart.
    """
    if name is None:
        list_studies()
        return
    if name != COMPRESSION:
        if small or sizes or facts:
            raise ConfigError(f"--small, --sizes, --facts: are of {COMPRESSION}, and {name} has none of them")
        chosen = _found(name, seeds, overrides or [])
        run_study(chosen, run_dir, jobs=jobs, reuse=reuse or [], dry_run=dry_run, shown_as=shown_as)
        return
    if overrides:
        raise ConfigError(f"--set: is of studies of a recipe, and {COMPRESSION} has none")
    _sizes(run_dir, small, sizes, seeds, facts, jobs=jobs, reuse=reuse or [], dry_run=dry_run, shown_as=shown_as)


def list_studies() -> None:
    """Name and question of every packaged study."""
    from etalon.studies.study import packaged_studies, read_study

    found = {name: read_study(path).question for name, path in packaged_studies().items()}
    found[COMPRESSION] = "Does reasoning fit into few parameters, while facts need ever more?"
    width = max(map(len, found))
    for name, question in sorted(found.items()):
        typer.echo(f"{name:{width}}  {question}")


def _found(name: str, seeds: int | None, overrides: list[str]) -> Study:
    """The study of a name or a file. ConfigError for a name that none has."""
    from etalon.studies.study import packaged_studies, read_study

    path = Path(name) if name.endswith(".toml") else packaged_studies().get(name)
    if path is None:
        raise ConfigError(f"study: there is no {name!r}; there are {', '.join([*packaged_studies(), COMPRESSION])}")
    return read_study(path, num_seeds=seeds, sets=overrides)


# ---- compression-coverage


def _sizes(
    run_dir: Path | None, small: bool, sizes: str | None, seeds: int | None, facts: str | None, *, jobs: int,
    reuse: list[Path], dry_run: bool, shown_as: str,
) -> None:  # fmt: skip
    from etalon.studies.compression import plan

    base = plan.SMALL if small else plan.Design()
    chosen = plan.checked(
        plan.Design(
            widths=_numbers("--sizes", sizes) or base.widths, seeds=tuple(range(seeds)) if seeds else base.seeds,
            facts=_numbers("--facts", facts) or base.facts, budget=base.budget,
        )
    )  # fmt: skip
    require_train_extra()
    directory = run_dir or Path("runs") / (f"{COMPRESSION}-small" if small else COMPRESSION)
    if dry_run:
        _say_plan(chosen, jobs)
    else:
        _conduct(chosen, directory, jobs=jobs, reuse=reuse, shown_as=shown_as)


def _numbers(option: str, text: str | None) -> tuple[int, ...]:
    """The numbers of a list; none where there is no text."""
    try:
        return tuple(int(part) for part in text.split(",")) if text else ()
    except ValueError:
        raise ConfigError(f"{option} {text}: name whole numbers, such as {option} 8,32,96") from None


def _say_plan(study: Design, jobs: int) -> None:
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


def _conduct(study: Design, directory: Path, *, jobs: int, reuse: list[Path], shown_as: str) -> None:
    from etalon.show.progress import Progress
    from etalon.studies.compression import page, result, run, table

    run.run_cells(directory, study, jobs=jobs, progress=Progress(), reuse=reuse)
    found = result.conclude(directory, study)
    written = page.write_page(directory, found)
    if shown_as == "json":
        typer.echo(json.dumps(found))
    elif shown_as == "md":
        typer.echo(table.markdown(found))
    else:
        table.print_result(found)
        typer.echo(written)

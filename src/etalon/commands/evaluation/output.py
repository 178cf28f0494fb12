"""What `etalon eval` prints and writes: the list, the plan, the results in every format, the page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from etalon.commands.evaluation.options import Asked
from etalon.evaluate import Task
from etalon.verifiers.conventions import ANSWERED

if TYPE_CHECKING:
    from etalon.show.progress import Progress


def show_list(asked: Asked) -> None:
    """`etalon eval --list`."""
    from etalon.evaluate.benchmarks import listed, listed_json, print_listed

    rows = listed(asked.folders)
    if asked.shown_as == "json":
        typer.echo(listed_json(rows))
    else:
        print_listed(rows)


def show_plan(asked: Asked, tasks: Sequence[Task]) -> None:
    """`--dry-run`: what would be asked, and what of it is there already."""
    from etalon.evaluate import store

    most = 0
    for task in tasks:
        total = len(task.problems) * task.n
        most += total
        kept = 0
        if asked.out is not None and (asked.out / store.MARKER).exists():
            good = {one.key for one in store.read_samples(asked.out, task.name) if not one.has_failed}
            ids = {problem.id for problem in task.problems}
            kept = sum(id_ in ids and index < task.n for id_, index in good)
        cap = "the model's maximum" if task.params.max_tokens is None else f"{task.params.max_tokens} tokens"
        typer.echo(
            f"{task.name}: {len(task.problems)} problems x {task.n} = {total} samples"
            f"{f', {kept} of them kept in {asked.out}' if kept else ''}; temperature {task.params.temperature:g}, "
            f"top_p {task.params.top_p:g}, at most {cap}{_stated(task)}; file {task.file or 'generated'}"
        )
        if task.problems:
            typer.echo(f"  first prompt: {task.problems[0].prompt!r}")
    typer.echo(f"in all {most:,} samples{'' if asked.out else '; nothing is kept: name a directory with --out'}")


def _stated(task: Task) -> str:
    """How answers are read, where answers decide."""
    return f"; answers {task.answers.value}" if any(p.domain in ANSWERED for p in task.problems) else ""


def show_rescoring(folder: Path, tasks: Sequence[Task]) -> None:
    """`--dry-run` of `--rescore`: what would get new verdicts."""
    from etalon.evaluate import store

    for task in tasks:
        count = sum(1 for _ in store.rows(store.samples_path(folder, task.name)))
        typer.echo(f"{task.name}: {count} rows of samples would be scored anew, answers {task.answers.value}")


def show(
    asked: Asked, results: dict[str, Any], tasks: Sequence[Task], progress: Progress, *, folder: Path | None
) -> None:
    """Print the results, their warnings beside them; write the report and what was asked for."""
    from rich.console import Console

    from etalon.report import exports

    shown = results | {"benchmarks": [row for row in results["benchmarks"] if row["name"] in {t.name for t in tasks}]}
    for row in shown["benchmarks"]:
        for told in row.get("warnings", ()):
            again = "; the same command asks for them again" if folder and "responses failed" in told else ""
            progress.say(f"warning: {row['name']}: {told}{again}")
    if asked.shown_as == "table":
        told_above = [{name: value for name, value in row.items() if name != "warnings"} for row in shown["benchmarks"]]
        exports.print_table(shown | {"benchmarks": told_above}, Console())
    else:
        typer.echo(exports.FORMATS[asked.shown_as](shown), nl=False)
    if folder is None:
        return
    from etalon.report.evaluation import write_page

    by_id = {task.name: {problem.id: problem for problem in task.problems} for task in tasks}
    progress.say(f"results: {folder / 'results.json'}; to read: {write_page(folder, problems=by_id)}")
    for path in exports.write_inspect(folder, problems=by_id) if asked.export else ():
        progress.say(f"wrote {path}")

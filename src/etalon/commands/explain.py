"""`etalon explain`: why CLR answered what it answered."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from etalon.commands.options import check_place
from etalon.errors import InputError


def explain(
    source: Annotated[
        Path, typer.Argument(metavar="RUN|FILE", help="A record of etalon solve, a JSONL file of them, or a run.")
    ],
    problem: Annotated[
        str | None, typer.Option(metavar="NAME", help="Show one of several: the start of its id or question.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE.html", help="Write a page that opens without a network instead.")
    ] = None,
) -> None:
    """Show why CLR answered what it answered. Clusters, scores, every claim and verdict, what it cost."""
    if html is not None:
        check_place("--html", html)
    from etalon.report.trials import read_trials

    trials = read_trials(source)
    if problem is not None:
        found = [t for t in trials if t.problem_id.startswith(problem) or t.question.startswith(problem)]
        if not found:
            known = ", ".join(t.problem_id or t.question[:30] for t in trials[:5])
            raise InputError(f"--problem {problem}: {source} has no such problem; it has {known}")
        trials = tuple(found)
    if html is not None:
        from etalon.report import write_answers

        typer.echo(write_answers(trials, html))
        return
    from rich.console import Console

    from etalon.report.terminal import print_overview, print_trial

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = max(console.width, 100)
    if len(trials) == 1:
        print_trial(trials[0], console)
    else:
        print_overview(trials, console)

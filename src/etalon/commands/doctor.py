"""`etalon doctor`: what this machine gives and what would give more; what a server really honours."""

from __future__ import annotations

from typing import Annotated

import typer

from etalon.commands.options import IsolationOption, isolation_of
from etalon.errors import ConfigError


def doctor(
    upstream: Annotated[
        list[str] | None,
        typer.Option("--upstream", metavar="URL", help="Examine this OpenAI-compatible server; repeat for several."),
    ] = None,
    model: Annotated[str, typer.Option(metavar="NAME", help="The upstream's model.")] = "",
    seconds: Annotated[float, typer.Option(min=1, help="Longest time of one probe.")] = 60.0,
    isolation: IsolationOption = None,
) -> None:
    """Say how well untrusted programs are isolated here; with --upstream, probe what a server really honours.

    The server's key is read from ETALON_API_KEY. Exits 2 when a server has a problem.
    """
    if upstream:
        _examine(upstream, model=model, seconds=seconds)
    else:
        _isolation(isolation_of(isolation))


def _isolation(name: str) -> None:
    from etalon.sandbox import default_pool, describe, read_way

    try:
        isolation = describe(default_pool(read_way(name)))
    except OSError as error:
        raise ConfigError(f"sandbox: {error}; programs cannot be judged on this machine") from None
    typer.echo("sandbox")
    for line in isolation.lines():
        typer.echo(f"  {line}")


def _examine(urls: list[str], *, model: str, seconds: float) -> None:
    from etalon.sampling.endpoint import read_urls
    from etalon.serve.doctor import examine, print_findings

    worst = 0
    for url in read_urls(urls):
        report = examine(url, model=model, seconds=seconds)
        print_findings(report)
        worst = max(worst, report.num_problems)
    if worst:
        raise typer.Exit(2)

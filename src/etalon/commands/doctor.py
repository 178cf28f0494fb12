"""`etalon doctor`: what this machine gives, and what would give more."""

from __future__ import annotations

import typer

from etalon.errors import ConfigError


def doctor() -> None:
    """Say how well untrusted programs are isolated here, and what is missing."""
    from etalon.sandbox import describe

    try:
        isolation = describe()
    except OSError as error:
        raise ConfigError(f"sandbox: {error}; programs cannot be judged on this machine") from None
    typer.echo("sandbox")
    for line in isolation.lines():
        typer.echo(f"  {line}")

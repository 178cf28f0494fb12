"""Options that only make sense beside another one, and files that they name: refused before any work."""

from __future__ import annotations

from pathlib import Path

import typer

from etalon.errors import ConfigError, InputError


def refuse_without_clr(context: typer.Context, *names: str) -> None:
    """ConfigError that names the options given on the command line which need --clr."""
    given = [name for name in names if _is_given(context, name)]
    if given:
        shown = ", ".join(f"-{name}" if len(name) == 1 else f"--{name.replace('_', '-')}" for name in given)
        raise ConfigError(f"{shown}: needs --clr")


def _is_given(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def check_place(option: str, path: Path) -> None:
    """InputError when a file cannot be written there: its directory is missing, or it is a directory itself."""
    if not path.parent.is_dir():
        raise InputError(f"{option} {path}: no such directory {path.parent}")
    if path.is_dir():
        raise InputError(f"{option} {path}: is a directory; name a file")

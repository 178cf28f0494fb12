"""`etalon fuse`: merge the parameters of checkpoints (2.1.2)."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

from etalon.errors import ConfigError, InputError


def fuse(
    checkpoints: Annotated[list[str], typer.Argument(metavar="CKPT[=WEIGHT]", help="Two or more model directories.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Where the merged model goes.")],
) -> None:
    """Merge the parameters of models: sum of w_i M_i.

    Weights are divided by their sum; without any, they are equal.
    """
    weighted = parse_weights(checkpoints)
    from etalon.commands.run import require_train_extra

    require_train_extra()
    from etalon.sft.fuse import fuse as fuse_checkpoints

    fuse_checkpoints(weighted, out)
    typer.echo(f"{out} = {' + '.join(f'{weight:.3g} x {path}' for path, weight in weighted)}")


def parse_weights(texts: list[str]) -> list[tuple[Path, float]]:
    """`a=0.3 b=0.7` as paths and weights that sum to 1; without any weight they are equal."""
    pairs = [_split(text) for text in texts]
    if len(pairs) < 2:
        raise ConfigError("fuse needs at least two checkpoints")
    for path, _ in pairs:
        if not path.is_dir():
            raise InputError(f"{path}: no such directory; a checkpoint is a model directory")
    weights = [weight for _, weight in pairs if weight is not None]
    if not weights:
        weights = [1.0] * len(pairs)
    if len(weights) != len(pairs):
        bare = next(path for path, weight in pairs if weight is None)
        raise ConfigError(f"{bare}: has no weight; give one to every checkpoint or to none")
    total = sum(weights)
    if total <= 0:
        raise ConfigError("the weights sum to 0; at least one must be positive")
    return [(path, weight / total) for (path, _), weight in zip(pairs, weights, strict=True)]


def _split(text: str) -> tuple[Path, float | None]:
    path, equals, number = text.rpartition("=")
    if not equals or Path(text).exists():  # a directory may have = in its name
        return Path(text), None
    try:
        weight = float(number)
    except ValueError:
        raise ConfigError(f"{text}: {number!r} is not a weight; write CKPT=0.3") from None
    if not math.isfinite(weight) or weight < 0:
        raise ConfigError(f"{text}: a weight must be a finite number of at least 0")
    return Path(path), weight

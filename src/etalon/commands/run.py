"""`etalon run` and `etalon demo`: a recipe from its first stage to its report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from etalon.errors import ConfigError, EtalonError

RunOption = Annotated[Path | None, typer.Option("--run", metavar="DIR", help="Run directory [default: runs/NAME].")]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override one value: rl.gamma=0.")
]


def run(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="A recipe file, or a packaged recipe such as nano.")],
    run_dir: RunOption = None,
    overrides: SetOption = None,
    from_stage: Annotated[
        str | None, typer.Option("--from", metavar="STAGE", help="Redo this stage and all after it.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would run and what it costs, and stop.")
    ] = False,
    gpu: Annotated[
        str | None, typer.Option(metavar="TYPE", help="With --dry-run: hours and memory on such GPUs, e.g. h100.")
    ] = None,
    gpus: Annotated[int | None, typer.Option(min=1, metavar="N", help="With --dry-run: their number.")] = None,
) -> None:
    """Run a recipe: data, SFT, RL, self-distillation, CLR. Run again, it continues where it stopped."""
    hardware = {"gpu": gpu, "gpus": gpus}
    given = [f"hardware.{name}={value}" for name, value in hardware.items() if value is not None]
    if given and not dry_run:
        raise ConfigError("--gpu, --gpus: only reckon; add --dry-run")
    path = find_recipe(recipe)
    start(path, run_dir, [*(overrides or []), *given], from_stage=from_stage, dry_run=dry_run)


def demo(run_dir: RunOption = None, overrides: SetOption = None) -> None:
    """Run the packaged nano recipe on this machine. It ends with the place of its report."""
    from etalon.config import packaged_recipe

    finished = start(packaged_recipe("nano"), run_dir, overrides or [], from_stage=None, dry_run=False)
    typer.echo(f"report: {finished / 'report.html'}")


def find_recipe(name: str) -> Path:
    """A path when it looks like one, otherwise the packaged recipe of that name."""
    from etalon.config import packaged_recipe

    path = Path(name)
    looks_like_a_path = path.suffix == ".toml" or len(path.parts) > 1 or path.is_file()
    return path if looks_like_a_path else packaged_recipe(name)


def start(path: Path, run_dir: Path | None, overrides: list[str], *, from_stage: str | None, dry_run: bool) -> Path:
    """Load the recipe and hand it to the pipeline; return the run directory."""
    from etalon.config import load

    recipe = load(path, overrides)
    run_dir = run_dir or Path("runs") / recipe.name
    if not dry_run:
        require_train_extra()
    from etalon import pipeline

    pipeline.run(recipe, run_dir=run_dir, recipe_path=path, from_stage=from_stage, dry_run=dry_run)
    return run_dir


def require_train_extra() -> None:
    """Fail before any work when torch and its company are not installed."""
    from importlib.util import find_spec

    missing = [name for name in ("torch", "transformers", "safetensors") if find_spec(name) is None]
    if missing:
        raise EtalonError(f"this needs {', '.join(missing)}: in Etalon's folder run pip install -e '.[train]'")

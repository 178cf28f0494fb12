"""`etalon run` and `etalon demo`: a recipe from its first stage to its report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from etalon.errors import ConfigError, EtalonError

RunOption = Annotated[Path | None, typer.Option("--run", metavar="DIR", help="Run directory [default: runs/NAME].")]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override one value: rl.gamma=0.")
]
TrackOption = Annotated[
    list[str] | None,
    typer.Option("--track", metavar="NAME", help="Show the run in trackio, wandb or tensorboard; repeatable."),
]


def run(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="A recipe file, or a packaged recipe such as nano.")],
    run_dir: RunOption = None,
    overrides: SetOption = None,
    track: TrackOption = None,
    from_stage: Annotated[
        str | None, typer.Option("--from", metavar="STAGE", help="Redo this stage and all after it.")
    ] = None,
    only: Annotated[
        str | None, typer.Option(metavar="STAGE[,STAGE]", help="Run these stages and their evaluations alone.")
    ] = None,
    until: Annotated[str | None, typer.Option(metavar="STAGE", help="Run the list up to this stage.")] = None,
    reuse: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Take every stage whose key is the same from another run.")
    ] = None,
    preflight: Annotated[
        bool, typer.Option(help="Look at a given model before training, and stop where RL has nothing to learn from.")
    ] = True,
    keep_overrides: Annotated[
        bool, typer.Option(help="Keep the --set values that earlier calls gave the run directory.")
    ] = True,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would run and what it costs, and stop.")
    ] = False,
    gpu: Annotated[
        str | None, typer.Option(metavar="TYPE", help="With --dry-run: hours and memory on such GPUs, e.g. h100.")
    ] = None,
    gpus: Annotated[int | None, typer.Option(min=1, metavar="N", help="With --dry-run: their number.")] = None,
) -> None:
    """Run a recipe, stage by stage. Run again, it continues where it stopped."""
    hardware = {"gpu": gpu, "gpus": gpus}
    given = [f"hardware.{name}={value}" for name, value in hardware.items() if value is not None]
    if given and not dry_run:
        raise ConfigError("--gpu, --gpus: only reckon; add --dry-run")
    if only is not None and (until or from_stage):
        raise ConfigError("--only: names the stages that run; leave out --until and --from")
    names = tuple(name.strip() for name in (only or "").split(",") if name.strip())
    if only is not None and not names:
        raise ConfigError("--only: names no stage; write --only STAGE[,STAGE]")
    asked = {
        "from_stage": from_stage,
        "only": names,
        "until": until,
        "reuse": reuse,
        "preflight": preflight,
    }
    start(
        find_recipe(recipe), run_dir, with_trackers(overrides, track), reckoned=given, asked=asked, dry_run=dry_run,
        keep_overrides=keep_overrides,
    )  # fmt: skip


def demo(run_dir: RunOption = None, overrides: SetOption = None, track: TrackOption = None) -> None:
    """Run the packaged nano recipe on this machine. It ends with the place of its report."""
    from etalon.config import packaged_recipe

    finished = start(packaged_recipe("nano"), run_dir, with_trackers(overrides, track))
    typer.echo(f"report: {finished / 'report.html'}")


def with_trackers(overrides: Sequence[str] | None, track: Sequence[str] | None) -> list[str]:
    """The overrides, those of --track included; ConfigError for a tracker that is not there."""
    from etalon.config.toml import toml_value
    from etalon.track.trackers import require

    require(track or ())
    return [*(overrides or ()), *([f"track={toml_value(list(dict.fromkeys(track)))}"] if track else ())]


def find_recipe(name: str) -> Path:
    """A path when it looks like one, otherwise the packaged recipe of that name."""
    from etalon.config import packaged_recipe

    path = Path(name)
    looks_like_a_path = path.suffix == ".toml" or len(path.parts) > 1 or path.is_file()
    return path if looks_like_a_path else packaged_recipe(name)


def start(
    path: Path,
    run_dir: Path | None,
    overrides: Sequence[str],
    *,
    reckoned: Sequence[str] = (),
    asked: Mapping[str, Any] | None = None,
    dry_run: bool = False,
    keep_overrides: bool = True,
) -> Path:
    """Load the recipe and hand it to the pipeline; return the run directory.

    reckoned: overrides that nothing remembers. asked: the fields of `pipeline.Choice`.
    """
    from etalon.config import load, name_of

    name = name_of(path, overrides)  # a typo ends here, and nothing heavy is loaded for it
    from etalon import pipeline

    run_dir = run_dir or Path("runs") / name
    pipeline.check_owner(run_dir, name)
    overrides = with_earlier(run_dir, overrides, keep=keep_overrides)
    recipe = load(path, [*overrides, *reckoned])
    if not dry_run:
        require_train_extra()
    choice = pipeline.Choice(**(asked or {}))
    pipeline.run(
        recipe, run_dir=run_dir, recipe_path=path, choice=choice, overrides=overrides, dry_run=dry_run
    )  # fmt: skip
    return run_dir


def with_earlier(run_dir: Path, overrides: Sequence[str], *, keep: bool) -> list[str]:
    """The overrides of earlier calls, then those of this one; says which it kept, changed or dropped.

    A name is said anew by every call: it is what tells whose directory this is.
    """
    from etalon.config import OVERRIDES, is_same, key_of

    path = run_dir / OVERRIDES
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    earlier = [override for override in lines if key_of(override) != "name"]
    new = {key_of(override): override for override in overrides}
    for override in earlier:
        key = key_of(override)
        if not keep and key not in new:
            typer.echo(f"{run_dir}: dropped from an earlier call: --set {override}", err=True)
        elif key in new and not is_same(new[key], override):
            typer.echo(f"{run_dir}: --set {new[key]} replaces {override} of an earlier call", err=True)
        elif key not in new:
            told = f"{run_dir}: kept from an earlier call: --set {override}; --no-keep-overrides drops it"
            typer.echo(told, err=True)
    kept = [override for override in earlier if keep and key_of(override) not in new]
    return [*kept, *overrides]


def require_train_extra() -> None:
    """Fail before any work when torch and its company are not installed."""
    from importlib.util import find_spec

    missing = [name for name in ("torch", "transformers", "safetensors") if find_spec(name) is None]
    if missing:
        raise EtalonError(f"this needs {', '.join(missing)}: in Etalon's folder run pip install -e '.[train]'")

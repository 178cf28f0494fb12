"""The pipeline: what runs, what is cached, what resumes. Training loads when a stage starts, not on import."""

from __future__ import annotations

import json
import platform
import tomllib
from difflib import get_close_matches
from importlib import metadata
from pathlib import Path
from typing import Any

from etalon import config
from etalon.engines.jobs import engine_of
from etalon.errors import ConfigError, RunError
from etalon.pipeline import graph
from etalon.pipeline.inputs import absent_inputs, check_device, check_endpoints, check_inputs
from etalon.pipeline.plan import print_lines, print_plan
from etalon.recipe import Recipe
from etalon.show.progress import Progress
from etalon.store import TEMPORARY_SUFFIX, RunLock, StageDir, write_atomic, write_json_atomic

LOCK_SECONDS = 2.0  # (ours) how long to wait for a process that is ending


def run(
    recipe: Recipe,
    *,
    run_dir: Path,
    recipe_path: Path | None = None,
    from_stage: str | None = None,
    dry_run: bool = False,
) -> None:
    """Run a recipe in a directory: skip what is done, resume what is not, redo what changed.

    from_stage: forget this stage and all that need it. dry_run: print the plan and stop.
    Raises EtalonError for what the user can fix.
    """
    if from_stage is not None and from_stage not in graph.BY_NAME:
        close = get_close_matches(from_stage, graph.BY_NAME, 1)
        meant = f"did you mean {close[0]!r}? " if close else ""
        raise ConfigError(f"--from {from_stage}: no such stage; {meant}stages are {', '.join(graph.BY_NAME)}")
    recipe = recipe.resolved()
    absent = absent_inputs(recipe) if dry_run else {}
    check_inputs(recipe, absent=absent.values())
    check_owner(run_dir, recipe)
    directories = graph.directories(run_dir)
    if dry_run:
        keys = None if absent else graph.keys(recipe)
        lines = planned(recipe, run_dir)
        print_plan(recipe, keys, directories, from_stage, list(absent))
        print_lines(lines)
        return
    check_endpoints(recipe)
    check_device(recipe)
    engine_of(recipe).check()
    keys = graph.keys(recipe)
    with RunLock(run_dir, wait_seconds=LOCK_SECONDS):
        if from_stage:
            forget(from_stage, directories)
        write_run_files(recipe, run_dir, recipe_path)
        progress = Progress()
        from etalon.pipeline.runner import Runner
        from etalon.pipeline.summary import summarise

        runner = Runner(recipe=recipe, run_dir=run_dir, progress=progress, keys=keys, directories=directories)
        waited = runner.run()
        finish(run_dir, summarise(recipe, directories, wait_seconds=waited))


def finish(run_dir: Path, summary: dict[str, Any]) -> None:
    """summary.json (left as it is when nothing new was measured), report.html and the table."""
    from etalon.report import write_report
    from etalon.show.table import print_summary

    path = run_dir / "summary.json"
    timeless = {k: v for k, v in summary.items() if k not in ("seconds", "peak_memory_mb")}
    if path.exists():
        old = json.loads(path.read_text())
        if {k: v for k, v in old.items() if k not in ("seconds", "peak_memory_mb")} == json.loads(json.dumps(timeless)):
            summary = old
    write_json_atomic(path, summary)
    write_report(run_dir)
    print_summary(summary)


def planned(recipe: Recipe, run_dir: Path) -> list[str]:
    """What the recipe's engine would start, for a dry run; said in words where this installation lacks the engine."""
    try:
        return engine_of(recipe).plan(run_dir)
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("etalon.engines"):
            raise
        return [f"engine {recipe.engine!r} is not part of this installation; it can be planned, not run"]


def check_owner(run_dir: Path, recipe: Recipe) -> None:
    """A run directory belongs to one recipe name; changing values within it is fine."""
    if not run_dir.exists():
        return
    resolved = run_dir / "resolved.toml"
    if resolved.exists():
        owner = owner_of(resolved)
        if owner != recipe.name:
            raise RunError(f"{run_dir}: was made by recipe {owner!r}, not {recipe.name!r}; use another --run directory")
    elif run_dir.is_dir() and any(p.name != ".lock" and p.suffix != TEMPORARY_SUFFIX for p in run_dir.iterdir()):
        raise RunError(f"{run_dir}: is not empty and not a run directory; use another --run directory")


def owner_of(resolved: Path) -> str:
    """The name of the recipe that made a run, whatever version of etalon wrote it."""
    try:
        return str(tomllib.loads(resolved.read_text(encoding="utf-8"))["name"])
    except (ValueError, KeyError):
        raise RunError(f"{resolved}: cannot be read, so nobody knows whose run this is; use another --run") from None


def forget(name: str, directories: dict[str, Path]) -> None:
    """Drop a stage and everything that depends on it."""
    dropped = {name}
    for stage in graph.STAGES:
        if stage.name in dropped or dropped & set(stage.needs):
            dropped.add(stage.name)
            if directories[stage.name].exists():
                StageDir(directories[stage.name]).clear()


def write_run_files(recipe: Recipe, run_dir: Path, recipe_path: Path | None) -> None:
    """recipe.toml as written, resolved.toml with every value, env.json with versions."""
    write_atomic(run_dir / "resolved.toml", config.to_toml(recipe))  # first: it makes the directory a run
    if recipe_path is not None:
        write_atomic(run_dir / "recipe.toml", recipe_path.read_bytes())
    versions = {"python": platform.python_version(), "machine": platform.machine()}
    for package in ("etalon", "torch", "transformers", "math-verify"):
        versions[package] = metadata.version(package)
    write_json_atomic(run_dir / "env.json", versions)

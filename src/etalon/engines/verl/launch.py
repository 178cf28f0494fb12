"""A stage as a process: verl's driver, its log, its metrics as they appear, its shards as Hugging Face directories.

A killed run is continued by verl from its newest shards; our logs are cut to the same step first.
"""

from __future__ import annotations

import gc
import json
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from etalon.children import Child
from etalon.engines.jobs import OnStep
from etalon.engines.verl.plan import Files, merge_command, train_command
from etalon.errors import RunError
from etalon.recipe import Recipe
from etalon.store import append_jsonl, read_json, read_jsonl, truncate_jsonl

LATEST = "latest_checkpointed_iteration.txt"
Row = dict[str, Any]


def steps_saved(files: Files) -> int:
    """The step of the newest shards; 0 when there are none."""
    path = files.shards / LATEST
    return int(path.read_text()) if path.exists() else 0


def check_world(files: Files, recipe: Recipe) -> None:
    """RunError when the shards of a killed run are for another number of GPUs: verl cannot load them."""
    gpus = recipe.verl.nodes * recipe.verl.gpus_per_node
    for path in files.shards.glob("global_step_*/**/fsdp_config.json"):
        found = read_json(path).get("world_size")
        if found != gpus:
            raise RunError(
                f"{path.parent}: was saved by {found} GPUs, and now there are {gpus}; continue with as many as "
                f"before, or redo the stage with --from"
            )


class Follower:
    """Turns the lines that verl's file logger writes into rows of metrics.jsonl, once each."""

    def __init__(self, files: Files, to_row: Callable[[int, Mapping[str, Any]], Row | None], on_step: OnStep) -> None:
        """to_row: our row of one step, or None while something it needs is still being written."""
        self._files, self._to_row, self._on_step = files, to_row, on_step
        self._metrics = files.directory / "metrics.jsonl"
        self._done = max((int(row["step"]) for row in read_jsonl(self._metrics)), default=0)

    def restart(self) -> None:
        """Forget the steps after the newest shards, which verl is about to take again."""
        self.look()  # what a killed run wrote and nobody read
        done = steps_saved(self._files)
        cut_to_step(self._metrics, done)
        cut_to_step(self._files.directory / "rollouts.jsonl", done)
        self._files.metrics.unlink(missing_ok=True)
        self._done = min(self._done, done)

    def look(self) -> None:
        """Log every step that is whole and was not logged before."""
        for line in read_jsonl(self._files.metrics):
            step = int(line["step"])
            if step <= self._done:
                continue
            row = self._to_row(step, line["data"])
            if row is None:
                return
            append_jsonl(self._metrics, [{"step": step, **row}])
            self._done = step
            self._on_step(step, row)


def cut_to_step(path: Path, step: int) -> None:
    """Keep the rows of the first `step` steps."""
    if path.exists():
        truncate_jsonl(path, sum(row["step"] <= step for row in read_jsonl(path)))


def run_driver(recipe: Recipe, module: str, files: Files, follower: Follower) -> None:
    """Run verl's driver to its end; RunError with the tail of its log when it fails."""
    check_world(files, recipe)
    free_gpu_memory()
    follower.restart()
    environment = {
        "VERL_FILE_LOGGER_PATH": str(files.metrics),
        "HYDRA_FULL_ERROR": "1",
        "PYTHONUNBUFFERED": "1",
        "RAY_ADDRESS": recipe.verl.address or "local",  # unset, Ray would join whatever cluster runs on this machine
    }
    with Child(train_command(module, files.config, recipe), log=files.log, environment=environment) as child:
        child.wait(follower.look, name=f"verl, {files.directory.name}")


def free_gpu_memory() -> None:
    """Give back what this process holds of GPUs that verl is about to fill."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        gc.collect()
        torch.cuda.empty_cache()


def merged(shards: Path, target: Path, files: Files) -> Path:
    """The Hugging Face directory of one set of shards; made once, and whole or not at all."""
    if target.exists():
        return target
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.parent.mkdir(parents=True, exist_ok=True)
    with Child(merge_command(shards, partial), log=files.inner / "merge.txt") as child:
        child.wait(name=f"verl.model_merger, {shards}")
    if not (partial / "config.json").exists() or not list(partial.glob("*.safetensors")):
        raise RunError(f"{shards}: verl.model_merger left no weights; see {files.inner / 'merge.txt'}")
    partial.rename(target)
    return target


def dumped(path: Path) -> list[Row]:
    """The rollouts of one step as verl wrote them; a line that is being written is left out."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1] if line]

"""A stage as a process: verl's driver, its log, its metrics as they appear, its shards as Hugging Face directories.

A killed run is continued by verl from the newest shards whose step is logged; our logs are cut to that step first.
"""

from __future__ import annotations

import gc
import json
import shutil
import sys
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from etalon.engines.jobs import OnStep
from etalon.engines.verl.checkpoints import check_world, continue_from, steps_saved
from etalon.engines.verl.plan import Files, merge_command, train_command
from etalon.errors import RunError
from etalon.processes.children import Child
from etalon.recipe import Recipe
from etalon.store import append_jsonl, read_jsonl, truncate_jsonl

Row = dict[str, Any]


class Follower:
    """Turns the lines that verl's file logger writes into rows of metrics.jsonl, once each."""

    def __init__(self, files: Files, to_row: Callable[[int, Mapping[str, Any]], Row | None], on_step: OnStep) -> None:
        """to_row: our row of one step, or None while something it needs is still being written."""
        self._files, self._to_row, self._on_step = files, to_row, on_step
        self._metrics = files.directory / "metrics.jsonl"
        self._rollouts = files.directory / "rollouts.jsonl"
        self._done = max(self._logged(), default=0)

    def resume(self) -> int:
        """The steps that need not be taken again; our logs, verl's and its dumps forget the others."""
        cut_to_step(self._rollouts, self._done)  # they are written before the row of their step
        self.look()  # what a killed run wrote and nobody read
        self._done = steps_saved(self._files, first_missing(self._logged()) - 1)
        continue_from(self._files, self._done)
        for path in (self._metrics, self._rollouts):
            cut_to_step(path, self._done)
        self._files.metrics.unlink(missing_ok=True)
        for dump in self._files.rollouts.glob("*.jsonl"):
            if int(dump.stem) > self._done:
                dump.unlink()
        return self._done

    def finish(self, steps: int) -> None:
        """Log what is left of a run that has ended; RunError when one of its steps is not in our log."""
        self.look()
        missing = first_missing(self._logged())
        if missing <= steps:
            raise RunError(
                f"{self._files.directory.name}: verl has ended, but step {missing} of {steps} is not in its log or its "
                f"rollouts are not all in its dump; run the same command again to redo the steps since the last shards "
                f"before it"
            )

    def _logged(self) -> set[int]:
        return {int(row["step"]) for row in read_jsonl(self._metrics)}

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


def first_missing(steps: Collection[int]) -> int:
    """The first step, from 1 on, that is not among `steps`."""
    return next(step for step in range(1, len(steps) + 2) if step not in steps)


def cut_to_step(path: Path, step: int) -> None:
    """Keep the rows of the first `step` steps."""
    if path.exists():
        truncate_jsonl(path, sum(row["step"] <= step for row in read_jsonl(path)))


def run_driver(recipe: Recipe, module: str, files: Files, follower: Follower) -> None:
    """Run verl's driver to its end, after `follower.resume`; RunError with the tail of its log when it fails."""
    check_world(files, recipe)
    free_gpu_memory()
    environment = {
        "VERL_FILE_LOGGER_PATH": str(files.metrics),
        "HYDRA_FULL_ERROR": "1",
        "PYTHONUNBUFFERED": "1",
        "RAY_ADDRESS": recipe.verl.address or "local",  # unset, Ray would join whatever cluster runs on this machine
    }
    if not recipe.verl.address:
        environment["RAY_AUTH_MODE"] = "token"  # a Ray of our own listens on all interfaces
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

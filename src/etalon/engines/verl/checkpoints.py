"""What verl saves of a run: at which steps, which of them are a supervised run's checkpoints, where a run continues.

    shards/latest_checkpointed_iteration.txt     the step that verl loads when it starts; no file: from the beginning
    shards/global_step_N/[actor/]*.pt, data*.pt  one step: every rank's part ("shards"), and the place in the data

verl saves every k-th step and the last. k saves as few steps as bring every checkpoint close to where the other engines
have it (`etalon.sft.rows.checkpoint_steps`). It saves step N before it logs it, keeps the shards before N for a while,
and writes the step in place: a killed run continues from the newest step that is whole on the disk and logged.
"""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path

from etalon.engines.verl.plan import Files
from etalon.errors import InputError, RunError
from etalon.recipe import Recipe
from etalon.store import read_json, write_atomic

LATEST = "latest_checkpointed_iteration.txt"
PARTS = ("model", "optim", "extra_state")  # what verl saves of every rank: checkpoint.save_contents
TOLERANCE = 0.25  # (ours) of the distance between two checkpoints


def save_every(wanted: Sequence[int]) -> int:
    """The k of `nearest_saved`. wanted: step numbers, increasing, the last one the end of the run; never empty."""
    total, count = wanted[-1], len(wanted)
    allowed = max(1.0, TOLERANCE * total / count)
    largest = (total - 1) // (count - 1) if count > 1 else total  # above it fewer steps are saved than wanted
    first = next(every for every in range(largest, 0, -1) if _furthest(wanted, every) <= allowed)
    saves = -(-total // first)
    as_few = [every for every in range(first, 0, -1) if -(-total // every) == saves]
    return min(as_few, key=lambda every: _furthest(wanted, every))


def nearest_saved(wanted: Sequence[int], every: int) -> list[int]:
    """For each wanted step the nearest saved one, all different. every: of `save_every`."""
    total = wanted[-1]
    saved = [*range(every, total, every), total]
    chosen: list[int] = []
    start = 0
    for still, step in zip(range(len(wanted) - 1, -1, -1), wanted, strict=True):
        index = min(range(start, len(saved) - still), key=lambda i: abs(saved[i] - step))
        chosen.append(saved[index])
        start = index + 1
    return chosen


def _furthest(wanted: Sequence[int], every: int) -> int:
    return max(abs(got - step) for got, step in zip(nearest_saved(wanted, every), wanted, strict=True))


def steps_saved(files: Files, logged: int) -> int:
    """The newest step that is whole, no newer than verl's own mark, and among the first `logged`; 0 without one."""
    latest = marked(files)
    limit = logged if latest is None else min(latest, logged)
    return next((step for step in sorted(found(files), reverse=True) if step <= limit and whole(files, step)), 0)


def continue_from(files: Files, step: int) -> None:
    """Make verl load the shards of `step`, or start from the beginning for 0; newer ones are removed."""
    for other in found(files):
        if other > step:
            shutil.rmtree(folder(files, other))
    if not step:
        (files.shards / LATEST).unlink(missing_ok=True)
    elif marked(files) != step:
        write_atomic(files.shards / LATEST, str(step))


def marked(files: Files) -> int | None:
    """The step in verl's mark; None when it is missing, or torn: verl empties it before it writes it."""
    try:
        return int((files.shards / LATEST).read_text())
    except (FileNotFoundError, ValueError):
        return None


def folder(files: Files, step: int) -> Path:
    """Where verl keeps the shards of a step."""
    return files.shards / f"global_step_{step}"


def found(files: Files) -> list[int]:
    """The steps that have a directory, whole or not."""
    names = (path.name.removeprefix("global_step_") for path in files.shards.glob("global_step_*"))
    return [int(name) for name in names if name.isdecimal()]


def whole(files: Files, step: int) -> bool:
    """Whether every rank's part and the place in the data are there to their last byte."""
    here = folder(files, step)
    configs = list(here.glob("**/fsdp_config.json"))
    try:
        worlds = {path.parent: int(read_json(path)["world_size"]) for path in configs}
    except (InputError, KeyError, TypeError, ValueError):
        return False
    parts = [
        inner / f"{part}_world_size_{world}_rank_{rank}.pt"
        for inner, world in worlds.items()
        for rank in range(world)
        for part in PARTS
    ]
    places = list(here.glob("data*.pt"))
    # torch.save writes a zip file, whose directory is at its end
    return bool(parts and places) and all(zipfile.is_zipfile(path) for path in [*parts, *places])


def check_world(files: Files, recipe: Recipe) -> None:
    """RunError when the shards of a killed run are for another number of GPUs: verl cannot load them."""
    gpus = recipe.verl.nodes * recipe.verl.gpus_per_node
    for path in files.shards.glob("global_step_*/**/fsdp_config.json"):
        saved_by = read_json(path).get("world_size")
        if saved_by != gpus:
            raise RunError(
                f"{path.parent}: was saved by {saved_by} GPUs, and now there are {gpus}; continue with as many as "
                f"before, or redo the stage with --from"
            )

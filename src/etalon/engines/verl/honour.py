"""What the verl engine cannot honour, as one line each, before anything is trained. Nothing of verl is loaded."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from etalon.errors import ConfigError
from etalon.recipe import Recipe
from etalon.store import read_json

INSTALL = "install it in an environment of its own: pip install -e '.[verl]' -c constraints-verl.txt (docs/verl.md)"
SERIES = "0.9."
KEY = re.compile(r"[A-Za-z_]\w*(\.\w+)*")  # of a single value or table; not a group, a flag or a deletion


def check_recipe(recipe: Recipe) -> None:
    """ConfigError with the first value that verl, or this adapter, cannot do as written."""
    for problem in problems(recipe):
        raise ConfigError(problem)


def check_installed() -> None:
    """ConfigError when verl, or a version of it that this adapter was written for, is not here."""
    if importlib.util.find_spec("verl") is None:
        raise ConfigError(f"engine: 'verl' is asked for, but the package verl is not installed; {INSTALL}")
    found = metadata.version("verl")
    if not found.startswith(SERIES):
        raise ConfigError(f"engine: 'verl' needs verl {SERIES}x, found {found}; {INSTALL}")


def problems(recipe: Recipe) -> Iterator[str]:
    """Everything that is refused, in the order of the recipe's page."""
    if recipe.device == "cpu":
        yield "device: is 'cpu', but verl trains on GPUs only; use engine = 'local'"
    if recipe.autocast != "bf16":
        yield f"autocast: is {recipe.autocast!r}, but verl trains and samples in bf16; set autocast = 'bf16'"
    if recipe.jobs > 1:
        yield f"jobs: is {recipe.jobs}, but evaluations beside training would take GPU memory from verl; set jobs = 1"
    yield from _optimisers(recipe)
    yield from _spread(recipe)
    yield from _model(recipe)
    yield from _overrides(recipe)


def _optimisers(recipe: Recipe) -> Iterator[str]:
    used = {"sft.optim": recipe.sft.optim, "distill.optim": recipe.distill.optim}
    if recipe.model.base == "scratch":
        used = {"base.optim": recipe.base.optim, **used}
    for key, optim in used.items():
        if optim.name != "adamw":
            yield f"{key}.name: is {optim.name!r}, but verl has AdamW only; use 'adamw', or engine = 'local'"


def _model(recipe: Recipe) -> Iterator[str]:
    from etalon.engines.verl.plan import rl_stages

    spec = recipe.model
    config = Path(spec.base) / "config.json"
    if spec.base == "scratch":
        where, found = "[model]", _shape(spec.max_positions, spec.heads, spec.kv_heads)
    else:
        where, found = str(config), read_json(config) if config.exists() else {}
    window, heads = found.get("max_position_embeddings"), found.get("num_attention_heads")
    groups = found.get("num_key_value_heads", heads)
    phases = [stage for stage in rl_stages(recipe).values() if stage.steps]
    widest = max(phases, key=lambda stage: stage.window, default=None)
    if window and widest and window <= widest.window:  # a prompt needs room as well
        yield (
            f"{widest.key}: is {widest.window}, but {where} says a window of {window}, and vLLM refuses a "
            f"longer one; set {widest.key} below it, or raise it together with the model's rope settings"
        )
    for key in ("tensor_parallel", "sequence_parallel"):
        size = getattr(recipe.verl, key)
        if heads and (heads % size or (groups % size and size % groups)):
            yield f"verl.{key}: is {size}, which does not split {heads} heads in {groups} groups ({where})"


def _shape(window: int, heads: int, groups: int) -> dict[str, Any]:
    return {"max_position_embeddings": window, "num_attention_heads": heads, "num_key_value_heads": groups}


def _spread(recipe: Recipe) -> Iterator[str]:
    spec = recipe.verl
    if "://" in spec.address:
        yield f"verl.address: is {spec.address!r}; run etalon on a node of the cluster, and give HOST:PORT or 'auto'"
    gpus = spec.nodes * spec.gpus_per_node
    if spec.gpus_per_node % spec.tensor_parallel:
        yield f"verl.tensor_parallel: is {spec.tensor_parallel}, which does not divide {spec.gpus_per_node} GPUs a node"
    if gpus % spec.sequence_parallel:
        yield f"verl.sequence_parallel: is {spec.sequence_parallel}, which does not divide all {gpus} GPUs"
        return
    ranks = gpus // spec.sequence_parallel
    batches = {
        "rl.prompts_per_step * rl.group_size": recipe.rl.prompts_per_step * recipe.rl.group_size,
        "sft.batch": recipe.sft.batch,
        "distill.batch": recipe.distill.batch,
    }
    if recipe.model.base == "scratch":
        batches["base.batch"] = recipe.base.batch
    for key, size in batches.items():
        if size % ranks:
            yield f"{key}: is {size}, which does not spread evenly over {ranks} data-parallel ranks"


def _overrides(recipe: Recipe) -> Iterator[str]:
    from etalon.engines.verl.plan import set_keys

    taken = set_keys(recipe)
    for override in recipe.verl.overrides:
        key, equals, _ = override.lstrip("+").partition("=")
        if not equals or not KEY.fullmatch(key):
            yield f"verl.overrides: {override}: expected KEY=VALUE of verl's config"
        elif key in taken or any(key.startswith(f"{one}.") for one in taken):
            yield f"verl.overrides: {key}: is set from the recipe; change the recipe's value"
        elif inside := [one for one in taken if one.startswith(f"{key}.")]:
            yield (
                f"verl.overrides: {key}: holds {min(inside)}, which is set from the recipe; give single keys that "
                "no recipe value sets"
            )

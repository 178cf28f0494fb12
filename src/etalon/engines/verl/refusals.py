"""What the verl engine cannot honour, as one line each, before anything is trained. Nothing of verl is loaded."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from etalon.config.stages import ROOT, Listed, base_model, base_of, listed
from etalon.errors import ConfigError
from etalon.recipe import Recipe, RlSpec
from etalon.store import read_json

INSTALL = "install it in an environment of its own: pip install -e '.[verl]' -c constraints-verl.txt (docs/verl.md)"
SERIES = "0.9."
KEY = re.compile(r"[A-Za-z_]\w*(\.\w+)*")  # of a single value or table; not a group, a flag or a deletion


def check_recipe(recipe: Recipe) -> None:
    """ConfigError with the first value that verl, or this adapter, cannot do as written."""
    for refusal in refusals(recipe):
        raise ConfigError(refusal)


def check_installed() -> None:
    """ConfigError when verl, or a version of it that this adapter was written for, is not here."""
    if importlib.util.find_spec("verl") is None:
        raise ConfigError(f"engine: 'verl' is asked for, but the package verl is not installed; {INSTALL}")
    found = metadata.version("verl")
    if not found.startswith(SERIES):
        raise ConfigError(f"engine: 'verl' needs verl {SERIES}x, found {found}; {INSTALL}")


def refusals(recipe: Recipe) -> Iterator[str]:
    """Everything that is refused, in the order of the recipe's page."""
    if recipe.device == "cpu":
        yield "device: is 'cpu', but verl trains on GPUs only; use engine = 'local'"
    if recipe.autocast != "bf16":
        yield f"autocast: is {recipe.autocast!r}, but verl trains and samples in bf16; set autocast = 'bf16'"
    if recipe.jobs > 1:
        yield f"jobs: is {recipe.jobs}, but evaluations beside training would take GPU memory from verl; set jobs = 1"
    yield from _optimisers(recipe)
    yield from _phases(recipe)
    yield from _spread(recipe)
    yield from _models(recipe)
    yield from _overrides(recipe)


def _optimisers(recipe: Recipe) -> Iterator[str]:
    from etalon.engines.verl.plan import supervised

    for stage in listed(recipe):
        found = supervised(stage, recipe)
        if found is not None and found[0].name != "adamw":
            key = stage.key_of("optim")
            yield f"{key}.name: is {found[0].name!r}, but verl has AdamW only; use 'adamw', or engine = 'local'"


def _phases(recipe: Recipe) -> Iterator[str]:
    from etalon.engines.verl.plan import rl_stages

    for stage in rl_stages(recipe):
        if stage.spec.tokens:
            yield (
                f"{stage.key_of('tokens')}: is {stage.spec.tokens}, but verl is told the number of steps before it "
                f"starts; set it to 0, and {stage.key_of('steps')} to as many as they are worth"
            )
        judge = stage.spec.judge
        if judge and "@http" not in judge:
            yield (
                f"{stage.key_of('judge')}: is {judge!r}, and every reward worker of verl would load it; serve it, and "
                "write NAME@http://HOST:PORT/v1"
            )


def _models(recipe: Recipe) -> Iterator[str]:
    """What the models that a path begins with are too small for."""
    from etalon.engines.verl.plan import rl_stages

    stages = listed(recipe)
    phases: dict[str, list[Listed]] = {
        base_model(one, recipe)[1]: [] for one in stages if one.kind == ROOT
    }  # fmt: skip
    for stage in rl_stages(recipe):
        if stage.spec.steps:
            phases[base_model(base_of(stage, stages), recipe)[1]].append(stage)
    for model, own in phases.items():
        yield from _model(model, own, recipe)


def _model(model: str, phases: Sequence[Listed], recipe: Recipe) -> Iterator[str]:
    """model: a directory, or "scratch". phases: the RL stages behind it."""
    spec, config = recipe.model, Path(model) / "config.json"
    if model == "scratch":
        where, found = "[model]", _shape(spec.max_positions, spec.heads, spec.kv_heads)
    else:
        where, found = str(config), read_json(config) if config.exists() else {}
    window, heads = found.get("max_position_embeddings"), found.get("num_attention_heads")
    groups = found.get("num_key_value_heads", heads)
    widest = max(phases, key=lambda stage: int(stage.spec.max_tokens), default=None)
    if window and widest and window <= widest.spec.max_tokens:  # a prompt needs room as well
        key = widest.key_of("max_tokens")
        yield (
            f"{key}: is {widest.spec.max_tokens}, but {where} says a window of {window}, and vLLM refuses a "
            f"longer one; set {key} below it, or raise it together with the model's rope settings"
        )
    for name in ("tensor_parallel", "sequence_parallel"):
        size = getattr(recipe.verl, name)
        if heads and (heads % size or (groups % size and size % groups)):
            yield f"verl.{name}: is {size}, which does not split {heads} heads in {groups} groups ({where})"


def _shape(window: int, heads: int, groups: int) -> dict[str, Any]:
    return {"max_position_embeddings": window, "num_attention_heads": heads, "num_key_value_heads": groups}


def _spread(recipe: Recipe) -> Iterator[str]:
    from etalon.engines.verl.plan import supervised

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
    batches = {}
    for stage in listed(recipe):
        found = supervised(stage, recipe)
        if found is not None:
            batches[stage.key_of("batch")] = found[1]
        if isinstance(stage.spec, RlSpec):
            prompts, size = stage.key_of("prompts_per_step"), stage.key_of("group_size")
            batches[f"{prompts} * {size}"] = stage.spec.prompts_per_step * stage.spec.group_size
    for key, batch in batches.items():
        if batch % ranks:
            yield f"{key}: is {batch}, which does not spread evenly over {ranks} data-parallel ranks"


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

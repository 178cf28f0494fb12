"""What the stages of a run will take on this machine, by the rates that its preflight measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from etalon.config.stages import PREFLIGHT, PROBLEMS
from etalon.cost.work import Cost
from etalon.model.memory import memory_bytes
from etalon.pipeline.reckoning import as_found
from etalon.pipeline.stage import Stage
from etalon.recipe import Recipe
from etalon.show.progress import show_seconds
from etalon.store import StageDir

NEEDED = (PREFLIGHT, PROBLEMS)  # stages that a forecast is made of
MOMENTS = 3  # copies of the weights that training holds beside them: gradients and two moments
TIGHT = {  # whether activations are computed again then
    False: "lower micro_tokens, or max_tokens where one response is longer than that",
    True: "activations will be computed again, for about a third more time; lower micro_tokens spares that",
}


@dataclass(frozen=True, kw_only=True)
class Taken:
    """Seconds of one stage on this machine."""

    stage: str
    seconds: float


def taken(record: Mapping[str, Any], stages: Sequence[Stage], recipe: Recipe) -> list[Taken]:
    """Seconds of every stage that samples or trains, from the recipe's counts and the measured rates and lengths.

    record: what preflight measured. Stages that make their own model first (from scratch) are not reckoned.
    """
    sampled, trained = record.get("sampled_per_second"), record.get("trained_per_second")
    if not sampled:
        return []
    hardware = recipe.hardware.model_copy(update={"response_tokens": max(1, round(record["mean_tokens"]))})
    measured = recipe.model_copy(update={"hardware": hardware})
    found = []
    for stage in stages:
        cost = replace(stage, recipe=measured).cost
        shared = stage.spec.group_size if cost.is_rl and recipe.engine == "local" else 1  # rollouts behind one prompt
        tokens = trained_tokens(cost, record.get("prompt_tokens"), shared)
        optimiser = getattr(getattr(stage.spec, "optim", None), "name", "adamw")
        seconds = cost.sampled / sampled + (tokens / trained if trained else 0.0)
        seconds += cost.steps * record.get("optimiser_seconds", {}).get(optimiser, 0.0)
        if seconds >= 1:
            found.append(Taken(stage=stage.name, seconds=seconds))
    return found


def trained_tokens(cost: Cost, prompt: float | None, shared: int) -> float:
    """Tokens trained where prompts have a measured length, and each stands once for so many rows."""
    if prompt is None or not cost.prompt_mean:
        return cost.trained
    return cost.trained / cost.trained_mean * (cost.trained_mean - cost.prompt_mean + prompt / shared)


def measured(stages: Sequence[Stage], recipe: Recipe, directories: Mapping[str, Path]) -> list[str]:
    """`forecast_lines` by the preflight of a run and the problems it found; nothing before its preflight has run."""
    look, problems = (StageDir(directories[name]).done() if name in directories else None for name in NEEDED)
    if look is None or problems is None:
        return []
    return forecast_lines(
        look["outputs"]["preflight"], stages, as_found(recipe, problems["outputs"]["counts"])
    )  # fmt: skip


def forecast_lines(record: Mapping[str, Any], stages: Sequence[Stage], recipe: Recipe) -> list[str]:
    """The forecast in words: hours of each stage, the sum, and the memory that training will want."""
    found = taken(record, stages, recipe)
    if not found:
        return []
    longest = max(len(one.stage) for one in found)
    lines = ["forecast for this machine, at most (every prompt kept, every rollout with credit):"]
    lines += [f"  {one.stage:<{longest}}  {show_seconds(one.seconds)}" for one in found]
    lines.append(f"  {'together':<{longest}}  {show_seconds(sum(one.seconds for one in found))}")
    peak, there = peak_memory_mb(record, stages), memory_bytes() / 1024**2
    lines.append(f"  peak memory about {peak:,.0f} MB of {there:,.0f}")
    if peak > there:
        lines.append(f"  that does not fit: {TIGHT[recipe.engine == 'local' and recipe.recompute == 'auto']}")
    return lines


def peak_memory_mb(record: Mapping[str, Any], stages: Sequence[Stage]) -> float:
    """The larger of what sampling took and what training holds: weights, gradients, moments, one micro-batch."""
    passes = [getattr(stage.spec, "micro_tokens", 0) for stage in stages]
    activations = (record.get("kb_per_token") or 0.0) * max(passes, default=0) / 1024
    trained = record.get("held_mb", 0.0) + MOMENTS * record.get("weights_mb", 0.0) + activations
    return float(max(record["peak_memory_mb"], trained))

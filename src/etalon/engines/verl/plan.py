"""The processes of a stage: their files, configs and commands, known before anything runs.

stage directory -> Files -> config.yaml -> command
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from etalon.config.stages import Listed, base_model, listed
from etalon.cost.compute import LONGEST_PROMPT
from etalon.engines.verl.settings import Place, Setting, rl_settings, sft_settings, to_yaml
from etalon.recipe import BaseSpec, DistillSpec, OptimSpec, Recipe, RlSpec, SftSpec, StageSpec
from etalon.store import write_atomic

RL_MODULE, RL_BASE = "verl.trainer.main_ppo", "ppo_trainer"
SFT_MODULE, SFT_BASE = "verl.trainer.sft_trainer_ray", "sft_trainer_engine"
GUESSED_PROMPT_TOKENS = LONGEST_PROMPT  # in a dry run only; a stage measures its prompts


@dataclass(frozen=True)
class Files:
    """Where one stage keeps what verl reads and writes. Shards go with the stage's `state`, once it is done."""

    directory: Path

    @property
    def inner(self) -> Path:
        return self.directory / "verl"

    @property
    def config(self) -> Path:
        return self.inner / "config.yaml"

    @property
    def log(self) -> Path:
        return self.inner / "log.txt"

    @property
    def metrics(self) -> Path:
        return self.inner / "metrics.jsonl"

    @property
    def rollouts(self) -> Path:
        return self.directory / "state" / "rollouts"

    @property
    def shards(self) -> Path:
        return self.directory / "state" / "shards"

    @property
    def data(self) -> Path:
        return self.inner / "data.parquet"

    @property
    def order(self) -> Path:
        return self.inner / "order.parquet"

    def place(self, recipe: Recipe, source: Path | str) -> Place:
        """The same for verl's config."""
        return Place(
            name=recipe.name, stage=self.directory.name, source=str(source), data=self.data, order=self.order,
            shards=self.shards, metrics=self.metrics, rollouts=self.rollouts, hydra=self.inner / "hydra",
        )  # fmt: skip


def train_command(module: str, config: Path, recipe: Recipe) -> list[str]:
    """The driver of one stage. It runs on this machine, which must belong to the cluster."""
    return [
        sys.executable, "-m", module, "--config-dir", str(config.parent), "--config-name", config.stem,
        *recipe.verl.overrides,
    ]  # fmt: skip


def merge_command(shards: Path, target: Path) -> list[str]:
    """Shards of all ranks to one Hugging Face directory, on this machine's CPU."""
    return [
        sys.executable, "-m", "verl.model_merger", "merge", "--backend", "fsdp", "--local_dir", str(shards),
        "--target_dir", str(target),
    ]  # fmt: skip


def rl_stages(recipe: Recipe) -> list[Listed]:
    """Every RL phase of the list."""
    return [stage for stage in listed(recipe) if isinstance(stage.spec, RlSpec)]


def supervised(stage: Listed, recipe: Recipe) -> tuple[OptimSpec, int, int] | None:
    """(optimiser, batch, micro_tokens) of a stage that fine-tunes; None for any other."""
    spec = stage.spec
    if isinstance(spec, SftSpec):
        return spec.optim.scaled(spec.lr_scale), spec.batch, spec.micro_tokens
    if isinstance(spec, DistillSpec):
        return spec.optim, spec.batch, spec.micro_tokens
    if isinstance(spec, BaseSpec) and base_model(stage, recipe)[1] == "scratch":
        return spec.optim, spec.batch, recipe.sft.micro_tokens
    return None


def planned(recipe: Recipe, run_dir: Path) -> Iterator[tuple[str, str, str, list[Setting]]]:
    """(stage, verl's module, its base config, settings) of every stage that trains; what it measures is guessed."""
    for stage in listed(recipe):
        place = Files(run_dir / "stages" / stage.name).place(recipe, "CHECKPOINT-OF-THE-STAGE-BEFORE")
        found = supervised(stage, recipe)
        if found is not None:
            optim, batch, micro_tokens = found
            yield stage.name, SFT_MODULE, SFT_BASE, sft_settings(
                place, optim, recipe.verl, batch=batch, steps=1, save_every=1, warmup_steps=1,
                micro_tokens=micro_tokens, longest=recipe.data.max_tokens + GUESSED_PROMPT_TOKENS, seed=recipe.seed,
            )  # fmt: skip
        spec = stage.spec
        if isinstance(spec, RlSpec) and spec.steps:
            yield stage.name, RL_MODULE, RL_BASE, rl_settings(
                place, spec, recipe, prompts=spec.prompts_per_step, prompt_tokens=GUESSED_PROMPT_TOKENS,
                seed=recipe.seed,
            )  # fmt: skip


def set_keys(recipe: Recipe) -> set[str]:
    """The keys of verl's config that a recipe sets, in a stage of one kind or the other."""
    rl = StageSpec.model_validate({"name": "rl", "kind": "rl"})
    every = recipe.model_copy(update={"stages": (StageSpec(name="sft", kind="sft"), rl)})
    return {setting.key for *_, settings in planned(every, Path()) for setting in settings}


def write_plan(recipe: Recipe, folder: Path, run_dir: Path) -> list[str]:
    """Write every stage's config into `folder`; lines that name them and the commands."""
    lines = [
        f"verl: one config per stage in {folder}; steps, seeds and longest prompts are filled in when a stage starts"
    ]
    for name, module, base, settings in planned(recipe, run_dir):
        config = folder / f"{name}.yaml"
        write_atomic(config, to_yaml(settings, base=base))
        lines.append(shown(train_command(module, config, recipe)))
    files = Files(run_dir / "stages" / "STAGE")
    return [*lines, shown(merge_command(files.shards / "global_step_N", files.directory / "checkpoint"))]


def shown(command: Sequence[str]) -> str:
    """A command as a shell would read it, for people to copy."""
    import shlex

    return shlex.join(command)

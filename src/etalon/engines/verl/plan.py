"""The processes of a stage: their files, configs and commands, known before anything runs.

stage directory -> Files -> config.yaml -> command
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from etalon.cost.compute import LONGEST_PROMPT
from etalon.engines.verl.settings import Place, Setting, rl_settings, sft_settings, to_yaml
from etalon.recipe import OptimSpec, Recipe
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


@dataclass(frozen=True, kw_only=True)
class RlStage:
    """An RL phase. window: of a response, in tokens; key: of the recipe's value that says the window."""

    steps: int
    lr: float
    brevity: float
    window: int
    key: str = "rl.max_tokens"


@dataclass(frozen=True, kw_only=True)
class SftStage:
    """A supervised stage; passes: epochs or documents, 0 where the recipe leaves it out."""

    passes: int
    optim: OptimSpec
    batch: int
    micro_tokens: int


def rl_stages(recipe: Recipe) -> dict[str, RlStage]:
    """Every RL phase by the name of its stage, those without steps included."""
    rl, last = recipe.rl, recipe.instruct
    found = {}
    for name in ("math", "long2short", "code", "stem"):
        phase = getattr(rl, name)
        found[f"rl-{name}"] = RlStage(
            steps=phase.steps, lr=phase.lr, brevity=rl.lambda_ if name == "long2short" else 0.0,
            window=rl.window(phase), key=f"rl.{name}.max_tokens" if phase.max_tokens else "rl.max_tokens",
        )  # fmt: skip
    return {**found, "instruct": RlStage(steps=last.steps, lr=last.lr, brevity=0.0, window=rl.max_tokens)}


def sft_stages(recipe: Recipe) -> dict[str, SftStage]:
    """Every supervised stage by its name, those without epochs included."""
    base, sft, distill = recipe.base, recipe.sft, recipe.distill
    hard = sft.optim.scaled(sft.hard.lr_scale)
    passes = base.documents if recipe.model.base == "scratch" else 0
    micro = sft.micro_tokens
    return {
        "base": SftStage(passes=passes, optim=base.optim, batch=base.batch, micro_tokens=micro),
        "sft-broad": SftStage(passes=sft.broad.epochs, optim=sft.optim, batch=sft.batch, micro_tokens=micro),
        "sft-hard": SftStage(passes=sft.hard.epochs, optim=hard, batch=sft.batch, micro_tokens=micro),
        "distill": SftStage(
            passes=distill.epochs, optim=distill.optim, batch=distill.batch, micro_tokens=distill.micro_tokens
        ),
    }


def planned(recipe: Recipe, run_dir: Path, *, is_every: bool = False) -> Iterator[tuple[str, str, str, list[Setting]]]:
    """(stage, verl's module, its base config, settings) of every stage that trains; what it measures is guessed.

    is_every: also stages that the recipe leaves out.
    """
    for name, sft in sft_stages(recipe).items():
        if not (sft.passes or is_every):
            continue
        place = Files(run_dir / "stages" / name).place(recipe, "CHECKPOINT-OF-THE-STAGE-BEFORE")
        yield name, SFT_MODULE, SFT_BASE, sft_settings(
            place, sft.optim, recipe.verl, batch=sft.batch, steps=1, save_every=1, warmup_steps=1,
            micro_tokens=sft.micro_tokens, longest=recipe.data.max_tokens + GUESSED_PROMPT_TOKENS, seed=recipe.seed,
        )  # fmt: skip
    for name, rl in rl_stages(recipe).items():
        if not (rl.steps or is_every):
            continue
        spec = recipe.rl.model_copy(update={"max_tokens": rl.window})
        place = Files(run_dir / "stages" / name).place(recipe, "CHECKPOINT-OF-THE-STAGE-BEFORE")
        optim = OptimSpec(lr=rl.lr, final_lr=rl.lr, beta1=recipe.rl.beta1, beta2=recipe.rl.beta2, clip=recipe.rl.clip)
        yield name, RL_MODULE, RL_BASE, rl_settings(
            place, spec, recipe.verl, optim, recipe.sandbox, brevity=rl.brevity, steps=rl.steps,
            prompts=recipe.rl.prompts_per_step, prompt_tokens=GUESSED_PROMPT_TOKENS, seed=recipe.seed,
        )  # fmt: skip


def set_keys(recipe: Recipe) -> set[str]:
    """The keys of verl's config that the recipe sets, in one stage or another."""
    return {setting.key for *_, settings in planned(recipe, Path(), is_every=True) for setting in settings}


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

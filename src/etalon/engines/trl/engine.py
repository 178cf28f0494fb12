"""`engine = "trl"`: every run that trains is a child process, or one per GPU, of TRL's trainers.

    job.json, rows.safetensors -> python -m etalon.engines.trl.worker -> metrics.jsonl, rollouts.jsonl -> checkpoints

Nothing here loads TRL; `worker` does.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from etalon.config.stages import Listed, listed
from etalon.engines.fit import check_fits
from etalon.engines.jobs import CHECKPOINT, CHECKPOINTS, OnStep, RlJob, SupervisedJob
from etalon.engines.trl import MISSING, launch, wire
from etalon.errors import ConfigError
from etalon.recipe import Recipe, RlSpec
from etalon.rl.pool import prompts_per_step
from etalon.sft.rows import checkpoint_steps

PACKAGES = ("trl", "datasets", "accelerate", "peft")
OLDEST, NEXT = (1, 16), (2, 0)  # the range of TRL that `internals` was tested against


@dataclass(frozen=True)
class TrlEngine:
    """SFTTrainer and MGPOTrainer, launched on this machine."""

    recipe: Recipe

    def check(self) -> None:
        """ConfigError for a missing package or GPU, and for what TRL's trainers would do otherwise than asked."""
        if any(importlib.util.find_spec(name) is None for name in PACKAGES):
            raise ConfigError(MISSING)
        found = tuple(int(part) for part in version("trl").split(".")[:2])
        if not OLDEST <= found < NEXT:
            raise ConfigError(
                f"engine: TRL {version('trl')} is installed; in Etalon's folder run pip install -e '.[trl]'"
            )
        check_spec(self.recipe)
        if self.recipe.trl.vllm != "off" and importlib.util.find_spec("vllm") is None:
            raise ConfigError(
                f"trl.vllm: {self.recipe.trl.vllm!r} needs vLLM, which is not installed here; install 'trl[vllm]', or "
                "use 'off'"
            )
        check_devices(self.recipe)
        check_memory(self.recipe)

    def plan(self, run_dir: Path) -> list[str]:
        """The command that every stage with training starts; ConfigError for what no installation would honour."""
        check_spec(self.recipe)
        job = run_dir / "stages" / "STAGE" / wire.FOLDER / wire.JOB
        return ["each stage that trains starts: " + launch.shown(launch.command(job, self.recipe.trl.processes))]

    def supervise(self, job: SupervisedJob, on_step: OnStep) -> list[Path]:
        """The checkpoints of one supervised run."""
        wire.write_supervised(job, self.recipe)
        launch.run(job.directory, self.recipe, at_least=len(job.steps), logs={"metrics.jsonl": 1}, on_step=on_step)
        marks = checkpoint_steps(len(job.steps), job.num_checkpoints)
        return [job.directory / CHECKPOINTS / f"step-{mark:06d}" for mark in marks]

    def reinforce(self, job: RlJob, on_step: OnStep) -> Path:
        """The weights after all steps of one RL phase."""
        count = prompts_per_step(len(job.prompts), job.spec.prompts_per_step)
        check_share(count, job.spec.group_size, self.recipe.trl.processes, f"{job.name}: those that carry a signal")
        wire.write_rl(job, self.recipe)
        logs = {"metrics.jsonl": 1, "rollouts.jsonl": count}
        at_least = 1 if job.spec.tokens else job.steps
        launch.run(job.directory, self.recipe, at_least=at_least, logs=logs, on_step=on_step)
        return job.directory / CHECKPOINT


def check_spec(recipe: Recipe) -> None:
    """ConfigError for values of the recipe that TRL's trainers do not honour."""
    trl = recipe.trl
    for stage in listed(recipe):
        if isinstance(stage.spec, RlSpec) and stage.spec.steps:
            check_phase(stage, recipe)
    if trl.vllm == "server" and not trl.vllm_server.startswith(("http://", "https://")):
        raise ConfigError(
            "trl.vllm_server: is not a URL; with trl.vllm = 'server' it is where `trl vllm-serve` listens"
        )


def check_phase(stage: Listed, recipe: Recipe) -> None:
    """ConfigError for values of one RL stage that `MGPOTrainer` does not honour."""
    spec, key_of = stage.spec, stage.key_of
    if spec.importance == "none" and (recipe.trl.vllm != "off" or recipe.autocast != "off"):
        raise ConfigError(
            f"{key_of('importance')}: 'none' leaves the sampler's log-probs in the ratio, as TRL does not; use "
            "'token-truncate'"
        )
    source = f"{key_of('prompts_per_step')}, {key_of('group_size')}"
    check_share(spec.prompts_per_step, spec.group_size, recipe.trl.processes, source)


def check_share(prompts: int, group_size: int, processes: int, source: str) -> None:
    """ConfigError when the rollouts of a step cannot be dealt evenly, or a process would have no prompt.

    source: where the two numbers come from.
    """
    if processes > prompts:
        raise ConfigError(
            f"trl.processes: {processes} are more than {prompts} prompts ({source}); use {prompts} or fewer"
        )
    if prompts * group_size % processes:
        raise ConfigError(
            f"trl.processes: {prompts} x {group_size} rollouts a step ({source}) cannot be dealt evenly to {processes}"
        )


def check_devices(recipe: Recipe) -> None:
    """ConfigError when there are fewer GPUs than processes; UnsupportedModelError when there is none at all."""
    from etalon.model.loader import choose_device

    if choose_device(recipe.device).type == "cuda":
        import torch

        count = torch.cuda.device_count()
        if recipe.trl.processes > count:
            raise ConfigError(f"trl.processes: {recipe.trl.processes} are more than {count} GPUs; use {count} or fewer")
    elif recipe.trl.vllm == "colocate":
        raise ConfigError("trl.vllm: 'colocate' needs a GPU; use 'off', or 'server' with one elsewhere")


def check_memory(recipe: Recipe) -> None:
    """ConfigError when a base of the user's alone exceeds the device."""
    if recipe.trl.lora_rank:  # an adapter needs two copies of the weights
        check_fits(recipe, bytes_per_parameter=8, processes=recipe.trl.processes, remedy="use a smaller base")
    else:
        remedy = "set trl.lora_rank, or use engine = 'verl', which shards"
        check_fits(recipe, processes=recipe.trl.processes, remedy=remedy)


def engine(recipe: Recipe) -> TrlEngine:
    """The engine of this recipe."""
    return TrlEngine(recipe)

"""What a training stage asks of an engine, whichever it is: a checkpoint directory in, checkpoint directories out.

    Recipe -> engine_of -> Engine -> check           before anything is trained
    SupervisedJob(source, rows, steps) -> supervise -> checkpoints
    RlJob(source, prompts, credit, steps) -> reinforce -> checkpoint

Every engine logs a row per step to `metrics.jsonl` in the directory of the job, RL its groups to `rollouts.jsonl`, and
continues there what a killed run has left. No torch: a dry run loads only this.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from etalon.recipe import OptimSpec, Recipe, RlSpec
from etalon.rl.metrics import sampled_tokens
from etalon.rl.pool import prompts_per_step
from etalon.store import seed_from
from etalon.types import Problem, SamplingParams

if TYPE_CHECKING:
    from etalon.model.packed import TokenRow
    from etalon.rl.credit import CreditSpec

OnStep = Callable[[int, Mapping[str, Any]], None]  # steps done, and the row that was logged
CHECKPOINT = "checkpoint"  # where `reinforce` leaves its weights
CHECKPOINTS = "checkpoints"  # where `supervise` leaves them, as step-NNNNNN


@dataclass(frozen=True, kw_only=True)
class SupervisedJob:
    """One supervised run over token rows.

    source: Hugging Face directory to start from. steps: the rows of every optimiser step, by index.
    num_checkpoints: evenly spaced, the last at the end. directory: of the stage.
    """

    source: Path
    rows: Sequence[TokenRow]
    steps: Sequence[Sequence[int]]
    optim: OptimSpec
    micro_tokens: int
    num_checkpoints: int
    directory: Path


@dataclass(frozen=True, kw_only=True)
class RlJob:
    """One on-policy RL phase. prompts: those that carry a signal, see `etalon.rl.pool`.

    system: message before every prompt. prompts_folder: where a judge's prompts are. name: of the stage.
    """

    source: Path
    prompts: Sequence[Problem]
    spec: RlSpec
    credit: CreditSpec
    seed: int
    directory: Path
    system: str = ""
    prompts_folder: str = "default"
    name: str = "rl"
    workers: int = 4  # (ours) threads that verify

    @property
    def steps(self) -> int:
        """As many at most: `rl.tokens` may end the phase before."""
        return self.spec.steps

    @property
    def rollouts_per_step(self) -> int:
        return prompts_per_step(len(self.prompts), self.spec.prompts_per_step) * self.spec.group_size

    def is_over(self, rows: Iterable[Mapping[str, Any]]) -> bool:
        """Whether these steps, rows of metrics.jsonl, have reached the budget of tokens, where there is one."""
        budget = self.spec.tokens
        return bool(budget) and sampled_tokens(rows, self.rollouts_per_step) >= budget

    @property
    def lr(self) -> float:
        return self.spec.lr

    @property
    def params(self) -> SamplingParams:
        """Rollouts come from the model's own distribution: temperature 1, top_p 1 (2.2)."""
        return SamplingParams(max_tokens=self.spec.max_tokens)

    def seed_of(self, step: int) -> int:
        """The seed of the rollouts of one step."""
        return seed_from({"seed": self.seed, "step": step}, bits=62)

    @property
    def optim(self) -> OptimSpec:
        return rl_optim(self.spec)


def rl_optim(spec: RlSpec) -> OptimSpec:
    """AdamW at a constant rate: RL has no schedule."""
    return OptimSpec(lr=spec.lr, final_lr=spec.lr, warmup=0.0, beta1=spec.beta1, beta2=spec.beta2, clip=spec.clip)


def timed(row: Mapping[str, Any], seconds: float) -> dict[str, Any]:
    """The row of one step with what it took."""
    return {**row, "seconds": round(seconds, 4), "tokens_per_second": round(row["tokens"] / max(seconds, 1e-4))}


class Engine(Protocol):
    """Trains. Made for one recipe by `engine_of`."""

    def check(self) -> None:
        """ConfigError for what this engine, as installed here, cannot honour; called before anything is trained."""

    def plan(self, run_dir: Path) -> list[str]:
        """For `--dry-run`: lines that say what it would start, such as commands; needs nothing installed."""

    def supervise(self, job: SupervisedJob, on_step: OnStep) -> list[Path]:
        """Fine-tune; the checkpoints, oldest first."""

    def reinforce(self, job: RlJob, on_step: OnStep) -> Path:
        """Sample, verify, credit and update, `job.steps` times or until `job.is_over`; the final checkpoint."""


def engine_of(recipe: Recipe) -> Engine:
    """The engine that a recipe names; loads no more than the package that describes it."""
    module = importlib.import_module(f"etalon.engines.{recipe.engine}.engine")
    engine: Engine = module.engine(recipe)
    return engine

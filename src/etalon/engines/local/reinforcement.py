"""One phase of on-policy RL: prefilter the prompts, then sample, verify, credit and update, once per batch.

pool.jsonl       n rollouts of every prompt under the starting checkpoint -> drop accuracy exactly 0 or 1 (2.2)
step             prompts of the pool -> rollouts -> verdicts -> credit -> one update (rho = 1) -> metrics.jsonl
rollouts.jsonl   one row per group and step
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from etalon.engines.local import trainer as local
from etalon.models import LanguageModel
from etalon.packed import PackedBatch, TokenRow
from etalon.recipe import OptimSpec, RlSpec
from etalon.rl.credit import CreditSpec, credit
from etalon.rl.metrics import step_metrics
from etalon.rl.mgpo import sequence_mean, surrogate
from etalon.rl.pool import Pool, prompts_of_step, sort_pool
from etalon.sampling import Watch, attempt, group_to_row, sample, verify_groups
from etalon.sampling.local import LocalSampler
from etalon.store import append_jsonl, stable_hash, truncate_jsonl, write_json_atomic
from etalon.types import Credit, Group, Problem, SamplingParams


@dataclass(frozen=True, kw_only=True)
class Phase:
    """What one phase is run with."""

    spec: RlSpec
    credit: CreditSpec
    steps: int
    lr: float
    seed: int
    autocast: str
    directory: Path
    workers: int = 4

    @property
    def params(self) -> SamplingParams:
        return SamplingParams(max_tokens=self.spec.max_tokens)  # temperature 1, top_p 1 (2.2)

    @property
    def optim(self) -> OptimSpec:
        """AdamW at a constant rate: RL has no schedule."""
        spec = self.spec
        return OptimSpec(
            lr=self.lr, final_lr=self.lr, warmup=0.0, beta1=spec.beta1, beta2=spec.beta2, clip=spec.clip
        )  # fmt: skip


def prefilter(language_model: LanguageModel, problems: Sequence[Problem], phase: Phase, *, watch: Watch | None) -> Pool:
    """Accuracy of every prompt under the phase's starting checkpoint, and the pool that is left."""
    groups = attempt(
        LocalSampler(language_model),
        problems,
        n=phase.spec.prefilter_attempts,
        params=phase.params,
        seed=phase.seed,
        path=phase.directory / "pool.jsonl",
        workers=phase.workers,
        watch=watch,
    )
    pool = sort_pool(groups)
    write_json_atomic(phase.directory / "pool.json", dict(pool.record))
    return pool


def policy_loss(
    credits: Sequence[Credit],
    rows: Sequence[TokenRow],
    *,
    clip_epsilon: float,
    old_logprobs: Sequence[Sequence[float]] | None = None,
) -> local.Objective:
    """Minus the objective of 2.2: mean over rollouts of the mean over tokens of the clipped surrogate.

    old_logprobs: per row, what the sampler drew its tokens with; never recomputed, or the clip could not act.
    None takes the current weights for the sampler's.
    """
    total = len(rows)

    def objective(logprobs_N: torch.Tensor, batch: PackedBatch, indices: list[int]) -> torch.Tensor:
        device = logprobs_N.device
        advantage_B = torch.tensor([credits[i].advantage for i in indices], device=device)
        length_B = torch.tensor([len(rows[i].response) for i in indices], device=device)
        old_N = logprobs_N.detach()
        if old_logprobs is not None:
            old_N = torch.tensor([x for i in indices for x in old_logprobs[i]], device=device)
        per_token_N = surrogate(logprobs_N, old_N, advantage_B[batch.sequence_N], clip_epsilon=clip_epsilon)
        return -sequence_mean(per_token_N, batch.sequence_N, length_B).sum() / total

    return objective


def train_phase(
    language_model: LanguageModel,
    pool: Sequence[Problem],
    phase: Phase,
    *,
    on_step: Callable[[int, dict[str, Any]], None],
) -> None:
    """All steps of the phase, or those that a killed run left over."""
    spec = phase.spec
    trainer = local.Trainer(
        language_model, phase.optim, total_steps=phase.steps, micro_tokens=spec.micro_tokens, autocast=phase.autocast
    )
    sampler = LocalSampler(language_model)
    log = phase.directory / "rollouts.jsonl"

    def make_batch(step: int) -> local.Batch:
        problems = prompts_of_step(pool, step, spec.prompts_per_step, phase.seed)
        seed = int(stable_hash({"seed": phase.seed, "step": step}), 16) % 2**62
        sampled = sample(sampler, problems, n=spec.group_size, params=phase.params, seed=seed)
        groups = verify_groups(list(zip(problems, sampled, strict=True)), workers=phase.workers)
        append_jsonl(log, [{"step": step + 1, **group_to_row(group)} for group in groups])
        return rl_batch(groups, phase)

    local.run(
        trainer,
        make_batch,
        directory=phase.directory,
        save_every=spec.save_every,
        on_step=on_step,
        resume=lambda done: truncate_jsonl(log, done * min(spec.prompts_per_step, len(pool))) if log.exists() else None,
    )


def rl_batch(groups: Sequence[Group], phase: Phase) -> local.Batch:
    """The rows of all rollouts that carry credit, and what the step logs."""
    by_group = [credit(group, phase.credit) for group in groups]
    pairs = [
        (rollout, one)
        for group, credits in zip(groups, by_group, strict=True)
        for rollout, one in zip(group.rollouts, credits, strict=True)
    ]
    # A rollout without credit has no gradient: it is not run through the model, but a decided one stays in the mean.
    used = [(r, c) for r, c in pairs if c.advantage != 0.0 and r.tokens and r.prompt_tokens and r.logprobs]
    rows = [TokenRow(prompt=r.prompt_tokens or (), response=r.tokens or ()) for r, _ in used]
    num_decided = sum(not v.is_undecided for group in groups for v in group.verdicts)
    share = len(rows) / max(1, num_decided)
    plain = policy_loss(
        [c for _, c in used],
        rows,
        clip_epsilon=phase.credit.clip_epsilon,
        old_logprobs=[r.logprobs or () for r, _ in used],
    )

    def objective(logprobs_N: torch.Tensor, batch: PackedBatch, indices: list[int]) -> torch.Tensor:
        return plain(logprobs_N, batch, indices) * share

    weights = [credits[0].weight for credits in by_group]
    return local.Batch(rows=rows, objective=objective, metrics=step_metrics(groups, weights))

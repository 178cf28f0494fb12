"""One phase of on-policy RL: sample, verify, credit and update, once per batch.

step             prompts of the pool -> rollouts -> verdicts -> credit -> one update (rho = 1) -> metrics.jsonl
rollouts.jsonl   one row per group and step
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from etalon.engines.jobs import OnStep, RlJob
from etalon.engines.local import trainer as local
from etalon.model.crew import Crew
from etalon.model.packed import PackedBatch, TokenRow
from etalon.recipe import Recompute
from etalon.rl.credit import CreditSpec, credit
from etalon.rl.metrics import step_metrics
from etalon.rl.objective import sequence_mean, surrogate, truncated_importance
from etalon.rl.pool import prompts_of_step
from etalon.rl.rewards import Rewards
from etalon.sampling import group_to_row, sample, verify_groups
from etalon.sampling.local import LocalSampler
from etalon.store import append_jsonl, read_jsonl, truncate_jsonl
from etalon.types import Credit, Group


@dataclass(frozen=True, kw_only=True)
class PolicyLoss:
    """Minus the objective of 2.2: mean over rollouts of the mean over tokens of the clipped surrogate.

    advantages, lengths: of every row of the batch, the latter in tokens. sampled: per row, the log-probs that its
    tokens were drawn with; None takes the current weights for the sampler's. share: of the rollouts that have a row.
    mean_length: of all rollouts; only "token-mean" asks for it.
    """

    advantages: Sequence[float]
    lengths: Sequence[int]
    spec: CreditSpec
    sampled: Sequence[Sequence[float]] | None
    share: float
    mean_length: float

    def __call__(self, logprobs_N: torch.Tensor, batch: PackedBatch, indices: list[int]) -> torch.Tensor:
        device, spec = logprobs_N.device, self.spec
        advantage_B = torch.tensor([self.advantages[i] for i in indices], device=device)
        length_B = torch.tensor([self.lengths[i] for i in indices], device=device)
        advantage_N = advantage_B[batch.sequence_N]
        old_N = logprobs_N.detach()
        if self.sampled is not None:
            sampled_N = torch.tensor([x for i in indices for x in self.sampled[i]], device=device)
            if spec.importance == "none":
                old_N = sampled_N
            else:
                advantage_N = advantage_N * truncated_importance(logprobs_N, sampled_N, cap=spec.importance_cap)
        per_token_N = surrogate(logprobs_N, old_N, advantage_N, clip_epsilon=spec.clip_epsilon)
        if spec.aggregation == "token-mean":
            length_B = torch.full_like(length_B, self.mean_length, dtype=logprobs_N.dtype)
        # the mean over the rows times their share: one division by the total would round other bits
        mean = sequence_mean(per_token_N, batch.sequence_N, length_B).sum() / len(self.lengths)
        return -mean * self.share


def policy_loss(
    credits: Sequence[Credit],
    rows: Sequence[TokenRow],
    *,
    spec: CreditSpec,
    sampled: Sequence[Sequence[float]] | None = None,
    total: int | None = None,
    mean_length: float | None = None,
) -> PolicyLoss:
    """The objective of these rows.

    sampled: never recomputed, or the clip could not act. total, mean_length: the number and the mean length of all
    rollouts of the batch, where some are left out of `rows`.
    """
    lengths = [len(row.response) for row in rows]
    return PolicyLoss(
        advantages=[credit.advantage for credit in credits], lengths=lengths, spec=spec, sampled=sampled,
        share=1.0 if total is None else len(rows) / max(1, total),
        mean_length=sum(lengths) / max(1, len(rows)) if mean_length is None else mean_length,
    )  # fmt: skip


def train_phase(crew: Crew, job: RlJob, *, autocast: str, recompute: Recompute = "off", on_step: OnStep) -> None:
    """All steps of the phase, or those that a killed run left over; `rl.tokens` may end it before the last."""
    spec, pool = job.spec, job.prompts
    trainer = local.Trainer(
        crew.held.language_model, job.optim, total_steps=job.steps, micro_tokens=spec.micro_tokens, autocast=autocast,
        recompute=recompute, crew=crew,
    )  # fmt: skip
    sampler, rewards = LocalSampler(crew.held.language_model, crew=crew), Rewards.of(job)
    log = job.directory / "rollouts.jsonl"

    def make_batch(step: int) -> local.Batch:
        problems = prompts_of_step(pool, step, spec.prompts_per_step, job.seed)
        sampled = sample(sampler, problems, n=spec.group_size, params=job.params, seed=job.seed_of(step))
        groups = verify_groups(
            list(zip(problems, sampled, strict=True)), workers=job.workers, verifier=rewards.verifier,
            review=rewards.review,
        )  # fmt: skip
        rewards.check(groups)
        append_jsonl(log, [{"step": step + 1, **group_to_row(group)} for group in groups])
        batch = rl_batch(groups, job.credit)
        judged = rewards.record()
        return replace(batch, metrics={**batch.metrics, "judge": judged}) if judged else batch

    local.run(
        trainer,
        make_batch,
        directory=job.directory,
        save_every=spec.save_every,
        on_step=on_step,
        is_over=lambda: bool(spec.tokens) and job.is_over(read_jsonl(job.directory / "metrics.jsonl")),
        resume=lambda done: truncate_jsonl(log, done * min(spec.prompts_per_step, len(pool))) if log.exists() else None,
    )


def rl_batch(groups: Sequence[Group], spec: CreditSpec) -> local.Batch:
    """The rows of all rollouts that carry credit, and what the step logs."""
    by_group = [credit(group, spec) for group in groups]
    pairs = [
        (rollout, one)
        for group, credits in zip(groups, by_group, strict=True)
        for rollout, one in zip(group.rollouts, credits, strict=True)
    ]
    # A rollout without credit has no gradient: it is not run through the model, but a decided one stays in the mean.
    used = [(r, c) for r, c in pairs if c.advantage != 0.0 and r.tokens and r.prompt_tokens and r.logprobs]
    rows = [TokenRow(prompt=r.prompt_tokens or (), response=r.tokens or ()) for r, _ in used]
    lengths = [
        rollout.num_tokens
        for group in groups
        for rollout, verdict in zip(group.rollouts, group.verdicts, strict=True)
        if not verdict.is_undecided
    ]
    objective = policy_loss(
        [c for _, c in used],
        rows,
        spec=spec,
        sampled=[r.logprobs or () for r, _ in used],
        total=len(lengths),
        mean_length=sum(lengths) / max(1, len(lengths)),
    )
    weights = [credits[0].weight for credits in by_group]
    return local.Batch(rows=rows, objective=objective, metrics=step_metrics(groups, weights))

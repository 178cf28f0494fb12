"""credit(group, spec): whole groups in, one scalar per rollout out. The seam to every RL engine.

    raw correctness -> p(q) -> weight          lengths -> Long2Short -> shaped rewards -> advantages
    credit = weight * advantage

Undecided rollouts (score None) carry no reward: they are left out of p(q) and of the group's mean, and get zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from etalon.recipe import Aggregation, Importance, RlSpec
from etalon.rl.long2short import brevity_rewards
from etalon.rl.mgpo import entropy_weight, group_advantages
from etalon.types import Credit, Group


@dataclass(frozen=True, kw_only=True)
class CreditSpec:
    """What an engine has to honour, or refuse: all in which engines differ. Values as in `RlSpec`.

    importance: "none" takes the sampler's log-probs for those of the old policy, so mismatch goes into rho;
    "token-truncate" takes the trainer's own (rho is 1 on policy) and multiplies by the truncated ratio of both.
    """

    gamma: float = 1.0
    std_ddof: int = 0
    std_epsilon: float = 1e-6
    brevity: float = 0.0  # lambda of Long2Short; 0 is off
    clip_epsilon: float = 0.2
    aggregation: Aggregation = "sequence-mean-token-mean"
    importance: Importance = "none"
    importance_cap: float = 2.0

    @classmethod
    def of(cls, spec: RlSpec) -> CreditSpec:
        """The part of a phase's keys that engines differ in."""
        shared = {name: getattr(spec, name) for name in cls.__dataclass_fields__ if name != "brevity"}
        return cls(brevity=spec.lambda_, **shared)


def credit(group: Group, spec: CreditSpec) -> list[Credit]:
    """Credits of one whole group, in the order of its rollouts."""
    return credit_of(
        [verdict.score for verdict in group.verdicts],
        [verdict.is_correct for verdict in group.verdicts],
        [rollout.num_tokens for rollout in group.rollouts],
        spec,
    )


def credit_of(
    rewards: Sequence[float | None], is_correct: Sequence[bool], lengths: Sequence[int], spec: CreditSpec
) -> list[Credit]:
    """`credit` of a group given by its parts, for engines that keep no `Group`.

    rewards: one per rollout, None where undecided. is_correct: raw correctness, which p(q) is made of; a reward may
    hold more than that. lengths: response tokens.
    """
    decided = [i for i, reward in enumerate(rewards) if reward is not None]
    if not decided:
        return [Credit(advantage=0.0, weight=0.0, reward=0.0) for _ in rewards]
    accuracy = sum(is_correct[i] for i in decided) / len(decided)
    shaped = [rewards[i] or 0.0 for i in decided]
    if spec.brevity:
        shaped = brevity_rewards(
            shaped, [is_correct[i] for i in decided], [max(1, lengths[i]) for i in decided], strength=spec.brevity
        )
    weight = entropy_weight(accuracy, spec.gamma)
    advantages = group_advantages(shaped, ddof=spec.std_ddof, epsilon=spec.std_epsilon)
    credits = {
        i: Credit(advantage=weight * a, weight=weight, reward=r)
        for i, a, r in zip(decided, advantages, shaped, strict=True)
    }
    undecided = Credit(advantage=0.0, weight=weight, reward=0.0)
    return [credits.get(i, undecided) for i in range(len(rewards))]

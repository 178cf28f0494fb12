"""MGPO and Long2Short as a subclass of TRL's `GRPOTrainer`, with one method overridden (`internals`).

    reward functions -> whole groups (gathered over all processes) -> credit -> the only reward the trainer sees

TRL subtracts the group's mean, which is zero for credits, and with scale_rewards="none" leaves them alone: its
advantages are our credits (3B report 2.2). "reward" and "reward_std" in its log are then those of credits and say
nothing; "mgpo/accuracy", "mgpo/reward", "mgpo/weight" and "mgpo/undecided" are logged in their place.

Axes: B rollouts of the generation batch over all processes, groups one after the other; F reward functions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from trl import GRPOConfig

from etalon.engines.trl.internals import CreditedTrainer
from etalon.engines.trl.rewards import check_dataset
from etalon.errors import ConfigError, InputError
from etalon.recipe import Aggregation
from etalon.rl.credit import CreditSpec, credit_of
from etalon.rl.mgpo import entropy_weight

AGGREGATIONS: dict[str, Aggregation] = {"grpo": "sequence-mean-token-mean", "dapo": "token-mean"}  # by loss_type

# What the objective of 2.2 leaves no choice about: field -> (value, why another cannot be honoured).
REQUIRED: dict[str, tuple[Any, str]] = {
    "scale_rewards": ("none", "credits are already divided by the standard deviation of their group"),
    "multi_objective_aggregation": ("sum_then_normalize", "credits are already normalised"),
    "num_iterations": (1, "the updates are strictly on-policy"),
    "importance_sampling_level": ("token", "the ratio is that of single tokens"),
    "top_p": (1.0, "rollouts come from the model's own distribution, else the ratio is biased"),
    "top_k": (0, "rollouts come from the model's own distribution, else the ratio is biased"),
    "min_p": (None, "rollouts come from the model's own distribution, else the ratio is biased"),
    "repetition_penalty": (1.0, "rollouts come from the model's own distribution, else the ratio is biased"),
    "generation_kwargs": (None, "it would replace the sampling parameters that are checked here"),
    "beta": (0.0, "the objective has no KL term"),
    "entropy_coef": (0.0, "the objective has no entropy term"),
    "use_adaptive_entropy": (False, "the objective has no entropy term"),
    "delta": (None, "the objective has one clip, and no second bound of the ratio"),
    "top_entropy_quantile": (1.0, "every token of a rollout counts"),
    "off_policy_mask_threshold": (None, "a mask of whole sequences removes the gradient of long responses"),
    "vllm_importance_sampling_clip_min": (None, "the correction is cut from above only"),
    "mask_truncated_completions": (False, "masked rollouts would stay in p(q); return None as their reward instead"),
}


@dataclass
class MGPOConfig(GRPOConfig):  # type: ignore[misc]
    """`GRPOConfig` with the paper's defaults and the knobs of MGPO and Long2Short.

    Raises ConfigError for a value under which the objective of 2.2 would not be what is optimised. The temperature is
    free: TRL divides logits by it when it samples and when it trains.
    """

    mgpo_gamma: float = field(
        default=1.0, metadata={"help": "Sharpness of the entropy weight exp(-gamma D_ME) on advantages; 0 is GRPO."}
    )
    long2short_lambda: float = field(
        default=0.0, metadata={"help": "Strength of Long2Short among correct completions; 0 is off, the paper's 0.2."}
    )
    correctness: str | None = field(
        default=None,
        metadata={"help": "Name of the reward function whose 1 means correct; needed when there are several."},
    )
    std_ddof: int = field(
        default=0, metadata={"help": "Standard deviation of a group: 0 population (the paper), 1 sample (TRL)."}
    )
    std_epsilon: float = field(default=1e-6, metadata={"help": "Added to the standard deviation of a group."})
    loss_type: str = field(default="grpo")
    scale_rewards: str = field(default="none")
    top_k: int = field(default=0)
    vllm_importance_sampling_mode: str = field(default="token_truncate")
    vllm_importance_sampling_clip_max: float | None = field(default=2.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.loss_type not in AGGREGATIONS:
            raise ConfigError(
                f"MGPOConfig: loss_type = {self.loss_type!r}: the objective averages over the tokens of each rollout, "
                "then over rollouts: use 'grpo' (or 'dapo' for the mean over all tokens)"
            )
        for name, (value, reason) in REQUIRED.items():
            if getattr(self, name, value) != value:  # fields that this version of TRL does not have are at their value
                raise ConfigError(f"MGPOConfig: {name} = {getattr(self, name)!r}: {reason}; use {value!r}")
        if self.epsilon_high not in (None, self.epsilon):
            raise ConfigError(
                f"MGPOConfig: epsilon_high = {self.epsilon_high!r}: the clip is symmetric; use {self.epsilon!r}"
            )
        if self.steps_per_generation != self.gradient_accumulation_steps:
            raise ConfigError(
                f"MGPOConfig: steps_per_generation = {self.steps_per_generation}: the updates are strictly on-policy, "
                f"one per generation batch; use {self.gradient_accumulation_steps} (gradient_accumulation_steps), and "
                "leave generation_batch_size to follow from it"
            )
        if self.use_vllm and self.vllm_importance_sampling_correction:
            self._check_correction()
        if self.std_ddof not in (0, 1):
            raise ConfigError(f"MGPOConfig: std_ddof = {self.std_ddof!r}: is 0 (population) or 1 (sample)")
        for name in ("mgpo_gamma", "long2short_lambda", "std_epsilon"):
            value = getattr(self, name)
            if not isinstance(value, int | float) or not 0 <= value < math.inf:
                raise ConfigError(f"MGPOConfig: {name} = {value!r}: must be a finite number, and not negative")

    def _check_correction(self) -> None:
        if self.vllm_importance_sampling_mode != "token_truncate":
            raise ConfigError(
                f"MGPOConfig: vllm_importance_sampling_mode = {self.vllm_importance_sampling_mode!r}: a mask or a "
                "ratio of whole sequences removes the gradient of long responses; use 'token_truncate'"
            )

    @property
    def credit_spec(self) -> CreditSpec:
        """What `etalon.rl.credit` is asked for."""
        return CreditSpec(
            gamma=self.mgpo_gamma,
            std_ddof=self.std_ddof,
            std_epsilon=self.std_epsilon,
            brevity=self.long2short_lambda,
            clip_epsilon=self.epsilon,
            aggregation=AGGREGATIONS[self.loss_type],
            importance="token-truncate",
            importance_cap=self.vllm_importance_sampling_clip_max or math.inf,
        )


class MGPOTrainer(CreditedTrainer):
    """`GRPOTrainer` with the credits of MGPO. Reward functions return 1 for correct, 0 for wrong, None for undecided.

    With several reward functions their weighted sum is the reward, and `MGPOConfig.correctness` names the one that
    p(q) is made of. A completion whose correctness is None gets no credit and changes nothing for the others.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not isinstance(self.args, MGPOConfig):
            raise ConfigError("MGPOTrainer: args must be an MGPOConfig")
        has_own_rollouts = getattr(self, "rollout_func", None) is not None  # whose prompts are what it makes of them
        check_dataset(
            self.reward_funcs, self.train_dataset, None if has_own_rollouts else self.processing_class
        )  # fmt: skip
        names = list(self.reward_func_names)
        if self.args.correctness is None and len(names) > 1:
            raise ConfigError(
                f"MGPOTrainer: {len(names)} reward functions ({', '.join(names)}); name the one whose 1 means correct "
                "in MGPOConfig.correctness"
            )
        if self.args.correctness not in (None, *names):
            raise ConfigError(
                f"MGPOConfig: correctness = {self.args.correctness!r}: the reward functions are {', '.join(names)}"
            )
        self.correctness_index = names.index(self.args.correctness) if self.args.correctness else 0
        self.own_reward_weights = torch.tensor(self.args.reward_weights or [1.0] * len(names))
        self.reward_weights = torch.ones(len(names))  # of the columns that hold credits

    def credited(self, rewards_BF: torch.Tensor, lengths_B: torch.Tensor) -> torch.Tensor:
        """Credits of the whole generation batch in the first column, zeros in the others."""
        weights_F = self.own_reward_weights.to(rewards_BF.device)
        if not self.model.training:
            return rewards_BF * weights_F
        correctness_B = rewards_BF[:, self.correctness_index]
        reward_B = (rewards_BF * weights_F).nansum(dim=1)
        reward_B[correctness_B.isnan()] = torch.nan
        batch = batch_credits(
            reward_B.tolist(),
            correctness_B.tolist(),
            lengths_B.tolist(),
            group_size=self.num_generations,
            spec=self.args.credit_spec,
        )
        for name, value in batch.metrics.items():
            self.note(f"mgpo/{name}", value)
        credits_BF = torch.zeros_like(rewards_BF)
        credits_BF[:, 0] = torch.tensor(batch.credits, device=rewards_BF.device)
        return credits_BF


@dataclass(frozen=True, kw_only=True)
class BatchCredits:
    """One scalar per rollout of a generation batch, and what to log about them."""

    credits: list[float]
    metrics: dict[str, float]


def batch_credits(
    rewards: Sequence[float], correctness: Sequence[float], lengths: Sequence[int], *, group_size: int, spec: CreditSpec
) -> BatchCredits:
    """Credits of a batch of whole groups that lie one after the other; NaN is undecided.

    The trainer averages over all rollouts (or their tokens), the objective over the decided ones: credits are scaled
    by the ratio of the two.
    Raises InputError for a correctness outside [0, 1].
    """
    if wrong := [c for c in correctness if not (math.isnan(c) or 0 <= c <= 1)]:
        raise InputError(
            f"a reward function that means correctness returned {wrong[0]:g}; it must return 1 for correct, 0 for "
            "wrong (or a share in between) and None for undecided"
        )
    credits: list[float] = []
    accuracies: list[float] = []
    for start in range(0, len(rewards), group_size):
        group = range(start, start + group_size)
        decided = [None if math.isnan(correctness[i]) else rewards[i] for i in group]
        is_correct = [correctness[i] >= 1 for i in group]
        credits += [c.advantage for c in credit_of(decided, is_correct, [lengths[i] for i in group], spec)]
        if count := sum(reward is not None for reward in decided):
            accuracies.append(sum(is_correct) / count)
    known = [r for r, c in zip(rewards, correctness, strict=True) if not math.isnan(c)]
    metrics = {"undecided": 1 - len(known) / len(rewards)}
    if known:
        weights = [entropy_weight(accuracy, spec.gamma) for accuracy in accuracies]
        metrics |= {
            "accuracy": sum(accuracies) / len(accuracies),
            "reward": sum(known) / len(known),
            "weight": sum(weights) / len(weights),
        }
    counts = [1] * len(rewards) if spec.aggregation == "sequence-mean-token-mean" else lengths
    scale = sum(counts) / max(1, sum(n for n, c in zip(counts, correctness, strict=True) if not math.isnan(c)))
    return BatchCredits(credits=[scale * c for c in credits], metrics=metrics)

"""MGPO: MaxEnt-Guided Policy Optimisation (3B report 2.2; 1.5B report section 2).

    p(q)     share of correct rollouts of a prompt, from raw correctness          accuracy of the group
    D_ME     p log(p/p0) + (1-p) log((1-p)/(1-p0)), p0 = 1/2                       entropy_distance
    w(q)     exp(-gamma D_ME)                                                      entropy_weight
    A_i      (r_i - mean r) / std r within the group                               group_advantages
    J        mean_i 1/|y_i| sum_t min(rho w A, clip(rho, 1-eps, 1+eps) w A)         surrogate (to maximise)
    min(pi_train / pi_sample, cap)    where the engine that samples rounds otherwise  truncated_importance

The weight multiplies the advantage, never the reward: normalisation would cancel it.
Axes: N response tokens of a micro-batch, B rollouts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch


def entropy_distance(accuracy: float, p0: float = 0.5) -> float:
    """KL divergence (nats) of Bernoulli(accuracy) from Bernoulli(p0), with 0 log 0 = 0."""

    def term(p: float, q: float) -> float:
        return p * math.log(p / q) if p > 0 else 0.0

    return term(accuracy, p0) + term(1 - accuracy, 1 - p0)


def entropy_weight(accuracy: float, gamma: float) -> float:
    """w(q) = exp(-gamma D_ME): 1 at accuracy 1/2, 2**-gamma at 0 and 1; gamma 0 is GRPO."""
    return math.exp(-gamma * entropy_distance(accuracy))


def group_advantages(rewards: Sequence[float], *, ddof: int = 0, epsilon: float = 1e-6) -> list[float]:
    """(r - mean) / (std + epsilon) within one group; a group without spread has zero advantage.

    ddof: 0 is the population standard deviation (1.5B section 2), 1 the sample one (TRL).
    """
    mean = sum(rewards) / len(rewards)
    squares = sum((r - mean) ** 2 for r in rewards)
    if len(rewards) - ddof <= 0 or squares <= 1e-24 * len(rewards):
        return [0.0] * len(rewards)
    std = math.sqrt(squares / (len(rewards) - ddof))
    return [(r - mean) / (std + epsilon) for r in rewards]


def surrogate(
    logprobs_N: torch.Tensor,
    old_logprobs_N: torch.Tensor,
    advantages_N: torch.Tensor,
    *,
    clip_epsilon: float,
) -> torch.Tensor:
    """The clipped objective of each token, shape (N,): rho is the token-level probability ratio.

    old_logprobs_N: log-probs under the policy that sampled; on the first update of a batch they equal
    `logprobs_N.detach()`, rho is 1, and the gradient is the plain policy gradient.
    """
    ratio_N = (logprobs_N - old_logprobs_N).exp()
    clipped_N = ratio_N.clamp(1 - clip_epsilon, 1 + clip_epsilon)
    return torch.minimum(ratio_N * advantages_N, clipped_N * advantages_N)


def truncated_importance(logprobs_N: torch.Tensor, sampled_N: torch.Tensor, *, cap: float) -> torch.Tensor:
    """min(pi_train / pi_sample, cap) of each token, shape (N,), without gradient: a factor of its objective (2.2).

    Token by token: the product over a sequence of thousands of tokens is 0 or at its cap, whatever the mismatch.
    """
    return (logprobs_N.detach() - sampled_N).exp().clamp(max=cap)


def sequence_mean(values_N: torch.Tensor, sequence_N: torch.Tensor, lengths_B: torch.Tensor) -> torch.Tensor:
    """1/|y_i| sum over the tokens of each rollout, shape (B,): short rollouts are not drowned by long ones.

    With one length for all, the mean over the batch, its mean over rollouts is the mean over all tokens.
    """
    sums_B = torch.zeros_like(lengths_B, dtype=values_N.dtype).index_add(0, sequence_N, values_N)
    return sums_B / lengths_B

"""The objective of MGPO on tensors (3B report 2.2; 1.5B report section 2). w A is the credit of a rollout (`mgpo`).

    J        mean_i 1/|y_i| sum_t min(rho w A, clip(rho, 1-eps, 1+eps) w A)         surrogate (to maximise)
    1/|y_i| sum_t                                                                   sequence_mean
    min(pi_train / pi_sample, cap)    where the engine that samples rounds otherwise  truncated_importance

Axes: N response tokens of a micro-batch, B rollouts.
"""

from __future__ import annotations

import torch


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

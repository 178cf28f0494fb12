"""MGPO: MaxEnt-Guided Policy Optimisation (3B report 2.2; 1.5B report section 2), the part that is floats.

    p(q)     share of correct rollouts of a prompt, from raw correctness          accuracy of the group
    D_ME     p log(p/p0) + (1-p) log((1-p)/(1-p0)), p0 = 1/2                       entropy_distance
    w(q)     exp(-gamma D_ME)                                                      entropy_weight
    A_i      (r_i - mean r) / std r within the group                               group_advantages

The weight multiplies the advantage, never the reward: normalisation would cancel it. The objective that takes their
product is in `objective`, on tensors.
"""

from __future__ import annotations

import math
from collections.abc import Sequence


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

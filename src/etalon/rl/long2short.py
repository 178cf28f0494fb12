"""Long2Short: brevity as a zero-sum bonus among the correct rollouts of a group (3B report 2.2).

s_i = 1 / L_i,   r_i' = r_i + lambda (s_i - mean s) / max_j |s_j - mean s|     for correct rollouts i
"""

from __future__ import annotations

from collections.abc import Sequence


def brevity_rewards(
    rewards: Sequence[float], is_correct: Sequence[bool], lengths: Sequence[int], *, strength: float
) -> list[float]:
    """Shaped rewards of one group. Incorrect rollouts and groups of equal lengths are unchanged.

    lengths: response lengths in tokens, at least 1. The bonus sums to zero over the correct rollouts, so the
    group mean does not move.
    """
    correct = [i for i, c in enumerate(is_correct) if c]
    if not correct:
        return list(rewards)
    brevity = {i: 1 / lengths[i] for i in correct}
    mean = sum(brevity.values()) / len(correct)
    widest = max(abs(b - mean) for b in brevity.values())
    if widest < 1e-12:
        return list(rewards)
    return [r + strength * (brevity[i] - mean) / widest if i in brevity else r for i, r in enumerate(rewards)]

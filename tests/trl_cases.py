"""Stored rollouts whose credits and gradient every engine must agree on, and the objective written out for them.

Three groups of four: one with both outcomes, one that is all correct, one with two undecided rollouts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from etalon.types import Group
from groups import make_group
from tiny_models import eager_twin, plain_logprobs, random_rows, tiny_language_model

GROUP_SIZE = 4
SCORES: list[list[float | None]] = [[1, 0, 0, 0], [1, 1, 1, 1], [1, None, 0, None]]
LENGTHS = [[5, 9, 2, 7], [3, 12, 6, 4], [8, 3, 10, 1]]
GAMMA = 2.0
EPSILON = 1e-6


def language_model() -> Any:
    """The weights every engine starts from, under transformers' own attention."""
    return tiny_language_model("qwen2", attention="sdpa")


def stored_groups(model: Any) -> list[Group]:
    """The rollouts as a sampler that ran the very same weights would have returned them."""
    groups = []
    for number, (scores, lengths) in enumerate(zip(SCORES, LENGTHS, strict=True)):
        prompt = random_rows([(3 + number, 1)], seed=100 + number)[0].prompt
        rows = [replace(row, prompt=prompt) for row in random_rows([(1, n) for n in lengths], seed=number)]
        with torch.no_grad():
            logprobs = [tuple(plain_logprobs(model, row).tolist()) for row in rows]
        group = make_group(scores, lengths, problem_id=str(number))
        rollouts = [
            replace(rollout, tokens=row.response, prompt_tokens=row.prompt, logprobs=one)
            for rollout, row, one in zip(group.rollouts, rows, logprobs, strict=True)
        ]
        groups.append(replace(group, rollouts=tuple(rollouts)))
    return groups


def credits_by_hand(scores: Sequence[float | None], lengths: Sequence[int], *, brevity: float) -> list[float]:
    """The equations of 2.2 for one group, written out again."""
    decided = [i for i, score in enumerate(scores) if score is not None]
    p = sum(scores[i] == 1 for i in decided) / len(decided)
    distance = sum(x * math.log(2 * x) for x in (p, 1 - p) if x)
    rewards = {i: float(scores[i] or 0.0) for i in decided}
    correct = [i for i in decided if scores[i] == 1]
    if brevity and correct:
        mean = sum(1 / lengths[i] for i in correct) / len(correct)
        widest = max(abs(1 / lengths[i] - mean) for i in correct)
        if widest:
            rewards |= {i: rewards[i] + brevity * (1 / lengths[i] - mean) / widest for i in correct}
    mean = sum(rewards.values()) / len(rewards)
    std = math.sqrt(sum((r - mean) ** 2 for r in rewards.values()) / len(rewards))
    weight = math.exp(-GAMMA * distance)
    return [weight * (rewards[i] - mean) / (std + EPSILON) if i in rewards and std else 0.0 for i in range(len(scores))]


def reference_gradient(model: Any, *, brevity: float) -> dict[str, torch.Tensor]:
    """Gradient of minus the objective, by autograd through transformers' eager forward, one rollout at a time."""
    twin = eager_twin(model)
    num_decided = sum(score is not None for scores in SCORES for score in scores)
    loss = torch.zeros(())
    for group, scores, lengths in zip(stored_groups(model), SCORES, LENGTHS, strict=True):
        for rollout, credit in zip(group.rollouts, credits_by_hand(scores, lengths, brevity=brevity), strict=True):
            assert rollout.tokens
            assert rollout.prompt_tokens
            row = replace(random_rows([(1, 1)])[0], prompt=rollout.prompt_tokens, response=rollout.tokens)
            logprobs = plain_logprobs(twin, row)
            ratio = torch.exp(logprobs - logprobs.detach())
            clipped = ratio.clamp(0.8, 1.2)
            loss = loss - torch.minimum(ratio * credit, clipped * credit).mean() / num_decided
    loss.backward()  # type: ignore[no-untyped-call]
    return {name: p.grad for name, p in twin.named_parameters() if p.grad is not None}


def relative_difference(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> float:
    """Largest difference of any gradient entry, relative to the largest entry of its tensor."""
    assert found.keys() == expected.keys()
    return max(float((found[n] - g).abs().max() / g.abs().max().clamp(min=1e-12)) for n, g in expected.items())

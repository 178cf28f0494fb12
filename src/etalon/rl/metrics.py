"""What one RL step logs: progress (accuracy, lengths), stability (truncation, undecided) and the weights."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from etalon.types import Group, Stop


def step_metrics(groups: Sequence[Group], weights: Sequence[float]) -> dict[str, Any]:
    """Accuracy, lengths, truncation, entropy and the weights of one step's groups; undecided rollouts are only counted.

    entropy: in nats per token, estimated without bias by minus the mean log-probability of the tokens that were drawn;
    None where the sampler gave no log-probabilities.
    """
    accuracies = [g.accuracy for g in groups]
    known = [a for a in accuracies if a is not None]
    used = [w for w, a in zip(weights, accuracies, strict=True) if a is not None]
    judged = [(r, v) for g in groups for r, v in zip(g.rollouts, g.verdicts, strict=True)]
    correct = [r.num_tokens for r, v in judged if v.is_correct]
    logprobs = [logprob for r, _ in judged for logprob in r.logprobs or ()]
    return {
        "accuracy": sum(known) / len(known) if known else 0.0,
        "mean_tokens": sum(r.num_tokens for r, _ in judged) / len(judged),
        "correct_tokens": sum(correct) / len(correct) if correct else 0.0,
        "truncated": sum(r.stop is Stop.LENGTH for r, _ in judged) / len(judged),
        "no_answer": sum(v.gave_none for _, v in judged) / len(judged),
        "undecided": sum(v.is_undecided for _, v in judged),
        "entropy": -math.fsum(logprobs) / len(logprobs) if logprobs else None,
        "mean_weight": sum(used) / len(used) if used else 0.0,
        "accuracies": known,
        "weights": used,
    }


def sampled_tokens(rows: Iterable[Mapping[str, Any]], rollouts: int) -> int:
    """Tokens that were sampled in some steps: of every rollout, right or wrong, cut or undecided. (ours)

    Those that `rl.tokens` is a budget of: responses in the steps, not their prompts, and not those of the prefilter.
    rows: of metrics.jsonl. rollouts: of each step.
    """
    return sum(round(row["mean_tokens"] * rollouts) for row in rows)

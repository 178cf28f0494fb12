"""What one RL step logs: progress (accuracy, lengths), stability (truncation, undecided) and the weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from etalon.types import Group, Stop


def step_metrics(groups: Sequence[Group], weights: Sequence[float]) -> dict[str, Any]:
    """Accuracy, lengths, truncation and the weights of one step's groups; undecided rollouts are only counted."""
    accuracies = [g.accuracy for g in groups]
    known = [a for a in accuracies if a is not None]
    used = [w for w, a in zip(weights, accuracies, strict=True) if a is not None]
    judged = [(r, v) for g in groups for r, v in zip(g.rollouts, g.verdicts, strict=True)]
    correct = [r.num_tokens for r, v in judged if v.is_correct]
    return {
        "accuracy": sum(known) / len(known) if known else 0.0,
        "mean_tokens": sum(r.num_tokens for r, _ in judged) / len(judged),
        "correct_tokens": sum(correct) / len(correct) if correct else 0.0,
        "truncated": sum(r.stop is Stop.LENGTH for r, _ in judged) / len(judged),
        "no_answer": sum(v.gave_none for _, v in judged) / len(judged),
        "undecided": sum(v.is_undecided for _, v in judged),
        "mean_weight": sum(used) / len(used) if used else 0.0,
        "accuracies": known,
        "weights": used,
    }

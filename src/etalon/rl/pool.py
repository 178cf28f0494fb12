"""The prompts of one RL phase: those that carry a signal under its starting checkpoint (2.2)."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from etalon.rl.advice import has_signal
from etalon.types import Group, Problem


@dataclass(frozen=True, kw_only=True)
class Pool:
    """Prompts that carry a signal, and why the others were dropped."""

    kept: tuple[Problem, ...]
    record: Mapping[str, Any]


def sort_pool(groups: Sequence[Group]) -> Pool:
    """Keep prompts whose accuracy is strictly between 0 and 1, or whose partial rewards differ.

    Undecided prompts are dropped and counted; what is counted adds up to all prompts.
    """
    accuracies = [g.accuracy for g in groups]
    kept = tuple(g.problem for g in groups if has_signal(g))
    record = {
        "prompts": len(groups),
        "kept": len(kept),
        "all_wrong": sum(g.accuracy == 0 and not has_signal(g) for g in groups),
        "all_right": sum(a == 1 for a in accuracies),
        "undecided": sum(a is None for a in accuracies),
        "accuracies": accuracies,
    }
    return Pool(kept=kept, record=record)


def prompts_per_step(pool: int, count: int) -> int:
    """How many prompts a step has."""
    return min(count, pool)


def prompts_of_step(pool: Sequence[Problem], step: int, count: int, seed: int) -> list[Problem]:
    """`count` different prompts for a step, or the whole pool when it is smaller.

    Each epoch is one shuffled pass; prompts that do not fill a step are left out of that epoch.
    """
    count = prompts_per_step(len(pool), count)
    epoch, position = divmod(step, len(pool) // count)
    order = list(range(len(pool)))
    random.Random(f"{seed}-{epoch}").shuffle(order)
    return [pool[i] for i in order[position * count : (position + 1) * count]]

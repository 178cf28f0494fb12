"""The prompts of one RL phase.

problems -> mixture: the shares of their sorts that a phase names (2.4): rules, rubrics, long ones
groups   -> sort_pool: those that carry a signal under its starting checkpoint (2.2)
pool     -> prompts_of_step
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from etalon.recipe import PromptSort
from etalon.rl.advice import has_signal
from etalon.types import Group, Problem


def sort_of(problem: Problem, *, long_words: int) -> PromptSort:
    """A prompt of many words is "long" whatever decides it; then a rubric makes it "rubric"; the rest is "rules"."""
    if len(problem.prompt.split()) >= long_words:
        return "long"
    return "rubric" if problem.rubric else "rules"


def mixture(
    problems: Sequence[Problem], shares: Mapping[PromptSort, float], *, long_words: int, seed: int
) -> list[Problem]:
    """As many prompts as there can be with each sort in its share, none twice; all of them where no share is named.

    Shares are relative to their sum. A sort without a share is left out; one without a prompt leaves its share to the
    others.
    """
    if not shares:
        return list(problems)
    by_sort: dict[PromptSort, list[Problem]] = {}
    for problem in problems:
        by_sort.setdefault(sort_of(problem, long_words=long_words), []).append(problem)
    asked = {sort: share for sort, share in shares.items() if share > 0 and by_sort.get(sort)}
    if not asked:
        return []
    whole = sum(asked.values())
    total = min(len(by_sort[sort]) * whole / share for sort, share in asked.items())
    chosen: list[Problem] = []
    for sort, share in sorted(asked.items()):
        members = by_sort[sort]
        count = min(len(members), max(1, math.floor(total * share / whole + 1e-9)))
        chosen += random.Random(f"{seed}-{sort}").sample(members, count)
    return chosen


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


def every_prompt(problems: Sequence[Problem]) -> Pool:
    """All prompts, where nothing was asked beforehand: what a prefilter would have dropped is None, not 0. (ours)"""
    unknown = dict.fromkeys(("all_wrong", "all_right", "undecided"))
    record: dict[str, Any] = {"prompts": len(problems), "kept": len(problems), **unknown, "accuracies": []}
    return Pool(kept=tuple(problems), record=record)


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

"""Which prompts an RL phase trains on when it names shares of their sorts (2.4): rules, rubrics, long ones."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence

from etalon.recipe import PromptSort
from etalon.types import Problem


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

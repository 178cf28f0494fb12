"""Disjoint splits of problems: train, probe (picks checkpoints), rl and test, cut per domain.

A problem's place depends on the seed and its normalised prompt only, so copies of one query share a split,
and the order of the files does not matter.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from etalon.data.ngrams import normalise
from etalon.errors import InputError
from etalon.types import Domain, Problem

MIN_PROBLEMS = 8  # (ours) distinct problems of a domain below which splits say nothing
NAMES = ("train", "probe", "rl", "test")


@dataclass(frozen=True, kw_only=True)
class Splits:
    """Problems that share no query. Every domain has at least one problem in each that was asked for."""

    train: tuple[Problem, ...]
    probe: tuple[Problem, ...]
    rl: tuple[Problem, ...]
    test: tuple[Problem, ...]


def split_problems(problems: Iterable[Problem], *, train: int, probe: int, rl: int, test: int, seed: int) -> Splits:
    """All problems, cut per domain in the proportion train : probe : rl : test, in order of their ids.

    A split of which 0 are asked for stays empty.
    """
    copies: dict[str, list[Problem]] = defaultdict(list)
    for problem in problems:
        copies[normalise(problem.prompt)].append(problem)
    by_domain: dict[Domain, list[str]] = defaultdict(list)
    for prompt, same in copies.items():
        by_domain[min(problem.domain for problem in same)].append(prompt)

    cuts: dict[str, list[Problem]] = {name: [] for name in NAMES}
    asked = dict(zip(NAMES, (train, probe, rl, test), strict=True))
    requested = {name: size for name, size in asked.items() if size}
    for domain, prompts in sorted(by_domain.items()):
        if len(prompts) < MIN_PROBLEMS:
            raise InputError(
                f"problems: found {len(prompts)} distinct problems of domain {domain}, needed are at least "
                f"{MIN_PROBLEMS} to cut them into {', '.join(requested)}"
            )
        ranked = sorted(prompts, key=lambda prompt: (_rank(prompt, seed), prompt))
        start = 0
        for name, size in _sizes(len(ranked), requested).items():
            cuts[name] += [problem for prompt in ranked[start : start + size] for problem in copies[prompt]]
            start += size
    ordered = {name: tuple(sorted(cut, key=lambda problem: (problem.id, problem.prompt))) for name, cut in cuts.items()}
    return Splits(**ordered)


def proportional(total: int, parts: Sequence[int]) -> list[int]:
    """Whole numbers that sum to `total`, in proportion to `parts` (largest remainders), at least one each."""
    assert total >= len(parts)
    assert all(part > 0 for part in parts)
    spare = total - len(parts)
    exact = [spare * part / sum(parts) for part in parts]
    sizes = [int(share) for share in exact]
    by_remainder = sorted(range(len(parts)), key=lambda index: (sizes[index] - exact[index], index))
    for index in by_remainder[: spare - sum(sizes)]:
        sizes[index] += 1
    return [size + 1 for size in sizes]


def _sizes(total: int, requested: Mapping[str, int]) -> dict[str, int]:
    return dict(zip(requested, proportional(total, list(requested.values())), strict=True))


def _rank(prompt: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}\n{prompt}".encode()).digest()

"""Disjoint splits of problems: train, probe (picks checkpoints), rl and test, cut per domain.

    problems -> copies of one query -> clusters of near copies (problems.clusters) -> splits

Near copies share a split, so that no test problem was trained on with other numbers. A problem's place depends on the
seed and the questions only: the order of the files does not matter. Where a domain is made of too few templates to
keep them apart (all of it "reach the number N with these"), its problems are cut one by one, and `parted` says so.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from etalon.data.ngrams import normalise
from etalon.errors import InputError
from etalon.problems.clusters import clustered
from etalon.types import Domain, Problem

MIN_PROBLEMS = 8  # (ours) distinct problems of a domain, or clusters of them, below which splits say nothing
NAMES = ("train", "probe", "rl", "test")


@dataclass(frozen=True, kw_only=True)
class Splits:
    """Problems that share no query. Every domain has at least one problem in each that was asked for.

    parted: the domains in which near copies are in several splits, for want of others.
    """

    train: tuple[Problem, ...]
    probe: tuple[Problem, ...]
    rl: tuple[Problem, ...]
    test: tuple[Problem, ...]
    parted: tuple[Domain, ...] = ()


def split_problems(problems: Iterable[Problem], *, train: int, probe: int, rl: int, test: int, seed: int) -> Splits:
    """All problems, cut per domain in the proportion train : probe : rl : test, in order of their ids.

    A split of which 0 are asked for stays empty. InputError for a domain of fewer than MIN_PROBLEMS queries.
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
    parted = []
    for domain, prompts in sorted(by_domain.items()):
        if len(prompts) < MIN_PROBLEMS:
            raise InputError(
                f"problems: found {len(prompts)} distinct problems of domain {domain}, needed are at least "
                f"{MIN_PROBLEMS} to cut them into {', '.join(requested)}"
            )
        alone = [[prompt] for prompt in prompts]
        together = _near_copies(copies, prompts) if len(requested) > 1 else alone
        if len(together) < MIN_PROBLEMS:
            parted.append(domain)
            together = alone
        for name, chosen in _cut(together, requested, seed).items():
            cuts[name] += [problem for prompt in chosen for problem in copies[prompt]]
    ordered = {name: tuple(sorted(cut, key=lambda problem: (problem.id, problem.prompt))) for name, cut in cuts.items()}
    return Splits(**ordered, parted=tuple(parted))


def _near_copies(copies: Mapping[str, Sequence[Problem]], prompts: Sequence[str]) -> list[list[str]]:
    """The queries of one domain, near copies together."""
    clusters: dict[str, list[str]] = defaultdict(list)
    shown = [min(copies[prompt], key=lambda problem: (problem.domain, problem.prompt)) for prompt in prompts]
    for prompt, cluster in zip(prompts, clustered(shown), strict=True):
        clusters[cluster].append(prompt)
    return list(clusters.values())


def _cut(clusters: Sequence[Sequence[str]], requested: Mapping[str, int], seed: int) -> dict[str, list[str]]:
    """Split -> its queries. In an order drawn by lot, each cluster goes to the first split that has room for it.

    One that fits nowhere goes where most room is; a split that would stay empty gets the smallest of the largest's.
    """
    room = _sizes(sum(map(len, clusters)), requested)
    chosen: dict[str, list[Sequence[str]]] = {name: [] for name in room}
    lots = [sorted((_rank(prompt, seed), prompt) for prompt in cluster) for cluster in clusters]
    for lot in sorted(lots):
        roomy = next((name for name in room if room[name] >= len(lot)), None) or max(room, key=room.__getitem__)
        chosen[roomy].append([prompt for _, prompt in lot])
        room[roomy] -= len(lot)
    for name in room:
        if not chosen[name]:
            largest = max(
                (other for other in room if len(chosen[other]) > 1), key=lambda one: sum(map(len, chosen[one]))
            )
            smallest = min(chosen[largest], key=len)
            chosen[largest].remove(smallest)
            chosen[name].append(smallest)
    return {name: [prompt for cluster in members for prompt in cluster] for name, members in chosen.items()}


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
    return hashlib.sha256(f"{seed}\n{prompt}".encode("utf-8", "surrogatepass")).digest()

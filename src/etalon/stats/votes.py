"""What a majority vote over the answers to one problem comes to. Standard library only."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence


def cons_accuracy(clusters: Sequence[int | None], correct: Sequence[bool], k: int) -> float:
    """1.0 if the majority vote of the first k rollouts is correct, else 0.0; ties go to the earliest rollout.

    Args:
        clusters: index of each rollout's answer cluster; None gave no answer and casts no vote.
        correct: of each rollout; the earliest member of the winning cluster is the answer.
    """
    _check_votes(clusters, correct, k)
    voters = [(cluster, is_correct) for cluster, is_correct in zip(clusters[:k], correct, strict=False)]
    votes = Counter(cluster for cluster, _ in voters if cluster is not None)
    if not votes:
        return 0.0
    # Counter keeps the order of first sight and max the first of equals: ties go to the earliest
    winner = max(votes, key=votes.__getitem__)
    return float(next(is_correct for cluster, is_correct in voters if cluster == winner))


def cons_at_k(clusters: Sequence[int | None], correct: Sequence[bool], k: int) -> float:
    """Expected accuracy of the majority vote of k of the rollouts, drawn without replacement, in random order.

    What majority voting at a k below the n of an evaluation comes to. Exact: in a random order each of the tied
    clusters comes first equally often, and so does each member of a cluster; so a cluster that wins with `votes`
    contributes its share of correct members, divided by the ties.
    """
    _check_votes(clusters, correct, k)
    sizes = Counter(cluster for cluster in clusters if cluster is not None)
    num_correct = Counter(c for c, is_correct in zip(clusters, correct, strict=True) if c is not None and is_correct)
    silent = len(clusters) - sizes.total()
    expected = 0.0
    for winner, right in num_correct.items():
        rivals = [size for cluster, size in sizes.items() if cluster != winner]
        for votes in range(1, min(k, sizes[winner]) + 1):
            draws = math.comb(sizes[winner], votes) * _rival_draws(rivals, silent, votes, k - votes)
            expected += right / sizes[winner] * draws
    return expected / math.comb(len(clusters), k)


def _rival_draws(rivals: Sequence[int], silent: int, votes: int, num_drawn: int) -> float:
    """Ways to draw `num_drawn` rollouts so that no rival has more than `votes`, each divided by 1 + its ties.

    A rival with fewer members than that can neither win nor tie: its members are drawn like those that cast no vote.
    """
    silent += sum(size for size in rivals if size < votes)
    rivals = [size for size in rivals if size >= votes]
    # ways[drawn][ties], one rival after the other
    ways = [[1] if drawn == 0 else [0] for drawn in range(num_drawn + 1)]
    for size in rivals:
        grown = [[0] * (len(ways[0]) + 1) for _ in ways]
        for drawn, by_ties in enumerate(ways):
            for taken in range(min(votes, size, num_drawn - drawn) + 1):
                for ties, count in enumerate(by_ties):
                    grown[drawn + taken][ties + (taken == votes)] += count * math.comb(size, taken)
        ways = grown
    return math.fsum(
        count * math.comb(silent, num_drawn - drawn) / (1 + ties)
        for drawn, by_ties in enumerate(ways)
        for ties, count in enumerate(by_ties)
        if count
    )


def _check_votes(clusters: Sequence[int | None], correct: Sequence[bool], k: int) -> None:
    if len(clusters) != len(correct):
        raise ValueError(f"{len(clusters)} clusters for {len(correct)} verdicts")
    if not 1 <= k <= len(clusters):
        raise ValueError(f"k must be between 1 and the number of rollouts {len(clusters)}, not {k}")

"""The equations of CLR (CLR paper, arXiv 2608.11994): reliability of a trajectory, score of a cluster, the winner.

Numbers are exact fractions, so that a tie is a tie whatever the order of the sums, and a bound is a bound.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Literal

Clusters = Sequence[Sequence[int]]  # indices of the usable trajectories, grouped by equivalent answer
Exponent = Literal["m", "one"]


def reliability(verdicts: Sequence[bool], exponent: Exponent = "m") -> Fraction:
    """r = (mean of the verdicts)^M, M the number of verdicts: one refuted claim of five leaves 0.8^5 = 0.32768.

    exponent: "one" leaves the mean as it is, 0.8 of the same five (ours, for comparison). Both lie in [0, 1].
    """
    if not verdicts:
        raise ValueError("reliability needs at least one verdict; a trajectory without claims gets the prior")
    mean = Fraction(sum(verdicts), len(verdicts))
    return mean ** len(verdicts) if exponent == "m" else mean


def cluster_scores(clusters: Clusters, reliabilities: Mapping[int, Fraction]) -> list[Fraction]:
    """R of each cluster: the sum of its trajectories' reliabilities; one that is not verified adds 0."""
    return [sum((reliabilities.get(index, Fraction(0)) for index in cluster), Fraction(0)) for cluster in clusters]


def winner(clusters: Clusters, scores: Sequence[Fraction | int]) -> int:
    """Position of the cluster with the largest score; ties go to the one whose earliest trajectory came first."""
    return max(range(len(clusters)), key=lambda position: (scores[position], -min(clusters[position])))


def majority(clusters: Clusters) -> int:
    """Position of the cluster with the most votes (Cons@K), with the same tie rule."""
    return winner(clusters, [len(cluster) for cluster in clusters])

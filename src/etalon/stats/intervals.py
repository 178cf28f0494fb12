"""Means with their 95% intervals. Standard library only.

A problem is the unit of chance: its rollouts are correlated, so intervals are taken over per-problem means, never over
rollouts. Problems that are near copies share a cluster (`problems.clusters`), and then the cluster is the unit.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

CONFIDENCE = 0.95
NOTHING = 1e-12  # what rounding leaves of a spread of 0


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A mean with its two-sided 95% interval; one problem alone has the interval (-inf, inf)."""

    mean: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        return self.low > 0 or self.high < 0


def mean_interval(
    per_problem_means: Sequence[float],
    *,
    clusters: Sequence[Hashable] | None = None,
    lowest: float = 0.0,
    highest: float = 1.0,
) -> Interval:
    """The mean over problems with its 95% Student t interval; not cut to [lowest, highest].

    With clusters the variance is that of their sums of residuals (Liang and Zeger 1986, with the factor G/(G-1) of G
    clusters and G-1 degrees of freedom); where every problem stands alone that is the ordinary standard error.

    Where all clusters agree their spread is 0, and t would claim certainty (0 of 50 right: 0..0). Then no more than
    `unseen_share` of further clusters is taken to differ from these, and by as much as the bounds allow.

    Args:
        clusters: of each problem, what it has in common with its near copies; None: every problem stands alone.
        lowest, highest: what a problem can have at all: 0 and 1 for shares.
    """
    if not per_problem_means:
        raise ValueError("mean_interval: no problems")
    num_problems = len(per_problem_means)
    mean = math.fsum(per_problem_means) / num_problems
    residuals: dict[Hashable, list[float]] = {}
    for cluster, value in zip(clusters or range(num_problems), per_problem_means, strict=True):
        residuals.setdefault(cluster, []).append(value - mean)
    num_clusters = len(residuals)
    if num_clusters == 1:
        return Interval(mean=mean, low=-math.inf, high=math.inf)
    squares = math.fsum(math.fsum(members) ** 2 for members in residuals.values())
    standard_error = math.sqrt(squares * num_clusters / (num_clusters - 1)) / num_problems
    if standard_error < NOTHING:
        share = unseen_share(num_clusters)
        low, high = mean - share * max(0.0, mean - lowest), mean + share * max(0.0, highest - mean)
        return Interval(mean=mean, low=low, high=high)
    half_width = t_quantile(num_clusters - 1) * standard_error
    return Interval(mean=mean, low=mean - half_width, high=mean + half_width)


def unseen_share(num_problems: int) -> float:
    """The upper end of the 95% interval of a share that 0 of `num_problems` show: 0.31 for 10, 0.071 for 50.

    Exact (Clopper and Pearson 1934): a larger share would show in none of them less than 2.5% of the time.
    """
    return 1.0 - math.pow((1.0 - CONFIDENCE) / 2, 1 / num_problems)


def paired_difference(
    before: Mapping[str, float], after: Mapping[str, float], *, clusters: Mapping[str, str] | None = None
) -> Interval:
    """after - before over the problems that both have, with the 95% interval of the paired difference.

    Args:
        before, after: shares, by problem; where all differ by the same, see `mean_interval`.
        clusters: problem -> its cluster; one that is not named stands alone.
    """
    common = sorted(before.keys() & after.keys())
    if not common:
        raise ValueError("paired_difference: no problem is in both")
    return mean_interval(
        [after[problem_id] - before[problem_id] for problem_id in common],
        clusters=cluster_ids(common, clusters or {}),
        lowest=-1.0,
    )


def cluster_ids(problem_ids: Iterable[str], clusters: Mapping[str, str]) -> list[Hashable]:
    """The cluster of each problem; one that is not named stands alone."""
    return [("cluster", clusters[one]) if one in clusters else ("problem", one) for one in problem_ids]


@lru_cache
def t_quantile(degrees: int) -> float:
    """t such that P(|T| <= t) = 95% for Student's t with that many degrees of freedom (1 or more)."""
    low, high = 0.0, 13.0  # the largest is 12.706, at one degree
    while True:
        middle = (low + high) / 2
        if middle in (low, high):
            return middle
        low, high = (middle, high) if _t_central(middle, degrees) < CONFIDENCE else (low, middle)


def _t_central(t: float, degrees: int) -> float:
    """P(|T| <= t), exact for whole degrees of freedom (Abramowitz & Stegun 26.7.3 and 26.7.4)."""
    angle = math.atan(t / math.sqrt(degrees))
    cos2 = math.cos(angle) ** 2
    is_odd = degrees % 2 == 1
    term = math.cos(angle) if is_odd else 1.0
    series = 0.0
    for factor in range(2 if is_odd else 1, degrees, 2):
        series += term
        term *= cos2 * factor / (factor + 1)
    return 2 / math.pi * (angle + math.sin(angle) * series) if is_odd else math.sin(angle) * series


def finite(bound: float) -> float | None:
    """JSON has no infinity."""
    return bound if math.isfinite(bound) else None

"""Means with their 95% intervals. Standard library only.

A problem is the unit of chance: its rollouts are correlated, so intervals are taken over per-problem means, never over
rollouts. Problems that are near copies share a cluster (`problems.clusters`), and then the cluster is the unit.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

from etalon.stats.beta import beta_quantile

CONFIDENCE = 0.95
TAIL = (1.0 - CONFIDENCE) / 2
NOTHING = 1e-12  # what rounding leaves of a spread of 0
MOST_PROBLEMS = 1e8  # effective ones; with more the bounds, 0.0001 from the mean at most, come no nearer


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A mean with its two-sided 95% interval."""

    mean: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        return excludes_zero(self.low, self.high)


def share_interval(per_problem_means: Sequence[float], *, clusters: Sequence[Hashable] | None = None) -> Interval:
    """The mean over problems of shares such as Pass@1, with its 95% interval inside [0, 1]; [0, 1] for one cluster.

    Exact binomial bounds (Clopper and Pearson 1934) at the effective number of problems (Korn and Graubard 1998),
    p(1-p)/se^2 times (z/t)^2 for the G-1 degrees of freedom of the se, which is that of `mean_interval`. Ours, so that
    a spread that few problems show does not pass for certainty:

    - The effective number is at least that of clusters: shares spread no wider than zeros and ones of the same mean.
    - No upper bound is below that of 0 of G clusters, no lower one above that of G of G.
    - Where all clusters agree, `unseen_share` of further ones may differ, as in `mean_interval`.

    bench/coverage.py prints how often it covers.

    Args:
        per_problem_means: each in [0, 1]; ValueError for others, and without any.
        clusters: as in `mean_interval`.
    """
    for value in per_problem_means:
        if not -NOTHING <= value <= 1.0 + NOTHING:
            raise ValueError(f"share_interval: {value} is no share")
    spread = _spread("share_interval", per_problem_means, clusters)
    mean, num_clusters = min(1.0, max(0.0, spread.mean)), spread.num_clusters
    if num_clusters == 1:
        return Interval(mean=mean, low=0.0, high=1.0)
    share = unseen_share(num_clusters)
    if spread.standard_error < NOTHING:
        return Interval(mean=mean, low=mean * (1.0 - share), high=mean + share * (1.0 - mean))
    shrinkage = (NormalDist().inv_cdf(1.0 - TAIL) / t_quantile(num_clusters - 1)) ** 2
    effective = mean * (1.0 - mean) / spread.standard_error**2 * shrinkage
    effective = min(MOST_PROBLEMS, max(spread.equal_clusters, effective))
    right, wrong = effective * mean, effective * (1.0 - mean)
    low, high = beta_quantile(TAIL, right, wrong + 1.0), beta_quantile(1.0 - TAIL, right + 1.0, wrong)
    return Interval(mean=mean, low=min(low, 1.0 - share), high=max(high, share))


def mean_interval(
    per_problem_means: Sequence[float],
    *,
    clusters: Sequence[Hashable] | None = None,
    lowest: float = 0.0,
    highest: float = 1.0,
) -> Interval:
    """The mean over problems with its 95% Student t interval, for differences and means without bounds.

    Not cut to [lowest, highest], and (-inf, inf) for one cluster; `share_interval` is for shares. With clusters the
    variance is that of their sums of residuals (Liang and Zeger 1986, with the factor G/(G-1) of G clusters and G-1
    degrees of freedom); where every problem stands alone that is the ordinary standard error.

    Where all clusters agree their spread is 0, and t would claim certainty (0 of 50 right: 0..0). Then no more than
    `unseen_share` of further clusters is taken to differ from these, and by as much as the bounds allow.

    Args:
        clusters: of each problem, what it has in common with its near copies; None: every problem stands alone.
        lowest, highest: what a problem can have at all: 0 and 1 for shares.
    """
    spread = _spread("mean_interval", per_problem_means, clusters)
    mean, num_clusters = spread.mean, spread.num_clusters
    if num_clusters == 1:
        return Interval(mean=mean, low=-math.inf, high=math.inf)
    if spread.standard_error < NOTHING:
        share = unseen_share(num_clusters)
        low, high = mean - share * max(0.0, mean - lowest), mean + share * max(0.0, highest - mean)
        return Interval(mean=mean, low=low, high=high)
    half_width = t_quantile(num_clusters - 1) * spread.standard_error
    return Interval(mean=mean, low=mean - half_width, high=mean + half_width)


def bounded_interval(
    values: Sequence[float], lowest: float, highest: float, *, clusters: Sequence[Hashable] | None = None
) -> Interval:
    """`mean_interval` cut to [lowest, highest], where every mean lies; (-inf, inf) for one value or cluster."""
    found = mean_interval(values, clusters=clusters, lowest=lowest, highest=highest)
    if math.isinf(found.low):
        return found
    return Interval(mean=found.mean, low=max(lowest, found.low), high=min(highest, found.high))


@dataclass(frozen=True, kw_only=True)
class _Spread:
    """equal_clusters: how many of one size the clusters weigh as much as, N^2 over the squares of sizes (Kish 1965)."""

    mean: float
    standard_error: float  # 0 for one cluster
    num_clusters: int
    equal_clusters: float


def _spread(caller: str, per_problem_means: Sequence[float], clusters: Sequence[Hashable] | None) -> _Spread:
    if not per_problem_means:
        raise ValueError(f"{caller}: no problems")
    num_problems = len(per_problem_means)
    mean = math.fsum(per_problem_means) / num_problems
    residuals: dict[Hashable, list[float]] = {}
    for cluster, value in zip(clusters or range(num_problems), per_problem_means, strict=True):
        residuals.setdefault(cluster, []).append(value - mean)
    num_clusters = len(residuals)
    squares = math.fsum(math.fsum(members) ** 2 for members in residuals.values())
    return _Spread(
        mean=mean,
        standard_error=math.sqrt(squares * num_clusters / max(1, num_clusters - 1)) / num_problems,
        num_clusters=num_clusters,
        equal_clusters=num_problems**2 / sum(len(members) ** 2 for members in residuals.values()),
    )


def unseen_share(num_problems: int) -> float:
    """The upper end of the 95% interval of a share that 0 of `num_problems` show: 0.31 for 10, 0.071 for 50.

    Exact (Clopper and Pearson 1934): a larger share would show in none of them less than 2.5% of the time.
    """
    return 1.0 - math.pow(TAIL, 1 / num_problems)


def paired_difference(
    before: Mapping[str, float], after: Mapping[str, float], *, clusters: Mapping[str, str] | None = None
) -> Interval:
    """after - before over the problems that both have, with the 95% t interval of the paired difference.

    Cut to [-1, 1], where every difference of shares lies; (-inf, inf) for one problem or cluster.

    Args:
        before, after: shares, by problem; where all differ by the same, see `mean_interval`.
        clusters: problem -> its cluster; one that is not named stands alone.
    """
    common = sorted(before.keys() & after.keys())
    if not common:
        raise ValueError("paired_difference: no problem is in both")
    values = [after[problem_id] - before[problem_id] for problem_id in common]
    return bounded_interval(values, -1.0, 1.0, clusters=cluster_ids(common, clusters or {}))


def sampling_noise(per_problem_counts: Sequence[tuple[int, int]]) -> float | None:
    """The standard error of Pass@1 on these very problems, sqrt(sum of p(1-p)/n) / P: would a re-run move it? (ours)

    It is of the drawing of samples alone, where an interval is of the drawing of problems as well. None where no
    problem has more than one decided sample; one that has a single one shows no noise and adds none.

    Args:
        per_problem_counts: of each problem, how many samples are decided and how many of these are right; problems
            without a decided one are left out, and more right than decided are a ValueError.
    """
    for decided, right in per_problem_counts:
        if not 0 <= right <= decided:
            raise ValueError(f"sampling_noise: {right} right of {decided} decided samples")
    counts = [(decided, right) for decided, right in per_problem_counts if decided]
    if all(decided == 1 for decided, _ in counts):
        return None
    variances = (right / decided * (1.0 - right / decided) / decided for decided, right in counts)
    return math.sqrt(math.fsum(variances)) / len(counts)


def excludes_zero(low: float | None, high: float | None) -> bool:
    """Whether a difference is clear: both ends of its interval are known and on one side of 0."""
    return low is not None and high is not None and (low > 0 or high < 0)


def finite(bound: float) -> float | None:
    """JSON has no infinity."""
    return bound if math.isfinite(bound) else None


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
